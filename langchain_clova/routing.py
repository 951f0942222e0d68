"""Routers of CLOVA Studio: the domain of a query, and a branch of a chain for each domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.runnables import Runnable, RunnableBranch, RunnableSerializable
from langchain_core.runnables.base import RunnableLike, coerce_to_runnable
from langchain_core.runnables.config import patch_config
from langchain_core.runnables.utils import get_unique_config_specs
from langchain_core.utils.aiter import aclosing
from pydantic import Field

from clova_studio import RouteResult
from langchain_clova._errors import ClovaConfigurationError
from langchain_clova._queries import QueryInput, query_of
from langchain_clova._runnables import ClovaRunnable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun
    from langchain_core.runnables import RunnableConfig
    from langchain_core.runnables.graph import Graph
    from langchain_core.runnables.utils import ConfigurableFieldSpec
    from langchain_core.utils.pydantic import TypeBaseModel

    from clova_studio import AsyncClovaStudio

__all__ = ["ClovaRouter", "ClovaRouterBranch"]


class ClovaRouter(ClovaRunnable[QueryInput, RouteResult]):
    """Finds the domain of a query, and the filters that it hits. Source: the router page of the API guide.

        >>> from langchain_clova import ClovaRouter
        >>> route = ClovaRouter(router_id="travel01", version=1).invoke("제주 숙소 추천해 줘")  # doctest: +SKIP
        >>> route.domain.result, route.blocked_content.result, route.safety.result  # doctest: +SKIP
        ('여행', [], [])

    Input: a string, messages, or a dict with ``query`` and optionally ``chat_history`` (messages). The last user
    message is the query, and the user message before it is sent as history; a router takes no more.

    Output: ``clova_studio.RouteResult``. ``domain.result`` is ``""`` if no domain matches. The service then applies no
    filter: such a query is **not** checked for safety.

    Attributes:
        router_id: The router's id in the console.
        version: Its version, from 1.

    Raises:
        ConfigurationError: An argument is unknown or invalid, there is no key, or an input has no query. Errors of
            calls are those of ``clova_studio`` and, at the same time, of langchain-core's ``ModelError`` family.

    See ``ConnectionFields`` for how to reach the service.
    """

    router_id: str = Field(min_length=1)
    version: int = Field(ge=1)

    def _run(self, given: QueryInput, config: RunnableConfig, options: dict[str, Any]) -> RouteResult:  # noqa: ARG002
        query = query_of(given)
        return self._connection.sync.route(
            self.router_id, self.version, query.text, chat_history=query.earlier_user_message
        )

    async def _arun(
        self,
        given: QueryInput,
        config: RunnableConfig,  # noqa: ARG002  nothing is run below this
        options: dict[str, Any],  # noqa: ARG002  there are none
        client: AsyncClovaStudio,
    ) -> RouteResult:
        query = query_of(given)
        return await client.route(self.router_id, self.version, query.text, chat_history=query.earlier_user_message)


class _Condition(RunnableSerializable[RouteResult, bool]):
    """Decides whether a route leads to a branch; sends no request."""

    kind: Literal["unsafe", "blocked", "domain"]
    domain: str = ""

    def invoke(
        self,
        input: RouteResult,  # noqa: A002  the base class's name
        config: RunnableConfig | None = None,  # noqa: ARG002  too small for a run of its own
        **kwargs: Any,  # noqa: ARG002
    ) -> bool:
        """Return whether the route leads to this branch."""
        if self.kind == "domain":
            return input.domain.result == self.domain
        return bool((input.safety if self.kind == "unsafe" else input.blocked_content).result)

    @property
    def tag(self) -> str:
        """The name of the branch in traces and drawings."""
        return f"domain:{self.domain}" if self.kind == "domain" else self.kind


class _NoDefault(RunnableSerializable[Any, Any]):
    """Takes the place of a default that was not given."""

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002
        """Raise the error that there is no default."""
        raise ClovaConfigurationError("there is no default= branch")


class ClovaRouterBranch(RunnableBranch[Any, Any]):
    """Runs the branch for a query's domain: a ``RunnableBranch`` that asks the router once per input.

    Source: the router page of the API guide.

        >>> from langchain_clova import ClovaRouter, ClovaRouterBranch
        >>> chain = ClovaRouterBranch(  # doctest: +SKIP
        ...     router=ClovaRouter(router_id="travel01", version=1),
        ...     branches={"날씨": weather, "여행": travel},
        ...     blocked=lambda _: "해외 여행은 안내하지 않습니다.",
        ...     unsafe=lambda _: "그 말에는 답할 수 없습니다.",
        ...     default=small_talk,
        ... )

    The input is what the router takes, and the branch receives it unchanged. The output, streamed or not, is that of
    the branch. A query goes to ``unsafe`` if it hits a safety filter, else to ``blocked`` if it hits a content filter,
    else to the branch of its domain. If ``unsafe`` or ``blocked`` is not given, such a query goes to ``default``, never
    to the domain's branch. A query without a domain also goes to ``default``; the service has not checked its safety.

    In traces the router's run has the tag ``router``, and the branch's run has ``domain:<name>``, ``unsafe``,
    ``blocked`` or ``default``. Further keyword arguments of a call go to the branch.

    Args:
        router: A ``ClovaRouter``, or a runnable made from one (``with_retry``, ``with_config``).
        branches: A runnable, function or dict of these for each domain, by the domain's name exactly as in the console.
        blocked: The branch for queries that hit a content filter.
        unsafe: The branch for queries that hit a safety filter.
        default: The branch for all other queries.
        name: The name of the run in traces.

    Raises:
        ConfigurationError: There are no branches; when it is run: there is no branch for the route and no ``default``.
            Errors of the router are those of ``ClovaRouter``.
    """

    router: Runnable[Any, RouteResult]

    def __init__(
        self,
        *,
        router: Runnable[Any, RouteResult],
        branches: Mapping[str, RunnableLike[Any, Any]],
        blocked: RunnableLike[Any, Any] | None = None,
        unsafe: RunnableLike[Any, Any] | None = None,
        default: RunnableLike[Any, Any] | None = None,
        name: str | None = None,
    ) -> None:
        if not isinstance(router, Runnable):
            raise ClovaConfigurationError(f"router must be a ClovaRouter, got {type(router).__name__}")
        if not isinstance(branches, Mapping) or not branches:
            raise ClovaConfigurationError("branches must be a dict with a runnable for at least one domain")
        targets: list[tuple[_Condition, RunnableLike[Any, Any]]] = []
        if unsafe is not None:
            targets.append((_Condition(kind="unsafe"), unsafe))
        if blocked is not None:
            targets.append((_Condition(kind="blocked"), blocked))
        targets += [(_Condition(kind="domain", domain=domain), target) for domain, target in branches.items()]
        # The base class's constructor is skipped: it takes conditions on the input and requires a default.
        fields: dict[str, Any] = {
            "router": router,
            "branches": [(condition, coerce_to_runnable(target)) for condition, target in targets],
            "default": _NoDefault() if default is None else coerce_to_runnable(default),
            "name": name,
        }
        super(RunnableBranch, self).__init__(**fields)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return that ``dumps`` does not work, since branches may be functions."""
        return False

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Return the module of this class; the base class names its own."""
        return cls.__module__.split(".")

    @property
    def domains(self) -> list[str]:
        """The domains that have a branch."""
        return [condition.domain for condition, _ in self._conditions() if condition.kind == "domain"]

    @property
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        """The configurable fields of the router and of all branches."""
        steps = [self.router, *(target for _, target in self.branches), self.default]
        return get_unique_config_specs(spec for step in steps for spec in step.config_specs)

    def get_input_schema(self, config: RunnableConfig | None = None) -> TypeBaseModel:
        """Return the schema of the input: the router's.

        Args:
            config: As for every runnable.
        """
        return self.router.get_input_schema(config)

    def invoke(
        self,
        input: Any,  # noqa: A002  the base class's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Ask the router once and return the output of the branch.

        Args:
            input: See the class.
            config: Callbacks, tags and the like, for the router and the branch.
            **kwargs: For the branch.

        Raises:
            ClovaStudioError: The router failed, or there is no branch for its answer.
        """

        def run(given: Any, run_manager: CallbackManagerForChainRun, config: RunnableConfig, **kwargs: Any) -> Any:
            route = self.router.invoke(given, patch_config(config, callbacks=run_manager.get_child("router")))
            tag, target = self._target(route)
            return target.invoke(given, patch_config(config, callbacks=run_manager.get_child(tag)), **kwargs)

        return self._call_with_config(run, input, config, **kwargs)

    async def ainvoke(
        self,
        input: Any,  # noqa: A002  the base class's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Async variant of ``invoke``."""

        async def run(
            given: Any, run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig, **kwargs: Any
        ) -> Any:
            route = await self.router.ainvoke(given, patch_config(config, callbacks=run_manager.get_child("router")))
            tag, target = self._target(route)
            return await target.ainvoke(given, patch_config(config, callbacks=run_manager.get_child(tag)), **kwargs)

        return await self._acall_with_config(run, input, config, **kwargs)

    def stream(
        self,
        input: Any,  # noqa: A002  the base class's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        """Ask the router once and yield the chunks of the branch.

        Args:
            input: See the class.
            config: Callbacks, tags and the like, for the router and the branch.
            **kwargs: For the branch.

        Yields:
            The branch's chunks, as they arrive.

        Raises:
            ClovaStudioError: The router failed, or there is no branch for its answer.
        """

        def run(
            inputs: Iterator[Any], run_manager: CallbackManagerForChainRun, config: RunnableConfig, **kwargs: Any
        ) -> Iterator[Any]:
            given = next(inputs)
            route = self.router.invoke(given, patch_config(config, callbacks=run_manager.get_child("router")))
            tag, target = self._target(route)
            yield from target.stream(given, patch_config(config, callbacks=run_manager.get_child(tag)), **kwargs)

        yield from self._transform_stream_with_config(iter([input]), run, config, **kwargs)

    async def astream(
        self,
        input: Any,  # noqa: A002  the base class's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        """Async variant of ``stream``."""

        async def only() -> AsyncIterator[Any]:
            yield input

        async def run(
            inputs: AsyncIterator[Any],
            run_manager: AsyncCallbackManagerForChainRun,
            config: RunnableConfig,
            **kwargs: Any,
        ) -> AsyncIterator[Any]:
            given = await anext(inputs)
            route = await self.router.ainvoke(given, patch_config(config, callbacks=run_manager.get_child("router")))
            tag, target = self._target(route)
            chunks = target.astream(given, patch_config(config, callbacks=run_manager.get_child(tag)), **kwargs)
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk

        async with aclosing(self._atransform_stream_with_config(only(), run, config, **kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk

    def get_graph(self, config: RunnableConfig | None = None) -> Graph:
        """Return the graph: from the router, an edge for each domain, ``blocked``, ``unsafe`` and ``default``.

        Args:
            config: As for every runnable.
        """
        from langchain_core.runnables.graph import Graph

        graph = Graph()
        entry = graph.add_node(self.get_input_schema(config))
        router = graph.add_node(self.router)
        end = graph.add_node(self.get_output_schema(config))
        graph.add_edge(entry, router)
        targets = [(condition.tag.removeprefix("domain:"), target) for condition, target in self._conditions()]
        if not isinstance(self.default, _NoDefault):
            targets.append(("default", self.default))
        for label, target in targets:
            steps = target.get_graph(config)
            steps.trim_first_node()
            steps.trim_last_node()
            first, last = graph.extend(steps)
            if first is None or last is None:  # a graph without a single entry and exit: drawn as one node
                first = last = graph.add_node(target)
            graph.add_edge(router, first, label, conditional=True)
            graph.add_edge(last, end)
        return graph

    def _conditions(self) -> Sequence[tuple[_Condition, Runnable[Any, Any]]]:
        return cast("Sequence[tuple[_Condition, Runnable[Any, Any]]]", self.branches)

    def _target(self, route: RouteResult) -> tuple[str, Runnable[Any, Any]]:
        """Return the tag and the runnable of a route's branch."""
        is_filtered = bool(route.safety.result or route.blocked_content.result)
        for condition, target in self._conditions():
            if condition.kind == "domain" and is_filtered:
                continue  # a query that hit a filter must not reach the domain's branch
            if condition.kind == "blocked" and route.safety.result:
                continue  # without an unsafe= branch, an unsafe query goes to the default, not to blocked=
            if condition.invoke(route):
                return condition.tag, target
        if isinstance(self.default, _NoDefault):
            raise ClovaConfigurationError(
                f"no branch for the domain {route.domain.result!r} (content filters: {route.blocked_content.result}, "
                f"safety filters: {route.safety.result}) and no default=; there are branches for the domains "
                f"{', '.join(map(repr, self.domains))}",
                request_id=route.request_id,
            )
        return "default", self.default

"""A selector that asks a router of CLOVA Studio which choice a query belongs to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_selector import BaseSelector, SelectorResult, SingleSelection
from llama_index.core.schema import QueryBundle

from clova_studio import ConfigurationError
from clova_studio.adapters import SETTING_NAMES, Connection, refuse_unknown
from llama_index_clova._fields import ConnectionFields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.prompts.mixin import PromptDictType
    from llama_index.core.schema import QueryType
    from llama_index.core.tools.types import ToolMetadata

    from clova_studio import RouteResult

__all__ = ["ClovaRouterSelector"]

_NAMES = (*SETTING_NAMES, "client", "async_client")
# Arguments of LlamaIndex's own selectors.
_HINTS = {
    "llm": "the router decides, no LLM; RouterQueryEngine and RouterRetriever take llm=",
    "embed_model": "the router decides, no embeddings",
    "max_outputs": "a query has one domain, so one choice is selected",
    "prompt": "what the router goes by is written in the console",
    "prompt_template_str": "what the router goes by is written in the console",
    "output_parser": "the router's answer needs none",
}
# What QueryEngineTool and RetrieverTool are called that were given no name: their descriptions tell them apart.
_NO_NAMES = {"query_engine_tool", "retriever_tool"}
_SHOWN_CHARACTERS = 40


class ClovaRouterSelector(BaseSelector):
    """Selects the choice of a query's domain, by a router of CLOVA Studio. Source: the router page of the API guide.

        >>> from llama_index.core.query_engine import RouterQueryEngine
        >>> from llama_index_clova import ClovaRouterSelector
        >>> selector = ClovaRouterSelector(router_id="travel01", version=1, default="잡담")  # doctest: +SKIP
        >>> engine = RouterQueryEngine(selector, [weather, travel, chat], llm=llm)  # doctest: +SKIP
        >>> engine.query("제주 숙소 추천해 줘").metadata["selector_result"].reason  # doctest: +SKIP
        "domain '여행'"

    For ``RouterQueryEngine`` and ``RouterRetriever`` (give them ``llm=``: without one they set up LlamaIndex's default,
    although nothing here needs it). ``ToolRetrieverRouterQueryEngine`` takes a retriever of tools and no selector.

    The router is asked once for each query, and answers the name of a domain as it is written in the console. The
    choice of a domain is the one that ``domains`` says, else the one with that ``name``, else the one with that
    ``description``, exactly but for white space at the ends. A choice given as a plain string is its description.

    A query goes

    1. to ``unsafe`` if it hits a safety filter,
    2. else to ``blocked`` if it hits a content filter,
    3. else to the choice of its domain; a domain without a choice is an error, for a version's domains do not change,
    4. to ``default`` if it has no domain. **No filter was looked at then: it was not checked for safety.**

    Where ``unsafe`` or ``blocked`` is not set, such a query goes to ``default``, and never to its domain's choice: if
    ``default`` is that very choice, it is an error.

    Always one choice is selected, and its ``reason`` names the domain or filter. The query goes to the router as it
    is, without earlier messages: chat engines that condense a question first (``CondenseQuestionChatEngine``) fit.

    Args:
        router_id: The router's id in the console.
        version: Its version, from 1.
        default: Where a query without a domain goes: the index (from 0) or the name of a choice.
        blocked: Where content filters lead, likewise.
        unsafe: Where safety filters lead, likewise.
        domains: The index or name of the choice for a domain, by the domain's name, where the choices are called
            otherwise. Domains may share a choice.
        **connection: ``client``, ``async_client``, or the client's settings by name: ``api_key``, ``base_url``,
            ``region``, ``path_prefix``, ``apigw_api_key``, ``timeout``, ``max_retries``, ``retry``, ``rate_limits``,
            ``max_wait``, ``quota_group``, ``headers``, ``http_client``, ``http_async_client``. With ``client`` alone,
            asynchronous calls run it in a thread.

    Raises:
        ConfigurationError: An argument does not exist or is wrong, or there is no key. When it selects: one of the
            above names no choice, two choices have the same name, or the query is empty, all before anything is sent;
            or there is no choice for the router's answer. Errors of calls are those of ``clova_studio``.
    """

    def __init__(
        self,
        *,
        router_id: str,
        version: int,
        default: int | str | None = None,
        blocked: int | str | None = None,
        unsafe: int | str | None = None,
        domains: Mapping[str, int | str] | None = None,
        **connection: Any,
    ) -> None:
        own = tuple(ClovaRouterSelector.__init__.__kwdefaults__ or ())
        hints = {**ConnectionFields.argument_hints, **_HINTS}
        refuse_unknown(connection, (*_NAMES, "router_id", "version", *own), type(self).__name__, hints=hints)
        if not isinstance(router_id, str) or not router_id.strip():
            raise ConfigurationError(f"router_id must be a string that is not empty, got {router_id!r}")
        if not _is_whole(version) or version < 1:
            raise ConfigurationError(f"version must be a whole number from 1, got {version!r}")
        self._router_id = router_id
        self._version = version
        self._default = _optional("default", default)
        self._blocked = _optional("blocked", blocked)
        self._unsafe = _optional("unsafe", unsafe)
        self._domains = _domains(domains)
        self._connection = Connection.of(**connection)

    def __repr__(self) -> str:
        parts = [f"router_id={self._router_id!r}", f"version={self._version!r}"]
        for name in ("default", "blocked", "unsafe", "domains"):
            value = getattr(self, f"_{name}")
            if value not in (None, {}):
                parts.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def route(self, query: QueryType) -> RouteResult:
        """Ask the router, without choices: once, as ``select`` does.

        Args:
            query: A string or a ``QueryBundle``, of which ``query_str`` is sent.

        Returns:
            The domain (``""`` for none), and the content and safety filters that were hit.

        Raises:
            ConfigurationError: The query is empty, or only ``async_client`` was given.
            ClovaStudioError: The request failed.
        """
        return self._connection.sync.route(self._router_id, self._version, _text(query))

    async def aroute(self, query: QueryType) -> RouteResult:
        """Ask the router, without choices; see ``route``.

        Args:
            query: As there.

        Returns:
            As there.

        Raises:
            ClovaStudioError: As there.
        """
        client = self._connection.asynchronous
        if client is None:
            return await asyncio.to_thread(self.route, query)
        return await client.route(self._router_id, self._version, _text(query))

    def _select(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> SelectorResult:
        targets = self._targets(choices)
        return targets.selection(self.route(query))

    async def _aselect(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> SelectorResult:
        targets = self._targets(choices)
        return targets.selection(await self.aroute(query))

    def _get_prompts(self) -> PromptDictType:
        return {}

    def _update_prompts(self, prompts_dict: PromptDictType) -> None:
        if prompts_dict:
            raise ConfigurationError(
                f"{type(self).__name__} has no prompts, so none named {', '.join(map(repr, prompts_dict))}: what the "
                "router goes by is written in the console"
            )

    def _targets(self, choices: Sequence[ToolMetadata]) -> _Targets:
        known = _Choices(choices)
        return _Targets(
            known,
            default=known.place("default", self._default),
            blocked=known.place("blocked", self._blocked),
            unsafe=known.place("unsafe", self._unsafe),
            domains={name: known.at(f"domains[{name!r}]", value) for name, value in self._domains.items()},
        )


class _Choices:
    """The choices of one call, by their names."""

    def __init__(self, choices: Sequence[ToolMetadata]) -> None:
        if not choices:
            raise ConfigurationError("there are no choices to select from")
        names = [(choice.name or "").strip() for choice in choices]
        descriptions = [(choice.description or "").strip() for choice in choices]
        self._labels = [
            name if name and name not in _NO_NAMES else description or name
            for name, description in zip(names, descriptions, strict=True)
        ]
        for label, count in Counter(self._labels).items():
            if label and count > 1:
                raise ConfigurationError(
                    f"{count} choices are called {_shown(label)}, so no domain can be told to be for one of them: give "
                    f"each a name of its own; the choices are {self}"
                )
        self._place_of = {label: i for i, label in enumerate(self._labels) if label}
        for texts in (names, descriptions):
            # What several choices have names none of them.
            for i, text in enumerate(texts):
                if text and texts.count(text) == 1:
                    self._place_of.setdefault(text, i)

    def __str__(self) -> str:
        return ", ".join(f"{i}: {_shown(label)}" for i, label in enumerate(self._labels))

    def find(self, domain: str) -> int | None:
        """Return the place of the choice that is called like a domain, None if there is none."""
        return self._place_of.get(domain)

    def at(self, argument: str, reference: int | str) -> int:
        """Return the place of the choice that an argument names."""
        if isinstance(reference, str):
            place = self._place_of.get(reference)
        else:
            place = reference if reference < len(self._labels) else None
        if place is None:
            raise ConfigurationError(f"{argument}={reference!r} is none of the choices, which are {self}")
        return place

    def place(self, argument: str, reference: int | str | None) -> int | None:
        """Return the same, None for None."""
        return None if reference is None else self.at(argument, reference)


class _Targets:
    """Which of the choices each answer of the router leads to. No I/O."""

    def __init__(
        self,
        choices: _Choices,
        *,
        default: int | None,
        blocked: int | None,
        unsafe: int | None,
        domains: Mapping[str, int],
    ) -> None:
        self._choices = choices
        self._default = default
        self._blocked = blocked
        self._unsafe = unsafe
        self._domains = domains

    def selection(self, route: RouteResult) -> SelectorResult:
        """Return the choice for the router's answer, or say why there is none."""
        domain = route.domain.result.strip()
        if hit := route.safety.result:
            index, reason = self._filtered(route, "unsafe", self._unsafe, f"safety {_filters(hit)}", domain)
        elif hit := route.blocked_content.result:
            index, reason = self._filtered(route, "blocked", self._blocked, f"content {_filters(hit)}", domain)
        elif domain:
            index, reason = self._own(route, domain), f"domain {domain!r}"
        elif self._default is not None:
            index, reason = self._default, "no domain, so no filter was looked at: not checked for safety"
        else:
            raise self._nowhere(route, "no domain, and no default=", "set default= to the index or name of one")
        return SelectorResult(selections=[SingleSelection(index=index, reason=reason)])

    def _own(self, route: RouteResult, domain: str) -> int:
        index = self._of(domain)
        if index is None:
            raise self._nowhere(
                route,
                f"domain {domain!r}, which no choice is called",
                f"name one of them so, or set domains={{{domain!r}: ...}} to the index or name of one",
            )
        return index

    def _filtered(
        self, route: RouteResult, argument: str, target: int | None, hit: str, domain: str
    ) -> tuple[int, str]:
        outcome = f"{hit} of the domain {domain!r}"
        if target is not None:
            return target, outcome
        way_out = f"set {argument}= to the index or name of one"
        if self._default is None:
            raise self._nowhere(route, f"{outcome}, and neither {argument}= nor default=", way_out)
        if domain and self._default == self._of(domain):
            raise self._nowhere(
                route, f"{outcome}, no {argument}=, and default= is the domain's own choice, never taken then", way_out
            )
        return self._default, f"{outcome}, to the default for want of {argument}="

    def _of(self, domain: str) -> int | None:
        return self._domains[domain] if domain in self._domains else self._choices.find(domain)

    def _nowhere(self, route: RouteResult, outcome: str, way_out: str) -> ConfigurationError:
        return ConfigurationError(
            f"there is no choice for this query ({outcome}). The choices are {self._choices}: {way_out}",
            request_id=route.request_id,
        )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _reference(argument: str, value: Any) -> int | str:
    """Return what names a choice, or refuse what cannot name one."""
    if _is_whole(value) and value >= 0:
        return int(value)
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ConfigurationError(f"{argument} must be the index of a choice from 0, or its name, got {value!r}")


def _optional(argument: str, value: Any) -> int | str | None:
    return None if value is None else _reference(argument, value)


def _domains(given: Any) -> dict[str, int | str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"domains must be a mapping of domains to choices, got {type(given).__name__}")
    found: dict[str, int | str] = {}
    for name, value in given.items():
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(
                f"domains has the key {name!r}: it must be the name of a domain (queries without one go to default=)"
            )
        reference = _reference(f"domains[{name!r}]", value)
        if found.setdefault(name.strip(), reference) != reference:
            raise ConfigurationError(f"domains has {name.strip()!r} twice, with different choices")
    return found


def _text(query: QueryType) -> str:
    return query.query_str if isinstance(query, QueryBundle) else query


def _filters(names: Sequence[str]) -> str:
    return f"filter{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"


def _shown(label: str) -> str:
    """Return a choice's name for a message: a description can be a page."""
    line = " ".join(label.split())
    return repr(line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 3]}...")

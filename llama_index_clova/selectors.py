"""A selector that asks a router of CLOVA Studio which choice a query belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_selector import BaseSelector, SelectorResult, SingleSelection
from llama_index.core.schema import QueryBundle

from clova_studio import ConfigurationError
from clova_studio.adapters import SETTING_NAMES, Connection, in_thread, refuse_unknown
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
    "llm": "the router decides, not an LLM; RouterQueryEngine and RouterRetriever take llm=",
    "embed_model": "the router decides, not an embedding model",
    "max_outputs": "a query has one domain, so exactly one choice is selected",
    "prompt": "the router is configured in the console",
    "prompt_template_str": "the router is configured in the console",
    "output_parser": "the router's answer needs no parser",
}
# The names that QueryEngineTool and RetrieverTool have by default: tools with these are known by their descriptions.
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

    Works with ``RouterQueryEngine`` and ``RouterRetriever``. Pass ``llm=`` to them: without it they create LlamaIndex's
    default model, which this selector does not need. ``ToolRetrieverRouterQueryEngine`` takes a retriever of tools
    instead of a selector.

    Each query costs one request. The router answers with the name of a domain as it is written in the console. The
    choice for a domain is the one given in ``domains``, else the one with that ``name``, else the one with that
    ``description``; only white space at both ends is ignored. A choice given as a plain string is its description.

    A query goes

    1. to ``unsafe`` if it hits a safety filter,
    2. else to ``blocked`` if it hits a content filter,
    3. else to the choice for its domain; a domain without a choice is an error, because a version's domains do not
       change,
    4. to ``default`` if it has no domain. **The service applies no filter then: the query was not checked for safety.**

    If ``unsafe`` or ``blocked`` is not set, a query that hits such a filter goes to ``default``, never to its domain's
    choice. If ``default`` is that same choice, it is an error.

    Exactly one choice is selected, and its ``reason`` names the domain or filter. The query is sent as it is, without
    earlier messages, so use a chat engine that condenses the question first (``CondenseQuestionChatEngine``).

    Args:
        router_id: The router's id in the console.
        version: Its version, from 1.
        default: The choice for a query without a domain: its index (from 0) or its name.
        blocked: The choice for a query that hits a content filter: index or name.
        unsafe: The choice for a query that hits a safety filter: index or name.
        domains: The index or name of the choice for each domain, by the domain's name; needed only where a choice has
            another name. Domains may share a choice.
        **connection: ``client``, ``async_client``, or the client's settings by name: ``api_key``, ``base_url``,
            ``region``, ``path_prefix``, ``apigw_api_key``, ``timeout``, ``max_retries``, ``retry``, ``rate_limits``,
            ``max_wait``, ``quota_group``, ``headers``, ``http_client``, ``http_async_client``. With ``client`` alone,
            asynchronous calls run it in a thread.

    Raises:
        ConfigurationError: An argument is unknown or invalid, or there is no key. On selection, before anything
            is sent: an argument names no choice, two choices have the same name, or the query is empty; after the
            router's answer: there is no choice for it. Calls raise the errors of ``clova_studio``.
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
            raise ConfigurationError(f"router_id must be a string that is not blank, got {router_id!r}")
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
        """Return the router's answer to a query, without selecting a choice.

        Args:
            query: A string, or a ``QueryBundle`` whose ``query_str`` is sent.

        Returns:
            The domain (``""`` for none), and the content and safety filters that were hit.

        Raises:
            ConfigurationError: The query is empty, or only ``async_client`` was given.
            ClovaStudioError: The request failed.
        """
        return self._connection.sync.route(self._router_id, self._version, _text(query))

    async def aroute(self, query: QueryType) -> RouteResult:
        """Async variant of ``route``."""
        client = self._connection.asynchronous
        if client is None:
            return await in_thread(self.route, query)
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
                f"{type(self).__name__} has no prompts, so it cannot take {', '.join(map(repr, prompts_dict))}: the "
                "router is configured in the console"
            )

    def _targets(self, choices: Sequence[ToolMetadata]) -> _Targets:
        known = _Choices(choices)
        return _Targets(
            known,
            default=known.optional_index("default", self._default),
            blocked=known.optional_index("blocked", self._blocked),
            unsafe=known.optional_index("unsafe", self._unsafe),
            domains={name: known.index(f"domains[{name!r}]", value) for name, value in self._domains.items()},
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
                    f"{count} choices are called {_shown(label)}, so a domain cannot be matched to one of them: "
                    f"give each its own name. The choices are {self}"
                )
        self._index_of = {label: i for i, label in enumerate(self._labels) if label}
        for texts in (names, descriptions):
            # A text that several choices share identifies none of them.
            for i, text in enumerate(texts):
                if text and texts.count(text) == 1:
                    self._index_of.setdefault(text, i)

    def __str__(self) -> str:
        return ", ".join(f"{i}: {_shown(label)}" for i, label in enumerate(self._labels))

    def find(self, domain: str) -> int | None:
        """Return the index of the choice with a domain's name, None if there is none."""
        return self._index_of.get(domain)

    def index(self, argument: str, reference: int | str) -> int:
        """Return the index of the choice that an argument names."""
        if isinstance(reference, str):
            index = self._index_of.get(reference)
        else:
            index = reference if reference < len(self._labels) else None
        if index is None:
            raise ConfigurationError(f"{argument}={reference!r} is not one of the choices, which are {self}")
        return index

    def optional_index(self, argument: str, reference: int | str | None) -> int | None:
        """Return the index of the choice that an argument names, None for None."""
        return None if reference is None else self.index(argument, reference)


class _Targets:
    """Maps each possible answer of the router to one of the choices. No I/O."""

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
        """Return the choice for the router's answer.

        Raises:
            ConfigurationError: There is none; the message says why.
        """
        domain = route.domain.result.strip()
        if hit := route.safety.result:
            index, reason = self._filtered(route, "unsafe", self._unsafe, f"safety {_filters(hit)}", domain)
        elif hit := route.blocked_content.result:
            index, reason = self._filtered(route, "blocked", self._blocked, f"content {_filters(hit)}", domain)
        elif domain:
            index, reason = self._own(route, domain), f"domain {domain!r}"
        elif self._default is not None:
            index, reason = self._default, "no domain, so no filter was applied: not checked for safety"
        else:
            raise self._nowhere(route, "no domain, and no default=", "set default= to the index or name of one")
        return SelectorResult(selections=[SingleSelection(index=index, reason=reason)])

    def _own(self, route: RouteResult, domain: str) -> int:
        index = self._of(domain)
        if index is None:
            raise self._nowhere(
                route,
                f"domain {domain!r}, but no choice has this name",
                f"give one of them this name or set domains={{{domain!r}: ...}} to the index or name of one",
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
                route,
                f"{outcome}, no {argument}=, and default= is the domain's own choice, which a filter rules out",
                way_out,
            )
        return self._default, f"{outcome}, to the default: {argument}= is not set"

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
    """Return the index or name of a choice, or refuse what can be neither."""
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
    """Return a choice's name for a message, shortened: a description can be a page long."""
    line = " ".join(label.split())
    return repr(line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 3]}...")

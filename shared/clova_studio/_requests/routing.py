"""Routers and skillsets, which are configured in the console and called by id and version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clova_studio._errors import ConfigurationError
from clova_studio._requests.call import Call, post, present
from clova_studio._requests.validation import boolean, check_text, path_segment, shown
from clova_studio._streaming.skillset_assembler import SkillsetAssembler
from clova_studio.types.routing import RouteResult
from clova_studio.types.skillsets import SkillsetResult

__all__ = ["route", "skillset"]

# All routers and skillsets of an account, in all versions, share one quota.
_QUOTA = "router"
_IN_DOUBT = (
    "the request is not sent again, because the skills may have called their APIs: check there what they did before "
    "you run the skillset again"
)
_MAX_VERSION = 2**31 - 1


def route(
    router_id: str,
    version: int,
    query: str,
    *,
    chat_history: Sequence[Any] | None = None,
    request_id: str | None = None,
    timeout: Any = None,
) -> Call[RouteResult]:
    """Return a router request. Source: the router page of the API guide."""
    body = present(
        {
            "query": check_text("query", query),
            "chatHistory": _history(chat_history, ("user",), "the router takes only earlier messages of the user"),
        }
    )
    path = f"/v1/routers/{path_segment('router_id', router_id)}/versions/{_version(version)}/route"
    return post(path, body, RouteResult, quota=_QUOTA, request_id=request_id, timeout=timeout)


def skillset(
    skillset_id: str,
    version: int | str,
    query: str,
    *,
    chat_history: Sequence[Any] | None = None,
    request_override: Mapping[str, Any] | None = None,
    token_stream: bool | None = None,
    request_id: str | None = None,
    timeout: Any = None,
) -> Call[SkillsetResult]:
    """Return a skillset request. Source: the skillset final answer page of the API guide.

    It is retried only if no skill has started: skills call the user's APIs, which may have side effects.
    """
    body = present(
        {
            "query": check_text("query", query),
            "tokenStream": boolean("token_stream", token_stream),
            "chatHistory": _history(chat_history, ("user", "assistant"), "skillsets have no other roles"),
            "requestOverride": _override(request_override),
        }
    )
    path = f"/v1/skillsets/{path_segment('skillset_id', skillset_id)}/versions/{_version(version, latest=True)}"
    return post(
        f"{path}/final-answer",
        body,
        SkillsetResult,
        quota=_QUOTA,
        request_id=request_id,
        timeout=timeout,
        in_doubt=_IN_DOUBT,
        assembler=SkillsetAssembler,
    )


def _version(value: Any, *, latest: bool = False) -> str:
    if latest and value == "latest":
        return "latest"
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_VERSION:
        raise ConfigurationError(
            f"version must be a whole number from 1{', or latest' if latest else ''}, got {shown(value)}"
        )
    return str(value)


def _history(history: Any, roles: tuple[str, ...], why: str) -> list[dict[str, str]] | None:
    if history is None:
        return None
    if isinstance(history, (str, bytes, Mapping)) or not isinstance(history, Sequence):
        raise ConfigurationError(f"chat_history must be a list of messages, got {type(history).__name__}")
    wire = []
    for i, message in enumerate(history):
        where = f"chat_history[{i}]"
        given = message if isinstance(message, Mapping) else getattr(message, "__dict__", {})
        if given.get("role") not in roles:
            raise ConfigurationError(f"{where}.role must be {' or '.join(roles)}, got {given.get('role')!r}: {why}")
        wire.append({"role": given["role"], "content": check_text(f"{where}.content", given.get("content"))})
    return wire


_OVERRIDES = {"header": "header", "query": "query", "request_body": "requestBody", "requestBody": "requestBody"}


def _override(given: Any) -> dict[str, Any] | None:
    """Return the overrides of the skills' API calls under the wire's names."""
    if given is None:
        return None
    names = {"base_operation": "baseOperation", "baseOperation": "baseOperation", "operations": "operations"}
    if not isinstance(given, Mapping) or set(given) - set(names):
        raise ConfigurationError(f"request_override takes base_operation and operations, got {given!r}")
    wire: dict[str, Any] = {}
    for name, value in given.items():
        if names[name] == "baseOperation":
            wire["baseOperation"] = _operation(value, "request_override.base_operation", needs_id=False)
        elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            wire["operations"] = [
                _operation(item, f"request_override.operations[{i}]", needs_id=True) for i, item in enumerate(value)
            ]
        else:
            raise ConfigurationError(f"request_override.operations must be a list, got {value!r}")
    return wire


def _operation(given: Any, where: str, *, needs_id: bool) -> dict[str, Any]:
    ids = {"operation_id": "operationId", "operationId": "operationId"} if needs_id else {}
    names = {**_OVERRIDES, **ids}
    if not isinstance(given, Mapping) or set(given) - set(names):
        raise ConfigurationError(f"{where} takes the fields {', '.join(n for n in names if '_' in n or n.islower())}")
    wire = {names[name]: value for name, value in given.items()}
    if needs_id and not isinstance(wire.get("operationId"), str):
        raise ConfigurationError(f"{where}.operation_id is missing: give the id of the operation to override")
    for name in ("header", "query", "requestBody"):
        if name in wire and not isinstance(wire[name], Mapping):
            raise ConfigurationError(f"{where}.{name} must be a mapping, got {wire[name]!r}")
    return wire

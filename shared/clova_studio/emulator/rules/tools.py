"""What the service accepts as tools and tool choice ("Chat Completions v3, function calling" reference page)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from clova_studio.emulator.rules.chat_request import ForcedTool
from clova_studio.emulator.rules.checks import is_one_of
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.rules.refusals import Refusal, invalid

# No page says which names are taken; this is the form of OpenAI's API, and has all names of the pages' samples.
_ASCII_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_tools(body: Mapping[str, Any], facts: Facts, *, complete: bool = False) -> list[dict[str, Any]]:
    """Check the tools of a request, which may have none.

    ``type`` may be missing in chat, as in the page's cURL sample, and ``parameters`` as in its table; with ``complete``
    both are required, as for RAG Reasoning. An empty list is refused, because it is most likely a mistake of the
    caller; what the service does is not documented. Refusals write ``tools[]`` without an index, as recorded.
    """
    tools = body.get("tools")
    if tools is None:
        return []
    if not isinstance(tools, list) or not tools:
        raise invalid("tools")
    for tool in tools:
        kind = tool.get("type") if isinstance(tool, dict) else ""
        if kind != "function" and (complete or kind is not None):
            raise invalid("tools[].type")
        function = tool.get("function")
        if not isinstance(function, dict):
            raise invalid("tools[].function")
        if not isinstance(function.get("name"), str) or not function["name"]:
            raise invalid("tools[].function.name")
        _check_description(function.get("description"), facts)
        parameters = function.get("parameters")
        if parameters is None and not complete:
            continue
        if not isinstance(parameters, dict) or parameters.get("type", "object") != "object":
            raise invalid("tools[].function.parameters")
    return tools


def _check_description(value: Any, facts: Facts) -> None:
    """Check what describes a tool; recorded refusals of an empty and of a missing one are the same."""
    fact = "missing-description" if value is None else "empty-description"
    if (value is not None and not isinstance(value, str)) or (not value and not facts.takes(fact)):
        raise invalid("tools[].function.description")


def check_tool_choice(
    body: Mapping[str, Any], tools: list[dict[str, Any]], *, can_force: bool = True
) -> str | ForcedTool:
    """Check the tool choice: ``auto``, ``none``, or the forced tool.

    The page allows an object that names one function; without ``can_force`` the answer is the recorded 40009.
    ``required`` is not documented and is refused.
    """
    choice = body.get("toolChoice")
    if choice is None:
        return "auto"
    if isinstance(choice, str):
        if choice not in {"auto", "none"}:
            raise invalid("toolChoice")
        return choice
    function = choice.get("function") if isinstance(choice, dict) else None
    if not isinstance(function, dict) or choice.get("type", "function") != "function":
        raise invalid("toolChoice")
    if not can_force:
        raise Refusal("40009", "Unsupported function")
    name = function.get("name")
    if not is_one_of(name, {tool["function"]["name"] for tool in tools}):
        raise invalid("toolChoice")
    return ForcedTool(str(name))


def check_ascii_names(
    tools: list[dict[str, Any]], messages: list[dict[str, Any]], schema: dict[str, Any] | None = None
) -> None:
    """Refuse names of tools and properties that are not in OpenAI's form: declared, replayed or in a response schema.

    Whether the service does is open: no page and no recording says which names it takes.
    """
    for tool in tools:
        function = tool["function"]
        if not _ASCII_NAME.fullmatch(function["name"]):
            raise invalid("tools[].function.name")
        if not all(_ASCII_NAME.fullmatch(name) for name in _properties(function.get("parameters"))):
            raise invalid("tools[].function.parameters")
    for index, message in enumerate(messages):
        for number, call in enumerate(message.get("toolCalls") or []):
            if not _ASCII_NAME.fullmatch(call["function"]["name"]):
                raise invalid(f"messages[{index}].toolCalls[{number}].function.name")
    if not all(_ASCII_NAME.fullmatch(name) for name in _properties(schema)):
        raise Refusal("40055")


def _properties(schema: Any) -> Iterator[str]:
    """The names of the properties in a schema, at any depth."""
    if isinstance(schema, list):
        for part in schema:
            yield from _properties(part)
    elif isinstance(schema, dict):
        for keyword, part in schema.items():
            if keyword == "properties" and isinstance(part, dict):
                yield from part
                for inner in part.values():
                    yield from _properties(inner)
            else:
                yield from _properties(part)

"""The names in one request: the caller's, and those that are sent in their place. Pure; arguments are never changed.

A request has them in its tools, its tool choice, its response format and the calls of its history, and its answer in
the calls or in its JSON. Everything on the caller's side of ``ToolNames`` is in the caller's names, errors included.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clova_studio._errors import ConfigurationError
from clova_studio.adapters._json_keys import KeyReplacer
from clova_studio.adapters._wire_names import wire_names

if TYPE_CHECKING:
    from clova_studio.types import Message, ToolCall

__all__ = ["RESPONSE_FORMAT", "Fragments", "ToolNames", "refuse_same_names"]

RESPONSE_FORMAT = ""
"""What stands in place of a tool's name for the schema of a response format."""

# Where a cleaned schema has other schemas inside.
_SCHEMAS = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_LISTS = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_NAMED = frozenset({"dependencies", "dependentRequired", "dependentSchemas", "properties"})
_OTHER_MAPPINGS = frozenset({"$defs", "definitions", "patternProperties"})
_VALUES = frozenset({"const", "default", "enum", "examples"})
_MAPPINGS = _NAMED | _OTHER_MAPPINGS
_CALLS = ("toolCalls", "tool_calls")


def refuse_same_names(tools: Sequence[Mapping[str, Any]]) -> None:
    """Refuse two tools with one name: no answer could say which of them it calls.

    Args:
        tools: Tools in the wire's form, with the caller's names.

    Raises:
        ConfigurationError: There are two; the error has the name.
    """
    names = [tool["function"]["name"] for tool in tools]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"two tools have the name {name!r}: give each a name of its own")


class ToolNames:
    """The names of the tools and parameters of a request, in both directions.

    Parameters are the properties of a schema at any depth. All of a schema together have one mapping, so a name is
    replaced by the same one wherever it is.

    Args:
        request: Arguments of a method of the client, with all tools that the call may declare, and with the history,
            whose calls may be of other tools.
        ascii_only: Whether names with Hangul are replaced too.
    """

    def __init__(self, request: Mapping[str, Any], *, ascii_only: bool) -> None:
        declared = [tool["function"] for tool in request.get("tools") or ()]
        messages = request.get("messages") or ()
        called = (call["function"]["name"] for message in messages for call in _calls_of(message))
        self._sent = wire_names(
            [name for name in (*(function["name"] for function in declared), *called) if isinstance(name, str)],
            ascii_only=ascii_only,
        )
        self._given = _inverse(self._sent)
        self._keys: dict[str, dict[str, str]] = {}  # by the caller's name of the tool
        schemas = [(function["name"], function.get("parameters")) for function in declared]
        if response_format := request.get("response_format"):
            schemas.append((RESPONSE_FORMAT, response_format["schema"]))
        for name, schema in schemas:
            if keys := _changed(wire_names(_property_names(schema), ascii_only=ascii_only)):
                self._keys[name] = keys
        self._given_keys = {name: _inverse(keys) for name, keys in self._keys.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ToolNames) and (self._given, self._keys) == (other._given, other._keys)

    __hash__ = None  # type: ignore[assignment]  # never needed

    @property
    def is_plain(self) -> bool:
        """Whether every name is sent as it is."""
        return not (self._given or self._keys)

    def sent(self, name: str) -> str:
        """Return the name that is sent for a tool.

        Args:
            name: The caller's name.
        """
        return self._sent.get(name, name)

    def request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request with the names that are sent.

        Args:
            request: Arguments of a method of the client.
        """
        found = dict(request)
        if found.get("tools"):
            found["tools"] = [self._tool(tool) for tool in found["tools"]]
        choice = found.get("tool_choice")
        if isinstance(choice, Mapping):
            found["tool_choice"] = {**choice, "function": {"name": self.sent(choice["function"]["name"])}}
        if keys := self._keys.get(RESPONSE_FORMAT):
            held = found.get("response_format")
            found["response_format"] = {**held, "schema": _renamed(held["schema"], keys)} if held else held
        if found.get("messages"):
            messages = found["messages"]
            found["messages"] = type(messages)([self._message(message) for message in messages])
        return found

    def answer(self, message: Message, *, text_of: str | None = None) -> Message:
        """Return a message of the model with the caller's names.

        Args:
            message: The message, whole.
            text_of: The tool whose arguments its text may have as JSON, ``RESPONSE_FORMAT``, or None for neither.
        """
        changed: dict[str, Any] = {}
        for field in ("tool_calls", "invalid_tool_calls"):
            if calls := getattr(message, field):
                changed[field] = [self._call(call) for call in calls]
        if text_of in self._given_keys and message.content:
            changed["content"] = _replaced(message.content, self._given_keys[text_of])
        return message.model_copy(update=changed) if changed else message

    def _tool(self, tool: Mapping[str, Any]) -> dict[str, Any]:
        function = tool["function"]
        name, keys = function["name"], self._keys.get(function["name"])
        found = dict(function)
        if keys:
            found["parameters"] = _renamed(function["parameters"], keys)
        if self.sent(name) != name:
            found["name"] = self.sent(name)
            found["description"] = _described(name, function.get("description"))
        return {**tool, "function": found}

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        if not any(message.get(field) for field in _CALLS):
            return message
        found = copy.copy(message)
        for field in _CALLS:
            if message.get(field):
                found[field] = [self._sent_call(call) for call in message[field]]
        return found

    def _sent_call(self, call: Mapping[str, Any]) -> dict[str, Any]:
        function = dict(call["function"])
        keys = self._keys.get(function["name"])
        function["name"] = self.sent(function["name"])
        if keys:
            function["arguments"] = _with_keys(function.get("arguments"), keys)
        return {**call, "function": function}

    def _call(self, call: ToolCall) -> ToolCall:
        function = call.function
        name = self.given(function.name) if function.name else None
        changed: dict[str, Any] = {} if name is None or name == function.name else {"name": name}
        if name and (keys := self._given_keys.get(name)):
            changed["arguments"] = _with_keys(function.arguments, keys)
            if function.partial_json is not None:
                changed["partial_json"] = _replaced(function.partial_json, keys)
        return call.model_copy(update={"function": function.model_copy(update=changed)}) if changed else call

    def given(self, name: str) -> str:
        """Return the caller's name of a tool; of one that the model has invented, the name itself.

        Args:
            name: The name in an answer.
        """
        return self._given.get(name, name)

    def replacer(self, name: str) -> KeyReplacer:
        """Return what gives streamed JSON the caller's names.

        Args:
            name: The caller's name of the tool whose arguments it is, or ``RESPONSE_FORMAT``.
        """
        return KeyReplacer(self._given_keys.get(name, {}))


class Fragments:
    """Gives the fragments of tool calls in one stream the caller's names.

    Args:
        names: The names of the request.
    """

    def __init__(self, names: ToolNames) -> None:
        self._names = names
        self._replacers: dict[int, KeyReplacer] = {}

    def named(self, fragments: Sequence[ToolCall]) -> list[ToolCall]:
        """Return the next fragments; the beginning of a key waits for its end.

        Args:
            fragments: The fragments of a chunk.
        """
        return [self._fragment(call) for call in fragments]

    def _fragment(self, call: ToolCall) -> ToolCall:
        function = call.function
        changed: dict[str, Any] = {}
        if function.name:
            name = changed["name"] = self._names.given(function.name)
            self._replacers.setdefault(call.index or 0, self._names.replacer(name))
        replacer = self._replacers.get(call.index or 0)
        if function.partial_json and replacer is not None:
            changed["partial_json"] = replacer.feed(function.partial_json)
        return call.model_copy(update={"function": function.model_copy(update=changed)}) if changed else call


def _calls_of(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for field in _CALLS:
        yield from message.get(field) or ()


def _inverse(names: Mapping[str, str]) -> dict[str, str]:
    return {sent: name for name, sent in names.items() if sent != name}


def _changed(names: Mapping[str, str]) -> dict[str, str]:
    return {name: sent for name, sent in names.items() if sent != name}


def _replaced(text: str, keys: Mapping[str, str]) -> str:
    replacer = KeyReplacer(keys)
    return replacer.feed(text) + replacer.rest()


def _described(name: str, description: Any) -> str:
    """Return a description that says what the caller calls it, for the model to recognise."""
    if not isinstance(description, str) or not description:
        return name
    return description if name in description else f"{name}: {description}"


def _with_keys(value: Any, keys: Mapping[str, str]) -> Any:
    """Return a JSON value with some keys of its objects replaced."""
    if isinstance(value, Mapping):
        return {keys.get(key, key): _with_keys(held, keys) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_keys(held, keys) for held in value]
    return value


def _property_names(schema: Any) -> Iterator[str]:
    """Yield the names of the properties of a schema and of those inside it."""
    if not isinstance(schema, Mapping):
        return
    for keyword, held in schema.items():
        if (keyword in _NAMED and isinstance(held, Mapping)) or (keyword == "required" and isinstance(held, list)):
            yield from (name for name in held if isinstance(name, str))
    for inner in _inside(schema):
        yield from _property_names(inner)


def _inside(schema: Mapping[str, Any]) -> Iterator[Any]:
    for keyword, held in schema.items():
        if keyword in _MAPPINGS and isinstance(held, Mapping):
            yield from held.values()
        elif keyword in _LISTS and isinstance(held, (list, tuple)):
            yield from held
        elif keyword in _SCHEMAS:
            yield held


def _renamed(schema: Any, keys: Mapping[str, str]) -> Any:
    """Return a schema with other names for some of its properties."""
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Any] = {}
    for keyword, held in schema.items():
        if keyword == "properties" and isinstance(held, Mapping):
            found[keyword] = {keys.get(name, name): _renamed_property(name, part, keys) for name, part in held.items()}
        elif keyword in _NAMED and isinstance(held, Mapping):
            found[keyword] = {keys.get(name, name): _renamed_dependence(part, keys) for name, part in held.items()}
        elif keyword in _OTHER_MAPPINGS and isinstance(held, Mapping):
            found[keyword] = {name: _renamed(part, keys) for name, part in held.items()}
        elif keyword == "required" and isinstance(held, (list, tuple)):
            found[keyword] = [keys.get(name, name) for name in held]
        elif keyword in _LISTS and isinstance(held, (list, tuple)):
            found[keyword] = [_renamed(part, keys) for part in held]
        elif keyword in _SCHEMAS:
            found[keyword] = _renamed(held, keys)
        elif keyword in _VALUES:
            found[keyword] = _with_keys(held, keys)
        else:
            found[keyword] = held
    return found


def _renamed_dependence(part: Any, keys: Mapping[str, str]) -> Any:
    """Return what a property depends on: a list of names, or a schema."""
    return [keys.get(name, name) for name in part] if isinstance(part, (list, tuple)) else _renamed(part, keys)


def _renamed_property(name: str, part: Any, keys: Mapping[str, str]) -> Any:
    found = _renamed(part, keys)
    if name in keys and isinstance(found, dict):
        found["description"] = _described(name, found.get("description"))
    return found

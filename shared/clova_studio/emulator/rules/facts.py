"""The facts that a behaviour consists of: what each of them can be, and what it is in either behaviour.

A fact is here if documentation and recorded traffic differ in it, or if only the service can settle it. What
``clova-studio verify`` finds at the service is a file of such facts, and the emulator then answers in that way.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

TAKEN, REFUSED = "taken", "refused"
_EITHER = (TAKEN, REFUSED)
_IGNORED = ("ignored", REFUSED)
_CLOCK = ("seconds", "milliseconds")
_BEHAVIOURS = ("documented", "observed")
_FIELDS = ("about", "behaviour", "facts")


class Fact(NamedTuple):
    """One fact: what it can be, and what it is."""

    choices: tuple[str, ...]
    documented: str
    observed: str


FACTS: dict[str, Fact] = {
    # Errors and keys.
    "error-result": Fact(("missing", "null"), "missing", "null"),
    "invalid-key-message": Fact(("Invalid key", "Invalid Key"), "Invalid key", "Invalid Key"),
    "testapp-bearer": Fact(_EITHER, TAKEN, TAKEN),
    "serviceapp-test-key": Fact(("40000", "40100"), "40100", "40000"),
    # Native answers and their streams.
    "event-space": Fact(("one", "none"), "one", "none"),
    "event-signal": Fact(("missing", "sent"), "missing", "sent"),
    "event-content-type": Fact(("plain", "charset"), "plain", "charset"),
    "native-created": Fact(_CLOCK, "milliseconds", "seconds"),
    "native-order": Fact(("created-first", "message-first"), "created-first", "message-first"),
    "filter-result": Fact(("missing", "sent"), "missing", "sent"),
    "v1-order": Fact(("reason-first", "lengths-first"), "reason-first", "lengths-first"),
    "v1-token-counts": Fact(("missing", "sent"), "missing", "sent"),
    # Fields of native v3 requests.
    "unknown-fields": Fact(_IGNORED, "ignored", "ignored"),
    "snake-case-fields": Fact(_IGNORED, "ignored", "ignored"),
    "v1-fields": Fact(_IGNORED, "ignored", "ignored"),
    "bare-base64": Fact(_EITHER, TAKEN, REFUSED),
    # Tools.
    "forced-native.HCX-005": Fact(_EITHER, TAKEN, REFUSED),
    "forced-native.HCX-DASH-002": Fact(_EITHER, TAKEN, REFUSED),
    "forced-native.HCX-007": Fact(_EITHER, TAKEN, REFUSED),
    "forced-compatible.HCX-005": Fact(_EITHER, TAKEN, TAKEN),
    "forced-compatible.HCX-DASH-002": Fact(_EITHER, TAKEN, REFUSED),
    "forced-compatible.HCX-007": Fact(_EITHER, TAKEN, TAKEN),
    "empty-description": Fact(_EITHER, REFUSED, REFUSED),
    "missing-description": Fact(_EITHER, REFUSED, REFUSED),
    "hangul-names": Fact(_EITHER, TAKEN, TAKEN),
    # Response schemas.
    "schema.title": Fact(_EITHER, TAKEN, TAKEN),
    "schema.default": Fact(_EITHER, TAKEN, TAKEN),
    "schema.$schema": Fact(_EITHER, TAKEN, TAKEN),
    "schema.additionalProperties": Fact(_EITHER, TAKEN, TAKEN),
    "schema.$ref": Fact(_EITHER, REFUSED, TAKEN),
    "schema.null": Fact(_EITHER, REFUSED, TAKEN),
    "schema.pattern": Fact(_EITHER, REFUSED, REFUSED),
    # OpenAI-compatible paths.
    "compatible-created": Fact(_CLOCK, "seconds", "milliseconds"),
    "compatible-schema.HCX-005": Fact(_EITHER, REFUSED, REFUSED),
    "lower-case-model": Fact(_EITHER, REFUSED, TAKEN),
    "list-input": Fact((REFUSED, "one-request", "request-per-text"), REFUSED, REFUSED),
    "thinking-name": Fact(("both", "reasoning_content", "thinking_content"), "both", "both"),
    # What clients of OpenAI's API send by default.
    "compatible-field.encoding_format": Fact(_EITHER, REFUSED, REFUSED),
    "compatible-field.content-null": Fact(_EITHER, REFUSED, REFUSED),
    "compatible-field.stream_options": Fact(_EITHER, REFUSED, REFUSED),
    "compatible-field.parallel_tool_calls": Fact(_EITHER, REFUSED, REFUSED),
    "compatible-field.tool_choice": Fact(_EITHER, REFUSED, REFUSED),
    # Tools of the console.
    "reranker-4096": Fact(_EITHER, TAKEN, TAKEN),
    "rag-without-tools": Fact(_EITHER, REFUSED, TAKEN),
    # Quotas.
    "limit-headers": Fact(("never", "refusals", "always"), "never", "always"),
    "counting": Fact(("fixed", "aligned", "sliding", "bucket"), "fixed", "fixed"),
}


class Facts(Mapping[str, str]):
    """What each fact is: that of a behaviour, but for those that are given.

    Raises:
        ValueError: The behaviour, a fact or what it is to be is unknown; the message names it.
    """

    def __init__(self, behaviour: str = "observed", given: Mapping[str, str] | None = None) -> None:
        if behaviour not in _BEHAVIOURS:
            raise ValueError(
                f"behaviour must be 'documented' or 'observed', or name a file of facts, not {behaviour!r}"
            )
        for name, value in (given or {}).items():
            if name not in FACTS:
                raise ValueError(f"facts: unknown fact {name!r}; known are {', '.join(FACTS)}")
            if value not in FACTS[name].choices:
                raise ValueError(f"facts: {name} must be one of {', '.join(FACTS[name].choices)}, not {value!r}")
        self.behaviour = behaviour
        self.observed = behaviour == "observed"
        self._values = {name: fact.observed if self.observed else fact.documented for name, fact in FACTS.items()}
        # How many differ from the behaviour's own.
        self.changed = sum(self._values[name] != value for name, value in (given or {}).items())
        self._values |= given or {}

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        return f"{self.behaviour}, {self.changed} facts changed" if self.changed else self.behaviour

    def takes(self, name: str) -> bool:
        """Return whether what a fact is about is taken; True for a name that is no fact."""
        return self._values.get(name, TAKEN) == TAKEN


def load_facts(source: str | os.PathLike[str] | Mapping[str, Any]) -> Facts:
    """Return the facts of a behaviour's name, of a JSON file, or of what such a file has.

    Args:
        source: ``"documented"``, ``"observed"``, the path of a file, or a mapping with ``behaviour`` and ``facts``.

    Raises:
        OSError: The file cannot be read.
        ValueError: A name in it is unknown, or it is not such a file.
    """
    if isinstance(source, str) and (source in _BEHAVIOURS or not os.path.exists(source)):  # noqa: PTH110 - a name
        return Facts(source)
    value: Any = source
    if not isinstance(source, Mapping):
        try:
            with open(source, encoding="utf-8-sig") as file:  # noqa: PTH123 - any path-like object
                value = json.load(file)
        except UnicodeDecodeError as error:
            raise ValueError(f"behaviour: {os.fspath(source)} is not UTF-8 text") from error
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"behaviour: {os.fspath(source)} is not JSON: {error}") from error
    if not isinstance(value, Mapping):
        raise ValueError("behaviour: the file must have an object with 'behaviour' and 'facts'")  # noqa: TRY004 - of a file
    unknown = [str(name) for name in value if name not in _FIELDS]
    if unknown:
        raise ValueError(f"behaviour: unknown field {unknown[0]!r}; known are {', '.join(_FIELDS)}")
    given = value.get("facts", {})
    if not isinstance(given, Mapping):
        raise ValueError("behaviour: 'facts' must be an object of names and values")  # noqa: TRY004 - of a file
    return Facts(value.get("behaviour", "observed"), given)

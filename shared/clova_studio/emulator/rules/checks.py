"""Checks of fields that several APIs share; a wrong field is refused with 40001 and its name."""

from collections.abc import Collection, Mapping
from typing import Any

from clova_studio.emulator.rules.catalogue import Model
from clova_studio.emulator.rules.refusals import Refusal, invalid

MAX_SEED = 4_294_967_295


def integer(body: Mapping[str, Any], name: str, low: int, high: int | None = None) -> int | None:
    """Read an optional integer and check its range; both bounds are inclusive."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        raise invalid(name)
    return value


def number(body: Mapping[str, Any], name: str, low: float, high: float, *, with_low: bool) -> float | None:
    """Read an optional number and check its range; the upper bound is inclusive, the lower one with ``with_low``."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise invalid(name)
    if value > high or value < low or (value == low and not with_low):
        raise invalid(name)
    return float(value)


def boolean(body: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """Read an optional boolean."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise invalid(name)
    return value


def strings(body: Mapping[str, Any], name: str) -> list[str]:
    """Read an optional array of strings."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid(name)
    return [item for item in value if item]


def text(body: Mapping[str, Any], name: str = "text") -> str:
    """Read a required text, which must not be blank."""
    value = body.get(name)
    if not isinstance(value, str):
        raise invalid(name)
    if not value.strip():
        raise Refusal("40004")
    return value


def optional_text(body: Mapping[str, Any], name: str) -> str | None:
    """Read an optional text, which may be empty."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(name)
    return value


def check_sampling(body: Mapping[str, Any], penalty: str, most: float, *, zero_temperature: bool = False) -> None:
    """Check the sampling parameters; ``penalty`` names the repetition penalty, and ``most`` is its upper bound."""
    number(body, "temperature", 0, 1, with_low=zero_temperature)
    number(body, "topP", 0, 1, with_low=False)
    number(body, penalty, 0, most, with_low=False)
    integer(body, "topK", 0, 128)


def check_length(model: Model, prompt_tokens: int, limit: int) -> None:
    """Check that a prompt and the requested output fit a model."""
    if prompt_tokens > model.max_input or prompt_tokens + limit > model.context:
        raise Refusal("40003")


def is_one_of(value: Any, allowed: Collection[str]) -> bool:
    """Whether a value of any type is one of some strings."""
    return isinstance(value, str) and value in allowed


def message_list(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read the conversation: a list of objects with at least one entry."""
    value = body.get("messages")
    if value is None or value == []:
        raise Refusal("40000")  # recorded for the empty list
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise invalid("messages")
    return value

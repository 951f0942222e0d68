"""What users write as mappings, in files and over HTTP: read, checked, and named where it is wrong."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as short
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A mapping. Unknown fields are refused; null means the default."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, json_schema_extra={"additionalProperties": False})

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError("must be a mapping")  # noqa: TRY004 - pydantic collects ValueErrors
        fields = cls.model_fields
        for name in value:
            if name not in fields:
                rule = "has the unknown field {shown}; known are {known}"
                context = {"name": str(name), "shown": repr(name), "known": ", ".join(fields)}
                raise PydanticCustomError("unknown_field", rule, context)
        return {name: item for name, item in value.items() if item is not None or fields[name].annotation is Any}


def read_file(path: Path) -> Any:
    """Read a YAML or JSON file; a ValueError names it with what is wrong."""
    text = path.read_text(encoding="utf-8-sig")
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text)
        import yaml

        return yaml.safe_load(text)
    except ImportError:
        raise
    except Exception as error:  # PyYAML has its own error tree, and values such as dates raise plain ValueErrors
        raise ValueError(f"{path}: {error}") from error


@dataclass(frozen=True)
class Broken:
    """A rule that is broken. ``owner`` and ``field`` differ only if the field is unknown, and its owner is wrong."""

    owner: str
    field: str
    rule: str


def describe(error: ValidationError, whole: str, separator: str = "\n") -> str:
    """What is wrong, a line for each field; ``whole`` names the value itself."""
    return separator.join(f"{broken.owner or whole} {broken.rule}" for broken in broken_rules(error))


def broken_rules(error: ValidationError) -> list[Broken]:
    """The wrong fields by their full names, empty for the whole value, and the rules with what breaks them."""
    found = []
    for item in error.errors():
        owner = _where(item["loc"])
        named = item.get("ctx", {}).get("name") if item["type"] == "unknown_field" else None
        field = owner if named is None else f"{owner}.{named}".removeprefix(".")
        found.append(Broken(owner, field, _rule(item)))
    return found


def _where(steps: Iterable[int | str]) -> str:
    written = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps if not _is_branch(step))
    return "".join(written).removeprefix(".")


def _is_branch(step: int | str) -> bool:
    """Whether a step is none of the value, but says which of several types was tried, or that a key is meant."""
    return step == "[key]" or (isinstance(step, str) and step.startswith("<"))


def _rule(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "is missing"
    rule = re.sub(r"^\w+ should", "must", error["msg"].removeprefix("Value error, ").replace(" after validation", ""))
    given = "" if ", not " in rule or not rule.startswith("must") else f", not {short(error['input'])}"
    return f"{rule}{given}"

"""Reads a configuration field by field; whatever is wrong is told with the field's full name."""

import re
from collections.abc import Collection, Mapping
from typing import Any


class Section:
    """A mapping of the configuration.

    Args:
        value: What stands there.
        where: Full name of the place, such as ``routers[0].domains[1]``; empty for the whole.
        known: Names of the fields that it may have.

    Raises:
        ValueError: It is no mapping, or has a field that is not known.
    """

    def __init__(self, value: Any, where: str, known: Collection[str]) -> None:
        self._where = where
        if not isinstance(value, Mapping):
            kind = type(value).__name__
            # One error for everything that is wrong with a configuration.
            raise ValueError(f"{where or 'The configuration'} must be a mapping, not {kind}")  # noqa: TRY004
        for name in value:
            if name not in known:
                raise ValueError(f"{self.name(str(name))} is unknown; known are {', '.join(known)}")
        self._value = value

    def name(self, field: str) -> str:
        """The full name of a field."""
        return f"{self._where}.{field}" if self._where else field

    def wrong(self, field: str, rule: str) -> ValueError:
        """An error that names a field."""
        return ValueError(f"{self.name(field)} {rule}")

    def text(
        self, field: str, default: str | None = None, *, most: int | None = None, form: tuple[str, str] | None = None
    ) -> str:
        """Read a text.

        Args:
            field: Name of the field.
            default: What a missing field means; None makes the field required.
            most: Largest number of characters.
            form: Regular expression that the whole text must match, and the same in words.
        """
        value = self._value.get(field)
        if value is None:
            if default is None:
                raise self.wrong(field, "is missing")
            return default
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(field, f"must be a text, not {value!r}")
        if most is not None and len(value) > most:
            raise self.wrong(field, f"may have at most {most} characters, not {len(value)}")
        if form is not None and re.fullmatch(form[0], value) is None:
            raise self.wrong(field, f"must {form[1]}, not {value!r}")
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        """Read a list of texts; a missing one is empty."""
        value = self._value.get(field)
        if value is None:
            return ()
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.wrong(field, f"must be a list of texts, not {value!r}")
        return tuple(value)

    def whole(self, field: str, default: int, *, least: int) -> int:
        """Read a whole number."""
        value = self._value.get(field, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.wrong(field, f"must be a whole number of at least {least}, not {value!r}")
        return value

    def seconds(self, field: str, default: float) -> float:
        """Read a time span."""
        value = self._value.get(field, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
            raise self.wrong(field, f"must be a number of seconds, not {value!r}")
        return float(value)

    def mapping(self, field: str) -> dict[str, Any]:
        """Read a mapping with texts as keys; a missing one is empty."""
        value = self._value.get(field)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.wrong(field, f"must be a mapping, not {value!r}")
        return dict(value)

    def anything(self, field: str, default: Any = None) -> Any:
        """Read a value of any type."""
        return self._value.get(field, default)

    def has(self, field: str) -> bool:
        """Whether a field is given."""
        return self._value.get(field) is not None

    def sections(self, field: str, known: Collection[str], *, least: int = 0) -> list["Section"]:
        """Read a list of mappings; a missing one is empty."""
        value = self._value.get(field)
        value = [] if value is None else value
        if not isinstance(value, list | tuple):
            raise self.wrong(field, f"must be a list, not {type(value).__name__}")
        if len(value) < least:
            raise self.wrong(field, f"must have at least {least} entry")
        return [Section(item, f"{self.name(field)}[{index}]", known) for index, item in enumerate(value)]

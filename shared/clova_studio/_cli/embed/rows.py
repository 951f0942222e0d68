"""Rows of the input: those with a text, those without one, and the columns in which it is looked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BadRow", "Columns", "Row", "row_of", "shown_names"]

_SHOWN_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns.

    Attributes:
        text: What holds the text; None for ``text`` or, in a CSV file of one column, that one.
        id: What identifies a row; None for ``id``, which is added where a row has none.
        vector: What the vector is called in the output.
    """

    text: str | None = None
    id: str | None = None
    vector: str = "embedding"

    @property
    def key(self) -> str:
        """The column of the output that names the model and the text."""
        return f"{self.vector}_key"

    def check(self, names: list[str], source: str) -> None:
        """Refuse columns of the input that the output needs for itself.

        Raises:
            ConfigurationError: There is one.
        """
        for name in (self.vector, self.key):
            if name in names:
                raise ConfigurationError(
                    f"{source} has a column {name!r}, which the output needs: name the output's with --vector-column"
                )


@dataclass(slots=True)
class Row:
    """A text to embed, and what goes with it.

    Attributes:
        source: The file.
        line: Its line in the file, from 1; of a row of several lines the first.
        id: What identifies it.
        text: The text.
        columns: All columns, the text among them.
        raw: The columns as a JSON object, as the input has it; None where the input is something else.
    """

    source: str
    line: int
    id: Any
    text: str
    columns: dict[str, Any]
    raw: bytes | None = None

    def head(self) -> bytes:
        """Return the columns as a JSON object without its closing brace, those of JSON lines unchanged."""
        if self.raw is not None:
            return self.raw
        return json.dumps(self.columns, ensure_ascii=False)[:-1].encode()


@dataclass(slots=True)
class BadRow:
    """A row without a text that could be embedded.

    Attributes:
        source: The file.
        line: Its line in the file, from 1.
        reason: What is wrong.
        kind: What sort of mistake it is; a file in which all rows have the same is one mistake.
        id: What identifies it, None if that could not be read.
        sample: Bytes that are not UTF-8.
    """

    source: str
    line: int
    reason: str
    kind: Literal["encoding", "column", "row"] = "row"
    id: Any = None
    sample: bytes = field(default=b"", repr=False)


def row_of(name: str, line: int, values: dict[str, Any], columns: Columns) -> Row | BadRow:
    """Return a row of its columns, or what is wrong with its text.

    Args:
        name: The file.
        line: Its line in the file.
        values: Its columns.
        columns: Where the text and the id are.
    """
    text_name, id_name = columns.text or "text", columns.id or "id"
    if columns.id is not None and columns.id not in values:
        return BadRow(name, line, f"no column {columns.id!r}: see --id-column", "column")
    row_id = values.get(id_name, f"{name}:{line}")
    if text_name not in values:
        return BadRow(
            name,
            line,
            f"no column {text_name!r} (there are: {shown_names(values)}): see --text-column",
            "column",
            row_id,
        )
    text = values[text_name]
    if not isinstance(text, str):
        return BadRow(name, line, f"column {text_name!r} is not a string", id=row_id)
    if not text.strip():
        return BadRow(name, line, "the text is blank", id=row_id)
    try:
        text.encode()
    except UnicodeEncodeError:
        return BadRow(name, line, "the text holds half of a surrogate pair, which is not text", id=ascii(row_id))
    return Row(name, line, row_id, text, values)


def shown_names(names: Iterable[str]) -> str:
    """Return names of columns for a message: the first of them."""
    return ", ".join(list(names)[:_SHOWN_COLUMNS])

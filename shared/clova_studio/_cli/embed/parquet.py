"""Outputs as Parquet, with pyarrow. The columns get their types from all rows, since a file has one schema."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from clova_studio._cli.embed.journal import Keys
from clova_studio._cli.embed.outputs import Entry, not_an_output
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from clova_studio._cli.embed.outputs import Writer
    from clova_studio._cli.embed.rows import Columns, Row

__all__ = ["Parquet"]

_ROWS_AT_ONCE = 256
_MOST_COLUMNS = 1_000
_LARGEST = 1 << 63
_MIXED = "json"


class Parquet:
    """Outputs as Parquet. Values of mixed or nested types become JSON text.

    Raises:
        ImportError: pyarrow is not installed.
    """

    typed = True

    def __init__(self, columns: Columns) -> None:
        try:
            # Not imported by name: it has no types.
            self._arrow: Any = import_module("pyarrow")
            self._parquet: Any = import_module("pyarrow.parquet")
        except ImportError as error:
            raise ImportError(
                "Parquet needs pyarrow: pip install pyarrow, or name the output .jsonl / Parquet로 쓰려면 pyarrow가 "
                "필요합니다. pip install pyarrow로 설치하거나 출력 이름을 .jsonl로 바꾸세요."
            ) from error
        self._columns = columns
        self._kinds: dict[str, str | None] = {}

    def see(self, row: Row) -> None:
        """Take notice of the types in a row.

        Raises:
            ConfigurationError: There are too many columns.
        """
        for name, value in row.columns.items():
            kind = _kind(value)
            before = self._kinds.get(name)
            if before == kind and name in self._kinds:
                continue
            self._kinds[name] = kind if before is None else before if kind is None else _both(before, kind)
        if len(self._kinds) > _MOST_COLUMNS:
            raise ConfigurationError(f"more than {_MOST_COLUMNS:,} columns: name the output .jsonl instead of .parquet")

    def writer(self, file: BinaryIO) -> Writer:
        """Return what writes to a file."""
        arrow = self._arrow
        types = {"bool": arrow.bool_(), "int": arrow.int64(), "float": arrow.float64()}
        fields = [arrow.field(name, types.get(kind or "", arrow.string())) for name, kind in self._kinds.items()]
        fields.append(arrow.field(self._columns.key, arrow.string()))
        fields.append(arrow.field(self._columns.vector, arrow.list_(arrow.float64())))
        return _ParquetWriter(self, arrow.schema(fields), self._parquet, arrow, file)

    def cells(self, row: Row) -> dict[str, Any]:
        """Return the columns of a row as the file has them; None for one that the row does not have."""
        return {name: _cell(row.columns.get(name), kind) for name, kind in self._kinds.items()}

    def entries(self, path: Path, *, vectors: bool = True) -> Iterator[Entry]:
        """Give the rows of an output."""
        key, vector = self._columns.key, self._columns.vector
        try:
            file = self._parquet.ParquetFile(str(path))
        except (self._arrow.ArrowException, ValueError):
            raise not_an_output(path, 1) from None
        with file:
            names = list(file.schema_arrow.names)
            if key not in names or vector not in names:
                raise not_an_output(path, 1)
            wanted = names if vectors else [name for name in names if name != vector]
            number = 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted):
                for cells in batch.to_pylist():
                    number += 1
                    shown, numbers = cells.pop(key), cells.pop(vector, None)
                    if Keys.read(shown) is None or (vectors and not numbers):
                        raise not_an_output(path, number)
                    yield Entry(shown, numbers or [], cells)

    def matches(self, entry: Entry, row: Row) -> bool:
        """Return whether an entry has exactly the columns of a row."""
        return bool(entry.row == self.cells(row))


class _ParquetWriter:
    def __init__(self, form: Parquet, schema: Any, parquet: Any, arrow: Any, file: BinaryIO) -> None:
        self._form = form
        self._schema = schema
        self._arrow = arrow
        self._writer = parquet.ParquetWriter(file, schema)
        self._rows: list[dict[str, Any]] = []

    def write(self, row: Row, key: str, vector: Sequence[float]) -> None:
        cells = self._form.cells(row)
        key_name, vector_name = self._schema.names[-2:]
        self._rows.append({**cells, key_name: key, vector_name: list(vector)})
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()


def _kind(value: Any) -> str | None:
    """Return the kind of a value, None for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_LARGEST <= value < _LARGEST else _MIXED
    return {float: "float", str: "str"}.get(type(value), _MIXED)


def _both(first: str, second: str) -> str:
    """Return the kind that holds values of two kinds."""
    if first == second:
        return first
    return "float" if {first, second} == {"int", "float"} else _MIXED


def _cell(value: Any, kind: str | None) -> Any:
    if value is None:
        return None
    text = json.dumps(value, ensure_ascii=False) if kind == _MIXED else value
    # Half of a surrogate pair cannot be written.
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) and not text.isascii() else text

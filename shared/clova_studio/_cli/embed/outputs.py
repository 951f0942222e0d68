"""Outputs: rows with their vectors as JSON lines, read and written; and the list of rows that were left out.

A line is the row as it was, then the key (model, and hash of the text), then the vector. By the key a later run knows
whose vector it is, so a finished output is all that has to be kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from clova_studio._cli._terminal import complain
from clova_studio._cli.embed.journal import Keys, Refusal
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from clova_studio._cli.embed.rows import BadRow, Columns, Row

__all__ = ["Entry", "JsonLines", "Output", "RefusedRows", "Writer", "output_of", "refusals_of"]

_SUFFIXES = (".jsonl", ".ndjson", ".parquet")


@dataclass(slots=True)
class Entry:
    """A row of an output.

    Attributes:
        key: The key as it stands there.
        vector: The vector; empty if it was not asked for.
        row: The columns of the input, in the form of the output.
    """

    key: str
    vector: Sequence[float]
    row: Any


class Writer(Protocol):
    """Writes an output."""

    def write(self, row: Row, key: str, vector: Sequence[float]) -> None:
        """Write a row and its vector."""
        ...

    def close(self) -> None:
        """End the output."""
        ...


class Output(Protocol):
    """A form of outputs.

    Attributes:
        typed: Whether it has to see all rows before the first is written.
    """

    typed: bool

    def writer(self, file: BinaryIO) -> Writer:
        """Return what writes to a file."""
        ...

    def see(self, row: Row) -> None:
        """Take notice of a row that will be written."""
        ...

    def entries(self, path: Path, *, vectors: bool = True) -> Iterator[Entry]:
        """Give the rows of an output.

        Raises:
            ConfigurationError: The file is no output of this command.
        """
        ...

    def matches(self, entry: Entry, row: Row) -> bool:
        """Return whether an entry has exactly the columns of a row."""
        ...


def output_of(path: Path, columns: Columns) -> Output:
    """Return the form of an output by its suffix.

    Raises:
        ConfigurationError: It has another suffix.
        ImportError: It needs a package that is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise ConfigurationError(f"--output {path}: the name must end with {', '.join(_SUFFIXES)}; '-' is stdout")
    if suffix == ".parquet":
        from clova_studio._cli.embed.parquet import Parquet

        return Parquet(columns)
    return JsonLines(columns)


def not_an_output(path: Path, line: int) -> ConfigurationError:
    """Return the error about a file in the place of the output."""
    return ConfigurationError(
        f"{path} is there, and is not an output of this command (row {line}): choose another --output, or move it "
        "away / 이 명령의 출력이 아닌 파일이 이미 있습니다. 다른 --output을 지정하세요."
    )


class JsonLines:
    """Outputs as JSON lines."""

    typed = False

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._key = json.dumps(columns.key, ensure_ascii=False)
        self._middle = f", {json.dumps(columns.vector, ensure_ascii=False)}: [".encode()

    def writer(self, file: BinaryIO) -> Writer:
        """Return what writes to a file."""
        return _JsonLinesWriter(file, self)

    def see(self, row: Row) -> None:
        """Do nothing: each line stands for itself."""

    def line(self, row: Row, key: str, vector: Sequence[float]) -> bytes:
        """Return the line of a row."""
        numbers = ",".join(map(repr, vector)).encode()
        return b"".join((row.head(), self._tail(key), self._middle, numbers, b"]}\n"))

    def entries(self, path: Path, *, vectors: bool = True) -> Iterator[Entry]:
        """Give the rows of an output. Their columns are the start of the line, up to the key."""
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                start, found, numbers = line.rpartition(self._middle)
                head, _, key = start.rpartition(f", {self._key}: ".encode())
                try:
                    shown = json.loads(key)
                    vector = [float(value) for value in json.loads(b"[" + numbers.rstrip()[:-1])] if vectors else []
                except (ValueError, TypeError):
                    shown, vector = "", []
                if not found or not line.endswith(b"]}\n") or Keys.read(shown) is None:
                    raise not_an_output(path, number)
                yield Entry(str(shown), vector, head)

    def matches(self, entry: Entry, row: Row) -> bool:
        """Return whether an entry has exactly the columns of a row."""
        return bool(entry.row == row.head())

    def _tail(self, key: str) -> bytes:
        return f", {self._key}: {json.dumps(key, ensure_ascii=False)}".encode()


class _JsonLinesWriter:
    def __init__(self, file: BinaryIO, form: JsonLines) -> None:
        self._file = file
        self._form = form

    def write(self, row: Row, key: str, vector: Sequence[float]) -> None:
        self._file.write(self._form.line(row, key, vector))

    def close(self) -> None:
        self._file.flush()


class RefusedRows:
    """The list of rows that the output does not have: file, line, id and reason, as JSON lines.

    Args:
        path: Its file; None writes to stderr, where the output goes to stdout.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.count = 0

    def write(self, row: Row | BadRow, reason: str, *, key: str | None = None, too_long: bool = False) -> None:
        """Write a row."""
        self.count += 1
        if self._path is None:
            complain(f"{row.source}:{row.line}: {reason}")
            return
        facts = {"file": row.source, "line": row.line, "id": row.id, "reason": reason}
        if key is not None:
            facts |= {"embedding_key": key, "too_long": too_long}
        if self._file is None:
            self._file = self._path.open("wb")
        self._file.write(json.dumps(facts, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")

    def close(self) -> None:
        """End the list."""
        if self._file is not None:
            self._file.close()


def refusals_of(path: Path) -> Iterator[tuple[str, Refusal]]:
    """Give the keys of the texts that the service refused, and why, as a list of rows has them."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                facts = json.loads(line)
                key = facts.get("embedding_key")
            except (ValueError, AttributeError):
                raise not_an_output(path, 1) from None
            if Keys.read(key) is not None:
                yield key, Refusal((bool(facts.get("too_long")), str(facts.get("reason"))))

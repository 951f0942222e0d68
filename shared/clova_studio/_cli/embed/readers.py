"""Readers of the input's files: JSON lines, CSV, one text per line, or one text per file.

What cannot be read is a ``BadRow``, and the next row follows. So memory depends on the longest row, which is bounded,
and not on the file.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from clova_studio._cli._terminal import no_text
from clova_studio._cli.embed.rows import BadRow, Columns, Row, row_of, shown_names
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["LONGEST", "csv_fields", "rows_of"]

LONGEST = 8 << 20
"""Bytes of a line, of a CSV field and of a text file; more than any model takes."""
_BOM = b"\xef\xbb\xbf"
_NOT_TEXT = (b"\xff\xfe", b"\xfe\xff", b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_TOO_LONG = f"longer than {LONGEST >> 20} MiB"


def rows_of(file: BinaryIO, name: str, kind: str, columns: Columns) -> Iterator[Row | BadRow]:
    """Give the rows of an open file.

    Args:
        file: The file, opened for bytes.
        name: Its name in messages and ids.
        kind: ``jsonl``, ``csv``, ``tsv``, ``lines`` or ``text``.
        columns: The names of the columns.

    Raises:
        ConfigurationError: The header of a CSV file lacks a column, or the file is in another encoding.
    """
    if kind == "text":
        yield _document(file, name, columns)
    elif kind == "lines":
        yield from _text_lines(file, name, columns)
    elif kind == "jsonl":
        yield from _json_lines(file, name, columns)
    else:
        yield from _csv_rows(file, name, columns, "\t" if kind == "tsv" else ",")


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes | None]]:
    """Give the lines with their numbers; None for one that is too long, of which no more is kept in memory."""
    number = 0
    while line := file.readline(LONGEST + 2):
        number += 1
        if number == 1:
            if line.startswith(_NOT_TEXT):
                raise ConfigurationError(no_text(line, name))
            line = line.removeprefix(_BOM)
        if len(line) > LONGEST and not line.endswith(b"\n"):
            while (piece := file.readline(LONGEST)) and not piece.endswith(b"\n"):
                pass
            yield number, None
            continue
        yield number, line


def _document(file: BinaryIO, name: str, columns: Columns) -> Row | BadRow:
    raw = file.read(LONGEST + 1)
    if len(raw) > LONGEST:
        return BadRow(name, 1, f"the file is {_TOO_LONG}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return BadRow(name, 1, no_text(raw, name))
    return row_of(name, 1, {columns.id or "id": name, columns.text or "text": text.replace("\r\n", "\n")}, columns)


def _text_lines(file: BinaryIO, name: str, columns: Columns) -> Iterator[Row | BadRow]:
    for number, line in _lines(file, name):
        text = _decoded(line, name, number)
        if isinstance(text, BadRow):
            yield text
        else:
            yield row_of(name, number, {columns.id or "id": f"{name}:{number}", columns.text or "text": text}, columns)


def _json_lines(file: BinaryIO, name: str, columns: Columns) -> Iterator[Row | BadRow]:
    for number, line in _lines(file, name):
        text = _decoded(line, name, number)
        if isinstance(text, BadRow):
            yield text
            continue
        text = text.strip()
        if not text:
            continue
        try:
            value = _parse(text)
        except json.JSONDecodeError as error:
            yield BadRow(name, number, f"not valid JSON: {error.msg} at column {error.colno}")
            continue
        except (ValueError, RecursionError) as error:
            yield BadRow(name, number, f"not valid JSON: {error}")
            continue
        if not isinstance(value, dict):
            yield BadRow(name, number, "not a JSON object")
            continue
        columns.check(list(value), name)
        row = row_of(name, number, value, columns)
        if isinstance(row, Row):
            row.raw = text[:-1].rstrip().encode()
            if (id_name := columns.id or "id") not in value:
                row.raw += f", {json.dumps(id_name, ensure_ascii=False)}: {json.dumps(row.id)}".encode()
                value[id_name] = row.id
        yield row


def _parse(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def _csv_rows(  # noqa: C901  the cases of one line each read best together
    file: BinaryIO, name: str, columns: Columns, delimiter: str
) -> Iterator[Row | BadRow]:
    too_long: list[int] = []

    def lines() -> Iterator[str]:
        for number, line in _lines(file, name):
            if line is None:
                too_long.append(number)
            # What is not UTF-8 is found in the row that it belongs to.
            yield "\n" if line is None else line.decode("utf-8", "surrogateescape")

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        first = reader.line_num + 1
        try:
            values = next(reader, None)
        except csv.Error as error:
            yield BadRow(name, first, f"not valid CSV: {error} (a quote that is not closed?)")
            continue
        if too_long:
            too_long.clear()
            if header is None:
                raise ConfigurationError(f"{name}: the header is {_TOO_LONG}")
            yield BadRow(name, first, f"the line is {_TOO_LONG}")
        elif values is None:
            return
        elif header is None:
            columns, header = _header(values, name, columns), values
        elif values:
            yield _csv_row(name, first, header, values, columns)


def _header(names: list[str], source: str, columns: Columns) -> Columns:
    """Return the columns of a CSV file; its only one is the text if none is named so."""
    raw = ",".join(names).encode("utf-8", "surrogateescape")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise ConfigurationError(no_text(raw, source)) from None
    columns.check(names, source)
    if double := next((name for name in names if names.count(name) > 1), None):
        raise ConfigurationError(f"{source} has two columns {double!r}: rename one of them")
    text = columns.text or ("text" if "text" in names or len(names) != 1 else names[0])
    if text not in names:
        raise ConfigurationError(
            f"{source} has no column {text!r} (there are: {shown_names(names)}): name it with --text-column / "
            f"{text!r} 열이 없습니다. --text-column으로 지정하세요."
        )
    if columns.id is not None and columns.id not in names:
        raise ConfigurationError(
            f"{source} has no column {columns.id!r} (there are: {shown_names(names)}): see --id-column"
        )
    return Columns(text, columns.id, columns.vector)


def _csv_row(name: str, line: int, header: list[str], values: list[str], columns: Columns) -> Row | BadRow:
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        sample = "\n".join(values).encode("utf-8", "surrogateescape")
        return BadRow(name, line, "not UTF-8", "encoding", sample=sample)
    if len(values) != len(header):
        return BadRow(name, line, f"{len(values)} fields, the header has {len(header)}")
    row = dict(zip(header, values, strict=True))
    row.setdefault(columns.id or "id", f"{name}:{line}")
    return row_of(name, line, row, columns)


def _decoded(line: bytes | None, name: str, number: int) -> str | BadRow:
    if line is None:
        return BadRow(name, number, f"the line is {_TOO_LONG}")
    try:
        return line.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        return BadRow(name, number, "not UTF-8", "encoding", sample=line)


class csv_fields:  # noqa: N801  a context, named like a function
    """A context in which a CSV field may be as long as a line. The limit of ``csv`` is one for the whole process."""

    def __enter__(self) -> None:
        self._before = csv.field_size_limit(LONGEST)

    def __exit__(self, *_: object) -> None:
        csv.field_size_limit(self._before)

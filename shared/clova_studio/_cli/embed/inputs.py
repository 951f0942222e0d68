"""Which files are read, in which order and form. Every pass over the input walks anew and finds the same."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clova_studio._cli._terminal import is_terminal, note
from clova_studio._cli.embed.readers import rows_of
from clova_studio._cli.embed.rows import BadRow
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clova_studio._cli.embed.rows import Columns, Row

__all__ = ["FORMATS", "Inputs", "copy_stdin"]

FORMATS = ("jsonl", "csv", "tsv", "lines", "text")
_BY_SUFFIX = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "text",
    ".md": "text",
    ".markdown": "text",
}
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    name: str
    kind: str


class Inputs:
    """The input of a run: files, folders and standard input, as often as it is walked.

    Args:
        names: Paths as they were given, ``-`` for standard input.
        kind: One of ``FORMATS`` for stdin and files that are named; None goes by the suffix.
        columns: The names of the columns.
        own: Whether a path belongs to the output, which is not read as input.

    Raises:
        ConfigurationError: A file is missing, of a kind that is not known, or the output.
    """

    def __init__(
        self, names: Sequence[str], *, kind: str | None, columns: Columns, own: Callable[[Path], bool]
    ) -> None:
        self._names = list(names)
        self._kind = kind
        self.columns = columns
        self._own = own
        self.stdin: Path | None = None
        if self._names.count("-") > 1:
            raise ConfigurationError("'-' is given twice: stdin can be read once")
        for name in self._names:
            self._check(name)

    @property
    def reads_stdin(self) -> bool:
        """Whether standard input is among them."""
        return "-" in self._names

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Give the rows of all files, in order."""
        for source in self.sources():
            yield from read_source(source, self.columns)

    def sources(self) -> Iterator[_Source]:
        """Give the files, in order: as named, and those of a folder sorted by path."""
        for name in self._names:
            if name == "-":
                if self.stdin is None:
                    raise ConfigurationError("stdin was not copied")
                yield _Source(self.stdin, "stdin", str(self._kind))
            elif Path(name).is_dir():
                yield from self._folder(name)
            else:
                yield _Source(Path(name), name, self._kind or _BY_SUFFIX[Path(name).suffix.lower()])

    def _folder(self, name: str) -> Iterator[_Source]:
        for folder, folders, files in os.walk(name):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for file in sorted(files):
                path = Path(folder, file)
                kind = _BY_SUFFIX.get(path.suffix.lower())
                if kind is None or file.startswith(".") or self._own(path):
                    continue
                if kind == "text" and self._kind == "lines":
                    kind = "lines"
                yield _Source(path, path.as_posix(), kind)

    def _check(self, name: str) -> None:
        if name == "-":
            if self._kind is None:
                raise ConfigurationError(f"'-' needs --format: {', '.join(FORMATS)}")
            return
        path = Path(name)
        if path.is_dir():
            return
        with path.open("rb"):  # that it can be read shows before anything is sent
            pass
        if not path.is_file():
            raise ConfigurationError(f"{name} is not a file that can be read twice: give '-' and pipe it in")
        if self._own(path):
            raise ConfigurationError(
                f"{name} is the output, too: choose another --output / 입력과 출력이 같은 파일입니다. "
                "다른 --output을 지정하세요."
            )
        if self._kind is None and path.suffix.lower() not in _BY_SUFFIX:
            raise ConfigurationError(f"{name}: what is in it? give --format: {', '.join(FORMATS)}")


def read_source(source: _Source, columns: Columns) -> Iterator[Row | BadRow]:
    """Give the rows of a file; one that cannot be opened is a bad row."""
    try:
        file = source.path.open("rb")
    except OSError as error:
        yield BadRow(source.name, 1, f"cannot be read: {error.strerror}")
        return
    with file, closing(rows_of(file, source.name, source.kind, columns)) as rows:  # type: ignore[type-var]  # a generator
        yield from rows


def copy_stdin(to: Path) -> None:
    """Copy stdin to a file: it is read several times, and can be piped in once."""
    if is_terminal(sys.stdin):
        note("reading stdin; end with Ctrl-D", colour="dim")
    raw = sys.stdin.buffer
    with to.open("wb") as file:
        while piece := raw.read(_PIECE):
            file.write(piece)

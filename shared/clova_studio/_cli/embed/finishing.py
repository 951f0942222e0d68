"""The output made of what is known: of the journal at the end of a run, or of the outputs of all shards."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clova_studio._cli.embed.journal import Keys
from clova_studio._cli.embed.outputs import refusals_of
from clova_studio._cli.embed.plan import Shard, rows_of_shard
from clova_studio._cli.embed.rows import BadRow, Row
from clova_studio._cli.embed.work_folder import refused_file
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from clova_studio._cli.embed.journal import Journal
    from clova_studio._cli.embed.outputs import Entry, Output, RefusedRows, Writer

__all__ = ["Parts", "is_current", "take_over", "write_all"]

_CHANGED = (
    "the input changed while it was read: run the same command again / 읽는 동안 입력이 바뀌었습니다. 같은 명령을 다시 "
    "실행하세요."
)
_AT_ONCE = 500


def write_all(
    rows: Iterable[Row | BadRow], keys: Keys, shard: Shard, journal: Journal, writer: Writer, refused: RefusedRows
) -> int:
    """Write all rows of a shard in the order of the input, and list those that have no vector; return how many have.

    Raises:
        ConfigurationError: A row is neither in the journal nor refused: the input is not what it was.
    """
    count = 0
    for row, key in rows_of_shard(rows, keys, shard):
        if isinstance(row, BadRow):
            refused.write(row, row.reason)
        elif (found := journal.vector(key)) is not None:
            cut, vector = found
            writer.write(row, keys.shown(key, cut=cut), vector)
            count += 1
        elif (refusal := journal.refusal(key)) is not None:
            refused.write(row, refusal.reason, key=keys.shown(key, cut=False), too_long=refusal.too_long)
        else:
            raise ConfigurationError(_CHANGED)
    writer.close()
    refused.close()
    return count


def is_current(
    rows: Iterable[Row | BadRow], keys: Keys, shard: Shard, output: Path, form: Output, journal: Journal
) -> tuple[int, int] | None:
    """Compare the input with a finished output.

    Args:
        rows: The input.
        keys: The keys of its texts.
        shard: The part of the texts that the output has.
        output: The output.
        form: Its form.
        journal: Knows the refusals, and whether vectors of shortened texts count.

    Returns:
        How many rows the output has and how many it leaves out, None if it is not that of this input.
    """
    if form.typed:
        for row, _ in rows_of_shard(rows, keys, shard):
            if isinstance(row, Row):
                form.see(row)
    entries = form.entries(output, vectors=False)
    entry = next(entries, None)
    written, left_out = 0, 0
    for row, key in rows_of_shard(rows, keys, shard):
        if isinstance(row, BadRow):
            left_out += 1
        elif entry is not None and _is_of(entry, key, keys, journal) and form.matches(entry, row):
            written += 1
            entry = next(entries, None)
        elif journal.refusal(key) is not None:
            left_out += 1
        else:
            return None
    return (written, left_out) if entry is None else None


def take_over(output: Path, form: Output, journal: Journal, *, vectors: bool) -> None:
    """Take the vectors of a finished output into the journal, and what was refused; so they are not asked for again."""
    for _ in _batches(_taken(output, form, journal, vectors=vectors), journal):
        pass
    take_refusals(output, journal)


def take_refusals(output: Path, journal: Journal) -> None:
    """Take what the list beside an output says about refusals into the journal."""
    with journal.together():
        for shown, refusal in refusals_of(refused_file(output)):
            if (key := Keys.read(shown)) is not None:
                journal.refuse(key[1], refusal)


class Parts:
    """The outputs of all shards.

    Args:
        output: The output that they are parts of.
        form: Its form.

    Raises:
        ConfigurationError: There are none, some are missing, or they are of two divisions.
    """

    def __init__(self, output: Path, form: Output) -> None:
        self._form = form
        pattern = re.compile(rf"{re.escape(output.stem)}\.(\d+)-of-(\d+){re.escape(output.suffix)}")
        found = {
            (int(match[1]), int(match[2])): path
            for path in output.parent.iterdir()
            if (match := pattern.fullmatch(path.name)) is not None
        }
        divisions = {of for _, of in found}
        if len(divisions) != 1:
            raise ConfigurationError(
                f"--merge: {'there are parts of ' + ' and '.join(map(str, sorted(divisions))) if found else 'no part'} "
                f"beside {output}: run each --shard with the same --output, and keep the parts of one division only"
            )
        self.of = divisions.pop()
        missing = [number for number in range(1, self.of + 1) if (number, self.of) not in found]
        if missing:
            raise ConfigurationError(
                f"--merge: part {', '.join(map(str, missing))} of {self.of} is missing: run --shard "
                f"{missing[0]}/{self.of} to its end first / 아직 끝나지 않은 샤드가 있습니다."
            )
        self._paths = [found[number, self.of] for number in range(1, self.of + 1)]

    def label(self) -> str | None:
        """Return the model, and the host if it is not the service's, of the first row; None without any."""
        for path in self._paths:
            for entry in self._form.entries(path, vectors=False):
                found = Keys.read(entry.key)
                return None if found is None else found[0]
        return None

    def write(
        self, rows: Iterable[Row | BadRow], keys: Keys, journal: Journal, writer: Writer, refused: RefusedRows
    ) -> int:
        """Write the rows of all parts in the order of the input; return how many there are.

        Raises:
            ConfigurationError: A part does not have exactly the rows of its shard.
        """
        for path in self._paths:
            take_refusals(path, journal)
        entries = [self._form.entries(path) for path in self._paths]
        heads = [next(each, None) for each in entries]
        count = 0
        for row, key in rows_of_shard(rows, keys, Shard()):
            if isinstance(row, BadRow):
                refused.write(row, row.reason)
                continue
            index = next(number for number in range(self.of) if Shard(number + 1, self.of).has(key))
            entry = heads[index]
            if entry is not None and _is_of(entry, key, keys, journal):
                writer.write(row, entry.key, entry.vector)
                count += 1
                heads[index] = next(entries[index], None)
            elif (refusal := journal.refusal(key)) is not None:
                refused.write(row, refusal.reason, key=keys.shown(key, cut=False), too_long=refusal.too_long)
            else:
                raise self._stale(index, f"does not have {row.source}:{row.line}")
        for index, entry in enumerate(heads):
            if entry is not None:
                raise self._stale(index, "has rows that the input does not have")
        writer.close()
        refused.close()
        return count

    def _stale(self, index: int, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"--merge: {self._paths[index]} {what}: run --shard {index + 1}/{self.of} again, with the same input and "
            "model / 입력이 바뀌었습니다. 해당 샤드를 다시 실행하세요."
        )


def _is_of(entry: Entry, key: bytes, keys: Keys, journal: Journal) -> bool:
    """Return whether an entry of an output is that of a text, and counts."""
    return entry.key == keys.shown(key, cut=False) or (journal.cut_too and entry.key == keys.shown(key, cut=True))


def _taken(output: Path, form: Output, journal: Journal, *, vectors: bool) -> Iterator[None]:
    for entry in form.entries(output, vectors=vectors):
        if (key := Keys.read(entry.key)) is not None:
            journal.add(key[1], entry.vector, cut=key[2])
        yield


def _batches(steps: Iterator[None], journal: Journal) -> Iterator[None]:
    """Take steps, many in one transaction."""
    more = True
    while more:
        with journal.together():
            for _ in range(_AT_ONCE):
                if next(steps, ...) is ...:
                    more = False
                    break
        yield

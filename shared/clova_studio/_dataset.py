"""Checks a tuning dataset before it is uploaded: what the service would fail a task for, found in seconds.

Source: the tuning pages of the user guide (columns, ids, rows, encoding) and the failure reasons of the tuning API.
Files are read row by row, so their size does not matter.
"""

from __future__ import annotations

import codecs
import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

__all__ = ["DatasetProblem", "DatasetReport", "validate_dataset"]

_COLUMNS = ("System_Prompt", "C_ID", "T_ID", "Text", "Completion")
_OPTIONAL = frozenset({"System_Prompt"})
_MAY_BE_EMPTY = frozenset({"System_Prompt"})
_MIN_ROWS = 100
_RECOMMENDED_ROWS = 1_000
_MAX_BYTES = 1 << 40
# A file that is wrong in the same way everywhere would give a problem a row.
_MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class DatasetProblem:
    """One thing that is wrong.

    Attributes:
        reason: The failure reason that a task would end with, such as ``file.format``.
        message: What is wrong and how to mend it.
        row: The data row, counted from 1; None for the file as a whole.
        fatal: Whether a task would fail; otherwise it is advice.
    """

    reason: str
    message: str
    row: int | None = None
    fatal: bool = True


@dataclass(slots=True)
class DatasetReport:
    """What a check found.

    Attributes:
        rows: Data rows that were read.
        conversations: Different values of ``C_ID``.
        problems: What is wrong, in the order of the file; at most 100.
    """

    rows: int = 0
    conversations: int = 0
    problems: list[DatasetProblem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was found that a task would fail for."""
        return not any(problem.fatal for problem in self.problems)

    def raise_for_problems(self) -> None:
        """Raise an error that lists what a task would fail for, if there is anything.

        Raises:
            ConfigurationError: There is.
        """
        fatal = [problem for problem in self.problems if problem.fatal]
        if fatal:
            lines = [f"{f'row {p.row}: ' if p.row else ''}{p.message} ({p.reason})" for p in fatal]
            raise ConfigurationError("the dataset cannot be used:\n" + "\n".join(lines))

    def add(self, reason: str, message: str, row: int | None = None, *, fatal: bool = True) -> None:
        """Note a problem, unless there are 100 already.

        Args:
            reason: The failure reason that a task would end with.
            message: What is wrong and how to mend it.
            row: The data row, counted from 1; None for the file as a whole.
            fatal: Whether a task would fail.
        """
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(DatasetProblem(reason, message, row, fatal))


def validate_dataset(path: str | PathLike[str]) -> DatasetReport:
    """Check a tuning dataset. Source: the tuning task creation page of the API guide.

    Checked are the extension (csv or jsonl), the encoding (UTF-8 with BOM), the columns (``System_Prompt`` optional,
    then ``C_ID``, ``T_ID``, ``Text``, ``Completion``, in this order), that ``C_ID`` counts the conversations from 0 and
    ``T_ID`` the turns of each from 0, that no field is empty, and the number of rows (at least 100; 1,000 and more are
    recommended).

    Args:
        path: The file.

    Returns:
        What was found; ``report.ok`` is True if a task would not fail for it.

    Raises:
        ConfigurationError: There is no such file.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigurationError(f"no such file: {file}")
    report = DatasetReport()
    kind = file.suffix.lower()
    if kind not in {".csv", ".jsonl"}:
        report.add("file.extension", f"the extension must be .csv or .jsonl, got {file.suffix!r}")
        return report
    if file.stat().st_size > _MAX_BYTES:
        report.add("file.size", "the file is larger than 1 TB")
    with file.open("rb") as raw:
        if not raw.read(len(codecs.BOM_UTF8)).startswith(codecs.BOM_UTF8):
            report.add("file.encoding", "the file must be UTF-8 with BOM: save it with encoding='utf-8-sig'")
    rows = _csv_rows(file, report) if kind == ".csv" else _jsonl_rows(file, report)
    try:
        _check_rows(rows, report)
    except UnicodeDecodeError as error:
        report.add("file.encoding", f"the file is not valid UTF-8: {error.reason} at byte {error.start}")
        return report
    if report.rows < _MIN_ROWS and report.ok:
        report.add("file.format", f"the file has {report.rows} rows, at least {_MIN_ROWS} are needed")
    elif report.rows < _RECOMMENDED_ROWS and report.ok:
        message = f"the file has {report.rows} rows; {_RECOMMENDED_ROWS:,} to 100,000 are recommended"
        report.add("advice", message, fatal=False)
    return report


def _csv_rows(file: Path, report: DatasetReport) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text)
        try:
            header = next(reader, [])
            if not _check_columns(header, report):
                return
            for number, values in enumerate(reader, 1):
                if not values:
                    continue
                if len(values) != len(header):
                    report.add("file.format", f"the row has {len(values)} fields, the header {len(header)}", number)
                    continue
                yield dict(zip(header, values, strict=True))
        except csv.Error as error:
            report.add("file.format", f"the file is not valid CSV: {error}")


def _jsonl_rows(file: Path, report: DatasetReport) -> Iterator[dict[str, Any]]:
    known: list[str] | None = None
    with file.open(encoding="utf-8-sig") as text:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            pairs: list[tuple[str, Any]] = []

            def keep(found: list[tuple[str, Any]], pairs: list[tuple[str, Any]] = pairs) -> dict[str, Any]:
                # The last call is for the outermost object; a dict alone would hide a name that is there twice.
                pairs[:] = found
                return dict(found)

            try:
                value = json.loads(line, object_pairs_hook=keep)
            except (ValueError, RecursionError) as error:
                report.add("file.format", f"the line is not valid JSON: {error}", number)
                continue
            if not isinstance(value, dict):
                report.add("file.format", "the line must be a JSON object", number)
                continue
            names = [name for name, _ in pairs]
            if names != known:
                if not _check_columns(names, report, number):
                    return
                known = names
            yield value


def _check_columns(names: Sequence[str], report: DatasetReport, row: int | None = None) -> bool:
    """Check the names of the columns and return whether rows can be read by them."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            report.add("file.format", f"Invalid dataset: duplicate columns. {name}", row)
            return False
        seen.add(name.lower())
    for name in names:
        if name not in _COLUMNS:
            report.add("file.format", f"Invalid dataset: unexpected column. {name}", row)
            return False
    for name in _COLUMNS:
        if name not in names and name not in _OPTIONAL:
            report.add("file.format", f"Invalid dataset: required field empty. {name}", row)
            return False
    wanted = [name for name in _COLUMNS if name in names]
    if list(names) != wanted:
        report.add("file.format", f"Invalid dataset: column order. It must be {', '.join(wanted)}", row)
    return True


def _check_rows(rows: Iterator[dict[str, Any]], report: DatasetReport) -> None:
    conversation, turn = -1, -1
    for number, row in enumerate(rows, 1):
        report.rows = number
        for name, value in row.items():
            if name not in _MAY_BE_EMPTY and (value is None or (isinstance(value, str) and not value.strip())):
                report.add("file.format", f"Invalid dataset: required field empty. {name}", number)
        c_id, t_id = _whole(row.get("C_ID")), _whole(row.get("T_ID"))
        if c_id == conversation:
            wanted_turn = turn + 1
        else:
            if c_id != conversation + 1:
                message = f"C_ID must count up from 0 by 1: expected {conversation + 1}, got {row.get('C_ID')!r}"
                report.add("file.format", message, number)
            report.conversations += 1
            wanted_turn = 0
        if t_id != wanted_turn:
            message = (
                f"T_ID must count the turns of a conversation from 0: expected {wanted_turn}, got {row.get('T_ID')!r}"
            )
            report.add("file.format", message, number)
        # Go on from what the file says, so that one slip is one problem.
        conversation = c_id if c_id is not None else conversation
        turn = t_id if t_id is not None else wanted_turn


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isdigit() and text.isascii() else None

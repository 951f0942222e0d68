"""The dataset check finds what a tuning task would fail for, before the upload."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio import ConfigurationError, DatasetReport, validate_dataset

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ["System_Prompt", "C_ID", "T_ID", "Text", "Completion"]


def rows(count: int = 1000, turns: int = 2) -> list[list[Any]]:
    """Return good rows."""
    return [["지시", i // turns, i % turns, f"질문 {i},\n둘째 줄", f"답 {i}"] for i in range(count)]


def check(folder: Path, data: list[list[Any]], header: list[str] = COLUMNS, *, kind: str = "csv", **how: Any) -> Any:
    """Write a dataset and check it."""
    path = folder / f"data.{kind}"
    if kind == "jsonl":
        text = "".join(json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) + "\n" for row in data)
    else:
        buffer = io.StringIO()
        csv.writer(buffer).writerows([header, *data])
        text = buffer.getvalue()
    path.write_bytes(text.encode(how.get("encoding", "utf-8-sig")))
    return validate_dataset(path)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_good_dataset_passes(tmp_path: Path, kind: str) -> None:
    """A dataset by the rules has no problem, with and without System_Prompt; rows and conversations are counted."""
    report = check(tmp_path, rows(), kind=kind)
    assert (report.problems, report.ok, report.rows, report.conversations) == ([], True, 1000, 500)
    report = check(tmp_path, [row[1:] for row in rows()], COLUMNS[1:], kind=kind)
    assert report.ok
    report.raise_for_problems()


def changed(row: int, column: int, value: Any) -> list[list[Any]]:
    """Return rows with one value changed."""
    data = rows()
    data[row][column] = value
    return data


WRONG: list[tuple[Any, list[str], str, int | None]] = [
    ([row[1:] for row in rows()], ["C_ID", "T_ID", "Completion", "Text"], "column order", None),
    ([[*row, 1] for row in rows()], [*COLUMNS, "Extra"], "unexpected column. Extra", None),
    ([row[:-1] for row in rows()], COLUMNS[:-1], "required field empty. Completion", None),
    ([[*row, 1] for row in rows()], [*COLUMNS, "TEXT"], "duplicate columns. TEXT", None),
    (changed(4, 3, ""), COLUMNS, "required field empty. Text", 5),
    (changed(6, 4, "  "), COLUMNS, "required field empty. Completion", 7),
    (changed(8, 1, 9), COLUMNS, "C_ID must count up", 9),
    (changed(3, 2, 5), COLUMNS, "T_ID must count", 4),
    (changed(0, 1, "a"), COLUMNS, "C_ID must count up", 1),
    (changed(1, 2, ""), COLUMNS, "required field empty. T_ID", 2),
    ([[r[0], i, i, *r[3:]] for i, r in enumerate(rows(200))], COLUMNS, "T_ID must count", 2),
    (rows(99), COLUMNS, "at least 100", None),
    ([], COLUMNS, "at least 100", None),
]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(("data", "header", "named", "row"), WRONG)
def test_format_problems_are_found(
    tmp_path: Path, data: list[list[Any]], header: list[str], named: str, row: int | None, kind: str
) -> None:
    """Each documented format failure is found with its reason, its words and its row."""
    report = check(tmp_path, data, header, kind=kind)
    assert not report.ok
    first = next(problem for problem in report.problems if named in problem.message)
    assert first.reason == "file.format"
    assert row is None or first.row == row
    with pytest.raises(ConfigurationError, match=r"file\.format"):
        report.raise_for_problems()


def test_one_slip_is_one_problem(tmp_path: Path) -> None:
    """A wrong id is told once, not once for every row after it."""
    data = rows()
    for row in data[10:]:
        row[1] += 1
    assert len(check(tmp_path, data).problems) == 1


def test_encoding_and_extension(tmp_path: Path) -> None:
    """A missing BOM, another encoding and another extension are found; a missing file is refused."""
    assert [p.reason for p in check(tmp_path, rows(), encoding="utf-8").problems] == ["file.encoding"]
    assert "file.encoding" in {p.reason for p in check(tmp_path, rows(), encoding="cp949").problems}
    other = tmp_path / "data.xlsx"
    other.write_bytes(b"x")
    assert [p.reason for p in validate_dataset(other).problems] == ["file.extension"]
    with pytest.raises(ConfigurationError, match="no such file"):
        validate_dataset(tmp_path / "none.csv")


def test_broken_lines(tmp_path: Path) -> None:
    """Lines that are no JSON objects, and rows with too many fields, are named by their number."""
    path = tmp_path / "broken.jsonl"
    good = json.dumps(dict(zip(COLUMNS, rows(1)[0], strict=True)))
    path.write_text("\ufeff" + good + "\n{oops\n[1]\n", encoding="utf-8")
    assert [(p.reason, p.row) for p in validate_dataset(path).problems] == [("file.format", 2), ("file.format", 3)]
    twice = '{"C_ID":0,"T_ID":0,"Text":"a","text":"b","Completion":"c"}'
    path.write_text("\ufeff" + twice, encoding="utf-8")
    assert "duplicate" in validate_dataset(path).problems[0].message
    path = tmp_path / "broken.csv"
    path.write_text("\ufeffC_ID,T_ID,Text,Completion\n0,0,a,b,c\n", encoding="utf-8")
    assert validate_dataset(path).problems[0].row == 1


def test_few_rows_are_advice(tmp_path: Path) -> None:
    """Fewer rows than recommended are told but do not fail."""
    report = check(tmp_path, rows(200))
    assert report.ok
    assert [problem.fatal for problem in report.problems] == [False]


def test_problems_are_bounded() -> None:
    """A file that is wrong everywhere gives a hundred problems, not a million."""
    report = DatasetReport()
    for i in range(1000):
        report.add("file.format", "x", i)
    assert len(report.problems) == 100


@pytest.mark.slow
def test_files_larger_than_memory_are_read_row_by_row(tmp_path: Path) -> None:
    """Checking takes far less memory than the file has."""
    path = tmp_path / "large.csv"
    line = "x" * 2000
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS[1:])
        writer.writerows([i, 0, line, line] for i in range(5000))
    tracemalloc.start()
    report = validate_dataset(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.rows == 5000
    assert report.ok
    assert peak < path.stat().st_size / 10

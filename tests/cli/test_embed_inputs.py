"""What ``clova-studio embed`` reads, and what it does with rows that it cannot read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from embed_support import asked, refused_in, rows_in, vector_of, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

BOM = b"\xef\xbb\xbf"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The output of a test."""
    return tmp_path / "out.jsonl"


def test_json_lines_are_passed_on_unchanged(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path
) -> None:
    """A line of the output starts with the line of the input, byte by byte; key and vector follow."""
    lines = [
        '{"id": 1, "text": "부산은 항구다.", "price": 1.10, "big": 12345678901234567890123, "deep": {"a": [null]}}',
        '  {"text":"서울은 수도다.","\\u0069d":"b","tab":"\\t\\ud800"} ',
    ]
    ran = cli("embed", write_rows(tmp_path / "a.jsonl", lines), "-o", str(out))
    assert ran.code == 0
    assert not ran.out
    written = out.read_text(encoding="utf-8").splitlines()
    assert [line.strip()[:-1] for line in lines] == [
        line[: len(lines[i].strip()) - 1] for i, line in enumerate(written)
    ]
    for line in written:
        row = json.loads(line)
        assert row["embedding"] == vector_of(row["text"])
        assert re.fullmatch(r"bge-m3@127\.0\.0\.1:[0-9a-f]{32}", row["embedding_key"])


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("start", [b"", BOM], ids=["plain", "BOM"])
@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "lines"])
def test_ends_of_lines_and_marks_of_order(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path, start: bytes, end: str, kind: str
) -> None:
    """Texts are the same however lines end, with or without a BOM, and without an end of the last line."""
    lines = {
        "jsonl": ['{"id": "1", "text": "하나"}', "", '{"id": "2", "text": "둘"}'],
        "csv": ["id,text", '1,"하나"', "2,둘"],
        "tsv": ["id\ttext", "1\t하나", "2\t둘"],
        "lines": ["하나", "둘"],
    }[kind]
    path = tmp_path / "input.any"
    path.write_bytes(start + end.join(lines).encode())
    assert cli("embed", str(path), "--format", kind, "-o", str(out)).code == 0
    assert [row["text"] for row in rows_in(out)] == ["하나", "둘"] == sorted(asked(server), reverse=True)
    ids = [f"{path}:1", f"{path}:2"] if kind == "lines" else ["1", "2"]
    assert [row["id"] for row in rows_in(out)] == ids


def test_csv_by_the_names_of_its_columns(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path
) -> None:
    """Text and id are found by name, the other columns are passed on, and a quoted field may have lines and commas."""
    path = tmp_path / "qa.csv"
    path.write_text('번호,질문,분류\n7,"첫 줄,\n둘째 ""줄""",법\n8,질문 둘,\n', encoding="utf-8")
    assert cli("embed", str(path), "-o", str(out), "--text-column", "질문", "--id-column", "번호").code == 0
    rows = rows_in(out)
    assert [list(row) for row in rows] == [["번호", "질문", "분류", "embedding_key", "embedding"]] * 2
    assert [(row["번호"], row["질문"], row["분류"]) for row in rows] == [
        ("7", '첫 줄,\n둘째 "줄"', "법"),
        ("8", "질문 둘", ""),
    ]


def test_a_csv_file_of_one_column(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """The only column of a CSV file is the text, whatever it is called; rows without an id get file and line."""
    path = tmp_path / "a.csv"
    path.write_text("질문\n하나\n", encoding="utf-8")
    assert cli("embed", str(path), "-o", str(out)).code == 0
    assert [(row["질문"], row["id"]) for row in rows_in(out)] == [("하나", f"{path}:2")]


def test_folders_and_several_inputs(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs are read as named and folders sorted, with what is in them; other kinds and hidden files are left out."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "docs/b.md": "# 비",
        "docs/a/z.txt": "제트",
        "docs/a.txt": "에이",
        "docs/c.pdf": "%PDF",
        "docs/.git/x.txt": "숨김",
        "docs/.x.md": "숨김",
        "first.txt": "처음\r\n줄",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    write_rows(tmp_path / "docs" / "rows.jsonl", [{"id": 5, "text": "행"}])
    # Also when the output is in the folder, it is no input the second time.
    for _ in range(2):
        assert cli("embed", "first.txt", "docs", "-o", "docs/out.jsonl").code == 0
        found = [(row["id"], row["text"]) for row in rows_in(tmp_path / "docs" / "out.jsonl")]
        assert found == [
            ("first.txt", "처음\n줄"),
            ("docs/a.txt", "에이"),
            ("docs/b.md", "# 비"),
            (5, "행"),
            ("docs/a/z.txt", "제트"),
        ]
    assert len(asked(server)) == 5


def test_standard_input(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """``-`` reads stdin in the named form; piped in again, it goes on from what is done."""
    assert cli("embed", "-", "--format", "lines", "-o", str(out), stdin="하나\n둘\n").code == 0
    assert [(row["id"], row["text"]) for row in rows_in(out)] == [("stdin:1", "하나"), ("stdin:2", "둘")]
    assert cli("embed", "-", "--format", "lines", "-o", str(out), stdin="하나\n둘\n셋\n").code == 0
    assert sorted(asked(server)) == ["둘", "셋", "하나"]
    assert len(rows_in(out)) == 3
    ran = cli("embed", "-", "-o", str(out), stdin="하나\n")
    assert ran.code == 2
    assert "--format" in ran.err


def test_bad_rows_go_to_a_list(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """Rows that cannot be read are listed with line and reason, the others go on, and the exit code is 3."""
    rows = [
        {"id": 1, "text": "좋다"},
        '{"id": 2, "text": ',
        "[1]",
        {"id": 4, "text": " \n"},
        {"id": 5, "other": "글"},
        {"id": 6, "text": 7},
        '{"id": 7, "text": "가", "x": NaN}',
        '{"id": 8, "text": "\\ud800"}',
        "환불".encode("cp949"),
        '{"id": 10, "text": ' + "[" * 100_000,
        '{"id": 11, "text": "' + "긴" * 3_000_000 + '"}',
        {"id": 12, "text": "끝"},
    ]
    ran = cli("embed", write_rows(tmp_path / "a.jsonl", rows), "-o", str(out))
    assert ran.code == 3
    assert "10 rows were left out" in ran.err
    assert "10개 행이 제외되었습니다" in ran.err
    assert [row["id"] for row in rows_in(out)] == [1, 12]
    reasons = dict(refused_in(out))
    assert list(reasons) == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    for line, said in {
        2: "not valid JSON",
        3: "not a JSON object",
        4: "blank",
        5: "no column 'text' (there are: id, other): see --text-column",
        6: "not a string",
        7: "NaN",
        8: "surrogate",
        9: "not UTF-8",
        10: "not valid JSON",
        11: "longer than 8 MiB",
    }.items():
        assert said in reasons[line]
    assert sorted(asked(server)) == ["끝", "좋다"]
    assert rows_in(out.with_name("out.jsonl.refused.jsonl"))[2]["id"] == 4


def test_bad_rows_of_csv(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """A CSV row with a wrong number of fields, a bad byte or an endless quote is listed by its first line."""
    path = tmp_path / "a.csv"
    rows = [
        b"id,text",
        b"1,a",
        b"2,b,c",
        b"3",
        b"",
        b'4,"two',
        b'lines"',
        b"5,\xff",
        b"6," + b"x" * (9 << 20),
        b'7,"end',
    ]
    path.write_bytes(b"\n".join(rows))
    assert cli("embed", str(path), "-o", str(out)).code == 3
    assert [(row["id"], row["text"]) for row in rows_in(out)] == [("1", "a"), ("4", "two\nlines")]
    assert [line for line, _ in refused_in(out)] == [3, 4, 8, 9, 10]
    for (_, reason), said in zip(
        refused_in(out), ["3 fields, the header has 2", "1 fields", "not UTF-8", "8 MiB", "not valid CSV"], strict=True
    ):
        assert said in reason


def test_blank_lines_of_a_text(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """With a text per line a blank one is a row without a text, so that lines and rows can be counted."""
    path = tmp_path / "a.txt"
    path.write_text("하나\n\n둘\n", encoding="utf-8")
    assert cli("embed", str(path), "--format", "lines", "-o", str(out)).code == 3
    assert refused_in(out) == [(2, "the text is blank")]


def test_documents_that_are_no_text(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """In a folder, a file in another encoding is left out with what to do about it; the others go on."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.txt").write_bytes("환불은 7일 안에 됩니다.".encode("cp949"))
    (folder / "b.md").write_bytes(BOM + "둘".encode())
    (folder / "c.txt").write_bytes(b"")
    (folder / "d.txt").symlink_to(folder / "gone.txt")
    assert cli("embed", str(folder), "-o", str(out)).code == 3
    assert [row["text"] for row in rows_in(out)] == ["둘"]
    reasons = [reason for _, reason in refused_in(out)]
    assert "iconv -f cp949" in reasons[0]
    assert reasons[1:] == ["the text is blank", "cannot be read: No such file or directory"]


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("a.csv", "번호,질문\n1,환불은?\n".encode("cp949"), "iconv -f cp949 -t utf-8"),
        ("a.csv", b"id,text\n" + "1,환불은?\n2,가\n".encode("cp949"), "iconv -f cp949 -t utf-8"),
        ("a.jsonl", '{"text": "환불은?"}\n'.encode("cp949") * 3, "iconv -f cp949 -t utf-8"),
        ("a.jsonl", '{"text": "환불은?"}\n'.encode("utf-16"), "iconv -f utf-16 -t utf-8"),
        ("a.jsonl", b"PK\x03\x04\x14\x00", "office document"),
        ("a.csv", b"question,answer\na,b\n", "no column 'text' (there are: question, answer)"),
        ("a.csv", b"text,text\na,b\n", "two columns 'text'"),
        ("a.jsonl", b'{"question": "a"}\n{"question": "b"}\n', "no column 'text' (there are: question)"),
        ("a.jsonl", b'{"text": "a", "embedding": [1]}\n', "--vector-column"),
        ("a.csv", b"text,embedding_key\na,b\n", "--vector-column"),
        ("a.jsonl", b"\n\n", "no rows"),
        ("a.json", b"[]", "--format"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path, name: str, raw: bytes, said: str
) -> None:
    """A file in another encoding or without the column is one error with the way out, before anything is sent."""
    (tmp_path / name).write_bytes(raw)
    ran = cli("embed", str(tmp_path / name), "-o", str(out))
    assert ran.code == 2
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not server.requests
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_columns_that_are_missing(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """A column that is named and is not there is named in the error, for CSV and for JSON lines."""
    (tmp_path / "a.csv").write_text("text\na\n", encoding="utf-8")
    write_rows(tmp_path / "a.jsonl", [{"text": "a"}])
    for name in ("a.csv", "a.jsonl"):
        for option in ("--text-column", "--id-column"):
            ran = cli("embed", str(tmp_path / name), "-o", str(out), option, "없음")
            assert ran.code == 2
            assert "no column '없음'" in ran.err
            assert option in ran.err
    assert not server.requests


def test_the_output_is_no_input(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path) -> None:
    """An input that is the output too is refused, by whatever path."""
    path = write_rows(tmp_path / "a.jsonl", [{"text": "a"}])
    (tmp_path / "link.jsonl").symlink_to(path)
    for name in (path, str(tmp_path / "link.jsonl"), f"{tmp_path}/../{tmp_path.name}/a.jsonl"):
        ran = cli("embed", path, "-o", name)
        assert ran.code == 2
        assert "is the output, too" in ran.err
    assert not server.requests

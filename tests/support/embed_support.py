"""What the tests of ``clova-studio embed`` share: inputs, and the vectors that their texts have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clova_studio.emulator.language.vectors import embed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

MODEL = "bge-m3"


def vector_of(text: str, model: str = MODEL) -> list[float]:
    """Return the vector that the emulator gives a text."""
    return list(embed(text, model))


def write_rows(path: Path, rows: Iterable[Any]) -> str:
    """Write JSON lines, strings and bytes as they are; return the path as an argument."""
    lines = [
        row
        if isinstance(row, bytes)
        else (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)).encode()
        for row in rows
    ]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(path)


def rows_in(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def refused_in(output: Path) -> list[tuple[int, str]]:
    """Return line and reason of the rows that an output does not have."""
    rows = rows_in(output.with_name(f"{output.name}.refused.jsonl"))
    return [(row["line"], row["reason"]) for row in rows]


def asked(server: EmulatorServer) -> list[str]:
    """Return the texts that were asked for, in order of arrival; without those of which a killed run sent half."""
    return [request.body["text"] for request in server.requests if request.body is not None]


def numbered(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Return rows with different texts."""
    return [{"id": i, "text": f"헌법 제{i}조는 무엇을 정합니까?"} for i in range(start, start + count)]


def assert_complete(output: Path, rows: list[dict[str, Any]]) -> None:
    """Check that an output has exactly these rows, in order, each with the vector of its own text."""
    found = rows_in(output)
    assert [{name: row[name] for name in row if not name.startswith("embedding")} for row in found] == rows
    for row in found:
        assert row["embedding"] == vector_of(row["text"])
    assert not output.with_name(f"{output.name}.part").exists()

"""The pages about many processes and texts: their table is what the simulation finds, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import million_chunks
import pytest
from million_chunks import Plan, simulate

ROOT = Path(__file__).parents[2]
TABLE = re.compile(r"<!-- million:begin -->\n(.*)<!-- million:end -->", flags=re.DOTALL)
BLOCK = re.compile(r"^```\w+\n.*?^```", flags=re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    """Return the text of a page."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def table_of(name: str) -> str:
    """Return the table of a page."""
    found = TABLE.search(page(name))
    assert found is not None
    return found[1]


def numbers_of(table: str) -> list[list[str]]:
    """Return the cells of a table that are numbers."""
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return [[cell for index, cell in enumerate(row) if index not in {0, 4}] for row in rows]


def test_the_table_is_what_the_simulation_finds() -> None:
    """The pages print the hours that the simulation finds, the Korean one with the same numbers."""
    assert table_of("scale.md") == million_chunks.table()
    assert numbers_of(table_of("ko/scale.md")) == numbers_of(million_chunks.table())


def test_both_languages_have_the_same_programs() -> None:
    """The programs are the same in both languages; of shell commands the comments differ."""
    english, korean = (
        [re.sub(r" +# .*", "", block) for block in BLOCK.findall(page(name))] for name in ("scale.md", "ko/scale.md")
    )
    assert len(english) >= 8
    assert english == korean


@pytest.mark.parametrize(("key", "tokens"), [("test", 667), ("service", 1778)])
def test_longer_chunks_are_free_up_to_the_break_even(key: str, tokens: int) -> None:
    """Below the break-even the requests are scarce, whatever the length, and above it the tokens are."""
    assert million_chunks.break_even(key) == tokens
    short, long = (simulate(Plan(key, tokens=tokens * share // 100), 50_000) for share in (60, 80))
    assert (short.bound, long.bound, short.hours) == ("requests", "requests", long.hours)
    assert simulate(Plan(key, tokens=tokens * 12 // 10), 50_000).bound == "tokens"


def test_more_workers_are_no_faster() -> None:
    """One worker that sends many at a time takes as long as four or thirty-two; one request at a time takes longer."""
    hours = {workers: simulate(Plan(workers=workers)).hours for workers in (1, 4, 32)}
    assert hours[32] >= hours[4] >= hours[1] > 0.99 * hours[32]
    assert simulate(Plan(workers=1, in_flight=1)).bound == "workers"


def test_what_is_stored_often_costs_little_when_killed() -> None:
    """The larger the parts, the more is asked again after kills; without kills nothing is."""
    again = [simulate(Plan(kill_hours=2, part=part)).again for part in (1, 1_000, 10_000)]
    assert 0 < again[0] < 0.001 < again[1] < 0.01 < again[2]
    assert simulate(Plan()).again == 0

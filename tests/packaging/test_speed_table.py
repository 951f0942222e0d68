"""The speed table of the READMEs: what two full runs of the benchmarks found, nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import run

ROOT = Path(__file__).parents[2]
RUNS: list[dict[str, Any]] = [
    json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "tests/benchmarks/results").glob("*.json"))
]
TABLE = re.compile(r"<!-- speed:begin -->\n(.*)<!-- speed:end -->", flags=re.DOTALL)
ROW = re.compile(r"^\| .+ \| `([\w-]+)` \| (\S+) \| (\S+) \| (\S+) \|$", flags=re.MULTILINE)


# Ways of counting, and shared quotas, whose figures stand in the tables of tests/benchmarks/README.md.
ELSEWHERE = {"pacing-aligned", "pacing-bucket", "pacing-sliding", *(name for name in run.ROWS if "shared-" in name)}


def test_both_runs_are_whole_and_meet_every_bar() -> None:
    """There are two runs, each with all rows of the READMEs' table, and no row is short."""
    assert len(RUNS) == 2
    for results in RUNS:
        found = {row["name"]: (row["bar"], row["verdict"]) for row in results["rows"]}
        assert found == {
            row.name: (f"{'>=' if row.at_least else '<='}{row.bar:g}", "pass")
            for row in run.ROWS.values()
            if row.name not in ELSEWHERE
        }


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_table_prints_what_was_measured(readme: str) -> None:
    """Each row of the table has the bar and the ratios of both runs; their day and versions stand with it."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    table = TABLE.search(text)
    assert table is not None
    printed = {
        name: (bar.replace("≤", "<=").replace("≥", ">="), first, second)
        for name, bar, first, second in ROW.findall(table[1])
    }
    first, second = ({row["name"]: row for row in results["rows"]} for results in RUNS)
    assert printed == {
        name: (row["bar"], f"{row['ratio']:.2f}", f"{second[name]['ratio']:.2f}") for name, row in first.items()
    }
    for results in RUNS:
        assert results["time"][:10] in table[1]
        assert f"Python {results['python']}" in table[1]
        for package, version in {**results["packages"], **results["baseline packages"]}.items():
            if package in {"httpx", "pydantic", "langchain-core", "langchain-naver", "llama-index-core"}:
                assert f"{package} {version}" in table[1]

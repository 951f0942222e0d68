"""Speed and memory as ratios in one run on one machine: ``make bench``.

Rows by name: ``make bench ARGS="chat invoke"``. The results are kept as JSON. README.md in this folder says what is
measured and how.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rows_adapters
import rows_calls
import rows_embeddings
import rows_imports
import rows_quota
import rows_shared_quota
import rows_streams
from measuring import Measured, Row, UnmeasurableError
from workers import ENVIRONMENTS, naver

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = {
    row.name: row
    for module in (
        *(rows_imports, rows_calls, rows_embeddings, rows_adapters, rows_streams),
        *(rows_quota, rows_shared_quota),
    )
    for row in module.ROWS
}
SCALES = {"us": (1e6, "us"), "ms": (1e3, "ms"), "s": (1, "s"), "kB": (1e-3, "kB"), "MB": (1e-6, "MB"), "%": (100, "%")}
HISTORY = ENVIRONMENTS / "results"
PACKAGES = ("httpx", "pydantic", "tenacity", "langchain-core", "llama-index-core")


@contextlib.contextmanager
def stand_in() -> Iterator[str]:
    """Run the server that answers fixed bytes; give its address."""
    script = Path(__file__).with_name("stand_in.py")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.terminate()


def amount(value: float, unit: str) -> str:
    """Return a value in its unit."""
    scale, name = SCALES.get(unit, (1, ""))
    return f"{value * scale:,.{1 if name else 0}f}{name}"


def measured(row: Row, base_url: str) -> dict[str, Any]:
    """Measure a row, and print and return its line."""
    try:
        found: Measured | None = row.measure(base_url)
        why = ", ".join(found.faults)
    except (UnmeasurableError, OSError, ValueError) as exc:
        found, why = None, str(exc) or type(exc).__name__
    verdict = "pass" if found is not None and row.passed(found) else "short"
    bar = f"{'>=' if row.at_least else '<='}{row.bar:g}"
    ours, baseline, ratio = (
        ("-", "-", "-")
        if found is None
        else (amount(found.ours, row.unit), amount(found.baseline, row.unit), f"{found.ratio:.2f}")
    )
    told = "; ".join(part for part in (why, found.note if found else "") if part)
    print(f"{row.title:<78} {ours:>10} {baseline:>10} {ratio:>6} {bar:>7} {verdict:<5} {told}".rstrip(), flush=True)
    return {
        "name": row.name,
        "title": row.title,
        "unit": row.unit,
        "bar": bar,
        "verdict": verdict,
        "ours": found.ours if found else None,
        "baseline": found.baseline if found else None,
        "ratio": found.ratio if found else None,
        "told": told,
    }


def surroundings(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the figures depend on."""
    around: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "packages": {name: version(name) for name in PACKAGES},
    }
    if any("langchain-naver" in line["title"] for line in lines):
        with contextlib.suppress(UnmeasurableError), naver() as theirs:
            around["baseline packages"] = theirs.do("versions").value
    return around


def main() -> int:
    """Print the table of the wanted rows, all without any; return 1 if one of them is short."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"one of {', '.join(ROWS)}; without any, all")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the results there, not into .benchmarks/results"
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.rows if name not in ROWS]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    print(f"{'work':<78} {'ours':>10} {'baseline':>10} {'ratio':>6} {'bar':>7}")
    with stand_in() as base_url:
        lines = [measured(row, base_url) for row in ROWS.values() if not arguments.rows or row.name in arguments.rows]
    kept = {**surroundings(lines), "rows": lines}
    path = arguments.json or HISTORY / f"{kept['time'].replace(':', '')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(f"kept in {path}")
    return int(any(line["verdict"] != "pass" for line in lines))


if __name__ == "__main__":
    sys.exit(main())

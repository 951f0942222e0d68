"""Rules of the codebase that no linter knows."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "clova_studio": ROOT / "shared" / "clova_studio",
    "langchain_clova": ROOT / "langchain_clova",
    "llama_index_clova": ROOT / "llama_index_clova",
}
FILES = sorted(path for folder in PACKAGES.values() for path in folder.rglob("*.py"))
MOST_LINES = 400
# What stands flat in the client; everything else has a room.
FLAT = {
    *("__init__", "__main__", "_client", "_async_client", "_base_client"),
    *("_responses", "_error_codes", "_errors", "_retries", "_concurrency"),
    *(
        "_telemetry",
        "_transport",
        "_deadlines",
        "_watchdog",
        "_loop_clients",
        "_config",
        "_catalogue",
        "_dataset",
        "_segments",
        "_lazy",
        "_secrets",
        "_pytest_plugin",
    ),
}
# Words of our own where the field has one: what stands there is what to write instead.
WORDS = {
    r"\b(the|quota's) (gate|door)\b|stay at the": "rate limiter",
    r"\btickets?\b|\b(its|a) slot\b": "Waiter or Permit",
    r"\bhalt(s|ed|ing)?\b": "cancel signal",
    r"(?<!=)\bexchanges?\b": "attempt, call, ToolChoiceFlow or HttpConnection",
    r"\bjudge\(|\bjudges? the (answer|response)": "parse_response",
    r"\bwire_messages\b": "to_clova_messages",
    r"(?<!rules\.)\bchat_request\b": "build_chat_request or chat_options",
    r"\b(the|a|of|native|compatible|what|same|each) verbs?\b(?! ending)": "method, resource",
    r"\bclass Memory\b|_memory: Memory": "WarnOnce, TokenCountCache",
    r"(?<!skill-)\btrainers?\b": "console_apps",
    r"\bunder way\b": "in flight",
    r"told in|\bis told( as\b|\.\"\"\")": "reported",
    r"\b(goes|go|went) before (it|its|those|the call|the constructor|them|`)|; goes before": "takes precedence over",
    r"\b(requests|tokens) an? (second|minute|window)\b": "per",
    r"nothing but white ?space(?! lies)": "blank",
}
FRAMEWORKS = {"langchain_core", "langchain_text_splitters", "llama_index", "langchain_clova", "llama_index_clova"}


def imported_by(folder: Path) -> dict[str, set[str]]:
    """Return the top-level modules that each file of a folder imports, anywhere in it."""
    found = {}
    for path in folder.rglob("*.py"):
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
        found[str(path.relative_to(ROOT))] = names
    return found


def test_dependencies_point_one_way() -> None:
    """The client imports no framework and no adapter; the adapters do not import each other."""
    for path, names in imported_by(ROOT / "shared" / "clova_studio").items():
        assert not names & FRAMEWORKS, path
    for path, names in imported_by(ROOT / "langchain_clova").items():
        assert "llama_index_clova" not in names, path
    for path, names in imported_by(ROOT / "llama_index_clova").items():
        assert "langchain_clova" not in names, path


def test_the_emulator_knows_nothing_of_the_client() -> None:
    """The emulator is written from the reference: of this package it imports only itself."""
    for path in (ROOT / "shared" / "clova_studio" / "emulator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("clova_studio"):
                assert node.module.startswith("clova_studio.emulator"), f"{path.name} imports {node.module}"


def test_adapters_use_public_names_only() -> None:
    """An adapter imports public names: of `clova_studio`, its `adapters`, and for the demo its `emulator`."""
    for folder in ("langchain_clova", "llama_index_clova"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "clova_studio":
                    assert node.module in {"clova_studio", "clova_studio.adapters", "clova_studio.emulator"}, path
                if isinstance(node, ast.Import):
                    assert not [a.name for a in node.names if a.name.startswith("clova_studio.")], path


def loaded_by(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Give the imports that run when a module is loaded: none inside functions, none for type checkers only."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from loaded_by(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "orelse", "finalbody", "handlers"):
                yield from loaded_by(getattr(node, part, []))


def graph_of(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return which of some modules each of them imports when it is loaded."""
    graph: dict[str, set[str]] = {}
    for module, source in sources.items():
        names: set[str] = set()
        for node in loaded_by(ast.parse(source).body):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            else:
                inside = (f"{node.module}.{alias.name}" for alias in node.names)
                names.update(name if name in sources else str(node.module) for name in inside)
        graph[module] = names & sources.keys()
    return graph


def test_no_module_imports_itself_by_way_of_others() -> None:
    """The imports that run at start-up form no circle in the three packages, and the check finds a circle."""
    sources = {}
    for folder in PACKAGES.values():
        for path in folder.rglob("*.py"):
            name = ".".join(path.relative_to(folder.parent).with_suffix("").parts).removesuffix(".__init__")
            sources[name] = path.read_text(encoding="utf-8")
    graphlib.TopologicalSorter(graph_of(sources)).prepare()
    circle = {
        "a": "try:\n    from b import x\nfinally:\n    pass",
        "b": "if TYPE_CHECKING:\n    import c\nimport a",
        "c": "",
    }
    assert graph_of(circle) == {"a": {"b"}, "b": {"a"}, "c": set()}
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(graph_of(circle)).prepare()


def test_files_are_short() -> None:
    """No file of the packages is longer than one sitting."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_modules_are_in_their_rooms() -> None:
    """Flat in the client stands what CONTRIBUTING.md lists; every other module is in a folder."""
    assert {path.stem for path in PACKAGES["clova_studio"].glob("*.py")} - FLAT == set()


@pytest.mark.parametrize("pattern", WORDS, ids=WORDS.values())
def test_words_are_those_of_the_field(pattern: str) -> None:
    """The packages and CONTRIBUTING.md call things by the names of the glossary."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in [*FILES, ROOT / "CONTRIBUTING.md"]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert found == [], f"write instead: {WORDS[pattern]}"


def test_the_hook_and_make_lint_are_one() -> None:
    """The only hook of pre-commit is `make lint`, which checks rules and format over everything."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"entry: (.+)", hooks) == ["make lint"]
    assert hooks.count("- id:") == 1
    recipe = re.search(r"^lint:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe is not None
    assert recipe[1].split("\n")[:2] == ["\t$(BIN)/ruff check .", "\t$(BIN)/ruff format --check ."]


@pytest.mark.parametrize(
    "line",
    [
        "from clova_studio._errors import X",
        "from clova_studio._streaming.streams import X",
        "from clova_studio import _config as X",
        "import clova_studio._errors as X",
    ],
)
@pytest.mark.parametrize("adapter", ["langchain_clova", "llama_index_clova"])
def test_ruff_knows_that_adapters_use_public_names(adapter: str, line: str) -> None:
    """An import of a private name of the client is refused in an adapter, and allowed in the client itself."""
    for folder, code in ((adapter, 1), ("shared/clova_studio", 0)):
        command = [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--select",
            "PLC2701",
            "--stdin-filename",
            f"{folder}/x.py",
            "-",
        ]
        done = subprocess.run(command, input=f"{line}\n", capture_output=True, text=True, check=False, cwd=ROOT)
        assert (done.returncode, "Private name import" in done.stdout) == (code, bool(code)), done.stdout + done.stderr

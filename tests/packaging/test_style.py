"""Rules of the codebase that no linter knows."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
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

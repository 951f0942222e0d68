"""The READMEs as a new user reads them: their examples run as printed, and both languages say the same."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
READMES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md")}
PYTHON = {
    name: re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL) for name, text in READMES.items()
}
EXAMPLES = [
    pytest.param(code, id=f"{name}: {code.splitlines()[0][:40]}") for name, codes in PYTHON.items() for code in codes
]
# A row of the table of APIs: what it is, and the names in the three columns.
ROW = re.compile(r"^\| (?!API|---)[^|]+\| ([^|]+)\|([^|]*)\|([^|]*)\|$", flags=re.MULTILINE)
# A heading, or a block of code with its language.
PART = re.compile(r"^(#+) [^\n]+$|^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
PROSE = re.compile("[가-힣]| ")


class Prose(ast.NodeTransformer):
    """Blanks the string literals that are written for a reader."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("...") if isinstance(node.value, str) and PROSE.search(node.value) else node


class Section(NamedTuple):
    """What both languages share of a section: everything but its prose."""

    level: int
    blocks: list[tuple[str, Any]]
    names: set[str]


def code_of(language: str, block: str) -> Any:
    """Return a block of code without its comments, and with the texts in it blanked."""
    if language == "python":
        return ast.dump(Prose().visit(ast.parse(block)))
    if language == "sh":
        lines = [shlex.split(line, comments=True) for line in block.splitlines()]
        return [["..." if PROSE.search(word) else word for word in line] for line in lines]
    return block


def sections_of(text: str) -> list[Section]:
    """Return the sections of a README in their order, each with its blocks of code and the names in its prose."""
    sections: list[Section] = []
    parts = list(PART.finditer(text))
    for part, end in zip(parts, [*(part.start() for part in parts[1:]), len(text)], strict=True):
        if part[1]:
            sections.append(Section(len(part[1]), [], set()))
        else:
            sections[-1].blocks.append((part[2], code_of(part[2], part[3])))
        sections[-1].names.update(" ".join(name.split()) for name in re.findall("`([^`]+)`", text[part.end() : end]))
    return sections


@pytest.mark.parametrize("code", EXAMPLES)
def test_example_runs_as_printed(
    code: str, clova_studio_server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each Python example runs in a process of its own against the emulator, without a warning."""
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", clova_studio_server.base_url)
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", clova_studio_server.api_key)
    # From Python 3.12 on, how LlamaIndex asks for the current event loop is deprecated.
    strict = ["-W", "error", "-W", "ignore:There is no current event loop:DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *strict, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("readme", READMES)
@pytest.mark.parametrize("number", [0, 1])
def test_first_examples_are_ten_lines(number: int, readme: str) -> None:
    """What a reader sees first is ten lines of code for each framework, with Korean text in them."""
    example = PYTHON[readme][number]
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    assert re.search("[가-힣]", example)
    assert ("langchain_clova", "llama_index_clova")[number] in example


@pytest.mark.parametrize("readme", READMES)
def test_every_api_of_the_table_exists(readme: str) -> None:
    """The verbs and classes that the table of APIs names are there, and it leaves out no class of an adapter."""
    import clova_studio
    import langchain_clova
    import llama_index_clova

    rows = ROW.findall(READMES[readme])
    assert len(rows) > 10
    for client, *_ in rows:
        for name in re.findall(r"`(\w+)", client):
            assert hasattr(clova_studio.ClovaStudio, name)
    for column, package in ((1, langchain_clova), (2, llama_index_clova)):
        named = {name for row in rows for name in re.findall(r"`(\w+)", row[column])}
        assert named
        for name in named:
            assert hasattr(package, name)
    shown = {name for row in rows for name in re.findall(r"`(\w+)", row[2])}
    unnamed = set(llama_index_clova.__all__) - shown
    assert all(name.startswith("ClovaRerank") for name in unnamed), "what a reranking gives is no API, all else is"


def test_both_languages_have_the_same_sections_and_code() -> None:
    """The READMEs have the same sections in the same order, each with the same code and the same names in its prose."""
    english, korean = (sections_of(text) for text in READMES.values())
    assert len(english) > 8
    assert sum(len(section.blocks) for section in english) > 10
    assert [section.level for section in korean] == [section.level for section in english]
    for number, (one, other) in enumerate(zip(english, korean, strict=True)):
        assert other.blocks == one.blocks, f"section {number}"
        assert other.names == one.names, f"section {number}: {sorted(other.names ^ one.names)}"


def test_both_languages_have_the_same_table_of_apis() -> None:
    """Row by row the table of APIs has the same names in both languages."""
    english, korean = (ROW.findall(text) for text in READMES.values())
    assert korean == english


@pytest.mark.parametrize(("readme", "other"), [("README.md", "README.ko.md"), ("README.ko.md", "README.md")])
def test_each_language_leads_to_the_other(readme: str, other: str) -> None:
    """The first line under the title is a link to the other language."""
    assert re.match(rf"# clova-studio\n\n\[\w+\]\({re.escape(other)}\)\n", READMES[readme])

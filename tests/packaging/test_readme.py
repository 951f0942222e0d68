"""The READMEs as a new user reads them: their examples run as printed, and both languages say the same."""

from __future__ import annotations

import ast
import re
import shlex
import struct
import subprocess
import sys
import tomllib
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from api_table import TABLE

from clova_studio import EMBEDDING_MODELS, MODEL_USE_SOURCES, MODEL_USES, MODELS, ClovaStudio, RetryPolicy, Timeouts
from clova_studio.adapters import default_output_tokens
from clova_studio.emulator import serve
from clova_studio.emulator.server.routes import _PATTERNS, find_route

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "shared" / "clova_studio", ROOT / "langchain_clova", ROOT / "llama_index_clova"]
READMES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md")}
PYTHON = {
    name: re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL) for name, text in READMES.items()
}
# Once each program: in the other language mostly its comments differ.
EXAMPLES = {
    ast.dump(ast.parse(code)): pytest.param(code, id=f"{name} {number}")
    for name, codes in reversed(PYTHON.items())
    for number, code in enumerate(codes)
}
# The tables of a README in their order.
EXTRAS, SETTINGS, MODEL, EMBEDDING, USES, APIS, SPEED = range(7)
# A heading, or a block of code with its language.
PART = re.compile(r"^(#+) [^\n]+$|^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
PROSE = re.compile("[가-힣]| ")
# What LlamaIndex itself does: its event loops from Python 3.12 on, and its workflows' look at every attribute.
STRICT = [
    *("-W", "error"),
    *("-W", "ignore:There is no current event loop:DeprecationWarning"),
    *("-W", "ignore:The `__fields__` attribute:DeprecationWarning"),
    *("-W", "ignore:The `__fields_set__` attribute:DeprecationWarning"),
    *("-W", "ignore:Accessing the 'model_:DeprecationWarning"),
]


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


def tables_of(text: str) -> list[list[list[str]]]:
    """Return the tables of a README in their order: rows of cells, without the header."""
    tables = re.findall(r"^\|[^\n]+\n\|[-|]+\n((?:\|[^\n]+\n)+)", text, flags=re.MULTILINE)
    return [[[cell.strip() for cell in row[1:-1].split("|")] for row in table.splitlines()] for table in tables]


def names_in(cell: str) -> set[str]:
    """Return the names in backticks of a cell, without what follows them in brackets."""
    return set(re.findall(r"`([\w.]+)", cell))


def picture() -> bytes:
    """Return a small picture as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x80\xa0\xc0" * 16 for _ in range(16))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A reader's environment: keys, an address, and a folder with files of their own."""
    for name in ("NCP_CLOVASTUDIO_API_KEY", "NCP_APIGW_API_KEY", "NCLOUD_ACCESS_KEY", "NCLOUD_SECRET_KEY"):
        monkeypatch.setenv(name, f"made-up-{len(name)}")
    (tmp_path / "photo.png").write_bytes(picture())
    rows = [f"{number},0,질문 {number},답 {number}" for number in range(1_000)]
    (tmp_path / "train.csv").write_text("\n".join(["C_ID,T_ID,Text,Completion", *rows]), encoding="utf-8-sig")
    with serve(tuning_seconds=0) as server:  # nobody waits for training here
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", server.base_url)
        monkeypatch.setenv("CLOVASTUDIO_API_KEY", server.api_key)
        yield tmp_path


@pytest.mark.parametrize("code", EXAMPLES.values())
def test_example_runs_as_printed(code: str, reader: Path) -> None:
    """Each Python example runs in a process of its own against the emulator, without a warning."""
    program = ["-c", code]
    if "\ndef test_" in code:  # an example of a test is run as one
        (reader / "test_example.py").write_text(code, encoding="utf-8")
        program = ["-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio", "-p", "no:cacheprovider", "test_example.py"]
    done = subprocess.run(
        [sys.executable, *STRICT, *program], capture_output=True, text=True, check=False, cwd=reader, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
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
def test_table_of_extras_is_that_of_the_distribution(readme: str) -> None:
    """Each extra has a row that names what it brings, and no install line names another."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    rows = {row[0].strip("`[]"): row[1].lower() for row in tables_of(READMES[readme])[EXTRAS][1:]}
    assert list(rows) == list(extras)
    for extra, wanted in extras.items():
        if extra == "all":
            continue
        for requirement in wanted:
            own = re.fullmatch(r"clova-studio\[(.+)\]", requirement)
            parts = [f"`[{name}]`" for name in own[1].split(",")] if own else [re.split("[<>=]", requirement)[0]]
            assert all(part in rows[extra] for part in parts), requirement
    for named in re.findall(r"pip install '[^\[']*\[([^\]]+)\]'", READMES[readme]):
        assert set(named.split(",")) <= set(extras)


@pytest.mark.parametrize("readme", READMES)
def test_table_of_settings_has_the_defaults_of_the_code(readme: str) -> None:
    """The settings exist, their defaults are those of the code, and no variable that is read goes unnamed."""
    from langchain_clova import ChatClovaX, ClovaEmbeddings

    rows = {name: row[1] for row in tables_of(READMES[readme])[SETTINGS] for name in names_in(row[0])}
    chat = ChatClovaX(api_key="nv-made-up-key")
    assert all(hasattr(chat, name) for name in rows)
    assert rows["region"].startswith(f'`"{chat.region}"`')
    defaults = [chat.model, ClovaEmbeddings(api_key="nv-made-up-key").model]
    assert re.findall("`([^`]+)`", rows["model"]) == defaults
    assert re.findall(r"\d+", rows["max_tokens"]) == [str(default_output_tokens(chat.model))]
    numbers = [int(number) for number in re.findall(r"\d+", rows["timeout"])]
    assert sorted(numbers) == sorted([Timeouts().connect, Timeouts().read, Timeouts().stream, Timeouts().total])
    assert rows["max_retries"] == str(RetryPolicy().attempts)
    assert rows["max_wait"].startswith(f"{chat.max_wait:g}")
    code = "".join(path.read_text(encoding="utf-8") for source in SOURCES for path in source.rglob("*.py"))
    variables = set(re.findall(r'"((?:CLOVASTUDIO|NCP|NCLOUD)_[A-Z_]+|NO_COLOR)"', code))
    assert len(variables) > 5
    assert variables <= set(re.findall(r"`(\w+)`", READMES[readme]))


@pytest.mark.parametrize("readme", READMES)
def test_tables_of_models_are_the_catalogue(readme: str) -> None:
    """What the tables say of each model is what the client checks requests against."""
    tables = tables_of(READMES[readme])
    shown = {row[0]: (row[1], *row[2:5], *(bool(cell) for cell in row[5:])) for row in tables[MODEL]}
    assert shown == {
        info.name: (
            info.api,
            *(f"{number:,}" for number in (info.context_window, info.max_input_tokens, info.max_output_tokens)),
            *(info.tools, info.thinking, info.images, info.structured_output),
        )
        for info in MODELS.values()
    }
    assert {row[0]: tuple(row[1:3]) for row in tables[EMBEDDING]} == {
        info.name: (f"{info.max_tokens:,}", f"{info.dimensions:,}") for info in EMBEDDING_MODELS.values()
    }


@pytest.mark.parametrize("readme", READMES)
def test_table_of_uses_is_the_catalogue_s(readme: str) -> None:
    """Which model for what is said in the words of the catalogue, in both languages, with its sources."""
    korean = readme == "README.ko.md"
    names = {"guide": "가이드", "comparison": "비교", "reports": "보고"} if korean else {}
    assert tables_of(READMES[readme])[USES] == [
        [
            use.task_ko if korean else use.task,
            ", ".join(use.models),
            use.why_ko if korean else use.why,
            names.get(use.source, use.source),
        ]
        for use in MODEL_USES
    ]
    for source in MODEL_USE_SOURCES:
        assert f"*{names.get(source, source)}*" in READMES[readme]


@pytest.mark.parametrize("readme", READMES)
def test_every_api_of_the_table_exists(readme: str) -> None:
    """The methods and classes that the table of APIs names are there, and it leaves out none."""
    import langchain_clova
    import llama_index_clova

    rows = tables_of(READMES[readme])[APIS]
    verbs, langchain, llama_index = (set().union(*(names_in(row[column]) for row in rows)) for column in (1, 2, 3))
    assert verbs == {name for name in dir(ClovaStudio) if name[0] != "_"} - {"base_url", "close", "quota"}
    # What the classes give, and an estimate that asks nobody, are not APIs.
    given = re.compile(r"Clova.*(Result|Citation|Answer|Event)|clova_tokenizer")
    assert langchain == {name for name in langchain_clova.__all__ if not given.fullmatch(name)}
    assert llama_index == {name for name in llama_index_clova.__all__ if not given.fullmatch(name)}


@pytest.mark.parametrize("readme", READMES)
def test_every_path_of_the_table_is_served(readme: str, clova_studio_server: Any) -> None:
    """The emulator serves each path, serves no API that has none, and the client sends to no other path."""
    paths = [
        tuple(path.split(" ")) for row in tables_of(READMES[readme])[APIS] for path in re.findall("`([^`]+)`", row[4])
    ]
    assert all(find_route(method, path) for method, path in paths)
    assert {find_route(method, path).api for method, path in paths} == {
        api for api, *_ in _PATTERNS if api != "tuning-delete-short"
    }
    forms = [(method, re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))) for method, path in paths]
    for row in TABLE:
        path = row.path.partition("?")[0]
        assert any(row.method == method and form.fullmatch(path) for method, form in forms), row.name
    with ClovaStudio(clova_studio_server.api_key, base_url=clova_studio_server.base_url) as client:
        storage = {f"training_dataset_{name}": "a.csv" for name in ("file_path", "bucket", "access_key", "secret_key")}
        task = client.tuning.create(model="HCX-005", **storage)
    known = {"task": task.id, "model": "HCX-005", "router": "travel01", "skillset": "weather1", "version": "1"}
    headers = {"authorization": f"Bearer {clova_studio_server.api_key}"}
    with httpx.Client(base_url=clova_studio_server.base_url, headers=headers) as http:
        for method, path in paths:
            answer = http.request(method, path.format(**known), json={} if method == "POST" else None)
            assert answer.status_code in {200, 400}, (path, answer.text)


@pytest.mark.parametrize("readme", READMES)
def test_speed_has_its_marks(readme: str) -> None:
    """The table of speeds stands between its two marks; test_speed_table.py holds it to what was measured."""
    inside = re.findall("<!-- speed:begin -->\n(.*?)<!-- speed:end -->", READMES[readme], flags=re.DOTALL)
    assert len(inside) == 1
    assert tables_of(inside[0]) == [tables_of(READMES[readme])[SPEED]]


@pytest.mark.parametrize("readme", READMES)
def test_make_targets_exist(readme: str) -> None:
    """What a block tells to make can be made."""
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = re.findall(r"^make (\w+)", READMES[readme], flags=re.MULTILINE)
    assert {"demo", "test"} <= set(named) <= set(targets)


@pytest.mark.parametrize("readme", READMES)
def test_links_lead_somewhere(readme: str) -> None:
    """Files and headings that are linked are there; a folder that a distribution leaves out is nobody's fault."""
    titles = re.findall(r"^#+ (.+)$", READMES[readme], flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    links = re.findall(r"\]\(([^)]+)\)", READMES[readme])
    assert len(links) > 5
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors
        elif (ROOT / link).parent.is_dir():
            assert (ROOT / link).is_file(), link


def test_both_languages_have_the_same_sections_and_code() -> None:
    """The READMEs have the same sections in the same order, each with the same code and the same names in its prose."""
    english, korean = (sections_of(text) for text in READMES.values())
    assert len(english) > 20
    assert sum(len(section.blocks) for section in english) > 25
    assert [section.level for section in korean] == [section.level for section in english]
    for number, (one, other) in enumerate(zip(english, korean, strict=True)):
        assert other.blocks == one.blocks, f"section {number}"
        assert other.names == one.names, f"section {number}: {sorted(other.names ^ one.names)}"


def test_both_languages_have_the_same_tables() -> None:
    """Cell by cell the tables have the same names and numbers in both languages."""
    english, korean = (tables_of(text) for text in READMES.values())
    facts = re.compile(r"`[^`]+`|\d[\d,.]*")
    assert [[[facts.findall(cell) for cell in row] for row in table] for table in korean] == [
        [[facts.findall(cell) for cell in row] for row in table] for table in english
    ]


@pytest.mark.parametrize(("readme", "other"), [("README.md", "README.ko.md"), ("README.ko.md", "README.md")])
def test_each_language_leads_to_the_other(readme: str, other: str) -> None:
    """The first line under the title is a link to the other language."""
    assert re.match(rf"# clova-studio\n\n\[\w+\]\({re.escape(other)}\)\n", READMES[readme])


def test_changelog_has_the_version() -> None:
    """The newest version of the changelog is the distribution's, with a date, below the heading for the next."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", headings[1])

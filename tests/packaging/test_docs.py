"""The site of the API documentation: built as ``make docs`` builds it, whole, and without a broken link."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("clova_studio", "clova_studio.types", "clova_studio.adapters", "clova_studio.emulator")
PACKAGES += ("langchain_clova", "llama_index_clova")
PAGES = sorted((ROOT / "docs").rglob("*.md"))
# What needs an engine for clusters is run by the tests of these, in `tests/scale`.
ENGINES = re.compile(r"^(?:import|from) (?:ray|dask|pyspark)\b", flags=re.MULTILINE)
EXAMPLES = [
    pytest.param(code, id=f"{page.relative_to(ROOT)} {number}")
    for page in PAGES
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    )
    if not ENGINES.search(code)
]


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a checkout."""
    # The variable silences the theme's announcement of its successor, as in the Makefile.
    paths = os.pathsep.join([str(root / "shared"), str(root)])
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if line and not line.startswith("INFO ")], done.stderr
    return folder


class Page(HTMLParser):
    """What a page leads to, what it loads, and what in it can be led to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.language = ""
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = given.get("lang", "")
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.loaded += [given[name] for name in ("src", "href") if tag not in {"a", "html"} and name in given]


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page of the site."""
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def methods(cls: type) -> set[str]:
    """Return the public methods and properties of a class that are of these packages."""
    found = set()
    for name, member in inspect.getmembers_static(cls):
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        module = (getattr(inspect.unwrap(function), "__module__", "") or "") if callable(function) else ""
        if not name.startswith("_") and not isinstance(function, type) and module.startswith(PACKAGES):
            found.add(name)
    return found


def test_every_public_name_is_in_the_inventory(site: Path) -> None:
    """Every public name, and every public method of ours, can be linked to under the path that users import."""
    inventory = zlib.decompress((site / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    anchors = {line.split(" ")[0] for line in inventory.splitlines()}
    missing = []
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            names = methods(value) if isinstance(value, type) and package != "clova_studio.types" else set()
            paths = [f"{package}.{name}", *(f"{package}.{name}.{method}" for method in names)]
            missing += [path for path in paths if path not in anchors]
    assert not missing
    assert {"clova_studio.ClovaStudio.embed_many", "langchain_clova.ChatClovaX.bind_tools"} <= anchors


def test_no_link_of_the_site_is_broken(site: Path, pages: dict[Path, Page]) -> None:
    """Every link between pages, also those that the theme and the README bring, leads to a page and a place in it."""
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            known = pages[target].anchors if target in pages else None
            if not target.is_file() or (anchor and known is not None and anchor not in known):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert not broken, "\n".join(broken)


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    """The site needs no other host: no font, no script, no style and no picture comes from one."""
    assert len(pages) > 20
    for path, page in pages.items():
        assert not [link for link in page.loaded if urlsplit(link).netloc], path


def test_no_private_path_is_shown(site: Path) -> None:
    """No heading, signature or base of the reference shows a module that users must not import from."""
    for path in (site / "api").glob("*.html"):
        text = re.sub(r"<[^>]+>", "", path.read_text(encoding="utf-8"))
        shown = set(re.findall(r"(?:clova_studio|langchain_clova|llama_index_clova)(?:\.\w+)*\._\w+", text))
        assert not shown, path
        assert not re.search(
            r'title="(clova_studio|langchain_clova|llama_index_clova)', path.read_text(encoding="utf-8")
        )


def test_defaults_of_components_are_shown(site: Path) -> None:
    """The fields of a component stand with the defaults that they have, those that must be given say so."""
    shown = re.sub(r"<[^>]+>", "", (site / "api" / "langchain_clova.html").read_text(encoding="utf-8"))
    import langchain_clova

    number = langchain_clova.ClovaEmbeddings.model_fields["max_concurrency"].default
    assert f"Maximum number of requests in flight, from 1. Default: {number}." in shown
    assert "The router's id in the console. Required." in shown


def test_the_korean_start_page_is_korean(site: Path, pages: dict[Path, Page]) -> None:
    """The Korean pages say that they are Korean, the others that they are English, and the start pages lead across."""
    for path, page in pages.items():
        assert page.language == ("ko" if path.is_relative_to(site / "ko") else "en"), path
    korean = (site / "ko" / "index.html").read_text(encoding="utf-8")
    assert "설치" in korean
    assert "../index.html" in pages[site / "ko" / "index.html"].links
    assert "ko/index.html" in pages[site / "index.html"].links


def test_search_finds_hangul(site: Path) -> None:
    """The search index holds the Korean pages, and the words of both languages are prepared for."""
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert index["config"]["lang"] == ["en", "ko"]
    assert any("에뮬레이터" in entry["text"] for entry in index["docs"] if entry["location"].startswith("ko/"))


def test_every_command_is_shown_with_its_help(site: Path) -> None:
    """The page of the command line has the help of every command and subcommand, as the installed program prints it."""
    from clova_studio._cli import _COMMANDS

    shown = (site / "command-line.html").read_text(encoding="utf-8")
    for command in (*_COMMANDS, "tuning list", "tuning get", "tuning create", "tuning delete"):
        assert f"usage: clova-studio {command} " in shown


@pytest.mark.parametrize(
    ("name", "page"),
    [("CHANGELOG.md", "changelog.html"), ("README.md", "readme.html"), ("README.ko.md", "ko/readme.html")],
)
def test_files_of_the_project_are_pages(name: str, page: str, site: Path) -> None:
    """Changelog and READMEs are pages with every heading that the files have."""
    source = re.sub(r"^```.*?^```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", source, flags=re.MULTILINE)
    text = re.sub(r"<[^>]+>", "", (site / page).read_text(encoding="utf-8"))
    shown = re.sub(r"\W", "", unescape(text))
    assert headings
    for heading in headings:
        assert re.sub(r"\]\([^)]*\)|\W", "", heading) in shown, heading


def test_what_is_broken_fails_the_build(tmp_path: Path) -> None:
    """A broken link, anchor or reference, a name or method without docstring, or a wrong parameter fails the build."""
    root = tmp_path / "checkout"
    for name in ("docs", "shared", "langchain_clova", "llama_index_clova"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (ROOT / "mkdocs.yml", *ROOT.glob("*.md")):
        shutil.copy(path, root)
    edits = {
        "docs/index.md": ("# clova-studio\n", "# clova-studio\n\n[gone](gone.md) [nobody][clova_studio.Nobody]\n"),
        "docs/ko/index.md": ("](readme.md)", "](readme.md#nowhere)"),
        "README.md": ("# clova-studio\n", "# clova-studio\n\n[missing](missing/file.md)\n"),
        "docs/api/segments.md": ("::: clova_studio.TextSpan\n", ""),
        # An expression is not a docstring.
        "shared/clova_studio/_retries.py": (
            '        """Return how long a call itself waits',
            '        f"""Return how long a call itself waits',
        ),
        "shared/clova_studio/_segments.py": ("        max_size: Characters", "        largest: Characters"),
    }
    for name, (old, new) in edits.items():
        text = (root / name).read_text(encoding="utf-8")
        assert old in text, name
        (root / name).write_text(text.replace(old, new), encoding="utf-8")
    done = build(root, tmp_path / "site")
    assert done.returncode == 1
    for complaint in (
        "'gone.md'",
        "'missing/file.md'",
        "'#nowhere'",
        "clova_studio.Nobody",
        "clova_studio.TextSpan is public and not documented",
        "clova_studio.RetryPolicy.delay is public and not documented",
        "'largest' does not appear",
    ):
        assert complaint in done.stderr, (complaint, done.stderr)


@pytest.mark.parametrize("code", EXAMPLES)
def test_example_runs_as_printed(
    code: str, clova_studio_server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each Python example of a page runs in a process of its own against the emulator, without a warning."""
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", clova_studio_server.base_url)
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", clova_studio_server.api_key)
    file = tmp_path / "test_example.py"
    file.write_text(code, encoding="utf-8")
    program = ["-m", "pytest", "-q", "-p", "no:asyncio", str(file)] if "def test_" in code else [str(file)]
    # From Python 3.12 on, how LlamaIndex asks for the current event loop is deprecated.
    strict = ["-W", "error", "-W", "ignore:There is no current event loop:DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *strict, *program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr

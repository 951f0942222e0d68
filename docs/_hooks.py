"""What the build of the documentation adds to MkDocs: pages made of files of the project, and links to public names."""
# ruff: noqa: INP001  a folder of pages is no package

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import io
import logging
import os
import posixpath
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, is_typeddict

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

PACKAGES = (
    "clova_studio",
    "clova_studio.types",
    "clova_studio.adapters",
    "clova_studio.emulator",
    "langchain_clova",
    "llama_index_clova",
)
OURS = {package.split(".")[0] for package in PACKAGES}
# Files of the project that are pages too.
INCLUDED = {
    "README.md": "readme.md",
    "README.ko.md": "ko/readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
KOREAN = {"ko/readme.md"}
COMMANDS_MARK = "<!-- commands -->"

_log = logging.getLogger("mkdocs.hooks.clova_studio")
_anchors: set[str] = set()

_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
_BASES = re.compile(r'(<h\d id="([\w.]+)"(?:(?!<h\d).)*?)<p class="doc doc-class-bases">.*?</p>', flags=re.DOTALL)
# A field of a class among its attributes, up to the end of what is said about it.
_FIELD = re.compile(
    r'(<tr class="doc-section-item">\s*<td><code><autoref identifier="([\w.]+)"(?:(?!</tr>).)*?)'
    r"(</p>\s*</div>\s*</td>\s*</tr>)",
    flags=re.DOTALL,
)
_TITLE = re.compile(rf' title="(?:{"|".join(sorted(OURS))})\.[^"]*"')
_FENCE = re.compile(r"^```.*?^```$", flags=re.MULTILINE | re.DOTALL)
# What stays as it is, or the name of something in a code span, with or without arguments.
_NAME = re.compile(
    r"<(a|pre|autoref|h[1-6])\b.*?</\1>|<code>((?:\w+\.)*[A-Za-z_]\w*)((?:\([^<]*\))?)</code>", flags=re.DOTALL
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of files of the project."""
    _anchors.clear()
    root = Path(config.config_file_path).parent
    for name, page in INCLUDED.items():
        text = linked((root / name).read_text(encoding="utf-8"), name, root)
        head = "---\nlang: ko\n---\n\n" if page in KOREAN else ""
        files.append(File.generated(config, page, content=head + text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the help of every command where a page asks for it."""
    return markdown.replace(COMMANDS_MARK, help_of_commands()) if COMMANDS_MARK in markdown else markdown


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Show the public bases of classes, and make a code span that is the name of something public a link to it."""
    _anchors.update(re.findall(r'<h\d id="([\w.]+)"', html))
    html = _BASES.sub(lambda match: match[1] + bases(match[2]), html)
    html = _FIELD.sub(lambda row: row[1] + ("" if "Default: " in row[1] else default(row[2])) + row[3], html)
    homes = public_names(first=Path(page.file.src_uri).stem)

    def reference(match: re.Match[str]) -> str:
        name, arguments = match[2], match[3]
        if name is None:
            return match[0]
        top, _, member = name.partition(".")
        if top in homes:
            path, optional = f"{homes[top]}.{name}", " optional" if member else ""
        elif name.rpartition(".")[0] in PACKAGES:
            path, optional = name, " optional"
        else:
            return match[0]
        return f'<autoref identifier="{path}"{optional}><code>{name}{arguments}</code></autoref>'

    return _NAME.sub(reference, html)


def on_env(env: Any, **_: Any) -> Any:
    """Warn of what is public and not documented, which fails a strict build."""
    for package in PACKAGES:
        for name in importlib.import_module(package).__all__:
            # A name of two packages is documented in one of them.
            home = package if f"{package}.{name}" in _anchors else package.rpartition(".")[0] or package
            value = getattr(importlib.import_module(package), name)
            if f"{home}.{name}" not in _anchors or (callable(value) and not value.__doc__):
                _log.warning("%s.%s is public and not documented", package, name)
            for method in public_methods(value) if isinstance(value, type) else ():
                if f"{home}.{name}.{method}" not in _anchors:
                    _log.warning("%s.%s.%s is public and not documented", package, name, method)
    return env


def on_page_context(context: dict[str, Any], page: Page, config: MkDocsConfig, **_: Any) -> dict[str, Any]:
    """Let the theme speak the language of the page."""
    config.theme["language"] = page.meta.get("lang", "en")
    return context


def on_post_page(output: str, **_: Any) -> str:
    """Take titles away that show where a name is defined, which is nothing to import it from."""
    return _TITLE.sub("", output)


def linked(text: str, name: str, root: Path) -> str:
    """Return the text of a file of the project with its links leading to pages of the site.

    A link to another file of the project that is not a page becomes its text; one to a file that does not exist stays,
    and fails the build.
    """
    here = posixpath.dirname(INCLUDED[name])

    def link(match: re.Match[str]) -> str:
        label, (target, mark, anchor) = match[1], match[2].partition("#")
        if ":" in target or not target:
            return match[0]
        file = posixpath.normpath(target)
        if page := INCLUDED.get(file, file.removeprefix("docs/") if file.startswith("docs/") else ""):
            return f"[{label}]({posixpath.relpath(page, here or '.')}{mark}{anchor})"
        return label if (root / target).exists() else match[0]

    # Links in blocks of code are none.
    parts, start = [], 0
    for fence in _FENCE.finditer(text):
        parts += [_LINK.sub(link, text[start : fence.start()]), fence[0]]
        start = fence.end()
    return "".join([*parts, _LINK.sub(link, text[start:])])


def bases(path: str) -> str:
    """Return the line on a class's bases, where a private base is shown as its own bases are."""
    package, _, name = path.rpartition(".")
    shown = dict.fromkeys(_public_bases(getattr(importlib.import_module(package), name)))
    return (
        f'<p class="doc doc-class-bases">Bases: {", ".join(map("<code>{}</code>".format, shown))}</p>' if shown else ""
    )


def default(path: str) -> str:
    """Return what to add to what is said about a field of an adapter's component: its default, where it has one."""
    package, name, field = path.rsplit(".", 2)
    fields = getattr(getattr(importlib.import_module(package), name), "model_fields", {})
    if "region" not in fields or field not in fields or fields[field].default_factory is not None:
        return ""
    if fields[field].is_required():
        return " Required."
    return f" Default: <code>{escape(repr(fields[field].default))}</code>."


def _public_bases(cls: type) -> Iterator[str]:
    if is_typeddict(cls):
        yield "TypedDict"
        return
    for base in cls.__bases__:
        name = base.__name__.partition("[")[0]  # as in RunnableSerializable[Any, RouteResult]
        home = public_names().get(name)
        is_public = home is not None and getattr(importlib.import_module(home), name) is base
        if base.__module__.split(".")[0] in OURS and not is_public:
            yield from _public_bases(base)
        elif base not in {object, Generic}:
            yield name


@functools.cache
def public_names(first: str = "") -> dict[str, str]:
    """Return the public names and the package that each is documented in; those of ``first`` go before others."""
    homes: dict[str, str] = {}
    for package in sorted(PACKAGES, key=lambda package: package.split(".")[-1] != first):
        for name in importlib.import_module(package).__all__:
            homes.setdefault(name, package)
    return homes


def public_methods(cls: type) -> set[str]:
    """Return the public methods and properties of a class that these packages define."""
    found = set()
    for owner in cls.__mro__:
        for name, member in dict(vars(owner)).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            # pydantic puts functions of its own into the classes.
            if name[0] != "_" and inspect.isfunction(function) and function.__module__.split(".")[0] in OURS:
                found.add(name)
    return found


def help_of_commands() -> str:
    """Return a section for each command and subcommand with its ``--help``."""
    from clova_studio._cli import _COMMANDS

    sections = ["## clova-studio\n\n" + _help([])]
    for command in _COMMANDS:
        own = _help([command])
        sections.append(f"## {command}\n\n{own}")
        actions = re.search(r"^actions:\n +ACTION\n((?: +\w+ .*\n)+)", own, flags=re.MULTILINE)
        names = re.findall(r"^ {4}(\w+) ", actions[1], flags=re.MULTILINE) if actions else []
        sections += [f"### {command} {action}\n\n{_help([command, action])}" for action in names]
    return "\n".join(sections)


def _help(words: list[str]) -> str:
    from clova_studio._cli import main

    # argparse looks there for the width.
    columns, os.environ["COLUMNS"] = os.environ.get("COLUMNS"), "100"
    try:
        with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
            main([*words, "--help"])
    finally:
        del os.environ["COLUMNS"]
        if columns is not None:
            os.environ["COLUMNS"] = columns
    return f"```text\n{shown.getvalue().rstrip()}\n```\n"

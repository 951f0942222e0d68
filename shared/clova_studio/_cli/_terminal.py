"""What the commands read and write: colour only for people, secrets for nobody."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

__all__ = [
    "SECRET_VARIABLES",
    "complain",
    "hide",
    "is_terminal",
    "note",
    "paint",
    "read_text",
    "say",
    "say_json",
    "scrub",
    "table",
]

SECRET_VARIABLES = (
    "CLOVASTUDIO_API_KEY",
    "NCP_CLOVASTUDIO_API_KEY",
    "NCP_APIGW_API_KEY",
    "NCLOUD_ACCESS_KEY",
    "NCLOUD_SECRET_KEY",
)
_KEY = re.compile(r"nv-[0-9A-Za-z_-]{4,}")
_SHORTEST_SECRET = 6
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}

_hidden: set[str] = set()


def hide(secret: str) -> str:
    """Return a secret that was typed in; from now on `scrub` knows it."""
    _hidden.add(secret)
    return secret


def scrub(text: str) -> str:
    """Return a text without keys: nothing of what a service or a gateway repeats may show one."""
    for secret in [*_hidden, *(os.environ.get(name, "").strip() for name in SECRET_VARIABLES)]:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return _KEY.sub("nv-***", text)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person sits at a stream; False also for a stream that is closed or missing."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Colour a text for a terminal; with NO_COLOR, on a dumb terminal and in a file it stays as it is."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not is_terminal(stream):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def say(text: str = "", *, end: str = "\n") -> None:
    """Write to stdout, at once."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def note(text: str, *, end: str = "\n", colour: str | None = None) -> None:
    """Write to stderr what is not the result."""
    sys.stderr.write((paint(text, colour, sys.stderr) if colour else text) + end)
    sys.stderr.flush()


def complain(problem: BaseException | str) -> None:
    """Write an error to stderr, with its hint."""
    text, hint = str(problem), getattr(problem, "hint", None)
    if isinstance(hint, str) and hint not in text:
        text = f"{text} {hint}"
    note(f"clova-studio: {scrub(text)}")


def say_json(value: Any) -> None:
    """Write a value to stdout as JSON, for scripts."""
    say(scrub(json.dumps(value, ensure_ascii=False, indent=2)))


def read_text(path: str | None) -> str:
    """Return the text of a file; of stdin for None and ``-``. UTF-8, with or without BOM."""
    if path is not None and path != "-":
        return Path(path).read_text(encoding="utf-8-sig")
    if is_terminal(sys.stdin):
        note("reading stdin; end with Ctrl-D", colour="dim")
    raw = getattr(sys.stdin, "buffer", None)
    # Bytes where there are any: the text layer goes by the locale.
    text = sys.stdin.read() if raw is None else raw.read().decode("utf-8-sig")
    if not text.strip():
        raise ConfigurationError("stdin is empty: give a text as the argument, or pipe one in")
    return str(text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows in columns, one line each, numbers to the right."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    right = [all(_is_number(line[i]) for line in lines[1:]) and len(lines) > 1 for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _is_number(text: str) -> bool:
    return text.replace(",", "").isdigit()

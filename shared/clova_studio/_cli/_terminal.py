"""What the commands read and write: colours only on a terminal, and never a secret."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clova_studio._errors import AuthenticationError, ConfigurationError, redact
from clova_studio._secrets import KEY_VARIABLES, tidied

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

__all__ = [
    "SECRET_VARIABLES",
    "complain",
    "hide",
    "is_terminal",
    "no_text",
    "note",
    "paint",
    "read_text",
    "say",
    "say_json",
    "scrub",
    "table",
]

SECRET_VARIABLES = (*KEY_VARIABLES, "NCP_APIGW_API_KEY", "NCLOUD_ACCESS_KEY", "NCLOUD_SECRET_KEY")
_HANGUL = re.compile("[가-힣]")
_ASK_THE_DOCTOR = "'clova-studio doctor' finds out why. / 원인은 'clova-studio doctor'로 확인할 수 있습니다."
_SHORTEST_SECRET = 6
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}

_hidden: set[str] = set()


def hide(secret: str) -> str:
    """Return a secret that was typed in; from now on ``scrub`` masks it."""
    _hidden.add(secret)
    return secret


def scrub(text: str) -> str:
    """Return a text with keys masked: a service or a gateway may repeat them in its answers."""
    for secret in [*_hidden, *(tidied(os.environ.get(name, "")) for name in SECRET_VARIABLES)]:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return redact(text)


def is_terminal(stream: TextIO) -> bool:
    """Return whether a stream is a terminal; False for a stream that is closed or missing."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Return a text in colour; unchanged with NO_COLOR, on a dumb terminal and where the stream is not a terminal."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not is_terminal(stream):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def say(text: str = "", *, end: str = "\n") -> None:
    """Write to stdout and flush it."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def note(text: str, *, end: str = "\n", colour: str | None = None) -> None:
    """Write a text that is not part of the result to stderr."""
    sys.stderr.write((paint(text, colour, sys.stderr) if colour else text) + end)
    sys.stderr.flush()


def complain(problem: BaseException | str) -> None:
    """Write an error to stderr, with its hint and a pointer to more help."""
    text, hint = str(problem), getattr(problem, "hint", None)
    if isinstance(problem, OSError) and problem.filename is not None and problem.strerror:
        text = f"{problem.filename}: {problem.strerror}"
    if isinstance(hint, str) and hint not in text:
        text = f"{text} {hint}"
    if isinstance(problem, AuthenticationError):
        text = f"{text} {_ASK_THE_DOCTOR}"
    note(f"clova-studio: {scrub(text)}")


def no_text(raw: bytes, name: str | None) -> str:
    """Return what to do about a file that is not UTF-8 text, from its bytes and its path (None for stdin)."""
    # The ends of a command that can be pasted into a shell.
    source, target = ("", "") if name is None else (f" {shlex.quote(name)}", " > utf8.txt")
    said = f"{name or 'stdin'} is not UTF-8 text"
    if raw.startswith(b"%PDF-"):
        return (
            f"{said} but a PDF: save its text first, for example with pdftotext{source or ' FILE'} text.txt / "
            "PDF 파일은 읽을 수 없습니다. 먼저 텍스트로 저장하세요."
        )
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return (
            f"{said} but an office document or an archive: save it as plain text in UTF-8 / "
            "문서 프로그램의 파일이거나 압축 파일입니다. UTF-8 텍스트로 저장하세요."
        )
    encoding = _encoding_of(raw)
    if encoding is None:
        return f"{said}: save it as UTF-8 / UTF-8 텍스트가 아닙니다. UTF-8로 저장하세요."
    return (
        f"{said} but in {encoding}: convert it with iconv -f {encoding} -t utf-8{source}{target} / "
        f"{encoding} 인코딩입니다. 위 명령으로 UTF-8로 바꾸세요."
    )


def _encoding_of(raw: bytes) -> str | None:
    """Return the encoding of a Korean text that is not UTF-8, None if it is unknown."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        text = raw.decode("cp949")
    except UnicodeDecodeError:
        return None
    return "cp949" if _HANGUL.search(text) and "\0" not in text else None


def say_json(value: Any) -> None:
    """Write a value to stdout as JSON, for scripts."""
    say(scrub(json.dumps(value, ensure_ascii=False, indent=2)))


def read_text(path: str | None) -> str:
    """Return the text of a file, or of stdin for None and ``-``. It must be UTF-8, with or without a BOM."""
    if path is not None and path != "-":
        return Path(path).read_text(encoding="utf-8-sig")
    if is_terminal(sys.stdin):
        note("reading stdin; end with Ctrl-D", colour="dim")
    raw = getattr(sys.stdin, "buffer", None)
    # Bytes where possible: the text layer decodes by the locale.
    text = sys.stdin.read() if raw is None else raw.read().decode("utf-8-sig")
    if not text.strip():
        raise ConfigurationError("stdin is empty: give a text as the argument, or pipe one in")
    return str(text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows as aligned columns, one line per row, with numbers aligned to the right."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    right = [all(row[i].replace(",", "").isdigit() for row in lines[1:]) and len(lines) > 1 for i in range(len(head))]
    aligned = [[f"{cell:{'>' if right[i] else '<'}{widths[i]}}" for i, cell in enumerate(line)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in aligned)

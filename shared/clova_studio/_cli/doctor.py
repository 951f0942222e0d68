"""``clova-studio doctor``: finds out what is wrong with a key or a connection, and what to do."""

from __future__ import annotations

import sys
import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from clova_studio._cli._parsing import add_connection_options
from clova_studio._cli._terminal import paint, say, say_json, scrub

if TYPE_CHECKING:
    import argparse

    from clova_studio._cli._report import Report

__all__ = ["add_arguments", "run"]

_KEY_WORDS = {
    "none": "none",
    "new": "test or service key (nv-...)",
    "old": "old-style key (not nv-...), alone",
    "old pair": "old pair of keys",
}
_REQUIRED = ("clova-studio", "httpx", "pydantic", "tenacity")
# These come with extras, so they may be missing.
_FRAMEWORKS = ("langchain-core", "langchain-text-splitters", "llama-index-core")
_OTHERS = ("starlette", "uvicorn", "pyyaml", "numpy", "tqdm", "redis")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clova-studio doctor``."""
    parser.description = (
        "Find out why a key or a connection does not work: kind of the key, whether the service is reached and how\n"
        "fast, whether it accepts the key, what is left of the quota, the store of a shared quota, versions. Each\n"
        "problem has a hint in English and Korean. Sends one request without the key, one to the token calculator,\n"
        "and a chat of one output token; a refused path is tried with the other prefixes. Exit code 1 means that\n"
        "something is wrong."
    )
    parser.add_argument("--model", default="HCX-005", help="the chat model to try (default: %(default)s)")
    parser.add_argument("--no-chat", action="store_true", help="send no chat: no tokens are used")
    parser.add_argument(
        "--also",
        metavar="WHERE",
        help="where else to try a key that is refused: 'public', 'gov' or a URL; the key is sent there",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_connection_options(parser, retries=False)
    parser.set_defaults(timeout=10.0)


def run(arguments: argparse.Namespace) -> int:
    """Run ``clova-studio doctor``; return 0 if requests work, 1 if not."""
    from clova_studio._cli._probes import examine

    with warnings.catch_warnings():
        # A finding says so.
        warnings.filterwarnings("ignore", message=r"\w+: quotes and blanks")
        report = examine(arguments)
    report.versions = _versions()
    if arguments.json:
        say_json({"ok": report.ok, **asdict(report)})
    else:
        _print(report)
    return 0 if report.ok else 1


def _versions() -> dict[str, str | None]:
    import platform
    import ssl
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {"python": platform.python_version(), "openssl": ssl.OPENSSL_VERSION}
    for name in (*_REQUIRED, *_FRAMEWORKS, *_OTHERS):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            if name in _REQUIRED:
                found[name] = None
    return found


def _print(report: Report) -> None:
    source = f", from {report.key['source']}" if report.key["source"] else ""
    _line("key", f"{_KEY_WORDS[report.key['kind']]}{source}")
    address = report.address
    prefix = f"path prefix /{address['path_prefix']}" if address["path_prefix"] else "no path prefix"
    _line("address", f"{address['base_url']}, {prefix}")
    if address["proxy"]:
        _line("proxy", address["proxy"])
    for check in report.checks:
        mark = paint("ok", "green", sys.stdout) if check["ok"] else paint("failed", "red", sys.stdout)
        codes = [f"HTTP {check['status_code']}" if check["status_code"] else "", check["code"] or ""]
        facts = [f"{check['milliseconds']:.0f} ms", " ".join(filter(None, codes)), check["note"]]
        _line(check["name"], f"{mark} ({', '.join(filter(None, facts))})")
    for name, limit in report.rate_limits.items():
        _line("quota", f"{name}: {_quota_words(limit)}")
    if report.store is not None:
        good = paint("ok", "green", sys.stdout) if report.store["ok"] else paint("failed", "red", sys.stdout)
        spent = "" if report.store["milliseconds"] is None else f", {report.store['milliseconds']:g} ms a question"
        _line("store", f"{good} ({report.store['address'] or 'CLOVASTUDIO_QUOTA_STORE'}{spent})")
    _line("versions", ", ".join(f"{name} {number or 'missing'}" for name, number in report.versions.items()))
    for finding in report.findings:
        colour = "red" if finding.severity == "error" else "yellow"
        facts = [
            f"HTTP {finding.status_code}" if finding.status_code else "",
            f"code {finding.code}" if finding.code else "",
            finding.message or "",
            f"request id {finding.request_id}" if finding.request_id else "",
        ]
        say(f"\n{paint(finding.severity.upper(), colour, sys.stdout)} {finding.id}")
        if any(facts):
            say(scrub(f"  ({', '.join(filter(None, facts))})"))
        for language in ("en", "ko"):
            say(scrub(f"  {finding.problem[language]}\n    -> {finding.remedy[language]}"))
    if not report.findings:
        say()
        say(paint("No problem found. / 문제가 없습니다.", "green", sys.stdout))


def _line(name: str, text: str) -> None:
    say(scrub(f"{name:<10}{text}"))


def _quota_words(limit: dict[str, Any] | None) -> str:
    if limit is None:
        return "the answer had no x-ratelimit-* headers"
    parts = []
    for what in ("requests", "tokens"):
        most, left, reset = (limit.get(f"{kind}_{what}") for kind in ("limit", "remaining", "reset"))
        if most is None and left is None:
            continue
        numbers = " of ".join(f"{number:,}" for number in (left, most) if number is not None)
        parts.append(f"{numbers} {what} left" + ("" if reset is None else f", reset in {max(0.0, reset):g} s"))
    return "; ".join(parts) or "the headers gave no numbers"

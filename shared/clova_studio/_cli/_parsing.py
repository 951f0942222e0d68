"""What the subcommands' parsers share: the form of the help, the connection options, and the refusal of keys."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from clova_studio._cli._terminal import scrub
from clova_studio._errors import ConfigurationError
from clova_studio._secrets import clean_key, key_variable, no_key_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clova_studio import AsyncClovaStudio, ClovaStudio

__all__ = [
    "EXIT_CODES",
    "Parser",
    "add_connection_options",
    "connect",
    "connect_async",
    "key_settings",
    "refuse_secret",
]

EXIT_CODES = (
    "exit codes: 0 success, 1 the service refused or could not be reached, 2 wrong use, 130 interrupted,\n"
    "            141 the reader of the output is gone"
)
_ENVIRONMENT = """\
environment:
  CLOVASTUDIO_API_KEY   the key (nv-...); else NCP_CLOVASTUDIO_API_KEY
  NCP_APIGW_API_KEY     the second key of the old pair; used only with a key that does not start with nv-
  CLOVASTUDIO_BASE_URL  another address, such as that of the emulator
  NO_COLOR              no colours"""
_NEW_KEY = "nv-"


class Parser(argparse.ArgumentParser):
    """A parser that keeps the line breaks of its help, takes no abbreviations, and repeats no key in its errors."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and exit with code 2."""
        if message.startswith("unrecognized arguments:"):
            # Without their values: one of them may be a key.
            words = message.removeprefix("unrecognized arguments:").split()
            names = [word.partition("=")[0] for word in words if word.startswith("-")]
            message = f"unrecognized arguments: {' '.join(names)}" if names else "too many arguments (quote the text?)"
        if message.endswith(("required: COMMAND", "required: ACTION")):
            # Without a command, the help shows which ones there are.
            self.print_help(sys.stderr)
            self.exit(2)
        super().error(scrub(message))


class _RefusedSecret(argparse.Action):
    """An option that would hold a secret: refused, with the reason and the way out."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, const: str, **settings: Any) -> None:
        super().__init__(option_strings, dest, nargs="?", const=const, help=argparse.SUPPRESS, **settings)

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: Any, _values: Any, option: str | None = None
    ) -> None:
        parser.error(f"{option} is not accepted: arguments appear in process lists and shell histories. {self.const}")


def refuse_secret(parser: argparse.ArgumentParser, *options: str, instead: str) -> None:
    """Refuse options that would show a secret in process lists; ``instead`` is a sentence that says what to do."""
    parser.add_argument(*options, dest=argparse.SUPPRESS, action=_RefusedSecret, const=instead, default=None)


def add_connection_options(parser: argparse.ArgumentParser, *, retries: bool = True) -> None:
    """Add the options for the address, the time limit and the retries, and the refusal of keys."""
    group = parser.add_argument_group("connection")
    where = group.add_mutually_exclusive_group()
    where.add_argument("--region", choices=("public", "gov"), help="cloud of the account (default: public)")
    where.add_argument("--base-url", metavar="URL", help="another address (default: CLOVASTUDIO_BASE_URL)")
    group.add_argument(
        "--path-prefix",
        choices=("testapp", "serviceapp"),
        default="",
        help="for apps with a prefix in their paths",
    )
    group.add_argument("--timeout", type=float, metavar="SECONDS", help="time limit of each read of an answer")
    if retries:
        group.add_argument("--max-retries", type=int, metavar="N", help="retries after a failed request (default: 5)")
    names = ("--api-key", "--apikey", "--api_key", "--key", "--token")
    refuse_secret(parser, *names, instead="Set the environment variable CLOVASTUDIO_API_KEY instead.")
    parser.epilog = f"{parser.epilog}\n\n{_ENVIRONMENT}" if parser.epilog else _ENVIRONMENT


def key_settings() -> dict[str, str]:
    """Return the keys of the environment as the client's settings; empty without any.

    The second key of the old pair often stays set after a new key was made: a new key is used without it.
    """
    name = key_variable()
    if name is None:
        return {}
    settings = {"api_key": clean_key(name, os.environ[name])}
    second = clean_key("NCP_APIGW_API_KEY", os.environ.get("NCP_APIGW_API_KEY", ""))
    if second and not settings["api_key"].startswith(_NEW_KEY):
        settings["apigw_api_key"] = second
    return settings


def connect(arguments: argparse.Namespace, **settings: Any) -> ClovaStudio:
    """Return a client for the options of `add_connection_options`; ``settings`` take precedence over them."""
    from clova_studio import ClovaStudio

    return ClovaStudio(**_client_settings(arguments, settings))


def connect_async(arguments: argparse.Namespace, **settings: Any) -> AsyncClovaStudio:
    """Async variant of ``connect``."""
    from clova_studio import AsyncClovaStudio

    return AsyncClovaStudio(**_client_settings(arguments, settings))


def _client_settings(arguments: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    if arguments.region and os.environ.get("CLOVASTUDIO_BASE_URL", "").strip():
        raise ConfigurationError(
            "--region and the environment variable CLOVASTUDIO_BASE_URL contradict each other: unset the variable, or "
            "leave --region out"
        )
    keys = key_settings()
    if not keys and "api_key" not in settings:
        raise ConfigurationError(
            no_key_message(
                "set the environment variable CLOVASTUDIO_API_KEY (keys are made in the CLOVA Studio console under "
                "'API key'; 'clova-studio doctor' helps).",
                "환경 변수 CLOVASTUDIO_API_KEY를 설정하세요.",
            )
        )
    options: dict[str, Any] = {
        "region": arguments.region or "public",
        "base_url": arguments.base_url,
        "path_prefix": arguments.path_prefix,
        "timeout": arguments.timeout,
        "max_retries": getattr(arguments, "max_retries", None),
    }
    return {**options, **keys, **settings}

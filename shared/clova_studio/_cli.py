"""The command ``clova-studio``. Each subcommand lives with what it shows; its module is loaded when it is called."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from clova_studio._errors import ClovaStudioError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

# Name -> (module with add_arguments and run, one line of help). The demo is a LangChain program and lives there; this
# name is the only thing of the adapter that stands in the client's package.
_COMMANDS = {
    "demo": ("langchain_clova._demo", "answer a question over a Korean document, with the passages it rests on"),
    "emulator": ("clova_studio.emulator._command", "run a local CLOVA Studio on loopback"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        argv: The arguments without the program's name; None for those of the process.

    Returns:
        The exit code: 0 done, 1 the service or the connection failed, 2 wrong use, 130 interrupted.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = _parser(argv).parse_args(argv)
        return int(arguments.run(arguments))
    except (ConfigurationError, ImportError, OSError, UnicodeError) as error:
        # OSError and UnicodeError come from the files that a user names.
        print(f"clova-studio: {error}", file=sys.stderr)  # noqa: T201  this is a command
        return 2
    except ClovaStudioError as error:
        print(f"clova-studio: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clova-studio", description="NAVER CLOVA Studio (HyperCLOVA X) on the command line"
    )
    parser.add_argument("--version", action="version", version=version("clova-studio"))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    wanted = next((argument for argument in argv if not argument.startswith("-")), None)
    for name, (module_name, help_line) in _COMMANDS.items():
        command = commands.add_parser(name, help=help_line, description=help_line)
        if name == wanted:
            module = import_module(module_name)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser

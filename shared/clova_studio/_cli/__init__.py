"""The command ``clova-studio``: one module per subcommand, loaded when it is called.

A subcommand's module has ``add_arguments(parser)`` and ``run(arguments) -> int``; it imports nothing heavy before
``run``, so that ``--help`` and wrong use answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING

from clova_studio._cli._parsing import EXIT_CODES, Parser
from clova_studio._cli._terminal import complain, no_text
from clova_studio._errors import ClovaStudioError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["main"]

# Name -> (module with add_arguments and run, one line of help). The demo is a LangChain program and lives there; its
# name here is all that the client's package knows of the adapter.
_COMMANDS = {
    "chat": ("clova_studio._cli.chat", "ask a model; the answer is streamed to stdout"),
    "models": ("clova_studio._cli.models", "list the models and what they can do"),
    "embed": ("clova_studio._cli.embed", "embed files into JSON lines or Parquet; can be stopped and resumed"),
    "tokens": ("clova_studio._cli.tokens", "count the tokens of a text"),
    "tuning": ("clova_studio._cli.tuning", "list, show, create and delete tuning tasks"),
    "doctor": ("clova_studio._cli.doctor", "find out why a key or a connection does not work"),
    "verify": ("clova_studio._cli.verify", "ask a service what its documentation leaves open"),
    "emulator": ("clova_studio.emulator.server.command", "run a local CLOVA Studio on loopback"),
    "demo": ("langchain_clova._demo", "answer a question about a Korean document, with the passages that it used"),
}
_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        argv: The arguments without the program's name; None for those of the process.

    Returns:
        The exit code: 0 success, 1 the service or the connection failed, 2 wrong use, 130 interrupted, 141 the reader
        of the output is gone.

    Raises:
        SystemExit: With code 2 for arguments that cannot be read, with 0 after ``--help`` and ``--version``.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    arguments = argparse.Namespace()
    try:
        arguments = _parser(argv).parse_args(argv)
        with warnings.catch_warnings():
            # What the client warns of, a user of the command should read; Python's own words are for programmers.
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = _show_warning
            code = int(arguments.run(arguments))
        # Here and not at exit: only a write shows that the reader of the output is gone.
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
        return _BROKEN_PIPE
    except UnicodeDecodeError as error:
        complain(no_text(error.object, getattr(arguments, "file", None) and str(arguments.file)))
        return 2
    except (ConfigurationError, ImportError, OSError, UnicodeError) as error:
        # OSError and UnicodeError come from the files that a user names.
        complain(error)
        return 2
    except ClovaStudioError as error:
        complain(error)
        return 1
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    return code


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    complain(f"warning: {message}")


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = Parser(
        prog="clova-studio",
        description="NAVER CLOVA Studio (HyperCLOVA X) on the command line.",
        epilog=f"'clova-studio COMMAND --help' explains a command.\n\n{EXIT_CODES}",
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    wanted = next((argument for argument in argv if not argument.startswith("-")), None)
    for name, (module_name, help_line) in _COMMANDS.items():
        command = commands.add_parser(name, help=help_line, description=f"{help_line[0].upper()}{help_line[1:]}.")
        if name == wanted:
            module = import_module(module_name)
            module.add_arguments(command)
            codes = getattr(module, "EXIT_CODES", EXIT_CODES)
            command.epilog = f"{command.epilog}\n\n{codes}" if command.epilog else codes
            command.set_defaults(run=module.run)
    return parser


class _Version(argparse.Action):
    """``--version``, which looks up the version only when it is given."""

    def __init__(self, option_strings: Sequence[str], dest: str, **settings: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **settings)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"{version('clova-studio')}\n")
        parser.exit()


def _drop_stdout() -> None:
    """Discard what is still in the buffer; otherwise the interpreter reports an error when it exits."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # a replacement without a file
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)

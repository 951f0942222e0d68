"""The command ``clova-studio emulator``: the emulator as a process."""

import argparse
import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from clova_studio.emulator.recording.options import PUBLIC_URL, complaint
from clova_studio.emulator.rules.facts import load_facts
from clova_studio.emulator.server.browsers import check_origins
from clova_studio.emulator.server.faults import Fault
from clova_studio.emulator.server.state import DEFAULT_KEY, IDLE_SECONDS
from clova_studio.emulator.server.windows import COUNTINGS, check_limits

if TYPE_CHECKING:
    from clova_studio.emulator.server.scripted import Scripted

EXIT_CODES = (
    "exit codes: 0 success, 1 the address cannot be used, 2 wrong use, 141 the reader of the output is gone when the\n"
    "            server starts. Ctrl-C and SIGTERM end it with 0"
)
_LAST_PORT = 65_535

# Settings of `serve` -> options, where they differ.
_OPTIONS = {"api_keys": "api_key", "rate_limits": "limit", "faults": "fault"}


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _config(path: str) -> str:
    from clova_studio.emulator.console.config import load_config

    try:
        load_config(path)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return path


def _behaviour(name: str) -> str:
    """Check the name of a behaviour or the path of a file of facts."""
    try:
        load_facts(name)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return name


def _limit(text: str) -> tuple[str, tuple[int | None, int | None]]:
    """Parse ``MODEL=REQUESTS,TOKENS``; a minus means no limit."""
    model, _, numbers = text.partition("=")
    parts = [part.strip() for part in numbers.split(",")]
    if not model or len(parts) not in {1, 2} or not parts[0]:
        raise argparse.ArgumentTypeError(f"{text!r} is not MODEL=REQUESTS,TOKENS, such as HCX-005=60,60000")
    try:
        values = [None if part == "-" else int(part) for part in parts]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: REQUESTS and TOKENS are whole numbers, or - for no limit"
        ) from None
    try:
        limit = (values[0], values[1] if len(values) > 1 else None)
        check_limits({model: limit})
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {str(error).removeprefix('rate_limits: ')}") from error
    return model, limit


def _script(path: str) -> "list[Scripted]":
    from clova_studio.emulator.control.inputs import load_script

    try:
        return load_script(path)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _port(text: str) -> int:
    """Parse the number of a port."""
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: ports are 0 (a free one) to {_LAST_PORT}")
    return port


def _origin(text: str) -> str:
    """Parse an origin of web pages."""
    try:
        return check_origins([text])[0]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("cors: ")) from error


def _seconds(text: str) -> float:
    """Parse a number of seconds, which may be 0."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds of at least 0")
    return seconds


def _window(text: str) -> float:
    """Parse the length of a window, which is above 0."""
    seconds = _seconds(text)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to a parser."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8765, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--behaviour",
        type=_behaviour,
        default="observed",
        metavar="NAME",
        help="form of the answers where recorded traffic and the API guide differ: observed, documented, or a file "
        "that 'clova-studio verify --write-behaviour' wrote (default: %(default)s)",
    )
    parser.add_argument("--api-key", action="append", metavar="KEY", help="accept only this key (can be repeated)")
    parser.add_argument(
        "--limit",
        action="append",
        type=_limit,
        default=[],
        metavar="MODEL=QPM,TPM",
        help="rate limit of a model or tool, '*' for all others, '-' for none (can be repeated)",
    )
    parser.add_argument(
        "--window",
        type=_window,
        default=60.0,
        metavar="SECONDS",
        help="length of a rate-limit window (default: %(default)s)",
    )
    parser.add_argument(
        "--counting",
        choices=COUNTINGS,
        help="how a window counts: from its first request, with the clock, the last seconds, or refilling all the time "
        "(default: fixed, or what the file of --behaviour says)",
    )
    for option, what in (("--latency", "before each answer"), ("--token-latency", "between two token events")):
        parser.add_argument(
            option, type=_seconds, default=0.0, metavar="SECONDS", help=f"wait {what} (default: %(default)s)"
        )
    parser.add_argument(
        "--fault",
        action="append",
        type=_fault,
        default=[],
        metavar="KIND[;KEY=VALUE...]",
        help="fault to inject, such as 'status;code=42901;every=5' (can be repeated)",
    )
    parser.add_argument(
        "--config", type=_config, metavar="FILE", help="routers, skillsets and training, as YAML or JSON"
    )
    parser.add_argument(
        "--tuning-seconds", type=_seconds, metavar="SECONDS", help="how long training takes (default: 1)"
    )
    parser.add_argument(
        "--ascii-names",
        action="store_true",
        help="refuse names of tools and properties that are not up to 64 ASCII letters, digits, _ and -",
    )
    parser.add_argument(
        "--record", metavar="FILE", help="pass requests on to --upstream, and write them and the answers without keys"
    )
    parser.add_argument("--upstream", metavar="URL", help=f"whose answers are recorded, such as {PUBLIC_URL}")
    parser.add_argument("--replay", metavar="FILE", help="answer from a recording; what is not in it is a 404")
    parser.add_argument(
        "--speed", type=float, metavar="FACTOR", help="pace of a replay; 1 is as recorded, the default; 0 is at once"
    )
    parser.add_argument(
        "--script", type=_script, default=[], metavar="FILE", help="answers for the first chats, as YAML or JSON"
    )
    parser.add_argument(
        "--control",
        action=argparse.BooleanOptionalAction,
        help="steer it by requests under /_emulator, and show it on a page at / (default: on loopback only)",
    )
    parser.add_argument(
        "--cors",
        action="append",
        type=_origin,
        default=[],
        metavar="ORIGIN",
        help="let pages of this origin use it, such as http://localhost:3000, or '*' (can be repeated)",
    )
    parser.add_argument(
        "--idle-timeout",
        type=_window,
        default=IDLE_SECONDS,
        metavar="SECONDS",
        help="close a request whose head or body does not end (default: %(default)s)",
    )
    parser.add_argument(
        "--quiet", action="store_true", help="no line on stderr for each request, only for refusals with a hint"
    )


def _option(name: str) -> str:
    """A setting as it is written on the command line."""
    return f"--{_OPTIONS.get(name, name).replace('_', '-')}"


def _mode(args: argparse.Namespace) -> str:
    if args.record is not None:
        return f"records {args.upstream} in {args.record}"
    return f"replays {args.replay}" if args.replay is not None else str(args.behaviour)


def _key(args: argparse.Namespace) -> str:
    if args.record is not None:
        return "your own key"
    return f"key {args.api_key[0] if args.api_key else DEFAULT_KEY}"


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; exit code 1 when the address cannot be used, 2 for wrong options."""
    from clova_studio.emulator import serve

    settings = {
        "behaviour": args.behaviour,
        "api_keys": args.api_key,
        "rate_limits": dict(args.limit) or None,
        "window": args.window,
        "latency": args.latency,
        "token_latency": args.token_latency,
        "faults": args.fault,
        "config": args.config,
        "tuning_seconds": args.tuning_seconds,
        "counting": args.counting,
        "ascii_names": args.ascii_names,
        "record": args.record,
        "upstream": args.upstream,
        "replay": args.replay,
        "control": args.control,
        "cors": args.cors,
        "idle_timeout": args.idle_timeout,
        "speed": 1.0 if args.replay is not None and args.speed is None else args.speed,
    }
    try:
        wrong = complaint({**settings, "script": args.script}, spelt=_option)
        server = None if wrong else serve(host=args.host, port=args.port, **settings)
    except (OSError, ValueError) as error:
        wrong, server = str(error), None
    if server is None:
        sys.stderr.write(f"clova-studio emulator: {wrong}\n")
        return 2
    server.script(args.script)
    with _stop_signals() as stopped, _access_log(quiet=args.quiet):
        try:
            server.start()
        except OSError as error:
            sys.stderr.write(f"Cannot listen on {args.host}:{args.port}: {error}\n")
            return 1
        try:
            _say(f"CLOVA Studio emulator ({_mode(args)}) on {server.base_url} with {_key(args)}\n")
            if server.has_page:
                _say(f"Open {server.base_url}/ in a browser to see its requests\n")
            # In short steps, because on some platforms an endless wait blocks signals.
            while not stopped.wait(0.5):
                pass
        finally:
            server.stop()
    return 0


def _say(line: str) -> None:
    """Write to stdout, if there is one; a reader that is gone is a BrokenPipeError."""
    if sys.stdout is not None:
        sys.stdout.write(line)
        sys.stdout.flush()


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set."""
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    before: dict[Any, Any] = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextlib.contextmanager
def _access_log(*, quiet: bool) -> Iterator[None]:
    """Write the access log to stderr meanwhile."""
    from clova_studio.emulator.server.access_log import LOG, StderrHandler

    handler = StderrHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    level, propagate = LOG.level, LOG.propagate
    LOG.addHandler(handler)
    LOG.setLevel(logging.WARNING if quiet else logging.INFO)
    LOG.propagate = False
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        LOG.setLevel(level)
        LOG.propagate = propagate
        handler.close()

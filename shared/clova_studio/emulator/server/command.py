"""The command ``clova-studio emulator``: the emulator as a process."""

import argparse
import signal
import sys
import threading
from types import FrameType

from clova_studio.emulator.server.faults import Fault
from clova_studio.emulator.server.state import DEFAULT_KEY
from clova_studio.emulator.server.windows import COUNTINGS


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


def _limit(text: str) -> tuple[str, tuple[int | None, int | None]]:
    """Parse ``MODEL=REQUESTS,TOKENS``; a minus means no limit."""
    model, _, numbers = text.partition("=")
    parts = [part.strip() for part in numbers.split(",")]
    if not model or len(parts) not in {1, 2} or not parts[0]:
        raise argparse.ArgumentTypeError(f"{text!r} is not MODEL=REQUESTS,TOKENS, such as HCX-005=60,60000")
    try:
        values = [None if part == "-" else int(part) for part in parts]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
    return model, (values[0], values[1] if len(values) > 1 else None)


def _seconds(text: str) -> float:
    """Parse a number of seconds, which may be 0."""
    seconds = float(text)
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
    parser.add_argument("--port", type=int, default=8765, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--behaviour",
        choices=("observed", "documented"),
        default="observed",
        help="form of the answers where recorded traffic and the API guide differ (default: %(default)s)",
    )
    parser.add_argument("--api-key", action="append", metavar="KEY", help="accept only this key (can be repeated)")
    parser.add_argument(
        "--limit",
        action="append",
        type=_limit,
        default=[],
        metavar="MODEL=QPM,TPM",
        help="rate limit of a model or tool, '*' for all others (can be repeated)",
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
        default="fixed",
        help="how a window counts: from its first request, with the clock, the last seconds, or refilling all the time "
        "(default: %(default)s)",
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


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; exit code 1 when the address cannot be used."""
    from clova_studio.emulator import serve

    server = serve(
        host=args.host,
        port=args.port,
        behaviour=args.behaviour,
        api_keys=args.api_key,
        rate_limits=dict(args.limit) or None,
        window=args.window,
        latency=args.latency,
        token_latency=args.token_latency,
        faults=args.fault,
        config=args.config,
        tuning_seconds=args.tuning_seconds,
        counting=args.counting,
        ascii_names=args.ascii_names,
    )
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.start()
    except OSError as error:
        sys.stderr.write(f"Cannot listen on {args.host}:{args.port}: {error}\n")
        return 1
    else:
        key = args.api_key[0] if args.api_key else DEFAULT_KEY
        sys.stdout.write(f"CLOVA Studio emulator ({args.behaviour}) on {server.base_url} with key {key}\n")
        sys.stdout.flush()
        # In short steps, because on some platforms an endless wait blocks signals.
        while not stopped.wait(0.5):
            pass
        return 0
    finally:
        server.stop()
        for name, handler in before.items():
            signal.signal(name, handler)

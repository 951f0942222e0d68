"""The access log: one line for each request, without keys and without texts of the body."""

import contextlib
import logging
import os
import queue
import re
import sys
import threading

from clova_studio.emulator.server.request_log import RecordedRequest

LOG = logging.getLogger("clova_studio.emulator")
"""INFO for a request, WARNING for a refusal with a hint."""

_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_KEY = re.compile(r"\bnv-[\w.~+/=-]{4,}")
_LONGEST_PATH = 300
_LONGEST_MESSAGE = 200
_WAITING_LINES = 10_000
_PATIENCE = 1.0
_FIRST_REFUSED = 400


def log_request(request: RecordedRequest) -> None:
    """Write the line of a request that was answered, or whose client is gone."""
    refused = request.status is not None and request.status >= _FIRST_REFUSED
    level = logging.WARNING if refused and request.hint else logging.INFO
    if LOG.isEnabledFor(level):
        LOG.log(level, "%s", access_line(request))


def access_line(request: RecordedRequest) -> str:
    """Method, path, status, code, milliseconds; then the fault, the service's message and the hint, if any."""
    parts = [
        request.method,
        request.path[:_LONGEST_PATH],
        "-" if request.status is None else str(request.status),
        request.code or "-",
        f"{(request.seconds or 0) * 1000:.1f} ms",
    ]
    if request.fault:
        parts.append(f"fault {request.fault}")
    if request.message:
        parts.append(request.message[:_LONGEST_MESSAGE].rstrip(".") + ".")
    parts.append(request.hint)
    return one_line(" ".join(filter(None, parts)))


def one_line(text: str) -> str:
    """A text as one line without keys, whatever a request has in its names."""
    return _KEY.sub("nv-***", _BREAKS.sub("?", text))


class StderrHandler(logging.Handler):
    """Writes lines to stderr in a thread of its own, so that a reader that is slow or gone does not stop the server.

    Lines that would have to wait behind 10,000 others are dropped, and so are all once nobody reads them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING_LINES)
        self._thread = threading.Thread(target=self._write, name="clova-studio-emulator-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line over."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            pass
        except Exception:  # noqa: BLE001 - as every handler of logging
            self.handleError(record)

    def close(self) -> None:
        """Write the lines that wait, for a second at most."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(_PATIENCE)
        super().close()

    def _write(self) -> None:
        readable = sys.stderr is not None
        while (line := self._lines.get()) is not None:
            if not readable:
                continue
            try:
                _write_line(line + "\n")
            except (OSError, ValueError):  # the reader is gone, or the file was closed
                readable = False


def _write_line(line: str) -> None:
    try:
        descriptor = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # a replacement without a file
        sys.stderr.write(line)
        return
    # Past the buffer of Python, whose lock a thread that waits for its reader must not hold when the program ends.
    data = line.encode(sys.stderr.encoding or "utf-8", "backslashreplace")
    while data:
        data = data[os.write(descriptor, data) :]

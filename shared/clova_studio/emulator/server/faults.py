"""Failures on demand: a value for each thing that can go wrong between a client and the service.

A fault is given at start, added to a running server, queued in a script, or requested in the header
``X-Clova-Emulator-Fault``; header and command line use the text form ``kind;key=value;key=value``.
"""

import re
from dataclasses import dataclass, field, fields

FAULT_HEADER = "x-clova-emulator-fault"

BEFORE_KINDS = frozenset(
    {"status", "ok_error", "html", "empty", "reset", "hang", "invented_tool", "delay"},
)
"""Faults that happen before the request is checked (``delay`` only slows it)."""

BODY_KINDS = frozenset({"truncate", "reset_after_headers", "trickle"})
"""Faults in the delivery of any answer."""

STREAM_KINDS = frozenset({"cut", "cut_abrupt", "error_event", "no_signal", "hang_after_result"})
"""Faults of streamed answers; other requests do not count as hits."""

KINDS = BEFORE_KINDS | BODY_KINDS | STREAM_KINDS


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_HEADER_VALUE = re.compile(r"(?:[!-~\xa0-\xff](?:[\t -~\xa0-\xff]*[!-~\xa0-\xff])?)?\Z")
FIRST_STATUS, LAST_STATUS = 200, 599
LONGEST_WAIT = 86_400


@dataclass(frozen=True)
class Fault:
    """One failure and the requests that it hits.

    Attributes:
        kind: ``status`` (an error envelope), ``ok_error`` (HTTP 200 whose envelope has an error code), ``html`` (a
            gateway's page), ``empty`` (no body), ``truncate`` (JSON cut in the middle), ``reset`` (connection reset
            before the headers), ``reset_after_headers``, ``hang`` (no answer), ``delay`` (the answer comes later),
            ``trickle`` (byte by byte), ``invented_tool`` (40009, as when the model calls a tool that was not given;
            requests with tools only), and for streams ``cut`` (ends cleanly after ``after`` token events, without
            result), ``cut_abrupt`` (connection dropped there), ``error_event`` (an error event there), ``no_signal``
            (ends at the result) and ``hang_after_result`` (the connection stays open).
        times: How many matching requests it hits; None means all of them.
        every: Hits every n-th matching request.
        path: Hits only requests whose path contains this.
        status: HTTP status; the default follows the code (``status``), or is 503 (``html``).
        code: Five-digit code; the default is 42901, or follows the status.
        message: Message; the default is the documented one of the code.
        headers: Headers of the answer.
        after: Number of token events before a stream fails.
        seconds: Length of a ``delay`` in seconds.
        delay: Seconds between two bytes of a ``trickle``.

    Raises:
        ValueError: The kind is unknown, ``times`` or ``every`` is below 1, ``after`` below 0, the status none of HTTP's
            final ones, a header cannot be sent, or a wait is not from 0 to a day.
    """

    kind: str
    times: int | None = None
    every: int | None = None
    path: str | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    after: int = 0
    seconds: float | None = None
    delay: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Unknown fault {self.kind!r}; known are {', '.join(sorted(KINDS))}")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1")
        if self.every is not None and self.every < 1:
            raise ValueError("every must be at least 1")
        if self.after < 0:
            raise ValueError("after must be at least 0")
        for name, value in self.headers.items():
            if not _HEADER_NAME.match(name) or not _HEADER_VALUE.match(value):
                raise ValueError(
                    f"headers: {name!r} cannot be sent: names are tokens, values Latin-1 without line breaks"
                )
        if self.status is not None and not (
            isinstance(self.status, int) and FIRST_STATUS <= self.status <= LAST_STATUS
        ):
            raise ValueError(f"status must be a whole number from {FIRST_STATUS} to {LAST_STATUS}")
        for name in ("seconds", "delay"):
            wait = getattr(self, name)
            # A day is longer than any client waits; infinity and NaN are what no clock can wait for.
            if wait is not None and not (isinstance(wait, (int, float)) and 0 <= wait <= LONGEST_WAIT):
                raise ValueError(f"{name} must be a number of seconds from 0 to {LONGEST_WAIT:,}")

    @property
    def pause(self) -> float:
        """Seconds that this fault waits, given as either ``seconds`` or ``delay``."""
        for value in (self.seconds, self.delay):
            if value is not None:
                return value
        return 1.0 if self.kind == "delay" else 0.005

    def hits(self, path: str, *, streamed: bool, with_tools: bool) -> bool:
        """Whether a request matches this fault; ``times`` and ``every`` are not considered.

        Args:
            path: Path of the request.
            streamed: Whether its answer is a stream.
            with_tools: Whether it has tools.
        """
        if self.path is not None and self.path not in path:
            return False
        if self.kind in STREAM_KINDS and not streamed:
            return False
        return self.kind != "invented_tool" or with_tools

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Parse the text form.

        Args:
            text: ``kind;key=value;...`` with the names of the attributes; a header of the answer is
                ``header.name=value``.

        Raises:
            ValueError: The kind or a key is unknown, or a value is not a number where one is needed.
        """
        kind, *settings = [part.strip() for part in text.split(";")]
        readers = {"times": int, "every": int, "status": int, "after": int, "seconds": float, "delay": float}
        known = {item.name for item in fields(cls)} - {"kind", "headers"}
        values: dict[str, object] = {}
        headers: dict[str, str] = {}
        for setting in filter(None, settings):
            key, separator, value = setting.partition("=")
            if key.startswith("header."):
                headers[key.removeprefix("header.")] = value
            elif separator and key in known:
                try:
                    values[key] = readers.get(key, str)(value)
                except ValueError:
                    raise ValueError(f"{key} of fault {kind!r} must be a number, not {value!r}") from None
            else:
                raise ValueError(f"Unknown setting {setting!r} of fault {kind!r}")
        return cls(kind, headers=headers, **values)  # type: ignore[arg-type]  # the keys were checked above


class ActiveFault:
    """A fault of a running server, with its counters.

    Attributes:
        fault: The fault.
        number: Its number among the faults of the server, from 1.
        seen: How many requests matched it.
        hit: How many of them it hit.
    """

    def __init__(self, fault: Fault, number: int) -> None:
        self.fault = fault
        self.number = number
        self.seen = 0
        self.hit = 0

    @property
    def spent(self) -> bool:
        """Whether it has hit as often as it should."""
        return self.fault.times is not None and self.hit >= self.fault.times

    def fires(self, path: str, *, streamed: bool, with_tools: bool) -> bool:
        """Count the request if it matches, and return whether the fault hits it."""
        fault = self.fault
        if not fault.hits(path, streamed=streamed, with_tools=with_tools):
            return False
        if self.spent:
            return False
        self.seen += 1
        if fault.every is not None and self.seen % fault.every:
            return False
        self.hit += 1
        return True

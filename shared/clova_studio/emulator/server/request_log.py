"""The requests that an emulator received: the newest ones, within a bound of number and bytes."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from time import time as wall_clock
from typing import Any, Literal

from clova_studio.emulator.server.body import parse
from clova_studio.emulator.server.recorded_answer import RecordedAnswer

MOST_REQUESTS = 1_000
MOST_BYTES = 64 * 1024 * 1024
_OVERHEAD = 512  # of a record beside its texts

Event = Literal["arrived", "answered"]


@dataclass
class RecordedRequest:
    """A request that the emulator received.

    Attributes:
        method: HTTP method.
        path: Path without the query.
        headers: Headers with lower-case names; keys are replaced by ``***``.
        time: Arrival on the monotonic clock, in seconds.
        raw: The body's bytes; empty until all of them have arrived.
        status: HTTP status of the answer; None while there is no answer, or when a fault dropped the connection.
        query: Fields of the query.
        hint: What the emulator has to say about the request: how a refusal is avoided, or which fields are ignored.
        code: The service's five-digit code of the answer, ``20000`` of a good one; empty while there is none, and when
            a fault answered without one.
        message: The service's words of a refusal.
        fault: Kind of the fault that hit the request; empty if none did.
        seconds: From its arrival to the end of the answer; None before that.
        number: Its number in the order of arrival, from 1; numbers go on after requests were cleared or dropped.
        received: Arrival in seconds since 1970.
        answer: What was sent, as far as it has gone out.
    """

    method: str
    path: str
    headers: dict[str, str]
    time: float = field(default_factory=monotonic)
    raw: bytes = field(default=b"", repr=False)
    status: int | None = None
    query: dict[str, str] = field(default_factory=dict)
    hint: str = ""
    code: str = ""
    message: str = ""
    fault: str = ""
    seconds: float | None = None
    number: int = 0
    received: float = field(default_factory=wall_clock)
    answer: RecordedAnswer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.answer = RecordedAnswer(since=self.time)

    @property
    def body(self) -> Any:
        """The parsed body; None when it is not valid JSON. It is parsed anew each time, since it may be much larger."""
        return parse(self.raw)

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        pairs = [*self.headers.items(), *self.query.items()]
        return _OVERHEAD + len(self.raw) + len(self.path) + sum(len(name) + len(value) for name, value in pairs)


Listener = Callable[[Event, RecordedRequest], None]


class RequestLog:
    """The newest requests and the counts of all; safe to use from any thread.

    Args:
        most: How many requests are kept.
        most_bytes: How many bytes they may take together.
    """

    def __init__(self, most: int = MOST_REQUESTS, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: deque[tuple[RecordedRequest, int]] = deque()  # with the bytes that were counted for each
        self._bytes = 0
        self._listeners: tuple[Listener, ...] = ()
        self.received = 0
        self.dropped = 0
        self.in_flight = 0
        self.peak_in_flight = 0

    def arrive(self, request: RecordedRequest) -> None:
        """Record a request whose head has arrived, and count it as in flight."""
        with self._lock:
            self.received += 1
            request.number = self.received
            self._add(request)
            self.in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        self._tell("arrived", request)

    def complete(self, request: RecordedRequest, raw: bytes) -> None:
        """Record the body of a request."""
        with self._lock:
            request.raw = raw
            self._grow(request, len(raw))

    def leave(self, request: RecordedRequest) -> None:
        """Count a request as answered."""
        request.seconds = monotonic() - request.time
        with self._lock:
            self.in_flight -= 1
            self._grow(request, request.answer.memory)
        self._tell("answered", request)

    @property
    def kept(self) -> list[RecordedRequest]:
        """The requests that are kept, in order of arrival."""
        with self._lock:
            return [request for request, _ in self._kept]

    def find(self, number: int) -> RecordedRequest | None:
        """The request with a number, unless it was dropped or cleared."""
        return next((request for request in self.kept if request.number == number), None)

    def clear(self) -> int:
        """Forget the requests and return how many they were; the numbers go on."""
        with self._lock:
            count = len(self._kept)
            self._kept.clear()
            self._bytes = 0
            self.dropped = 0
            return count

    def reset(self) -> None:
        """Forget the requests and the highest number in flight."""
        self.clear()
        with self._lock:
            self.peak_in_flight = self.in_flight

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a function at the arrival and at the end of each request, until the returned one is called.

        It is called in the thread of the server, between steps of other requests: it must be quick and not raise.
        """
        with self._lock:
            self._listeners += (listener,)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return unsubscribe

    def _tell(self, event: Event, request: RecordedRequest) -> None:
        for listener in self._listeners:
            listener(event, request)

    def _grow(self, request: RecordedRequest, more: int) -> None:
        """Count further bytes of a request, if it is still kept."""
        # Its place is near the end: only requests that arrived after it follow.
        for index in range(len(self._kept) - 1, -1, -1):
            kept, size = self._kept[index]
            if kept is request:
                self._kept[index] = (request, size + more)
                self._bytes += more
                break
        self._trim()

    def _add(self, request: RecordedRequest) -> None:
        size = request.size
        self._kept.append((request, size))
        self._bytes += size
        self._trim()

    def _trim(self) -> None:
        while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
            _, size = self._kept.popleft()
            self._bytes -= size
            self.dropped += 1

"""The state of a running emulator: settings, requests, scripts, faults and quotas. Safe to use from any thread."""

import os
import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from clova_studio.emulator.console.tuning_tasks import TaskStore
from clova_studio.emulator.server.faults import ActiveFault, Fault
from clova_studio.emulator.server.windows import COUNTINGS, Counting, Limits, Windows

if TYPE_CHECKING:
    from clova_studio.emulator.console.config import Config

Behaviour = Literal["documented", "observed"]
Scripted = str | Mapping[str, Any] | Fault

DEFAULT_KEY = "nv-emulator-test-key"
KEY_KINDS = frozenset({"test", "service", "unregistered"})


@dataclass
class RecordedRequest:
    """A request that the emulator received.

    Attributes:
        method: HTTP method.
        path: Path without the query.
        headers: Headers with lower-case names; keys are replaced by ``***``.
        body: The parsed body; None when it is not valid JSON.
        raw: The body's bytes.
        status: HTTP status of the answer; None while there is no answer, or when a fault dropped the connection.
        time: Arrival on the monotonic clock, in seconds.
        query: Fields of the query.
        hint: What the emulator has to say about the request: how a refusal is avoided, or which fields are ignored.
    """

    method: str
    path: str
    headers: dict[str, str]
    time: float
    body: Any = None
    raw: bytes = b""
    status: int | None = None
    query: dict[str, str] = field(default_factory=dict)
    hint: str = ""


@dataclass
class Settings:
    """How the emulator behaves; see `serve` for the meaning of each field."""

    behaviour: Behaviour = "observed"
    api_keys: Collection[str] | Mapping[str, str] | None = None
    rate_limits: Limits | None = None
    window: float = 60.0
    rate_limit_headers: bool | None = None
    latency: float = 0.0
    token_latency: float = 0.0
    faults: Iterable[Fault] = field(default_factory=tuple)
    config: Mapping[str, Any] | str | os.PathLike[str] | None = None
    tuning_seconds: float | None = None
    counting: Counting = "fixed"
    ascii_names: bool = False

    def __post_init__(self) -> None:
        if self.behaviour not in {"documented", "observed"}:
            raise ValueError(f"behaviour must be 'documented' or 'observed', not {self.behaviour!r}")
        if self.counting not in COUNTINGS:
            raise ValueError(f"counting must be one of {', '.join(COUNTINGS)}, not {self.counting!r}")
        if isinstance(self.api_keys, Mapping):
            unknown = sorted(set(self.api_keys.values()) - KEY_KINDS)
            if unknown:
                raise ValueError(
                    f"api_keys: unknown kind of key {unknown[0]!r}; known are {', '.join(sorted(KEY_KINDS))}"
                )
        if self.tuning_seconds is not None and not self.tuning_seconds >= 0:
            raise ValueError(f"tuning_seconds must be a number of seconds, not {self.tuning_seconds!r}")

    @property
    def observed(self) -> bool:
        """Whether answers take the observed form where it differs from the documented one."""
        return self.behaviour == "observed"

    @property
    def shows_limits(self) -> bool:
        """Whether answers carry the x-ratelimit-* headers, which were observed but are not documented."""
        return self.observed if self.rate_limit_headers is None else self.rate_limit_headers


class State:
    """What one emulator knows: its settings, and what happened since it started."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.windows = Windows(settings.rate_limits, settings.window, counting=settings.counting)
        self.peak_in_flight = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        self._requests: list[RecordedRequest] = []
        self._script: deque[Scripted] = deque()
        self._faults = [ActiveFault(fault) for fault in settings.faults]
        # A configuration is checked before the server starts.
        training = {} if settings.config is None else self.config.tuning.model_dump()
        if settings.tuning_seconds is not None:
            training["seconds"] = settings.tuning_seconds
        self.tuning = TaskStore(**training)

    @cached_property
    def config(self) -> "Config":
        """Routers, skillsets and training."""
        # Here and not above: pydantic is imported only where a configuration is needed.
        from clova_studio.emulator.console.config import load_config

        return load_config(self.settings.config)

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, in order of arrival (a copy of the list)."""
        with self._lock:
            return list(self._requests)

    def arrive(self, request: RecordedRequest) -> None:
        """Record a request and count it as in flight."""
        with self._lock:
            self._requests.append(request)
            self._in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self._in_flight)

    def leave(self) -> None:
        """Count a request as answered."""
        with self._lock:
            self._in_flight -= 1

    def script(self, answers: Iterable[Scripted]) -> None:
        """Queue answers for the next chat requests."""
        new = list(answers)
        for answer in new:
            if not isinstance(answer, str | Mapping | Fault):
                raise TypeError(f"A scripted answer is a str, a mapping or a Fault, not {type(answer).__name__}")
        with self._lock:
            self._script.extend(new)

    def next_fault(self) -> Fault | None:
        """Take the next scripted answer if it is a fault."""
        with self._lock:
            if self._script and isinstance(self._script[0], Fault):
                return self._script.popleft()  # type: ignore[return-value]  # looked at one line above
            return None

    def next_answer(self) -> str | Mapping[str, Any] | None:
        """Take the next scripted answer unless it is a fault."""
        with self._lock:
            if self._script and not isinstance(self._script[0], Fault):
                return self._script.popleft()  # type: ignore[return-value]  # looked at one line above
            return None

    def add_fault(self, fault: Fault) -> None:
        """Add a fault after the existing ones."""
        with self._lock:
            self._faults.append(ActiveFault(fault))

    def pick_fault(self, path: str, *, streamed: bool, with_tools: bool) -> Fault | None:
        """The first fault that hits a request; every matching fault counts it."""
        with self._lock:
            hits = [item.fault for item in self._faults if item.fires(path, streamed=streamed, with_tools=with_tools)]
            return hits[0] if hits else None

    def reset(self) -> None:
        """Forget requests, scripts, faults, training tasks and what the quotas have used."""
        with self._lock:
            self._requests.clear()
            self._script.clear()
            self._faults.clear()
            self.peak_in_flight = self._in_flight
        self.windows.reset()
        self.tuning.reset()

"""The state of a running emulator: settings, requests, scripts, faults and quotas. Safe to use from any thread."""

import math
import os
import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from clova_studio.emulator.console.tuning_tasks import TaskStore
from clova_studio.emulator.recording.options import complaint, open_tape
from clova_studio.emulator.rules.facts import REFUSED, Facts, load_facts
from clova_studio.emulator.server.browsers import check_origins
from clova_studio.emulator.server.faults import ActiveFault, Fault
from clova_studio.emulator.server.request_log import RequestLog
from clova_studio.emulator.server.scripted import Scripted, check_scripted
from clova_studio.emulator.server.windows import Counting, Limits, Windows, check_counting

if TYPE_CHECKING:
    from clova_studio.emulator.console.config import Config

Behaviour = Literal["documented", "observed"]

IDLE_SECONDS = 30.0
"""How long a request whose head or body does not end may send nothing."""

DEFAULT_KEY = "nv-emulator-test-key"
KEY_KINDS = frozenset({"test", "service", "unregistered"})


@dataclass
class Settings:
    """How the emulator behaves; see `serve` for the meaning of each field."""

    behaviour: Behaviour | str | os.PathLike[str] | Mapping[str, Any] = "observed"
    api_keys: Collection[str] | Mapping[str, str] | None = None
    rate_limits: Limits | None = None
    window: float = 60.0
    rate_limit_headers: bool | None = None
    latency: float = 0.0
    token_latency: float = 0.0
    faults: Iterable[Fault] = field(default_factory=tuple)
    config: Mapping[str, Any] | str | os.PathLike[str] | None = None
    tuning_seconds: float | None = None
    counting: Counting | None = None
    ascii_names: bool = False
    record: str | os.PathLike[str] | None = None
    upstream: str | None = None
    replay: str | os.PathLike[str] | None = None
    speed: float | None = None
    control: bool | None = None
    cors: Collection[str] = ()
    idle_timeout: float = IDLE_SECONDS
    facts: Facts = field(init=False)

    def __post_init__(self) -> None:
        wrong = complaint(vars(self))
        if wrong:
            raise ValueError(wrong)
        self.facts = self._facts()
        for name in ("latency", "token_latency"):
            _check_seconds(name, getattr(self, name))
        _check_seconds("idle_timeout", self.idle_timeout, above=True)
        self.cors = check_origins(self.cors)
        if isinstance(self.api_keys, str):
            raise TypeError("api_keys must be a collection of keys, not one string: put it into a list")
        if isinstance(self.api_keys, Mapping):
            unknown = sorted(set(self.api_keys.values()) - KEY_KINDS)
            if unknown:
                raise ValueError(
                    f"api_keys: unknown kind of key {unknown[0]!r}; known are {', '.join(sorted(KEY_KINDS))}"
                )
        if self.tuning_seconds is not None:
            _check_seconds("tuning_seconds", self.tuning_seconds)

    @property
    def api_key(self) -> str:
        """A key that is accepted."""
        return next(iter(self.api_keys or ()), DEFAULT_KEY)

    def _facts(self) -> Facts:
        """The facts of the behaviour, after the settings that take precedence over them."""
        facts = load_facts(self.behaviour)
        given: dict[str, str] = {}
        if self.ascii_names:
            given["hangul-names"] = REFUSED
        if self.rate_limit_headers is not None:
            given["limit-headers"] = "always" if self.rate_limit_headers else "never"
        if self.counting is not None:
            given["counting"] = check_counting(self.counting)
        return Facts(facts.behaviour, {**facts, **given}) if given else facts


def _check_seconds(name: str, value: Any, *, above: bool = False) -> None:
    if not isinstance(value, int | float) or not (value > 0 if above else value >= 0) or not math.isfinite(value):
        rule = "above 0" if above else "of at least 0"
        raise ValueError(f"{name} must be a number of seconds {rule}, not {value!r}")


class NoEffectError(RuntimeError):
    """A server that records or replays computes no answers, so they cannot be changed."""


class State:
    """What one emulator knows: its settings, and what happened since it started."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tape = open_tape(settings)
        self.log = RequestLog()
        self.windows = Windows(
            settings.rate_limits, settings.window, counting=check_counting(settings.facts["counting"])
        )
        self.started = monotonic()
        # The server sets it when it knows its address; a bare application has control only if that is asked for.
        self.control = bool(settings.control)
        # Whether only this machine reaches it, which a bare application cannot know.
        self.loopback = False
        self._lock = threading.Lock()
        self._script: deque[Scripted] = deque()
        self._faults: list[ActiveFault] = []
        self._fault_count = 0
        for fault in settings.faults:
            self.add_fault(fault)
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

    def script(self, answers: Iterable[Scripted]) -> None:
        """Queue answers for the next chat requests."""
        new = [check_scripted(answer, f"answers[{index}]") for index, answer in enumerate(answers)]
        if new:
            self.check_computes("A scripted answer")
        with self._lock:
            self._script.extend(new)

    @property
    def scripted(self) -> list[Scripted]:
        """The scripted answers that are still to come."""
        with self._lock:
            return list(self._script)

    def clear_script(self) -> int:
        """Forget the scripted answers and return how many they were."""
        with self._lock:
            count = len(self._script)
            self._script.clear()
            return count

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

    def add_fault(self, fault: Fault) -> int:
        """Add a fault after the existing ones and return its number."""
        if not isinstance(fault, Fault):
            raise TypeError(f"A fault is a Fault, not {type(fault).__name__}")
        self.check_computes("A fault")
        with self._lock:
            self._fault_count += 1
            self._faults.append(ActiveFault(fault, self._fault_count))
            return self._fault_count

    @property
    def faults(self) -> list[ActiveFault]:
        """The faults that can still hit a request."""
        with self._lock:
            return list(self._faults)

    def clear_faults(self, number: int | None = None) -> int:
        """Take away the fault with a number, or all of them, and return how many they were."""
        with self._lock:
            before = len(self._faults)
            self._faults = [item for item in self._faults if number not in {None, item.number}]
            return before - len(self._faults)

    def check_computes(self, what: str) -> None:
        """Raise a `NoEffectError` on a server that records or replays."""
        if self.tape is not None:
            mode = "records" if self.settings.record is not None else "replays a recording"
            raise NoEffectError(f"{what} has no effect on a server that {mode}: use one without it.")

    def pick_fault(self, path: str, *, streamed: bool, with_tools: bool) -> Fault | None:
        """The first fault that hits a request; every matching fault counts it, and a spent one is forgotten."""
        with self._lock:
            if not self._faults:
                return None
            hits = [item for item in self._faults if item.fires(path, streamed=streamed, with_tools=with_tools)]
            if any(item.spent for item in hits):
                self._faults = [item for item in self._faults if not item.spent]
            return hits[0].fault if hits else None

    def reset(self) -> None:
        """Forget requests, scripts, faults, training tasks and what the quotas have used; begin a replay again."""
        self.log.reset()
        self.clear_script()
        self.clear_faults()
        if self.tape is not None:
            self.tape.reset()
        self.windows.reset()
        self.tuning.reset()

"""The training tasks of a running emulator, and their progress.

A task waits for the first quarter of its time, runs for the rest and has then succeeded or failed. Its status is
computed from the clock at each request: nothing runs in the background.
"""

import hashlib
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from time import monotonic, time
from typing import Any

from clova_studio.emulator.console.tuning_reasons import REASONS, failure_of

SECONDS = 1.0
"""How long training takes by default."""

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_SEOUL = timezone(timedelta(hours=9))
_WAITING = 0.25
_BATCH = 8
# Bounds of what is remembered; a task may have a long name and a long path.
_MOST_TASKS = 1_000
_MOST_BYTES = 8 * 1024 * 1024
_MOST_DELETED = 10_000
LONGEST_ADVANCE = 366 * 86_400.0


@dataclass(frozen=True)
class NewTask:
    """A request for a task that passed all checks."""

    name: str | None
    model: str
    task_type: str
    epochs: int
    learning_rate: float
    path: str


@dataclass(frozen=True)
class Task:
    """A training task."""

    id: str
    owner: str  # the key that created it
    request: NewTask
    failure: str | None  # the reason why it will fail
    seconds: float
    created: float  # on the wall clock
    started: float  # on the monotonic clock

    @property
    def size(self) -> int:
        """About how many bytes its texts take."""
        return len(self.owner) + len(self.request.path) + len(self.request.name or "")

    def status(self, elapsed: float) -> str:
        """The status after some seconds; a new task always waits, even if training takes no time."""
        if elapsed <= self.seconds * _WAITING:
            return "WAIT"
        if elapsed < self.seconds:
            return "RUNNING"
        return "SUCCEEDED" if self.failure is None else "FAILED"

    def view(self, elapsed: float, *, listed: bool = False) -> dict[str, Any]:
        """The task object of the pages; only those in lists have ``method``."""
        request, status = self.request, self.status(elapsed)
        since = {"WAIT": 0.0, "RUNNING": self.seconds * _WAITING}.get(status, self.seconds)
        view: dict[str, Any] = {
            "id": self.id,
            "name": request.name or f"task-{_local(self.created):%Y%m%d%H%M%S}",
            "model": request.model,
        }
        if listed:
            view["method"] = "LoRA"
        return view | {
            "taskType": request.task_type,
            "trainEpochs": request.epochs,
            "learningRate": request.learning_rate,
            "status": status,
            "statusInfo": self._info(status, elapsed),
            "createdClientType": "API",
            "createdDate": _stamp(self.created),
            "updatedDate": _stamp(self.created + since),
        }

    def _info(self, status: str, elapsed: float) -> dict[str, Any]:
        names = (
            "label dataRows numOfTokens currStep totalTrainSteps currEpoch totalTrainEpochs estimatedTime trainLoss "
            "sendWeightSuccess failureReason message endDatetime"
        )
        info: dict[str, Any] = dict.fromkeys(names.split())
        if status == "WAIT":
            return info
        if status == "FAILED":
            reason = str(self.failure)
            end = _stamp(self.created + self.seconds)
            return info | {"failureReason": reason, "message": REASONS[reason], "endDatetime": end}
        rows = 100 + hashlib.blake2b(self.request.path.encode(), digest_size=1).digest()[0]
        steps = math.ceil(rows / _BATCH) * self.request.epochs
        running = self.seconds * (1 - _WAITING)
        share = 1.0 if status == "SUCCEEDED" else (elapsed - self.seconds * _WAITING) / running
        step = int(steps * share)
        info |= {
            "dataRows": rows,
            "numOfTokens": rows * 64,
            "currStep": step,
            "totalTrainSteps": steps,
            "currEpoch": step * self.request.epochs // steps,
            "totalTrainEpochs": self.request.epochs,
            "estimatedTime": math.ceil(running * (1 - share)),
            "trainLoss": round(0.4 + 1.6 * (1 - share), 4),
        }
        if self.request.task_type == "CLASSIFICATION":
            info["label"] = ["0", "1"]
        if status == "SUCCEEDED":
            info |= {"sendWeightSuccess": True, "endDatetime": _stamp(self.created + self.seconds)}
        return info


def _local(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC).astimezone(_SEOUL)


def _stamp(moment: float) -> str:
    """A time as the pages print it, with an offset without a colon."""
    return _local(moment).strftime("%Y-%m-%dT%H:%M:%S%z")


class TaskStore:
    """The training tasks, the newest 1,000 of them; safe to use from any thread."""

    def __init__(
        self, seconds: float = SECONDS, failures: dict[str, str] | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self._seconds = seconds
        self._failures = dict(failures or {})
        self._clock = clock
        self._ahead = 0.0
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}
        self._bytes = 0
        self._deleted: dict[str, None] = {}
        self._count = 0

    @property
    def seconds(self) -> float:
        """How long the training of a new task takes."""
        return self._seconds

    @property
    def ahead(self) -> float:
        """Seconds by which the time of the tasks was advanced."""
        return self._ahead

    def set_seconds(self, seconds: float) -> None:
        """Set how long training takes, for tasks that are created from now on; a ValueError says what is wrong."""
        if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise ValueError(f"seconds must be a number of seconds of at least 0, not {seconds!r}")
        self._seconds = seconds

    def advance(self, seconds: float) -> None:
        """Let time pass for all tasks; a ValueError says what is wrong."""
        if not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_ADVANCE:
            raise ValueError(f"seconds must be a number of seconds from 0 to {LONGEST_ADVANCE:,.0f}, not {seconds!r}")
        with self._lock:
            self._ahead += seconds

    def reset(self) -> None:
        """Forget all tasks, and the time by which they were advanced."""
        with self._lock:
            self._tasks.clear()
            self._deleted.clear()
            self._bytes = 0
            self._count = 0
            self._ahead = 0.0

    def create(self, owner: str, request: NewTask) -> dict[str, Any]:
        """Create a task and return its first view."""
        with self._lock:
            self._count += 1
            digest = hashlib.blake2b(self._count.to_bytes(8, "big"), digest_size=8).digest()
            name = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)
            failure = failure_of(request.path, self._failures)
            task = Task(name, owner, request, failure, self._seconds, created=time(), started=self._now())
            self._tasks[name] = task
            self._bytes += task.size
            while len(self._tasks) > 1 and (len(self._tasks) > _MOST_TASKS or self._bytes > _MOST_BYTES):
                self._forget(next(iter(self._tasks)))
        return task.view(0.0)

    def find(self, name: str) -> Task | None:
        """The task with an id."""
        with self._lock:
            return self._tasks.get(name)

    def owned(self, owner: str) -> list[Task]:
        """The tasks of one owner, newest first."""
        with self._lock:
            return [task for task in reversed(self._tasks.values()) if task.owner == owner]

    def all(self) -> list[Task]:
        """All tasks, newest first."""
        with self._lock:
            return list(reversed(self._tasks.values()))

    def delete(self, name: str) -> None:
        """Delete a task."""
        with self._lock:
            if name in self._tasks:
                self._forget(name)

    def _forget(self, name: str) -> None:
        self._bytes -= self._tasks.pop(name).size
        self._deleted[name] = None
        if len(self._deleted) > _MOST_DELETED:
            del self._deleted[next(iter(self._deleted))]

    def _now(self) -> float:
        return self._clock() + self._ahead

    def elapsed(self, task: Task) -> float:
        """Seconds since a task was created."""
        return self._now() - task.started

    def base_model(self, name: str) -> str | None:
        """The base of a tuned model; empty when it cannot be called, None when the task was not created here."""
        task = self.find(name)
        if task is None:
            with self._lock:
                return "" if name in self._deleted else None
        return task.request.model if task.status(self.elapsed(task)) == "SUCCEEDED" else ""

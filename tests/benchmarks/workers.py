"""Processes in which ours and the baselines work, each in the environment that has it, driven over a pipe."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from measuring import UnmeasurableError

if TYPE_CHECKING:
    from types import TracebackType

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".benchmarks"
NAVER = "langchain-naver==0.1.1"


class Spent(NamedTuple):
    """What a job took, in seconds of its process and of the wall clock, and what it returned."""

    cpu: float
    wall: float
    value: Any


class Worker:
    """A process that does the jobs of one module; a context manager.

    Args:
        jobs: The module, ``jobs_*.py`` in this folder.
        python: The interpreter of its environment; default this one.
    """

    def __init__(self, jobs: str, *, python: str | None = None) -> None:
        environ = dict(os.environ)
        if python is not None:
            environ.pop("PYTHONPATH", None)  # ours is not to be found from another environment
        self._jobs = jobs
        self._process = subprocess.Popen(
            [python or sys.executable, str(HERE / "worker_main.py"), jobs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def do(self, job: str, **arguments: Any) -> Spent:
        """Do a job.

        Raises:
            UnmeasurableError: It failed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"job": job, "arguments": arguments}) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or '{"error": "the process has ended"}')
        except OSError as exc:
            answer = {"error": str(exc)}
        if "error" in answer:
            raise UnmeasurableError(f"{self._jobs}.{job}: {answer['error']}")
        return Spent(**answer)


def once(jobs: str, job: str, **arguments: Any) -> Spent:
    """Do one job in a process of its own."""
    with Worker(jobs) as worker:
        return worker.do(job, **arguments)


def naver() -> Worker:
    """Return a worker with langchain-naver, in an environment of its own, which is made at first use.

    Raises:
        UnmeasurableError: It cannot be installed.
    """
    return Worker("jobs_naver", python=naver_python())


@functools.cache
def naver_python() -> str:
    """Return the interpreter of langchain-naver's environment.

    Raises:
        UnmeasurableError: It cannot be installed.
    """
    version = ".".join(map(str, sys.version_info[:3]))
    home = ENVIRONMENTS / f"{NAVER.replace('==', '-')}-python-{version}"
    python, done = home / "bin" / "python", home / "installed"
    if not done.exists():
        print(f"installing {NAVER} into {home} ...", file=sys.stderr, flush=True)
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(home)],
            [str(python), "-m", "pip", "install", "--quiet", NAVER],
        ):
            made = subprocess.run(command, check=False, capture_output=True, text=True)
            if made.returncode:
                why = (made.stderr.strip() or made.stdout.strip() or "no reason given").splitlines()[-1]
                raise UnmeasurableError(f"{NAVER} cannot be installed: {why}")
        done.touch()
    return str(python)

"""The recipes of docs/scale.md as programs, and a Ray of this machine alone for them, with nothing left behind."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil

from clova_studio import ClovaStudio
from clova_studio.emulator import serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer, RecordedRequest

__all__ = [
    "KEY",
    "Job",
    "Marked",
    "RayCluster",
    "asked",
    "environment",
    "quota_server",
    "recipe",
    "refused",
    "texts",
    "vectors_of",
]

ROOT = Path(__file__).parents[2]
KEY = "nv-made-up-key-of-the-workers"
LIMIT, WINDOW = 150, 4.0
# None for a request whose sender was killed.
ANSWERED = {200, None}
FILES, LINES = 6, 40
_MARK = "CLOVA_SCALE_TEST"
_PATIENCE = 120.0
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on Linux, too, this is what keeps Ray to loopback
    "RAY_AUTH_MODE": "token",
}

# In a process of its own: it ends when its standard input does, however the test ends.
_RAY = """
import sys, ray
ray.init(address="local", num_cpus=4, include_dashboard=False, object_store_memory=80 * 2**20, log_to_driver=False,
         logging_level="ERROR", _node_ip_address="127.0.0.1", _temp_dir=sys.argv[1])
print("at", ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


def texts() -> dict[str, list[str]]:
    """Return 240 texts by the name of their file."""
    return {f"{file}장.txt": [f"{file}장 {line}번째 문장입니다." for line in range(LINES)] for file in range(FILES)}


def quota_server() -> EmulatorServer:
    """Return an emulator whose embeddings have a small window; it takes the workers' key only."""
    return serve(
        api_keys=[KEY],
        rate_limits={"bge-m3": (LIMIT, None)},
        window=WINDOW,
        counting="sliding",
        rate_limit_headers=False,
        latency=0.02,
    )


def vectors_of(wanted: list[str]) -> list[list[float]]:
    """Return the vectors that the service has for texts."""
    with serve() as server, ClovaStudio(server.api_key, base_url=server.base_url) as client:
        return [result.embedding for result in client.embed_many(wanted)]


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without the user's account, and with what keeps engines quiet and at home."""
    kept = {name: value for name, value in os.environ.items() if "CLOVASTUDIO" not in name and name[:4] != "RAY_"}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "shared")])
    return {**kept, **_QUIET, "PYTHONPATH": paths, **more}


def recipe(words: str, store: str) -> str:
    """Return the program of docs/scale.md that has some words in it, with a small quota and a store of the test's."""
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    (code,) = [block for block in blocks if words in block]
    limits = f'LIMITS = RateLimits({{"bge-m3": ({LIMIT}, None)}}, window={WINDOW}, store={store!r})'
    code, found = re.subn(r"^LIMITS = .*$", limits, code, flags=re.MULTILINE)
    # With more at once a busy machine sends requests later than a short window forgives.
    code, places = re.subn(r"(max_concurrency\W+)32", r"\g<1>8", code)
    assert (found, places) == (1, 1)
    return code


def asked(requests: list[RecordedRequest]) -> list[str]:
    """Return the texts that were let through, without those of a process that was killed while it sent them."""
    return [request.body["text"] for request in requests if request.body is not None and request.status in ANSWERED]


def refused(requests: list[RecordedRequest]) -> list[tuple[int, float]]:
    """Return which requests were refused after the first window: their numbers and their seconds after the first one.

    In the first window a machine that is busy starting workers may keep a store from answering in time; a process that
    goes on alone then does not know its share yet.
    """
    times = [round(request.time - requests[0].time, 2) for request in requests]
    return [
        (number, times[number])
        for number, request in enumerate(requests)
        if request.status not in ANSWERED and times[number] > WINDOW
    ]


class Marked:
    """Processes that carry a mark in their environment, which their children inherit; a context manager."""

    def __init__(self) -> None:
        self.mark = secrets.token_hex(8)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End what is left."""
        for process in self.left():
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(self.left(), timeout=5)

    def left(self, title: str = "") -> list[psutil.Process]:
        """Return those that run, the oldest first.

        Args:
            title: What their command line has in it.
        """
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                marked = process.environ().get(_MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
                if marked and title in " ".join(process.cmdline()):
                    found.append(process)
        return sorted(found, key=lambda process: process.create_time())

    def start(self, program: str, *arguments: str, folder: Path, **more: str) -> subprocess.Popen[str]:
        """Start a Python program in a folder.

        Args:
            program: Its text.
            arguments: Of its command line.
            folder: Where it runs.
            more: For its environment.
        """
        file = folder / "program.py"
        file.write_text(program, encoding="utf-8")
        return subprocess.Popen(
            [sys.executable, str(file), *arguments],
            cwd=folder,
            env={**environment(**more), _MARK: self.mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )


class RayCluster(Marked):
    """Ray with two workers' room on loopback. Its workers have the account in their environment, drivers do not.

    Args:
        server: The service that its workers ask.
    """

    def __init__(self, server: EmulatorServer) -> None:
        super().__init__()
        self.server = server
        # Ray's sockets are below it, and their paths must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="ray"))
        self.token = secrets.token_hex(16)
        account = {"CLOVASTUDIO_API_KEY": KEY, "CLOVASTUDIO_BASE_URL": server.base_url}
        self._process = self.start(_RAY, str(self.folder), folder=self.folder, RAY_AUTH_TOKEN=self.token, **account)
        self._address = ""

    @property
    def address(self) -> str:
        """Where it is, once it has started."""
        stdout: Any = self._process.stdout
        while not self._address:
            line = stdout.readline()
            assert line, "Ray has not started"
            self._address = line[3:].strip() if line.startswith("at ") else ""
        return self._address

    @property
    def of_drivers(self) -> dict[str, str]:
        """What programs that use it have in their environment."""
        return {**_QUIET, "RAY_ADDRESS": self.address, "RAY_AUTH_TOKEN": self.token}

    def __exit__(self, *_: object) -> None:
        try:
            self._process.communicate(timeout=30)
            assert [process.cmdline() for process in self.left()] == []
        finally:
            super().__exit__()
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Job:
    """A recipe over the 240 texts, and what the service saw of it.

    Attributes:
        folder: Where it runs, with the texts.
        server: The service.
        program: Its text.
        account: For its environment.
        output: What it printed.
    """

    folder: Path
    server: EmulatorServer
    program: str
    account: dict[str, str] = field(default_factory=dict)
    output: str = ""

    def run(self, kill: str = "", processes: Marked | None = None, at: int = LIMIT) -> list[RecordedRequest]:
        """Run it to its end, and return the requests that arrived.

        Args:
            kill: In the middle a process with this in its command line that asks the service is killed; default: none.
            processes: Where to look for it; default: among the program's own.
            at: Requests after which that is.
        """
        (self.folder / "texts").mkdir(exist_ok=True)
        for name, lines in texts().items():
            (self.folder / "texts" / name).write_text("\n".join(lines), encoding="utf-8")
        self.server.reset()
        with Marked() as own:
            process = own.start(self.program, folder=self.folder, **self.account)
            if kill:
                self._until(lambda: len(self.server.requests) >= at, process)
                self._until(lambda: self._asking(processes or own, kill), process)
                self._asking(processes or own, kill)[0].kill()
            try:
                self.output, _ = process.communicate(timeout=_PATIENCE)
            finally:
                process.kill()
            assert process.returncode == 0, self.output
        return list(self.server.requests)

    def _asking(self, processes: Marked, title: str) -> list[psutil.Process]:
        """Return the processes that have a connection to the service."""
        port = int(self.server.base_url.rpartition(":")[2])
        found = []
        for process in processes.left(title):
            with contextlib.suppress(psutil.Error):
                if any(one.raddr and one.raddr.port == port for one in process.net_connections()):
                    found.append(process)
        return found

    def _until(self, condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
        end = time.monotonic() + _PATIENCE
        while not condition():
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                raise AssertionError(process.communicate()[0])
            time.sleep(0.02)

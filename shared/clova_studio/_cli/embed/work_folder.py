"""The folder beside an output in which a run works: its lock, its journal, and the output until it is complete.

One folder, ``OUTPUT.part``, so that there is one thing to see and one to remove. The lock is the operating system's and
ends with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["WorkFolder", "keep", "part_of", "refused_file"]

_FILES = ("journal", "journal-wal", "journal-shm", "journal-journal", "output", "refused", "stdin")


def part_of(output: Path) -> Path:
    """Return the folder in which the runs for an output work."""
    return output.with_name(f"{output.name}.part")


def refused_file(output: Path) -> Path:
    """Return the file that lists the rows which the output does not have."""
    return output.with_name(f"{output.name}.refused.jsonl")


class WorkFolder:
    """A folder for one run at a time. As a context it holds the lock.

    Args:
        output: The output; None for a folder that goes with the run, for standard output and for trials.

    Attributes:
        path: The folder.

    Raises:
        ConfigurationError: Another run holds it.
        OSError: It cannot be made.
    """

    def __init__(self, output: Path | None) -> None:
        self._output = output
        self._lock: BinaryIO | None = None
        self.path = Path() if output is None else part_of(output)

    @property
    def journal(self) -> Path:
        """The journal of the run."""
        return self.path / "journal"

    def __enter__(self) -> Self:
        if self._output is None:
            self.path = Path(tempfile.mkdtemp(prefix="clova-embed-"))
            return self
        while self._lock is None:
            self.path.mkdir(exist_ok=True)
            self._lock = self._locked()
        return self

    def __exit__(self, *_: object) -> None:
        if self._output is None:
            self.remove()
        elif self._lock is not None:
            self._lock.close()

    def _locked(self) -> BinaryIO | None:
        """Return the lock; None if the run that held it has just removed the folder."""
        path = self.path / "lock"
        try:
            file = path.open("ab")
        except FileNotFoundError:
            return None
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            file.close()
            raise ConfigurationError(
                f"another run works on {self._output}: wait for its end, or give another --output / 다른 실행이 같은 "
                "출력을 만들고 있습니다. 끝날 때까지 기다리거나 다른 --output을 지정하세요."
            ) from None
        except BaseException:
            file.close()
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()
        return None

    def remove(self) -> None:
        """Remove the folder. What is not a run's own stays, and so does the folder then."""
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)
        # Last, and while it is held: who waits for it then finds that it is not the folder's any more.
        with contextlib.suppress(OSError):
            (self.path / "lock").unlink(missing_ok=True)
            self.path.rmdir()


def keep(file: Path, to: Path) -> None:
    """Give a file of the folder its name, once all of it is on the disk."""
    with file.open("rb+") as written:
        os.fsync(written.fileno())
    file.replace(to)
    if os.name == "posix":  # elsewhere folders cannot be opened
        folder = os.open(to.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _lock(file: BinaryIO) -> None:
    try:
        import fcntl
    except ImportError:
        _lock_on_windows(file)
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_on_windows(file: BinaryIO) -> None:
    from importlib import import_module

    # Not imported by name: type checkers elsewhere do not know what is in it.
    msvcrt = import_module("msvcrt")
    file.seek(0)
    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

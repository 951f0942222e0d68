"""Writes a recording so that it is whole at any moment, and the same however requests that overlap are interleaved.

The file is never written in place: a new one takes its name, so a process that is killed leaves the file of a moment
before, with no line torn. Requests stand in order of arrival; those that waited for an answer together stand in an
order of their own, since theirs differs each time.
"""

import errno
import glob
import logging
import os
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from clova_studio.emulator.recording.interactions import head_line

_LOG = logging.getLogger("clova_studio.emulator")
# A long file is written less often: writing takes at most a tenth of the time.
_REST = 9
_NEW = ".tmp"
_PART = 1024 * 1024


@dataclass(frozen=True, order=True)
class Place:
    """Where an interaction stands: those of a group by their requests, equal ones by arrival.

    Attributes:
        group: Number of the group of requests that waited for an answer together.
        key: What the request has in common with equal ones.
        number: Of requests, by arrival.
    """

    group: int
    key: str
    number: int


class RecordingWriter:
    """Writes interactions to a file, in a thread of its own. Its methods can be called from any thread.

    The file that was there stays until the first interaction has ended.

    Args:
        path: The file.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.realpath(path))  # a link stays one
        self._new = self._path.with_name(f".{self._path.name}.{os.getpid()}{_NEW}")
        self._check()
        self._changed = threading.Condition()
        self._count = 0
        self._group = 0
        self._waiting: set[Place] = set()  # for their answers
        self._open: Counter[int] = Counter()  # group -> requests that have not ended
        self._unsettled: dict[Place, bytes] = {}  # ended, in groups that may still get others
        self._settled = head_line()  # complete, and not in the file
        self._written = 0  # bytes of the file that stay
        self._dirty = False
        self._stopping = False
        self._thread: threading.Thread | None = None

    def begin(self, key: str) -> Place:
        """Count a request as one that waits for its answer."""
        with self._changed:
            if not self._waiting:
                self._group += 1
            self._count += 1
            place = Place(self._group, key, self._count)
            self._waiting.add(place)
            self._open[self._group] += 1
            return place

    def answered(self, place: Place) -> None:
        """Count a request as answered: what the caller asks from now on comes after it."""
        with self._changed:
            self._waiting.discard(place)

    def end(self, place: Place, lines: bytes) -> None:
        """Add a request and its answer; without lines it is not written."""
        with self._changed:
            self._waiting.discard(place)
            self._open[place.group] -= 1
            if lines:
                self._unsettled[place] = lines
            self._settle()
            self._dirty = self._dirty or bool(lines)
            if self._thread is None and self._dirty:
                self._stopping = False
                self._thread = threading.Thread(target=self._run, name="clova-studio-recording", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Write what is not written and end the thread; a later `end` starts another one."""
        with self._changed:
            thread, self._thread, self._stopping = self._thread, None, True
            self._changed.notify()
        if thread is not None:
            thread.join()

    def _settle(self) -> None:
        """Move groups that get nothing more to what is complete, as long as all before them are, too."""
        for group in sorted(self._open):
            if self._open[group] or (group == self._group and self._waiting):
                return
            self._settled += self._sorted(group)
            self._unsettled = {place: lines for place, lines in self._unsettled.items() if place.group != group}
            del self._open[group]

    def _sorted(self, group: int | None = None) -> bytes:
        places = sorted(place for place in self._unsettled if group in {None, place.group})
        return b"".join(self._unsettled[place] for place in places)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._dirty and not self._stopping:
                    self._changed.wait()
                if not self._dirty:
                    return
                self._dirty = False
                settled, begun = self._settled, self._sorted()
            begin = monotonic()
            try:
                self._write(settled + begun)
            except OSError:
                _LOG.exception("The recording %s cannot be written", self._path)
            else:
                with self._changed:
                    self._written += len(settled)
                    self._settled = self._settled[len(settled) :]
            self._rest((monotonic() - begin) * _REST)

    def _rest(self, seconds: float) -> None:
        until = monotonic() + seconds
        with self._changed:
            while not self._stopping and (left := until - monotonic()) > 0:
                self._changed.wait(left)

    def _write(self, more: bytes) -> None:
        """Write a new file: what stays of the old one, and more."""
        try:
            with self._new.open("wb") as new:
                if self._written:
                    with self._path.open("rb") as old:
                        _copy(old, new, self._written)
                new.write(more)
            self._new.replace(self._path)
        except BaseException:
            self._new.unlink(missing_ok=True)
            raise

    def _check(self) -> None:
        """Raise an OSError if the file cannot be written; remove what a killed process left beside it."""
        if self._path.exists() and not self._path.is_file():
            raise OSError(errno.EINVAL, "A recording must be an ordinary file", str(self._path))
        for left in self._path.parent.glob(f".{glob.escape(self._path.name)}.*{_NEW}"):
            owner = left.name.removesuffix(_NEW).rpartition(".")[2]
            if owner.isdigit() and not _is_running(int(owner)):
                left.unlink(missing_ok=True)
        try:
            self._new.touch()
            self._new.unlink()
        except OSError as error:
            raise type(error)(
                error.errno, f"A recording cannot be written there: {error.strerror}", str(self._path)
            ) from error


def _copy(old: BinaryIO, new: BinaryIO, length: int) -> None:
    while length > 0:
        part = old.read(min(length, _PART))
        if not part:
            raise OSError(errno.EIO, "The recording was shortened by another program", old.name)
        new.write(part)
        length -= len(part)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # there the call would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

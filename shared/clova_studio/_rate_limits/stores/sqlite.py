"""A store in an SQLite file, for the processes of one machine. Standard library only."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
import uuid
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from clova_studio._rate_limits.stores.interface import QuotaStore
from clova_studio._rate_limits.stores.records import Delta, Known, QuotaStoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clova_studio._rate_limits.stores.records import Change

__all__ = ["SQLiteQuotaStore"]

# "ClQu". A file of somebody else is not written to.
_APPLICATION = 0x436C5175
_VERSION = 1
# Seconds to wait for the others: for one of them, and for as many as there are; and between two tries, as SQLite's own
# are up to a tenth of a second apart. Who asks again at once leaves the others so much time.
_PATIENCE, _LONGEST = 0.25, 0.9
_MOMENTS = 0.0002, 0.002
_COURTESY = 0.0005
# The clock begins anew when the machine starts: what is later than now is from before.
_BEFORE_START = 1.0
# Of SQLite's result codes the lowest byte is the kind.
_CODE = 0xFF
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_TABLES = (
    "CREATE TABLE quotas (name TEXT PRIMARY KEY, epoch TEXT, version INTEGER, state TEXT, last REAL, expires REAL)",
    "CREATE TABLE permits (quota TEXT, id TEXT, version INTEGER, changed REAL, record TEXT, PRIMARY KEY (quota, id))",
    "CREATE INDEX changes ON permits (quota, version)",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)


class SQLiteQuotaStore(QuotaStore):
    """Keeps quotas in an SQLite file, for the processes of one machine.

    The clock is the monotonic one of the system, which all its processes have in common. The file may be deleted at any
    time. On a network file system SQLite cannot lock, so there it must not be.

    Args:
        path: The file; it is made at the first use, its folder must exist.
        clock: Returns monotonic seconds.
    """

    kind = "sqlite"

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._path = os.path.abspath(path)  # noqa: PTH100  as it is written, without following links
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._ended = 0.0
        # Only a fork waits for it, and not for long.
        self._busy = threading.Lock()
        _stores.add(self)

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (self._path,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._path!r})"

    def update(self, quota: str, known: Known, change: Callable[[Delta], Change | None]) -> Known:
        """See ``QuotaStore.update``.

        Args:
            quota: The name of the quota.
            known: Up to where the caller knows it.
            change: Returns what to write, see there.

        Raises:
            QuotaStoreError: The file cannot be read or written, or others hold it for longer than 250 ms.
        """
        if time.monotonic() < self._ended + _COURTESY:
            time.sleep(_COURTESY)
        with self._busy:
            return self._ask(quota, known, change)

    def _ask(self, quota: str, known: Known, change: Callable[[Delta], Change | None]) -> Known:
        connection = self._connected()
        try:
            _begin(connection)
            try:
                found = self._update(connection, quota, known, change)
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            self._ended = time.monotonic()
        except sqlite3.Error as exc:
            self.close()
            raise _error(exc) from None
        return found

    def _update(
        self, connection: sqlite3.Connection, quota: str, known: Known, change: Callable[[Delta], Change | None]
    ) -> Known:
        now = self._clock()
        row = connection.execute(
            "SELECT epoch, version, state, last, expires FROM quotas WHERE name = ?", (quota,)
        ).fetchone()
        if row is not None and (row[3] > now + _BEFORE_START or row[4] <= now):
            self._delete(connection, quota)
            row = None
        epoch, version, state, last, _ = row or (uuid.uuid4().hex, 0, None, now, now)
        current = Known(epoch, version)
        now = max(now, last)
        since = known.version if known.epoch == epoch else -1
        permits = []
        if since < version:
            permits = connection.execute(
                "SELECT id, record FROM permits WHERE quota = ? AND version > ? ORDER BY version", (quota, since)
            ).fetchall()
        found = change(Delta(now, current, state if since < version else None, permits))
        if found is None:
            return current
        version += 1
        connection.execute(
            "INSERT OR REPLACE INTO quotas VALUES (?, ?, ?, ?, ?, ?)",
            (quota, epoch, version, found.state, now, now + found.expires),
        )
        connection.executemany(
            "INSERT OR REPLACE INTO permits VALUES (?, ?, ?, ?, ?)",
            [(quota, name, version, now, text) for name, text in found.permits.items()],
        )
        if found.permits:
            connection.execute("DELETE FROM permits WHERE quota = ? AND changed < ?", (quota, now - found.keep))
        if since < 0:
            for (name,) in connection.execute("SELECT name FROM quotas WHERE expires <= ?", (now,)).fetchall():
                self._delete(connection, name)
        return Known(epoch, version)

    def _delete(self, connection: sqlite3.Connection, quota: str) -> None:
        connection.execute("DELETE FROM quotas WHERE name = ?", (quota,))
        connection.execute("DELETE FROM permits WHERE quota = ?", (quota,))

    def close(self) -> None:
        """Close the file; another question opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and self._identity() == self._file:
            return self._connection
        # Another file by this name: the one that is open is deleted.
        self.close()
        if not os.path.isdir(os.path.dirname(self._path)):  # noqa: PTH112, PTH120
            raise QuotaStoreError(
                f"the folder of {self._path} does not exist (an absolute path has four slashes: sqlite:////var/quota.db)"
            )
        connection = None
        try:
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            self._prepare(connection)
        except sqlite3.Error as exc:
            if connection is not None:
                connection.close()
            raise _error(exc) from None
        except QuotaStoreError:
            if connection is not None:
                connection.close()
            raise
        self._connection, self._file = connection, self._identity()
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # First of all: a file of somebody else is not changed in any way. All at one moment: others may make it now.
        connection.execute("BEGIN")
        _is_empty(connection)
        connection.execute("ROLLBACK")
        if _patiently(connection, "PRAGMA journal_mode").fetchone() != ("wal",):
            _patiently(connection, "PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = NORMAL")
        _begin(connection)
        if _is_empty(connection):
            for statement in _TABLES:
                connection.execute(statement)
        connection.execute("COMMIT")

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116  asked for each question
        except OSError:
            return None
        return found.st_dev, found.st_ino


# SQLite must not be open while a process is forked: the child would take over locks that it does not have.
_stores: weakref.WeakSet[SQLiteQuotaStore] = weakref.WeakSet()
_paused: list[threading.Lock] = []


def _pause() -> None:
    for store in list(_stores):
        if store._busy.acquire(timeout=_PATIENCE):  # noqa: SLF001  of this module
            _paused.append(store._busy)  # noqa: SLF001
            store.close()


def _resume() -> None:
    while _paused:
        _paused.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause, after_in_parent=_resume, after_in_child=_resume)


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Return whether the file has no tables yet.

    Raises:
        QuotaStoreError: It has those of somebody else.
    """
    (application,) = _patiently(connection, "PRAGMA application_id").fetchone()
    (version,) = _patiently(connection, "PRAGMA user_version").fetchone()
    (tables,) = _patiently(connection, "SELECT count(*) FROM sqlite_master").fetchone()
    if not tables and not version:
        return True
    if (application, version) != (_APPLICATION, _VERSION):
        raise QuotaStoreError(
            "the file has the tables of another program, or of another version of clova-studio: name another file"
        )
    return False


def _begin(connection: sqlite3.Connection) -> None:
    _patiently(connection, "BEGIN IMMEDIATE")


def _patiently(connection: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
    """Execute what others may hold up for a while, but none of them alone for long."""
    begin = time.monotonic()
    end, version = begin + _PATIENCE, None
    while True:
        try:
            return connection.execute(statement)
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & _CODE not in _BUSY or time.monotonic() > min(end, begin + _LONGEST):
                raise
        with suppress(sqlite3.OperationalError):
            changed = connection.execute("PRAGMA data_version").fetchone()
            if changed != version:
                # They do something.
                end, version = time.monotonic() + _PATIENCE, changed
        time.sleep(random.uniform(*_MOMENTS))  # noqa: S311  so that two do not meet again


def _error(exc: sqlite3.Error) -> QuotaStoreError:
    name = getattr(exc, "sqlite_errorname", None) or type(exc).__name__
    return QuotaStoreError(f"{exc} ({name})")

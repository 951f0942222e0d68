"""What was embedded so far, on disk: a vector for each text, by a hash of model and text.

SQLite in write-ahead mode, one transaction a vector: what is in the journal survives a killed process at any point, and
is found again without an index in memory. The disk is waited for every few seconds, so that a power cut costs no more
than these.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from array import array
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Self

from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Journal", "Keys", "Refusal"]

_KEY_BYTES = 16
_SYNC_SECONDS = 5.0
_VERSION = 1
_CUT = ":cut"
_TABLES = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, cut INTEGER NOT NULL, vector BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS refused (key BLOB PRIMARY KEY, too_long INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TEMP TABLE wanted (key BLOB PRIMARY KEY) WITHOUT ROWID;
"""


class Keys:
    """The keys of the texts: which model embeds what.

    Vectors of another model do not mix with these, and those of another address do not either: an emulator has models
    of the same names.

    Args:
        model: The model.
        host: The host that is asked; None for the service itself.
    """

    def __init__(self, model: str, host: str | None = None) -> None:
        self.label = model if host is None else f"{model}@{host}"
        self._start = f"{self.label}\0".encode()

    def of(self, text: str) -> bytes:
        """Return the key of a text."""
        return sha256(self._start + text.encode()).digest()[:_KEY_BYTES]

    def shown(self, key: bytes, *, cut: bool) -> str:
        """Return a key as the output has it; it says if the text was shortened."""
        return f"{self.label}:{key.hex()}{_CUT if cut else ''}"

    @staticmethod
    def read(shown: object) -> tuple[str, bytes, bool] | None:
        """Return the model with its host, the key, and whether the text was shortened; None if it is no such key."""
        if not isinstance(shown, str):
            return None
        cut = shown.endswith(_CUT)
        label, _, digits = shown.removesuffix(_CUT).rpartition(":")
        try:
            key = bytes.fromhex(digits)
        except ValueError:
            return None
        return (label, key, cut) if label and len(key) == _KEY_BYTES else None


class Refusal(tuple[bool, str]):
    """Why the service does not embed a text: whether it is too long, and the reason in words."""

    __slots__ = ()

    @property
    def too_long(self) -> bool:
        """Whether the text is too long."""
        return self[0]

    @property
    def reason(self) -> str:
        """What the service said."""
        return self[1]


class Journal:
    """The journal of a run. As a context it is closed at the end.

    Args:
        path: Its file; None for one that goes with the process.
        cut_too: Whether vectors of shortened texts count. Else they do not, and these texts are asked for.
        too_long_again: Whether texts that were refused as too long are asked for again, now to be shortened.

    Attributes:
        cut_too: The same.

    Raises:
        ConfigurationError: The file is no journal.
    """

    def __init__(self, path: Path | None, *, cut_too: bool = False, too_long_again: bool = False) -> None:
        self._path = path
        self.cut_too = cut_too
        self._too_long_again = too_long_again
        self._synced = time.monotonic()
        # An empty name is a database on disk of which no file is left.
        self._db = sqlite3.connect("" if path is None else str(path), isolation_level=None, timeout=0)
        try:
            with self._told():
                for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
                    self._db.execute(f"PRAGMA {pragma}")
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if version not in {0, _VERSION}:
                    raise sqlite3.DatabaseError("another version of clova-studio made it")
                self._db.executescript(_TABLES)
                self._db.execute(f"PRAGMA user_version={_VERSION}")
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    # What there is.

    def has(self, key: bytes) -> bool:
        """Return whether a text needs no request: it has its vector, or was refused for good."""
        return self._one("SELECT 1 FROM vectors WHERE key = ? AND cut <= ?", key, self.cut_too) is not None or (
            self.refusal(key) is not None
        )

    def vector(self, key: bytes) -> tuple[bool, array[float]] | None:
        """Return whether a text was shortened, and its vector; None if it has none."""
        row = self._one("SELECT cut, vector FROM vectors WHERE key = ? AND cut <= ?", key, self.cut_too)
        return None if row is None else (bool(row[0]), _numbers(row[1]))

    def refusal(self, key: bytes) -> Refusal | None:
        """Return why a text was refused, None if it was not, or is asked for again."""
        row = self._one("SELECT too_long, reason FROM refused WHERE key = ?", key)
        return None if row is None or (row[0] and self._too_long_again) else Refusal((bool(row[0]), str(row[1])))

    def dimensions(self) -> int | None:
        """Return how many numbers the vectors have, None without any."""
        row = self._one("SELECT vector FROM vectors LIMIT 1")
        return None if row is None else len(_numbers(row[0]))

    def is_empty(self) -> bool:
        """Return whether there is no vector."""
        return self._one("SELECT 1 FROM vectors LIMIT 1") is None

    # What a run wants.

    def want(self, key: bytes) -> bool:
        """Note that the input has a text; return whether it was not noted yet."""
        with self._told():
            return self._db.execute("INSERT OR IGNORE INTO wanted VALUES (?)", (key,)).rowcount == 1

    def unwanted(self) -> int:
        """Return how many vectors belong to no text of the input."""
        row = self._one("SELECT count(*) FROM vectors WHERE key NOT IN (SELECT key FROM wanted)")
        return int(str(row[0])) if row is not None else 0

    # What a run adds.

    def add(self, key: bytes, vector: Sequence[float], *, cut: bool) -> None:
        """Keep the vector of a text."""
        with self._told():
            self._db.execute("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", (key, cut, _bytes(vector)))
            if time.monotonic() - self._synced >= _SYNC_SECONDS:
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
                self._synced = time.monotonic()

    def refuse(self, key: bytes, refusal: Refusal) -> None:
        """Keep that the service refuses a text."""
        with self._told():
            self._db.execute("INSERT OR REPLACE INTO refused VALUES (?, ?, ?)", (key, *refusal))

    def forget_refusals(self, keys: Iterable[bytes] | None = None) -> None:
        """Forget that texts were refused: these, or all."""
        with self._told():
            if keys is None:
                self._db.execute("DELETE FROM refused")
            else:
                self._db.executemany("DELETE FROM refused WHERE key = ?", [(key,) for key in keys])

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make what is added in this context one transaction: all of it or nothing."""
        with self._told():
            self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        with self._told():
            self._db.execute("COMMIT")

    def fact(self, name: str) -> str | None:
        """Return a fact about the run, None if it was not noted."""
        row = self._one("SELECT value FROM facts WHERE name = ?", name)
        return None if row is None else str(row[0])

    def note_fact(self, name: str, value: str) -> None:
        """Note a fact about the run."""
        with self._told():
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def _one(self, question: str, *values: object) -> tuple[object, ...] | None:
        with self._told():
            row: tuple[object, ...] | None = self._db.execute(question, values).fetchone()
            return row

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what SQLite's errors mean.

        Raises:
            OSError: The disk is full, or fails.
            ConfigurationError: The file is no journal.
        """
        try:
            yield
        except sqlite3.OperationalError as error:
            raise OSError(f"{self._path}: {error} (is the disk full?)") from error
        except sqlite3.DatabaseError as error:
            raise ConfigurationError(
                f"{self._path} cannot be read ({error}): remove its folder to begin anew / 작업 기록을 읽을 수 "
                "없습니다. 폴더를 지우고 다시 시작하세요."
            ) from error


def _bytes(vector: Sequence[float]) -> bytes:
    numbers = array("d", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _numbers(raw: object) -> array[float]:
    numbers = array("d")
    numbers.frombytes(raw if isinstance(raw, bytes) else b"")
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers

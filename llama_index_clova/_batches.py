"""Texts on their way to vectors: lists in batches, batches in requests, what a cache knows of them. No I/O."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from clova_studio import ClovaStudioError, ConfigurationError, Embedding, RateLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

__all__ = ["Lookup", "Queue", "Run", "Semaphores"]

# Rounds of requests in a part that is stored as one, at most, and the seconds in which a part has to be done for the
# next to be larger.
_MOST_ROUNDS = 8
_QUICK = 1.0
_INDEX = re.compile(r"^texts\[(\d+)\]")


class Semaphores:
    """Semaphores of an instance, for each event loop its own: one that was waited for cannot leave its loop.

    Copies and pickles of the instance start with none: they are instances of their own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_loop: dict[asyncio.AbstractEventLoop, dict[tuple[str, int], asyncio.Semaphore]] = {}

    def of(self, name: str, count: int) -> asyncio.Semaphore:
        """Return the semaphore of the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            for ended in [known for known in self._by_loop if known.is_closed()]:
                del self._by_loop[ended]
            return self._by_loop.setdefault(loop, {}).setdefault((name, count), asyncio.Semaphore(count))

    def __deepcopy__(self, memo: dict[int, Any]) -> Semaphores:
        return Semaphores()

    def __reduce__(self) -> tuple[Any, ...]:
        return Semaphores, ()


class Run:
    """A list of texts on its way in batches, which one worker takes or several do; the first failure ends it."""

    def __init__(self, texts: Sequence[str], size: int, *, show_progress: bool) -> None:
        self.texts = _checked(texts)
        self.results: list[Embedding | ClovaStudioError | None] = [None] * len(self.texts)
        self.error: Exception | None = None
        self.count = max(1, -(-len(self.texts) // size))
        self._size = size
        self._starts = iter(range(0, len(self.texts), size))
        self._bar = _progress_bar(len(self.texts)) if show_progress else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def batches(self) -> Iterator[Batch]:
        """Yield the batches of one worker until there is nothing left to start."""
        while self.error is None and (start := next(self._starts, None)) is not None:
            yield Batch(self, start, self.texts[start : start + self._size])

    def advance(self, count: int) -> None:
        """Show that so many texts more are done."""
        if self._bar is not None:
            self._bar.update(count)

    def vectors(self) -> list[list[float]]:
        """Return the vectors in input order.

        Raises:
            Exception: The first failure.
        """
        if isinstance(self.error, ClovaStudioError):
            self.error.partial = list(self.results)
        if self.error is not None:
            raise self.error
        return [result.embedding for result in self.results if isinstance(result, Embedding)]


class Batch:
    """Texts that share their events; as a context it takes their failure to the run."""

    def __init__(self, run: Run, start: int, texts: list[str]) -> None:
        self.texts = texts
        self._run = run
        self._places = range(start, start + len(texts))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        run = self._run
        if isinstance(error, ClovaStudioError):
            _renumber(error, self._places)
            for place, result in zip(self._places, error.partial or (), strict=False):
                run.results[place] = result
        if run.error is None:
            run.error = error
        return True

    def done(self, vectors: Sequence[list[float]]) -> None:
        """Put the vectors in their texts' places."""
        for place, vector in zip(self._places, vectors, strict=True):
            self._run.results[place] = Embedding(embedding=vector)
        self._run.advance(len(vectors))


class Queue:
    """The texts of a batch, one request each: who is next, and what became of it. The rules of ``embed_many``."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._waiting = deque(range(len(_checked(texts))))
        self._results: list[Embedding | ClovaStudioError | None] = [None] * len(texts)
        self._error: ClovaStudioError | None = None
        self._succeeded = 0
        # For each text that was started: how many had succeeded by then.
        self._succeeded_at_start: dict[int, int] = {}

    @property
    def waits(self) -> bool:
        """Whether there is anything left to start."""
        return bool(self._waiting) and self._error is None

    def next(self) -> int | None:
        """Return who is next, None if there is nothing left to start."""
        if not self.waits:
            return None
        index = self._waiting.popleft()
        self._succeeded_at_start[index] = self._succeeded
        return index

    def take(self, index: int, embedding: Embedding) -> None:
        """Put a vector in its text's place."""
        self._results[index] = embedding
        self._succeeded += 1

    def refuse(self, index: int, error: ClovaStudioError) -> None:
        """Put an error in its text's place, or the text back if the quota refused it while others got through."""
        others = self._succeeded - self._succeeded_at_start[index]
        if isinstance(error, RateLimitError) and others and self._error is None:
            # In front: first come, first served.
            self._waiting.appendleft(index)
            return
        error.partial = None  # of the one text
        _renumber(error, (index,))
        self._results[index] = error
        if self._error is None:
            self._error = error

    def vectors(self) -> list[list[float]]:
        """Return the vectors in input order.

        Raises:
            ClovaStudioError: The first error, with what succeeded on ``partial``.
        """
        if self._error is not None:
            self._error.partial = list(self._results)
            raise self._error
        return [result.embedding for result in self._results if isinstance(result, Embedding)]


class Lookup:
    """Texts of a batch that a cache may know, each text once, and the vectors in input order."""

    def __init__(self, texts: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.vectors: list[Any] = [None] * len(texts)
        self._clock = clock
        self._places: dict[str, list[int]] = {}
        self._missing: dict[str, None] = {}
        for place, text in enumerate(_checked(texts)):
            self._places.setdefault(text, []).append(place)
            self._missing[text] = None

    @property
    def texts(self) -> list[str]:
        """The different texts."""
        return list(self._places)

    def take(self, text: str, vector: list[float] | None) -> None:
        """Put a vector, if there is one, in all places of its text."""
        if vector is None:
            return
        self._missing.pop(text, None)
        for place in self._places[text]:
            self.vectors[place] = vector

    @property
    def complete(self) -> bool:
        """Whether there is a vector for each text."""
        return not self._missing

    def parts(self, round_size: int) -> Iterator[list[str]]:
        """Yield the texts without a vector, in parts that are to be stored before the next one.

        A part that is not stored is lost with its process, but at the end of each the last requests are under way
        alone. So the first has one round of requests, and the next ones more as long as they take no time.

        Args:
            round_size: Requests under way at once.
        """
        missing = list(self._missing)
        start, rounds = 0, 1
        while start < len(missing):
            end = start + rounds * round_size
            began = self._clock()
            yield missing[start:end]
            start = end
            rounds = max(1, rounds // 2) if self._clock() - began > _QUICK else min(_MOST_ROUNDS, rounds * 2)

    def failed(self, part: Sequence[str], error: ClovaStudioError) -> list[tuple[str, list[float]]]:
        """Return what succeeded in a part that failed, and make its error one of the whole batch."""
        kept: list[tuple[str, list[float]]] = [
            (text, result.embedding)
            for text, result in zip(part, error.partial or (), strict=False)
            if isinstance(result, Embedding)
        ]
        for text, vector in kept:
            self.take(text, vector)
        partial: list[Any] = [None if vector is None else Embedding(embedding=vector) for vector in self.vectors]
        for text, result in zip(part, error.partial or (), strict=False):
            if isinstance(result, ClovaStudioError):
                for place in self._places[text]:
                    partial[place] = result
        _renumber(error, [self._places[text][0] for text in part])
        error.partial = partial
        return kept


def _checked(texts: Sequence[str]) -> list[str]:
    """Return the texts, none of them blank: found before the first batch is sent, not when its own comes."""
    if isinstance(texts, (str, bytes)):
        raise ConfigurationError(f"texts must be a list of strings, got {type(texts).__name__}")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise ConfigurationError(f"texts[{index}] must be a string, got {type(text).__name__}")
        if not text.strip():
            raise ConfigurationError(f"texts[{index}] is empty: the service refuses empty text")
    return list(texts)


def _renumber(error: ClovaStudioError, places: Sequence[int]) -> None:
    """Make the index in a message that of the list which the caller knows."""
    found = _INDEX.match(error.message)
    if found is not None and int(found[1]) < len(places):
        error.message = f"texts[{places[int(found[1])]}]{error.message[found.end() :]}"


def _progress_bar(total: int) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, desc="Generating embeddings")

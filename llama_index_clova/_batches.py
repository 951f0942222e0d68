"""What only LlamaIndex's embeddings need: batches with events, a cache, bounds per event loop. No I/O."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from clova_studio import ClovaStudioError, Embedding
from clova_studio.adapters import check_loop, check_texts, embeddable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Lookup", "Semaphores", "TextBatches"]

# The most rounds of requests in a part that is stored as one, and the seconds in which a part must be done for the next
# one to be larger.
_MOST_ROUNDS = 8
_QUICK = 1.0
_INDEX = re.compile(r"^texts\[(\d+)\]")


class Semaphores:
    """Semaphores of an instance, separate for each event loop: a semaphore with waiters is bound to its loop.

    Copies and unpickled instances start without any: they have bounds of their own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_loop: dict[asyncio.AbstractEventLoop, dict[tuple[str, int], asyncio.Semaphore]] = {}

    def of(self, name: str, count: int) -> asyncio.Semaphore:
        """Return the semaphore with a name and a count for the running loop."""
        check_loop()
        loop = asyncio.get_running_loop()
        with self._lock:
            for ended in [known for known in self._by_loop if known.is_closed()]:
                del self._by_loop[ended]
            return self._by_loop.setdefault(loop, {}).setdefault((name, count), asyncio.Semaphore(count))

    def __deepcopy__(self, memo: dict[int, Any]) -> Semaphores:
        return Semaphores()

    def __reduce__(self) -> tuple[Any, ...]:
        return Semaphores, ()


class TextBatches:
    """A list of texts that is embedded in batches. As a context it puts the results of the list on its error."""

    def __init__(self, texts: Iterable[str], size: int, *, show_progress: bool, on_blank: str = "error") -> None:
        self._texts = check_texts("texts", texts)
        # This is checked before the first batch is sent.
        for index, text in enumerate(self._texts):
            embeddable(f"texts[{index}]", text, on_blank)
        self._results: list[Embedding | ClovaStudioError | None] = [None] * len(self._texts)
        self.batches = [range(len(self._texts))[start : start + size] for start in range(0, len(self._texts), size)]
        self._bar = _progress_bar(len(self._texts)) if show_progress else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._bar is not None:
            self._bar.close()
        if isinstance(error, ClovaStudioError):
            error.partial = self._results

    @contextmanager
    def batch(self, indices: range) -> Iterator[list[str]]:
        """Yield the texts of a batch; keep the partial results on its error, whose indices become the list's."""
        try:
            yield self._texts[indices.start : indices.stop]
        except ClovaStudioError as error:
            _renumber(error, indices)
            for index, result in zip(indices, error.partial or (), strict=False):
                self._results[index] = result
            raise

    def done(self, indices: range, vectors: Sequence[list[float]]) -> None:
        """Store the vectors of a batch."""
        for index, vector in zip(indices, vectors, strict=True):
            self._results[index] = Embedding(embedding=vector)
        if self._bar is not None:
            self._bar.update(len(vectors))

    def vectors(self) -> list[list[float]]:
        """Return the vectors of all batches in input order."""
        return [result.embedding for result in self._results if isinstance(result, Embedding)]


class Lookup:
    """The texts of a batch, each once, to look up in a cache, and their vectors in input order."""

    def __init__(self, texts: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.vectors: list[Any] = [None] * len(texts)
        self._clock = clock
        self._indices: dict[str, list[int]] = {}
        self._missing: dict[str, None] = {}
        for index, text in enumerate(texts):
            self._indices.setdefault(text, []).append(index)
            self._missing[text] = None

    @property
    def texts(self) -> list[str]:
        """The different texts."""
        return list(self._indices)

    def take(self, text: str, vector: list[float] | None) -> None:
        """Put a vector, if there is one, at each index of its text."""
        if vector is None:
            return
        self._missing.pop(text, None)
        for index in self._indices[text]:
            self.vectors[index] = vector

    @property
    def complete(self) -> bool:
        """Whether there is a vector for each text."""
        return not self._missing

    def parts(self, round_size: int) -> Iterator[list[str]]:
        """Yield the texts without a vector in parts; each is to be stored before the next one.

        A killed process loses the part that is not stored yet, but every end of a part leaves workers idle. So the
        first part has one round of requests, and the next ones have more as long as they are done quickly.
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
        """Return what succeeded in a part that failed, and turn its error into one of the whole batch."""
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
                for index in self._indices[text]:
                    partial[index] = result
        _renumber(error, [self._indices[text][0] for text in part])
        error.partial = partial
        return kept


def _renumber(error: ClovaStudioError, indices: Sequence[int]) -> None:
    """Turn the index in the message of an error, and of errors on its ``partial``, into one of the caller's list."""
    errors = {id(one): one for one in (error, *(error.partial or ())) if isinstance(one, ClovaStudioError)}
    for one in errors.values():
        found = _INDEX.match(one.message)
        if found is not None and int(found[1]) < len(indices):
            one.message = f"texts[{indices[int(found[1])]}]{one.message[found.end() :]}"


def _progress_bar(total: int) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, desc="Generating embeddings")

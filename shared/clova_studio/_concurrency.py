"""Many texts, one request each: who is next, what became of it, what goes back to the queue. No I/O.

Threads and tasks take jobs from the same batch; how many of them there are is the bound on requests under way.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from clova_studio._base_client import check_max_wait
from clova_studio._catalogue import EMBEDDING_MODELS
from clova_studio._errors import ClovaStudioError, ConfigurationError, ContextLengthError, RateLimitError
from clova_studio._requests.text import embed
from clova_studio._requests.validation import check_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clova_studio._requests.call import Call
    from clova_studio.types.embeddings import Embedding

__all__ = ["BatchCancelledError", "CancelSignal", "EmbedBatch", "EmbedJob"]

# Fewest tokens a character that any text was seen to have (English, 0.19): what is longer cannot fit.
_TOKENS_A_CHARACTER = 0.15
_SHORTEN = 0.8


class BatchCancelledError(ClovaStudioError):
    """A request was not sent because its batch had ended. It never leaves the batch."""


class CancelSignal:
    """Ends the waiting of a whole batch: one that failed or is interrupted must not wait for its quota."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], None]] = []

    def stop(self) -> None:
        """End all waiting, now and later."""
        with self._lock:
            self._stopped.set()
            wakers = list(self._wakers)
        for wake in wakers:
            wake()

    def sleep(self, seconds: float) -> None:
        """Sleep, unless it is over."""
        self._stopped.wait(seconds)

    def add(self, wake: Callable[[], None]) -> None:
        """Have something called when it is over."""
        with self._lock:
            self._wakers.append(wake)

    def check(self, request_id: str) -> None:
        """Go no further if it is over.

        Raises:
            BatchCancelledError: It is.
        """
        if self._stopped.is_set():
            raise BatchCancelledError("the batch has ended", request_id=request_id)

    def remove(self, wake: Callable[[], None]) -> None:
        """Have it called no more."""
        with self._lock:
            self._wakers.remove(wake)


class EmbedJob:
    """One text on its way."""

    __slots__ = ("_batch", "index")

    def __init__(self, batch: EmbedBatch, index: int) -> None:
        self._batch = batch
        self.index = index

    def call(self) -> Call[Embedding]:
        """Return the request for the text."""
        batch = self._batch
        return embed(batch.texts[self.index], model=batch.model, timeout=batch.timeout)

    def done(self, result: Embedding) -> None:
        """Take the vector."""
        self._batch.take(self.index, result)

    def failed(self, error: ClovaStudioError) -> None:
        """Take the error: it ends the job, or the text goes back to the queue."""
        self._batch.refuse(self.index, error)


class EmbedBatch:
    """The state of one ``embed_many``. Safe to use from many threads."""

    def __init__(
        self,
        texts: Sequence[str],
        *,
        model: str,
        max_concurrency: int,
        show_progress: bool,
        on_error: Literal["raise", "return"],
        on_too_long: Literal["error", "truncate"],
        max_wait: float | None,
        timeout: Any,
    ) -> None:
        if isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Sequence):
            raise ConfigurationError(
                f"texts must be a list of strings, got {type(texts).__name__}: for one text use embed"
            )
        if not isinstance(max_concurrency, int) or isinstance(max_concurrency, bool) or max_concurrency < 1:
            raise ConfigurationError(f"max_concurrency must be a whole number from 1, got {max_concurrency!r}")
        for name, value, allowed in (
            ("on_error", on_error, ("raise", "return")),
            ("on_too_long", on_too_long, ("error", "truncate")),
        ):
            if value not in allowed:
                raise ConfigurationError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
        check_max_wait(max_wait)
        for index, text in enumerate(texts):
            check_text(f"texts[{index}]", text)
        self.texts = list(texts)
        self.model = model
        self.timeout = timeout
        self.workers = min(max_concurrency, len(self.texts))
        self._raise_errors = on_error == "raise"
        self._truncate = on_too_long == "truncate"
        self._bar = _progress_bar(len(self.texts)) if show_progress else None
        self._queue = deque(range(len(self.texts)))
        self._results: list[Embedding | ClovaStudioError | None] = [None] * len(self.texts)
        self._first_error: ClovaStudioError | None = None
        self.cancel = CancelSignal()
        self._stopped = False
        self._lock = threading.Lock()
        self._succeeded = 0
        # For each text that the quota refused: how many had succeeded by its last refusal but one, and by its last.
        self._succeeded_at_refusals: dict[int, tuple[int | None, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.stop()
        if self._bar is not None:
            self._bar.close()

    def stop(self) -> None:
        """Start nothing more, and end the waiting at the gate."""
        self._stopped = True
        self.cancel.stop()

    def jobs(self) -> Iterator[EmbedJob]:
        """Yield the jobs of one worker until there is nothing left to start."""
        while True:
            with self._lock:
                if self._stopped or not self._queue:
                    return
                index = self._queue.popleft()
            yield EmbedJob(self, index)

    def take(self, index: int, result: Embedding) -> None:
        """Put a vector in its text's place."""
        with self._lock:
            self._results[index] = result
            self._succeeded += 1
            self._advance()

    def refuse(self, index: int, error: ClovaStudioError) -> None:
        """Put an error in its text's place, or the text back into the queue."""
        with self._lock:
            if isinstance(error, BatchCancelledError):
                return
            if self._goes_back(index, error):
                # In front: first come, first served.
                self._queue.appendleft(index)
                return
            self._results[index] = error
            self._advance()
            if self._first_error is None:
                self._first_error = error
                error.message = f"texts[{index}]: {error.message}"
            if self._raise_errors:
                self.stop()

    def results(self) -> list[Embedding]:
        """Return the vectors in input order.

        With ``on_error="return"`` errors stand in their texts' places: the one case in which an item is no
        ``Embedding``, left out of the type so that the usual case reads plainly.

        Raises:
            ClovaStudioError: The first error, if errors are to be raised.
        """
        if self._first_error is not None and self._raise_errors:
            self._first_error.partial = list(self._results)
            raise self._first_error
        return cast("list[Embedding]", self._results)

    def _goes_back(self, index: int, error: ClovaStudioError) -> bool:
        if self._stopped:
            return False
        if isinstance(error, RateLimitError):
            # Only while others get through: a quota that lets nobody pass ends the batch. A refusal is faster than an
            # answer, so what was sent together with a refused attempt counts by the end of the next one.
            before, last = self._succeeded_at_refusals.get(index, (None, None))
            self._succeeded_at_refusals[index] = last, self._succeeded
            return before is None or before < self._succeeded
        if self._truncate and isinstance(error, ContextLengthError):
            text = self.texts[index]
            info = EMBEDDING_MODELS.get(self.model)
            most = int(info.max_tokens / _TOKENS_A_CHARACTER) if info else len(text)
            shorter = text[: min(most, int(len(text) * _SHORTEN))]
            if shorter.strip():
                self.texts[index] = shorter
                return True
        return False

    def _advance(self) -> None:
        if self._bar is not None:
            self._bar.update()


def _progress_bar(total: int) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError as exc:
        raise ConfigurationError("show_progress needs tqdm: pip install tqdm, or leave show_progress out") from exc
    return tqdm(total=total, unit="text")

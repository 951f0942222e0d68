"""Asks for the vectors of texts, several at once, and keeps each as soon as it is there."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from clova_studio._cli.embed.journal import Refusal
from clova_studio._errors import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    ClovaStudioError,
    ConfigurationError,
    ContextLengthError,
    InvalidResponseError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from clova_studio._resources._embed_many import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from clova_studio import AsyncClovaStudio
    from clova_studio._cli.embed.journal import Journal

__all__ = ["Asking", "run_until_done"]

# Of everybody's requests and never of one text's: the run ends.
_FOR_ALL = (AuthenticationError, PermissionDeniedError, NotFoundError)
# So many texts refused in turn, with none embedded between them, are no fault of the texts.
_REFUSED_IN_TURN = 20
_TRIES = 3
_PAUSE = 1.0
# Seconds that requests in flight have to end: they are paid for, and a run ends within one second.
_GRACE = 0.4
# Seconds for which rows that need no request may keep the event loop.
_TURN = 0.02


class Asking:
    """Asks for texts until none is left.

    Args:
        client: The client.
        texts: The texts with their keys; equal ones may come again.
        journal: Where vectors and refusals are kept.
        model: The model.
        concurrency: Requests in flight at once, at most.
        truncate: Whether a text that is too long is shortened.
        patience: Seconds without a vector after which the run ends.
        on_text: Called after each text.

    Attributes:
        embedded: Texts that were embedded.
        shortened: How many of them were shortened.
        refused: Texts that the service refused.
        unanswered: Texts without an answer: another run asks for them.
        last_error: The error of the last of these.
    """

    def __init__(
        self,
        client: AsyncClovaStudio,
        texts: Iterator[tuple[bytes, str]],
        journal: Journal,
        *,
        model: str,
        concurrency: int,
        truncate: bool,
        patience: float,
        on_text: Callable[[], None],
    ) -> None:
        self._client = client
        self._texts = texts
        self._journal = journal
        self._model = model
        self._concurrency = concurrency
        self._truncate = truncate
        self._patience = patience
        self._on_text = on_text
        self._dimensions = journal.dimensions()
        self._in_flight: set[bytes] = set()
        self._failed: set[bytes] = set()
        self._in_turn: list[bytes] = []
        self._stopped = False
        self._last_success = time.monotonic()
        self.embedded = 0
        self.shortened = 0
        self.refused = 0
        self.unanswered = 0
        self.last_error: ClovaStudioError | None = None

    async def run(self) -> None:
        """Ask for all texts.

        Raises:
            ClovaStudioError: No text can be embedded; what was embedded is in the journal.
            OSError: The journal cannot be written.
        """
        tasks = {asyncio.create_task(self._work()) for _ in range(self._concurrency)}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        except asyncio.CancelledError:
            await self._end(tasks)
            raise
        await self._end(tasks)
        for task in done:
            if (error := task.exception()) is not None:
                raise error

    async def _end(self, tasks: set[asyncio.Task[None]]) -> None:
        """Start nothing more, and wait for what is in flight: a moment only."""
        self._stopped = True
        running = {task for task in tasks if not task.done()}
        if running:
            _, late = await asyncio.wait(running, timeout=_GRACE)
            for task in late:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        while not self._stopped and (text := await self._next()) is not None:
            key = text[0]
            self._in_flight.add(key)
            try:
                await self._ask(*text)
            finally:
                self._in_flight.discard(key)

    async def _next(self) -> tuple[bytes, str] | None:
        """Return the next text to ask for."""
        until = time.monotonic() + _TURN
        for key, text in self._texts:
            if not (key in self._in_flight or key in self._failed or self._journal.has(key)):
                return key, text
            if time.monotonic() >= until:
                await asyncio.sleep(0)
                if self._stopped:
                    return None
                until = time.monotonic() + _TURN
        return None

    async def _ask(self, key: bytes, text: str) -> None:
        cut, failures = False, 0
        while not self._stopped:
            try:
                result = await self._client.embed(text, model=self._model)
                self._check(len(result.embedding))
            except _FOR_ALL:
                raise
            except (BadRequestError, ConfigurationError) as error:
                too_long = isinstance(error, ContextLengthError)
                shorter = shortened(text, self._model) if too_long and self._truncate else None
                if shorter is not None:
                    text, cut = shorter, True
                    continue
                self._refuse(key, error, too_long=too_long)
                return
            except ClovaStudioError as error:
                failures += 1
                if self._gives_up(error, failures):
                    self._leave(key, error)
                    return
                await asyncio.sleep(_PAUSE)
            else:
                self._keep(key, result.embedding, cut=cut)
                return

    def _keep(self, key: bytes, vector: list[float], *, cut: bool) -> None:
        self._journal.add(key, vector, cut=cut)
        self._last_success = time.monotonic()
        self._in_turn.clear()
        self.embedded += 1
        self.shortened += cut
        self._on_text()

    def _refuse(self, key: bytes, error: ClovaStudioError, *, too_long: bool) -> None:
        self._journal.refuse(key, Refusal((too_long, str(error))))
        self.refused += 1
        self._on_text()
        if too_long:
            return
        self._in_turn.append(key)
        if len(self._in_turn) >= _REFUSED_IN_TURN:
            self._journal.forget_refusals(self._in_turn)
            raise error

    def _gives_up(self, error: ClovaStudioError, failures: int) -> bool:
        """Return whether a text is left for another run; raise the error if all of them are."""
        unreachable = isinstance(error, APIConnectionError) and not error.sent
        if time.monotonic() - self._last_success >= self._patience or (unreachable and not self.embedded):
            raise error
        if isinstance(error, RateLimitError) or failures < _TRIES:
            return False
        if not self.embedded:
            raise error
        return True

    def _leave(self, key: bytes, error: ClovaStudioError) -> None:
        self._failed.add(key)
        self.unanswered += 1
        self.last_error = error
        self._on_text()

    def _check(self, length: int) -> None:
        """Refuse a vector of another length than the others.

        Raises:
            InvalidResponseError: It has one.
        """
        if self._dimensions is None:
            self._dimensions = length
        if length != self._dimensions:
            raise InvalidResponseError(
                f"the vector has {length} numbers, the others of {self._model} have {self._dimensions}"
            )


def run_until_done(
    asking: Asking, client: AsyncClovaStudio, keep_showing: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Ask for all texts in an event loop, and close the client.

    Args:
        asking: Asks for them.
        client: Its client.
        keep_showing: Shows how far it is, until it is cancelled.

    Raises:
        ClovaStudioError: See ``Asking.run``.
        KeyboardInterrupt: The user interrupted it.
    """

    async def run() -> None:
        async with client:
            showing = asyncio.create_task(keep_showing())
            try:
                await asking.run()
            finally:
                showing.cancel()

    # The client logs each wait and each retry; where nobody handles them, Python writes them to stderr.
    logger, nowhere = logging.getLogger("clova_studio"), logging.NullHandler()
    logger.addHandler(nowhere)
    try:
        asyncio.run(run())
    finally:
        logger.removeHandler(nowhere)

"""Synchronous iterators for asynchronous callers, where only a synchronous client was given."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

__all__ = ["iterate_in_threads"]

T = TypeVar("T")


async def iterate_in_threads(iterator: Generator[T, None, None]) -> AsyncGenerator[T, None]:
    """Yield what a generator yields, each step of it in a thread; it is closed at the end."""
    end = object()
    try:
        while (item := await asyncio.to_thread(next, iterator, end)) is not end:
            yield item  # type: ignore[misc]  # anything but the end is the iterator's
    finally:
        # Cancelled in the middle of a step it cannot be closed; it is when the step is over and nobody holds it.
        with suppress(ValueError):
            iterator.close()

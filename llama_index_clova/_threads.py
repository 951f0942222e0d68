"""Runs a synchronous generator for asynchronous callers, for when only a synchronous client was given."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

__all__ = ["iterate_in_threads"]

T = TypeVar("T")


async def iterate_in_threads(iterator: Generator[T, None, None]) -> AsyncGenerator[T, None]:
    """Yield the items of a generator, running each step in a thread; the generator is closed at the end."""
    end = object()
    try:
        while (item := await asyncio.to_thread(next, iterator, end)) is not end:
            yield item  # type: ignore[misc]  # every value but the sentinel is an item
    finally:
        # After a cancellation a step may still be running, and close() fails; the garbage collector then closes it.
        with suppress(ValueError):
            iterator.close()

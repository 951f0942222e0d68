"""Embeddings of many texts for adapters whose calls share one bound on requests in flight."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal

from clova_studio._concurrency import run_tasks
from clova_studio._errors import ConfigurationError
from clova_studio.adapters._threads import in_thread

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from clova_studio._async_client import AsyncClovaStudio
    from clova_studio._client import ClovaStudio
    from clova_studio._concurrency import WorkQueue
    from clova_studio.types.embeddings import Embedding

__all__ = ["aembed_texts", "check_counted_model"]

# The model of the embedding v2 API; that of v1 has no calculator.
_COUNTED_MODEL = "bge-m3"


def check_counted_model(model: str) -> None:
    """Refuse to count the tokens of an embedding model for which the service has no calculator.

    Args:
        model: The model's name.

    Raises:
        ConfigurationError: The model is not ``bge-m3``.
    """
    if model != _COUNTED_MODEL:
        raise ConfigurationError(
            f"the service counts the tokens of {_COUNTED_MODEL} alone, not of {model}: embed the text with "
            "clova_studio.ClovaStudio, whose result has input_tokens"
        )


async def aembed_texts(
    client: AsyncClovaStudio | ClovaStudio,
    texts: Iterable[str],
    *,
    model: str,
    max_concurrency: int,
    on_too_long: Literal["error", "truncate"] = "error",
    on_blank: Literal["error", "placeholder"] = "error",
    permits: asyncio.Semaphore | None = None,
    parent: WorkQueue[Any, Any] | None = None,
) -> list[Embedding]:
    """Return the vectors of many texts in input order, like ``embed_many``, but as one of several calls.

    Args:
        client: The client; a synchronous one runs in threads.
        texts: As in ``embed_many``.
        model: As in ``embed_many``.
        max_concurrency: As in ``embed_many``.
        on_too_long: As in ``embed_many``.
        on_blank: As in ``embed_many``.
        permits: A semaphore that each request holds: it bounds the requests of all calls that share it.
        parent: A queue that this call belongs to: when it ends, this call ends too, with what succeeded on ``partial``.

    Returns:
        One ``Embedding`` per text, in input order.

    Raises:
        ConfigurationError: A text is blank, or an argument is wrong; nothing was sent.
        ClovaStudioError: The first error, with what succeeded on ``partial``.
    """
    # The client and its HTTP library are loaded with the first call, not when an adapter is imported.
    from clova_studio._client import ClovaStudio
    from clova_studio._resources._embed_many import EmbedBatch

    batch = EmbedBatch(
        texts,
        model=model,
        max_concurrency=max_concurrency,
        on_too_long=on_too_long,
        on_blank=on_blank,
        limits=client._limits,  # noqa: SLF001  a private part of our own client
        parent=None if parent is None else parent.cancel,
    )

    async def send(text: str) -> Embedding:
        call = batch.call(text)
        async with permits or contextlib.nullcontext():
            # The batch may have ended while this request waited for its permit.
            batch.queue.cancel.check()
            if isinstance(client, ClovaStudio):
                blocking = client
                return await in_thread(lambda: blocking._send(call, **batch.options))  # noqa: SLF001
            return await client._send(call, **batch.options)  # noqa: SLF001

    return await run_tasks(batch.queue, send)

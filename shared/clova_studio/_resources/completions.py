"""The resource of legacy completions. Both twins side by side: they differ in what is awaited."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Unpack

from clova_studio import _requests
from clova_studio._resources._sender import AsyncSender, Sender

if TYPE_CHECKING:
    from clova_studio._requests.completions import CompletionOptions
    from clova_studio.types.completions import CompletionResult
    from clova_studio.types.tokens import TokenCount

COMPLETIONS_DEPRECATED = (
    "the Completions API and its models were withdrawn at the end of 2025: use chat() with HCX-005 or HCX-DASH-002"
)

__all__ = ["AsyncCompletionResource", "CompletionResource"]


class CompletionResource(Sender):
    """Legacy completions."""

    def complete(
        self,
        text: str,
        *,
        model: str = "LK-D2",
        task_id: str | None = None,
        request_id: str | None = None,
        timeout: Any = None,
        **options: Unpack[CompletionOptions],
    ) -> CompletionResult:
        """Continue a text with a legacy completion model; use ``chat`` instead.

        Source: the Completions page of the API guide, withdrawn with its models at the end of 2025.

        Args:
            text: The prompt, not blank.
            model: LK-D2 or LK-B.
            task_id: The id of the tuning task, to call a tuned model.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.
            **options: See ``CompletionOptions``.

        Returns:
            The text, its stop reason and its usage.

        Raises:
            ConfigurationError: An option does not exist or is out of range; nothing was sent.
            APIStatusError: The service refused the request, see the subclasses; "fade out" if the model is withdrawn.
            APIConnectionError: No complete answer arrived.
        """
        warnings.warn(COMPLETIONS_DEPRECATED, DeprecationWarning, stacklevel=2)
        return self._send(
            _requests.completions.complete(
                text, model=model, task_id=task_id, request_id=request_id, timeout=timeout, options=options
            )
        )

    def count_completion_tokens(
        self, text: str, *, model: str = "LK-D2", request_id: str | None = None, timeout: Any = None
    ) -> TokenCount:
        """Return the token count of a text for legacy completions.

        Source: no current page of the API guide has this calculator; the path is taken from public code.

        Args:
            text: The text, not blank.
            model: The completion model.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            The count as ``total``.

        Raises:
            ConfigurationError: The text is blank; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._send(
            _requests.completions.count_completion_tokens(text, model=model, request_id=request_id, timeout=timeout)
        )


class AsyncCompletionResource(AsyncSender):
    """Async variant of ``CompletionResource``."""

    async def complete(
        self,
        text: str,
        *,
        model: str = "LK-D2",
        task_id: str | None = None,
        request_id: str | None = None,
        timeout: Any = None,
        **options: Unpack[CompletionOptions],
    ) -> CompletionResult:
        """Async variant of ``complete``."""
        warnings.warn(COMPLETIONS_DEPRECATED, DeprecationWarning, stacklevel=2)
        return await self._send(
            _requests.completions.complete(
                text, model=model, task_id=task_id, request_id=request_id, timeout=timeout, options=options
            )
        )

    async def count_completion_tokens(
        self, text: str, *, model: str = "LK-D2", request_id: str | None = None, timeout: Any = None
    ) -> TokenCount:
        """Async variant of ``count_completion_tokens``."""
        return await self._send(
            _requests.completions.count_completion_tokens(text, model=model, request_id=request_id, timeout=timeout)
        )

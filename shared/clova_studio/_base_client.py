"""What the two clients share: settings, and everything about a call that needs no I/O.

What only a call needs is imported at the first call: with its pydantic models it is most of what importing the client
would cost.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from clova_studio._catalogue import TUNED_MODEL_PREFIX, is_tuned, model_info
from clova_studio._concurrency import CALLER, CancelSignal
from clova_studio._config import check_http_client, make_config
from clova_studio._errors import APIConnectionError, ClovaStudioError, ConfigurationError
from clova_studio._rate_limits.registry import limiter_of
from clova_studio._rate_limits.settings import rate_limits_of, store_of
from clova_studio._retries import Attempts, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import EllipsisType

    from pydantic import SecretStr

    from clova_studio._config import PathPrefix, Region
    from clova_studio._rate_limits.limiter import RateLimiter
    from clova_studio._rate_limits.settings import RateLimits
    from clova_studio._rate_limits.status import QuotaStatus
    from clova_studio._requests.call import Call
    from clova_studio.types._base import Result

__all__ = ["BaseClient"]

ResultT = TypeVar("ResultT", bound="Result")

logger = logging.getLogger("clova_studio")

# That a client holds; the registry keeps the others for a while.
_MOST_LIMITERS = 256


class ClosingSignal(CancelSignal):
    """Ends what waits in the calls of a client that is closed.

    Args:
        name: The client's class.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def check(self, request_id: str = "") -> None:
        """Return if the client is open.

        Raises:
            APIConnectionError: It is closed.
        """
        if self.stopped:
            raise self.error("before the request was sent", request_id)

    def error(self, when: str, request_id: str) -> APIConnectionError:
        """Return the error of a call that was waiting."""
        return APIConnectionError(f"this {self._name} was closed {when}", request_id=request_id or None)


class BaseClient:
    """Settings and decisions; no I/O. See ``ClovaStudio`` for the arguments."""

    _asynchronous: bool
    _waiter: Any  # a ThreadWaiter or a LoopWaiter

    def __init__(
        self,
        api_key: str | SecretStr | None = None,
        *,
        region: Region = "public",
        base_url: str | None = None,
        path_prefix: PathPrefix = "",
        apigw_api_key: str | SecretStr | None = None,
        timeout: Any = None,
        max_retries: int | None = None,
        retry: RetryPolicy | None = None,
        rate_limits: RateLimits | Literal["test", "service"] | None = None,
        max_wait: float | None = 75.0,
        quota_group: str | None = None,
        http_client: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if retry is not None and not isinstance(retry, RetryPolicy):
            raise ConfigurationError(f"retry must be a RetryPolicy or None, got {type(retry).__name__}")
        check_max_wait(max_wait)
        check_http_client("http_client", http_client, asynchronous=self._asynchronous)
        self._config = make_config(
            api_key=api_key,
            region=region,
            base_url=base_url,
            path_prefix=path_prefix,
            apigw_api_key=apigw_api_key,
            timeout=timeout,
            headers=headers,
            quota_group=quota_group,
            # A caller's own HTTP client has limits of its own; ours take precedence only if given.
            own_timeouts=http_client is None,
        )
        self._policy = (retry or RetryPolicy()).with_attempts(max_retries)
        self._limits = None if rate_limits is None else rate_limits_of(rate_limits)
        self._store = store_of(self._limits)
        self._max_wait = max_wait
        self._given_http = http_client
        self._closed = False
        self._closing = ClosingSignal(type(self).__name__)
        self._limiters: dict[str, RateLimiter] = {}
        self._pid = os.getpid()
        self._reset()

    def _reset(self) -> None:
        """Make the parts that belong to this process."""

    @property
    def base_url(self) -> str:
        """The address that requests go to, without path prefix."""
        return self._config.base_url

    def __repr__(self) -> str:
        prefix = f", path_prefix={self._config.path_prefix!r}" if self._config.path_prefix else ""
        return f"{type(self).__name__}(base_url={self._config.base_url!r}{prefix})"

    def __getstate__(self) -> dict[str, Any]:
        """Give the settings, the key among them, and no connection.

        Raises:
            ConfigurationError: The client has a caller's ``http_client``, which cannot be sent to another process.
        """
        if self._given_http is not None:
            raise ConfigurationError(
                f"this {type(self).__name__} cannot be pickled: it has an http_client of yours; build it without one, "
                "or build it in the worker"
            )
        return {
            name: getattr(self, name)
            for name in ("_config", "_policy", "_limits", "_store", "_max_wait", "_given_http", "_closed")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._closing = ClosingSignal(type(self).__name__)
        self._limiters = {}
        self._pid = os.getpid()
        self._reset()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A client is a handle on connections; frameworks that copy what holds it mean the same connections.
        return self

    def quota(self, model: str) -> QuotaStatus:
        """Return what is known of a quota, without asking the service.

        All clients, adapters, threads and event loops of the process that use the same key (or ``quota_group``) share
        it. What other processes and machines send shows only in refusals, unless there is a shared store: then the
        numbers are those of all processes (``store`` and ``shared`` of the status say so). A ``ClovaStudio`` waits up
        to 250 ms for them; an ``AsyncClovaStudio`` gives the last ones that are known, and has newer ones fetched.

        Args:
            model: A model, or a tool: ``"segmentation"``, ``"summarization"``, ``"sliding"``, ``"reranker"``,
                ``"rag-reasoning"``, ``"router"`` (routers and skillsets share one), ``"chat-tokenize"``,
                ``"embedding-tokenize"``, ``"tuning"``; a tuned model of unknown base is ``"task <id>"``
                or ``"ft:<id>"``.

        Returns:
            Limits, what is left in this window, and who waits. Without limits, given or learnt, ``None`` for them.
        """
        info = model_info(model)
        name = f"task {model.removeprefix(TUNED_MODEL_PREFIX)}" if is_tuned(model) else info.name
        self._check_process()
        limiter = self._limiter(name)
        limiter.refresh(wait=not self._asynchronous)
        return limiter.status(self._waiter.now())

    def _limiter(self, name: str) -> RateLimiter:
        """Return the rate limiter of a quota, which knows this client's limits."""
        limiter = self._limiters.get(name)
        if limiter is None or limiter.retired:
            limiter = limiter_of(self._config.base_url, self._config.quota_group, name, self._store)
            if self._limits is not None and self._limits.on_store_error == "raise":
                limiter.raises = True
            if self._limits is not None:
                clash = limiter.give(self._limits.of(name), self._limits.window)
                if clash is not None:
                    logger.warning(clash)
            if len(self._limiters) >= _MOST_LIMITERS:
                self._limiters = {}
            self._limiters[name] = limiter
        return limiter

    def _attempts(
        self, call: Call[ResultT], max_wait: float | EllipsisType | None = ..., cancel: CancelSignal | None = None
    ) -> Attempts[ResultT]:
        """Return what decides about the attempts of a call.

        Raises:
            ConfigurationError: The client is closed, or its keys do not go to the call's API.
        """
        self._check_process()
        self._check_open()
        if not call.native and self._config.has_old_keys:
            raise ConfigurationError(
                "the OpenAI-compatible API takes test and service keys (nv-...) only, not the old pair: leave "
                "apigw_api_key out, or use the native methods"
            )
        return Attempts(
            call,
            self._limiter(call.quota),
            self._policy,
            max_wait=self._max_wait if max_wait is ... else max_wait,
            clock=self._waiter.now,
            signals=tuple(signal for signal in (cancel, CALLER.get(), self._closing) if signal is not None),
        )

    def _check_process(self) -> None:
        """Begin anew in a forked process.

        It has copies of the connections, which are the parent's: two that read from one would get each other's answers.
        """
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._limiters = {}
            self._closing = ClosingSignal(type(self).__name__)
            self._reset()

    def _close(self) -> None:
        """Refuse calls from now on, and wake those that wait."""
        self._check_process()
        self._closed = True
        self._closing.stop()

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigurationError(f"this {type(self).__name__} is closed: make a new one")

    def _give_up_when_closed(self, exc: Exception, attempts: Attempts[Any], request_id: str) -> None:
        """Say so if closing this client broke a request, which is then not sent again.

        Raises:
            APIConnectionError: It is so.
        """
        if not self._closed:
            return
        attempts.give_up()
        if isinstance(exc, APIConnectionError) or not isinstance(exc, ClovaStudioError):
            from clova_studio._responses import transport_error

            # For what it does to the exception: no request and no secret stays on it.
            transport_error(exc, request_id)
            raise self._closing.error("while the request was in flight", request_id) from exc


def check_max_wait(value: float | None) -> None:
    """Refuse a bound that is not a number of seconds."""
    if value is not None and (not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0):
        raise ConfigurationError(f"max_wait must be seconds from 0, or None for no bound; got {value!r}")

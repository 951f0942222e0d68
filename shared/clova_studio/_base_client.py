"""What the two clients share: settings, and everything about a call that needs no I/O."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from clova_studio._attempts import Attempts
from clova_studio._config import make_config
from clova_studio._errors import ClovaStudioError, ConfigurationError
from clova_studio._events import EventReader
from clova_studio._pacing import RateLimits, quota_of
from clova_studio._responses import transport_error
from clova_studio._retry import RetryPolicy
from clova_studio._transport import timeouts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import SecretStr

    from clova_studio._calls._call import Call
    from clova_studio._config import PathPrefix, Region

__all__ = ["BaseClient"]


class BaseClient:
    """Settings and decisions; no I/O. See ``ClovaStudio`` for the arguments."""

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
        rate_limits: RateLimits | None = None,
        max_wait: float | None = 75.0,
        quota_group: str | None = None,
        http_client: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if rate_limits is not None and not isinstance(rate_limits, RateLimits):
            raise ConfigurationError(f"rate_limits must be RateLimits(...) or None, got {type(rate_limits).__name__}")
        if retry is not None and not isinstance(retry, RetryPolicy):
            raise ConfigurationError(f"retry must be a RetryPolicy or None, got {type(retry).__name__}")
        check_max_wait(max_wait)
        self._config = make_config(
            api_key=api_key,
            region=region,
            base_url=base_url,
            path_prefix=path_prefix,
            apigw_api_key=apigw_api_key,
            timeout=timeout,
            headers=headers,
            quota_group=quota_group,
            # A caller's own HTTP client has limits of its own; ours go before them only if asked for.
            own_timeouts=http_client is None,
        )
        self._policy = (retry or RetryPolicy()).with_attempts(max_retries)
        self._limits = rate_limits or RateLimits()
        self._max_wait = max_wait
        self._given_http = http_client
        self._closed = False
        # The clock of waits and retries: an attribute, so that a test can turn it without waiting.
        self._clock: Callable[[], float] = time.monotonic
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
            for name in ("_config", "_policy", "_limits", "_max_wait", "_given_http", "_closed")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._clock = time.monotonic
        self._reset()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A client is a handle on connections; frameworks that copy what holds it mean the same connections.
        return self

    def _attempts(self, call: Call[Any], max_wait: float | None) -> Attempts:
        if self._closed:
            raise ConfigurationError(f"this {type(self).__name__} is closed: make a new one")
        if not call.native and self._config.has_old_keys:
            raise ConfigurationError(
                "the OpenAI-compatible API takes test and service keys (nv-...) only, not the old pair: leave "
                "apigw_api_key out, or use the native verbs"
            )
        return Attempts(
            quota=quota_of(self._config.base_url, self._config.quota_group, call.quota),
            policy=self._policy,
            window=self._limits.window,
            max_wait=max_wait,
            idempotent=call.idempotent,
            request_id=call.request_id,
            clock=self._clock,
        )

    def _reader(self, call: Call[Any]) -> EventReader[Any, Any]:
        limits = timeouts_of(call, self._config)
        return EventReader(call, limits.stream if limits else None)

    @staticmethod
    def _error_of(exc: Exception, call: Call[Any]) -> ClovaStudioError | None:
        """Return our error for what a request raised; None if it is nobody's but the caller's."""
        if isinstance(exc, ClovaStudioError):
            return exc
        return transport_error(exc, call.request_id)


def check_max_wait(value: float | None) -> None:
    """Refuse a bound that is no number of seconds."""
    if value is not None and (not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0):
        raise ConfigurationError(f"max_wait must be seconds from 0, or None for no bound; got {value!r}")

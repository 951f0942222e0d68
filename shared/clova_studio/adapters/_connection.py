"""The clients behind an adapter: made on first use, shared by adapters with the same settings, never pickled.

Frameworks copy components and rebuild them on every call (LangChain's configurable fields), so the connections have to
live outside of them. All components with the same settings share one pair of clients, which lives as long as one of
the components.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import threading
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from pydantic import SecretStr

from clova_studio._config import check_http_client
from clova_studio._errors import ConfigurationError
from clova_studio._secrets import clean_key, key_variable, no_key_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clova_studio import AsyncClovaStudio, ClovaStudio

__all__ = ["SETTING_NAMES", "Connection", "Settings", "key_from_env", "url_from_env"]

# The second is the name that langchain-naver uses.
_URL_VARIABLES = ("CLOVASTUDIO_BASE_URL", "CLOVASTUDIO_API_BASE_URL")


def key_from_env() -> SecretStr | None:
    """Return the API key of the environment: ``CLOVASTUDIO_API_KEY``, else ``NCP_CLOVASTUDIO_API_KEY``, else None."""
    variable = key_variable()
    return None if variable is None else SecretStr(clean_key(variable, os.environ[variable]))


def url_from_env() -> str | None:
    """Return the base URL of the environment, None without one."""
    return _from_env(_URL_VARIABLES)


def _from_env(names: tuple[str, ...]) -> str | None:
    return next((os.environ[name].strip() for name in names if os.environ.get(name, "").strip()), None)


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Settings:
    """Arguments of ``ClovaStudio`` and ``AsyncClovaStudio``; None means their default. No repr: it holds the key."""

    api_key: SecretStr | None = None
    apigw_api_key: SecretStr | None = None
    region: str = "public"
    base_url: str | None = None
    path_prefix: str = ""
    timeout: Any = None
    max_retries: int | None = None
    retry: Any = None
    rate_limits: Any = None
    max_wait: float | None = 75.0
    quota_group: str | None = None
    headers: Mapping[str, str] | None = None
    http_client: Any = None
    http_async_client: Any = None

    def arguments(self, *, asynchronous: bool) -> dict[str, Any]:
        """Return the keyword arguments for a client."""
        given = {
            name: getattr(self, name)
            for name in SETTING_NAMES
            if name not in {"http_client", "http_async_client", "max_wait"} and getattr(self, name) is not None
        }
        given["max_wait"] = self.max_wait
        http = self.http_async_client if asynchronous else self.http_client
        if http is not None:
            given["http_client"] = http
        return given

    def identity(self) -> tuple[Any, ...] | None:
        """Return a hashable value that is equal for equal settings and holds no key; None if there cannot be one."""
        if self.http_client is not None or self.http_async_client is not None:
            return None
        identity = (
            *(_digest(secret) for secret in (self.api_key, self.apigw_api_key)),
            None if self.headers is None else hashlib.sha256(repr(sorted(self.headers.items())).encode()).digest(),
            self.region,
            self.base_url,
            self.path_prefix,
            self.timeout,
            self.max_retries,
            self.retry,
            self.rate_limits,
            self.max_wait,
            self.quota_group,
        )
        try:
            hash(identity)
        except TypeError:  # an httpx.Timeout, for example
            return None
        return identity


SETTING_NAMES = tuple(Settings.__dataclass_fields__)
"""The names of a client's settings that every adapter takes; see ``ConnectionFields``."""


def _digest(secret: SecretStr | None) -> bytes | None:
    return None if secret is None else hashlib.sha256(secret.get_secret_value().encode()).digest()


class _Clients:
    """A sync and an async client with the same settings, each made on first use.

    They close their connections when the last adapter that holds them is gone.
    """

    __slots__ = ("__weakref__", "_async", "_lock", "_settings", "_sync")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._sync: ClovaStudio | None = None
        self._async: AsyncClovaStudio | None = None

    @property
    def sync(self) -> ClovaStudio:
        with self._lock:
            if self._sync is None:
                from clova_studio import ClovaStudio

                self._sync = ClovaStudio(**self._settings.arguments(asynchronous=False))
            return self._sync

    @property
    def asynchronous(self) -> AsyncClovaStudio:
        with self._lock:
            if self._async is None:
                from clova_studio import AsyncClovaStudio

                self._async = AsyncClovaStudio(**self._settings.arguments(asynchronous=True))
            return self._async


_shared: weakref.WeakValueDictionary[tuple[Any, ...], _Clients] = weakref.WeakValueDictionary()
_shared_lock = threading.Lock()


def _clients_for(settings: Settings) -> _Clients:
    identity = settings.identity()
    if identity is None:
        return _Clients(settings)
    with _shared_lock:
        clients = _shared.get(identity)
        if clients is None:
            clients = _shared[identity] = _Clients(settings)
        return clients


def forget_clients() -> None:
    """Give new components new clients; existing components keep theirs."""
    with _shared_lock:
        _shared.clear()


class Connection:
    """How an adapter reaches the service: the caller's clients, or a shared pair made from settings.

    Args:
        settings: Settings of the clients to make.
        client: The caller's ``ClovaStudio``; it stays open.
        async_client: The caller's ``AsyncClovaStudio``; it stays open.

    Raises:
        ConfigurationError: The key is missing, a client has the wrong type, or an HTTP client is closed.
    """

    __slots__ = ("_async_client", "_client", "_clients", "_settings", "_variants")

    def __init__(self, settings: Settings, *, client: Any = None, async_client: Any = None) -> None:
        for name, value, wanted in (("client", client, False), ("async_client", async_client, True)):
            method = getattr(value, "embed", None)
            if value is not None and not (callable(method) and inspect.iscoroutinefunction(method) is wanted):
                kind = "an AsyncClovaStudio" if wanted else "a ClovaStudio"
                raise ConfigurationError(f"{name} must be {kind}, got {type(value).__name__}")
        check_http_client("http_client", settings.http_client, asynchronous=False)
        check_http_client("http_async_client", settings.http_async_client, asynchronous=True)
        self._settings = settings
        self._client: ClovaStudio | None = client
        self._async_client: AsyncClovaStudio | None = async_client
        self._clients: _Clients | None = None
        self._variants: dict[int, Connection] = {}
        if client is None and async_client is None:
            if settings.api_key is None:
                raise ConfigurationError(
                    no_key_message(
                        "give api_key= (or client=), or set CLOVASTUDIO_API_KEY.",
                        "api_key=로 넘기거나 환경 변수 CLOVASTUDIO_API_KEY를 설정하세요.",
                    )
                )
            self._clients = _clients_for(settings)

    @classmethod
    def of(cls, *, client: Any = None, async_client: Any = None, **settings: Any) -> Self:
        """Return the connection for a caller's arguments; key and address default to those of the environment.

        Args:
            client: The caller's ``ClovaStudio``; it stays open.
            async_client: The caller's ``AsyncClovaStudio``; it stays open.
            **settings: Settings of the clients to make, as ``ConnectionFields`` has them.

        Raises:
            ConfigurationError: As for the class, or settings are given together with a client, which has its own.
        """
        if client is not None or async_client is not None:
            unset = Settings()
            for name, value in settings.items():
                if value is not None and value != getattr(unset, name):
                    raise ConfigurationError(f"{name} belongs to the client that you gave: set it there")
        else:
            key = settings.get("api_key")
            settings["api_key"] = key_from_env() if key is None else _secret("api_key", key)
            if settings.get("apigw_api_key") is not None:
                settings["apigw_api_key"] = _secret("apigw_api_key", settings["apigw_api_key"])
            if settings.get("base_url") is None:
                settings["base_url"] = url_from_env()
        return cls(Settings(**settings), client=client, async_client=async_client)

    @property
    def sync(self) -> ClovaStudio:
        """The synchronous client.

        Raises:
            ConfigurationError: Only an ``async_client`` was given.
        """
        if self._clients is not None:
            return self._clients.sync
        if self._client is None:
            raise ConfigurationError("a synchronous call needs client=: only async_client= was given")
        return self._client

    @property
    def asynchronous(self) -> AsyncClovaStudio | None:
        """The asynchronous client; None if only a synchronous one was given, which callers then run in a thread."""
        return self._async_client if self._clients is None else self._clients.asynchronous

    @property
    def needed_async(self) -> AsyncClovaStudio:
        """The asynchronous client.

        Raises:
            ConfigurationError: Only a synchronous one was given.
        """
        client = self.asynchronous
        if client is None:
            raise ConfigurationError("an asynchronous call needs async_client=: only client= was given")
        return client

    @property
    def base_url(self) -> str | None:
        """The base URL if it is known without making a client; None for that of the region."""
        given = self._client if self._client is not None else self._async_client
        return self._settings.base_url if given is None else str(given.base_url)

    @property
    def place(self) -> str:
        """A name for where requests go: the base URL if it is known, else the region."""
        return self.base_url or self._settings.region

    @property
    def target(self) -> tuple[Any, ...]:
        """What the connection is made of; connections with the same target are equal."""
        return self._settings, self._client, self._async_client

    def with_max_retries(self, max_retries: int) -> Connection:
        """Return the same connection with another number of retries.

        Args:
            max_retries: Retries after the first request, from 0.

        Raises:
            ConfigurationError: The clients are the caller's, so their retries cannot be changed.
        """
        if self._clients is None:
            raise ConfigurationError("max_retries belongs to the client that you gave: set it there")
        if max_retries not in self._variants:
            self._variants[max_retries] = Connection(replace(self._settings, max_retries=max_retries))
        return self._variants[max_retries]

    def check_picklable(self) -> None:
        """Refuse settings that cannot be sent to another process.

        Raises:
            ConfigurationError: The settings contain the caller's HTTP client; the error names it.
        """
        for name in ("http_client", "http_async_client"):
            if getattr(self._settings, name) is not None:
                raise ConfigurationError(
                    f"this cannot be pickled: it has your own {name}; leave it out, or build this in the worker"
                )

    def __eq__(self, other: object) -> bool:
        # By target: a copy from another process is the same connection.
        if not isinstance(other, Connection):
            return NotImplemented
        return self.target == other.target

    __hash__ = None  # type: ignore[assignment]  # settings may have no hash

    def __repr__(self) -> str:
        return f"Connection(base_url={self.base_url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        self.check_picklable()
        settings = {name: getattr(self._settings, name) for name in SETTING_NAMES}
        return _rebuild, (settings, self._client, self._async_client)

    def __copy__(self) -> Connection:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Connection:
        # A copy of a component uses the same connections.
        return self


def _secret(name: str, value: Any) -> SecretStr:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        raise ConfigurationError(f"{name} must be a string or a SecretStr, got {type(value).__name__}")
    return SecretStr(clean_key(name, text))


def _rebuild(settings: dict[str, Any], client: Any, async_client: Any) -> Connection:
    return Connection(Settings(**settings), client=client, async_client=async_client)

"""The settings of a client as one value: key, address, time limits. No I/O, and a repr without secrets."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from clova_studio._errors import ConfigurationError
from clova_studio._secrets import Secrets, clean_key, key_variable, no_key_message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from pydantic import SecretStr

__all__ = [
    "BASE_URLS",
    "Config",
    "PathPrefix",
    "Region",
    "Timeouts",
    "headers_of_call",
    "make_config",
    "make_request_id",
]

Region: TypeAlias = Literal["public", "gov"]
PathPrefix: TypeAlias = Literal["", "testapp", "serviceapp"]

BASE_URLS: dict[str, str] = {
    "public": "https://clovastudio.stream.ntruss.com",
    "gov": "https://clovastudio.stream.gov-ntruss.com",
}
_PREFIXES = ("", "testapp", "serviceapp")
_OWN_HEADERS = frozenset(
    {
        "accept",
        "authorization",
        "content-type",
        "x-ncp-apigw-api-key",
        "x-ncp-clovastudio-api-key",
        "x-ncp-clovastudio-request-id",
    }
)
# Not masked in messages: names of software, languages and forms.
_PLAIN_HEADERS = frozenset({"User-Agent", "user-agent", "Accept-Language", "accept-language"})
_SECRET_LENGTH = 8
# Seconds; what an operating system takes for a time limit ends somewhere above.
_LONGEST = 100_000_000
_PRINTABLE_ASCII = re.compile(r"[!-~]+")
_HEADER_NAME = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"([!-~]([\t -~]*[!-~])?)?")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time limits of a request, in seconds; None means no limit.

    Attributes:
        connect: For opening a connection.
        read: Between two reads of an answer that is not streamed.
        write: Between two writes of the request.
        stream: Between two events of a stream that say something (comments, unknown events and empty deltas do not).
            Also the limit for the first of them. Only waiting counts, not what the caller does in between.
        total: For a whole answer that is not streamed, from sending to its last byte; for a stream until its headers.

    ``stream`` and ``total`` hold whatever the server does: trickling headers, informational answers and bodies do not
    prolong them. They hold over an ``http_client`` of yours, too, ``total`` with 600 s if you give no limits here. Two
    cases remain in which a synchronous one is bounded by its own limit per read until it brings the next piece of a
    body: connections of HTTP/2, and transports that are not httpx's.

    Raises:
        ConfigurationError: A limit is not a number above 0.
    """

    connect: float | None = 5.0
    read: float | None = 300.0
    write: float | None = 60.0
    stream: float | None = 60.0
    total: float | None = 600.0

    def __post_init__(self) -> None:
        for name in ("connect", "read", "write", "stream", "total"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, (int, float)) and 0 < value <= _LONGEST):
                raise ConfigurationError(
                    f"timeout: {name} must be a number of seconds above 0 (up to {_LONGEST:,}), or None; got {value!r}"
                )

    @classmethod
    def of(cls, value: Any) -> Timeouts:
        """Return the limits that a caller meant.

        Args:
            value: ``Timeouts``; a number of seconds, which bounds every read and the gap between two stream events;
                None for the defaults; or an httpx timeout object, whose read limit bounds both. The total stays 600 s,
                or is the read limit where that is longer.

        Raises:
            ConfigurationError: It is none of these.
        """
        if value is None:
            return cls()
        if isinstance(value, cls):
            return value
        if not isinstance(value, bool):
            if isinstance(value, (int, float)):
                return cls(connect=min(5.0, value), read=value, write=value, stream=value, total=_total(value))
            # httpx and httpx2 have the same attributes; neither is imported for this.
            if all(hasattr(value, name) for name in ("connect", "read", "write", "pool")):
                read = value.read
                return cls(connect=value.connect, read=read, write=value.write, stream=read, total=_total(read))
        raise ConfigurationError(
            f"timeout must be seconds, Timeouts, an httpx timeout or None; got {type(value).__name__}"
        )


def _total(read: float | None) -> float | None:
    return None if read is None else max(600.0, read)


@dataclass(frozen=True, slots=True)
class Config:
    """Where to send, and with which key. Frozen; the repr shows no key and no header value."""

    base_url: str
    path_prefix: str
    timeouts: Timeouts | None
    headers: Mapping[str, str] = field(repr=False)
    auth_headers: Mapping[str, str] = field(repr=False)
    quota_group: str
    secrets: Secrets = field(default_factory=lambda: Secrets(()), repr=False, compare=False)

    def url(self, path: str, *, prefixed: bool = True) -> str:
        """Return the full URL of a path of the API; OpenAI-compatible paths never carry the prefix."""
        prefix = f"/{self.path_prefix}" if self.path_prefix and prefixed else ""
        return f"{self.base_url}{prefix}{path}"

    @property
    def has_old_keys(self) -> bool:
        """Whether the old pair of keys goes with requests instead of ``Authorization``."""
        return "Authorization" not in self.auth_headers

    def authorize(self, request: Any) -> Any:
        """Put the key on a request, as the last step before it is sent.

        As an httpx auth callable, so that no header mapping that we build, log or keep ever holds a key.
        """
        for name, value in self.auth_headers.items():
            request.headers[name] = value
        return request


def make_request_id() -> str:
    """Return a fresh request id."""
    return str(uuid.uuid4())


def check_request_id(value: str) -> str:
    """Return a caller's request id, or refuse one that no header can carry."""
    if not isinstance(value, str) or not _PRINTABLE_ASCII.fullmatch(value):
        raise ConfigurationError(f"request_id must be printable ASCII without blanks; got {value!r}")
    return value


def check_http_client(name: str, http: Any, *, asynchronous: bool) -> None:
    """Refuse a caller's HTTP client that cannot send this client's requests.

    By the names of its classes, so that an httpx2 client works like an httpx one; any other object with the same
    methods is taken as it is.

    Args:
        name: The parameter that it was given as.
        http: The HTTP client, None for none.
        asynchronous: Whether requests are awaited.

    Raises:
        ConfigurationError: It is not an HTTP client, is of the other kind, or is closed.
    """
    if http is None:
        return
    wanted, other = ("AsyncClient", "Client") if asynchronous else ("Client", "AsyncClient")
    article = "an" if asynchronous else "a"
    names = {cls.__name__ for cls in type(http).__mro__}
    if wanted not in names and other in names:
        raise ConfigurationError(
            f"{name} must be {article} httpx.{wanted}, got {'a' if asynchronous else 'an'} {other}: synchronous calls "
            "need an httpx.Client, asynchronous calls an httpx.AsyncClient"
        )
    if isinstance(http, type) or not (callable(getattr(http, "send", None)) and hasattr(http, "build_request")):
        raise ConfigurationError(f"{name} must be {article} httpx.{wanted}, got {_kind_of(http)}")
    if getattr(http, "is_closed", False) is True:
        raise ConfigurationError(f"{name} is closed: give an open {wanted}, and close it after this client's last call")


def _kind_of(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def make_config(
    *,
    api_key: str | SecretStr | None = None,
    region: Region = "public",
    base_url: str | None = None,
    path_prefix: PathPrefix = "",
    apigw_api_key: str | SecretStr | None = None,
    timeout: Any = None,
    headers: Mapping[str, str] | None = None,
    quota_group: str | None = None,
    own_timeouts: bool = True,
) -> Config:
    """Check a client's settings and return them as one value.

    Raises:
        ConfigurationError: A setting is missing or wrong; the message names it and never shows a key.
    """
    key = _key(api_key)
    apigw_key = _secret("apigw_api_key", apigw_api_key)
    # Before the other settings are checked: one of them may be the key by mistake.
    secrets = Secrets((key, apigw_key, *_secret_headers(headers)))
    return Config(
        base_url=_base_url(base_url, region),
        path_prefix=_path_prefix(path_prefix),
        timeouts=Timeouts.of(timeout) if own_timeouts or timeout is not None else None,
        headers=_headers(headers),
        auth_headers=_auth_headers(key, apigw_key),
        quota_group=quota_group if quota_group is not None else hashlib.sha256(key.encode()).hexdigest(),
        secrets=secrets,
    )


def headers_of_call(given: Mapping[str, Any] | None) -> tuple[dict[str, str], Secrets] | None:
    """Check the headers of one call; return them with what is secret in them, None for none.

    Raises:
        ConfigurationError: A name or a value is wrong, or is the client's to set; the message shows no value.
    """
    if not given:
        return None
    # Before they are checked: a value may stand where a name belongs.
    secrets = Secrets(_secret_headers(given))
    return _headers(given), secrets


def _secret_headers(headers: Any) -> list[str]:
    """Return what is secret in a caller's headers: any long value may be, and so may each word of it."""
    if not hasattr(headers, "items"):
        return []
    values = [
        value
        for name, content in headers.items()
        if isinstance(value := _shown(content), str) and name not in _PLAIN_HEADERS
    ]
    return [part for value in values for part in (value, *value.split()) if len(part) >= _SECRET_LENGTH]


def _key(value: Any) -> str:
    key = _secret("api_key", value)
    if key is None and (variable := key_variable()) is not None:
        key = _secret(variable, os.environ[variable])
    if key is None:
        raise ConfigurationError(
            no_key_message(
                "give api_key=, or set CLOVASTUDIO_API_KEY (keys are made in the CLOVA Studio console under "
                "'API key').",
                "api_key=로 넘기거나 환경 변수 CLOVASTUDIO_API_KEY를 설정하세요.",
            )
        )
    return key


def _secret(name: str, value: Any) -> str | None:
    """Return the text of a secret; its content stands in no message."""
    if value is None:
        return None
    text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    if not isinstance(text, str):
        raise ConfigurationError(f"{name} must be a string or a SecretStr, got {type(value).__name__}")
    text = clean_key(name, text)
    if not text:
        raise ConfigurationError(f"{name} is empty: give the key as the console showed it, or leave {name} out")
    if text.lower().startswith("bearer "):
        raise ConfigurationError(f"{name} must be the key alone, without 'Bearer'")
    if not _PRINTABLE_ASCII.fullmatch(text):
        raise ConfigurationError(f"{name} has characters that no key has (blanks, line breaks or non-ASCII)")
    return text


def _auth_headers(key: str, apigw_key: str | None) -> dict[str, str]:
    if apigw_key is not None:
        return {"X-NCP-CLOVASTUDIO-API-KEY": key, "X-NCP-APIGW-API-KEY": apigw_key}
    return {"Authorization": f"Bearer {key}"}


def _base_url(value: str | None, region: str) -> str:
    if region not in BASE_URLS:
        raise ConfigurationError(f"region must be 'public' or 'gov', got {region!r}; another host goes in base_url=")
    url = value if value is not None else os.environ.get("CLOVASTUDIO_BASE_URL", "").strip()
    if not url and value is None:
        return BASE_URLS[region]
    if not isinstance(url, str):
        raise ConfigurationError(f"base_url must be a string, got {type(url).__name__}")
    parts = _split(url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError("base_url must be an http or https URL such as https://clovastudio.stream.ntruss.com")
    if parts.username or parts.password:
        raise ConfigurationError("base_url must not carry a user or password; credentials go in api_key=")
    if parts.query or parts.fragment:
        raise ConfigurationError("base_url must not carry a query or a fragment")
    # The address of the OpenAI-compatible API, as programs written for other clients have it.
    return url.rstrip("/").removesuffix("/v1/openai").rstrip("/")


def _split(url: str) -> SplitResult | None:
    """Return the parts of an address, None for one that would only fail in the middle of a call."""
    try:
        parts = urlsplit(url)
        # A port above 65535, and a label above 63 characters.
        _, _ = parts.port, (parts.hostname or "").encode("idna")
    except ValueError:
        return None
    return parts if url.isprintable() and " " not in url else None


def _path_prefix(value: str) -> str:
    if value not in _PREFIXES:
        raise ConfigurationError(f"path_prefix must be '', 'testapp' or 'serviceapp', got {value!r}")
    return value


def _shown(value: Any) -> Any:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def _headers(value: Mapping[str, Any] | None) -> dict[str, str]:
    if value is None:
        return {}
    if not hasattr(value, "items"):
        raise ConfigurationError(f"headers must be a mapping of names to strings, got {type(value).__name__}")
    headers = {name: _shown(content) for name, content in value.items()}
    for name, content in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError(f"headers: {name!r} is not a valid header name")
        if not isinstance(content, str) or not _HEADER_VALUE.fullmatch(content):
            # The value is not shown: it may be a key of a proxy's.
            raise ConfigurationError(f"headers: {name} must be a string of printable ASCII without blanks at its ends")
        if name.lower() in _OWN_HEADERS:
            raise ConfigurationError(
                f"headers must not set {name}: the client sets it; keys go in api_key= and apigw_api_key=, the request "
                "id in request_id="
            )
    # In one spelling: a user-agent is to replace the User-Agent, not to go beside it.
    return {name.title(): content for name, content in headers.items()}

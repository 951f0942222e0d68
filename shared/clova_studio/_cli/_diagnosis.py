"""Finds out what an error means. Pure: no I/O."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from clova_studio._cli._findings import Finding, finding
from clova_studio._error_codes import lookup
from clova_studio._errors import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    ClovaStudioError,
    InvalidResponseError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OLD_HOSTS", "KeyKind", "Situation", "diagnose", "network_id"]

KeyKind = Literal["none", "new", "old", "old pair"]

# "New keys cannot authenticate here" (overview page).
OLD_HOSTS = ("clovastudio.apigw.ntruss.com", "clovastudio.apigw.gov-ntruss.com")


@dataclass(frozen=True, slots=True)
class Situation:
    """What a diagnosis needs to know besides the error."""

    host: str  # host and port of the requests
    key_kind: KeyKind = "new"
    source: str = "CLOVASTUDIO_API_KEY"  # the environment variable that holds the key
    region: str | None = None  # "public" or "gov"; None for another address
    quota: str = ""  # the model or tool whose quota counts
    model: str = ""  # the chat model
    proxy: str | None = None  # host and port, without credentials


def diagnose(error: ClovaStudioError, situation: Situation) -> Finding:
    """Return the finding for an error."""
    if isinstance(error, InvalidResponseError):
        return finding("not_the_service", error, host=situation.host, status=error.status_code)
    if isinstance(error, APIConnectionError):
        name = network_id(error, proxied=situation.proxy is not None)
        return finding(name, error, host=situation.host, proxy=situation.proxy or situation.host)
    if not isinstance(error, APIStatusError):
        return _other(error)
    row = lookup(error.code, error.message)
    name = row.finding if row else ""
    if isinstance(error, AuthenticationError):
        return _about_key(error, situation, name)
    if isinstance(error, PermissionDeniedError):
        return finding("forbidden", error)
    if isinstance(error, RateLimitError):
        name = name or "quota_used_up"
        return finding(name, error, quota=situation.quota, detail=_limits(error.rate_limit))
    if name:
        return finding(name, error, model=situation.model, message=error.message)
    if isinstance(error, NotFoundError):
        return finding("wrong_path", error)
    if isinstance(error, ServerError):
        return finding("service_error", error, status=error.status_code)
    return _other(error)


def _about_key(error: AuthenticationError, situation: Situation, name: str) -> Finding:
    if name in {"no_subscription", "token_expired"}:
        return finding(name, error)
    if situation.key_kind == "old":
        return finding("old_style_key", error, source=situation.source)
    if situation.key_kind == "old pair":
        return finding("wrong_pair", error)
    if situation.host in OLD_HOSTS:
        return finding("old_host", error, host=situation.host)
    if name:
        return finding(name, error, code=error.code)
    if "service app" in error.message.lower():
        return finding("service_key_without_app", error)
    if situation.region == "gov":
        return finding("wrong_key", error, other="public", other_ko="민간(public)", region="public")
    return finding("wrong_key", error, other="government", other_ko="공공기관(gov)", region="gov")


def _other(error: ClovaStudioError) -> Finding:
    english, _, korean = (getattr(error, "hint", None) or "").partition(" / ")
    return finding(
        "refused_request",
        error,
        message=error.message,
        hint=english or "Look the code up in the troubleshooting pages of the API guide.",
        hint_ko=korean or english or "API 가이드의 문제 해결 문서에서 코드를 확인하세요.",
    )


def network_id(error: BaseException, *, proxied: bool) -> str:
    """Return the name of the finding for a connection that failed, from the error and its causes."""
    chain = list(_causes(error))
    classes = {cls for item in chain for cls in type(item).__mro__}
    names = {cls.__name__ for cls in classes}
    if ssl.SSLCertVerificationError in classes:
        return "tls_certificate"
    if ssl.SSLError in classes:
        return "tls"
    if "ProxyError" in names or (proxied and "ConnectError" in names):
        return "proxy"
    if socket.gaierror in classes:
        return "dns"
    if ConnectionRefusedError in classes:
        return "refused"
    numbers = {item.errno for item in chain if isinstance(item, OSError)}
    if numbers & {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}:
        return "no_route"
    return "timeout" if "TimeoutException" in names else "broken_connection"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _limits(limit: Any) -> str:
    """Return what the headers of a refusal report, as the end of a sentence."""
    if limit is None:
        return ""
    parts = []
    for what in ("requests", "tokens"):
        most, left, reset = (getattr(limit, f"{kind}_{what}") for kind in ("limit", "remaining", "reset"))
        if most is not None or left is not None or reset is not None:
            words = f"{what} {'?' if left is None else f'{left:,}'}/{'?' if most is None else f'{most:,}'}"
            parts.append(words if reset is None else f"{words}, reset {max(0.0, reset):g} s")
    return f" [{'; '.join(parts)}]" if parts else ""

"""What a browser asks before a page may use a server of another origin, and which pages may steer the emulator.

Source: the CORS protocol of the Fetch standard, and the special-use names of RFC 6761 and RFC 9476.
"""

import ipaddress
import re
from collections.abc import Collection, Mapping

ANY = "*"
_ORIGIN = re.compile(r"https?://[^/?#\s,@*]+\Z")
_EXPOSED = (
    "retry-after",
    *(f"x-ratelimit-{what}-{name}" for what in ("limit", "remaining", "reset") for name in ("requests", "tokens")),
    *("x-clova-emulator", "x-clova-emulator-hint"),
)
_METHODS = "GET, POST, PUT, DELETE, OPTIONS"
_REMEMBERED = "600"  # seconds for which a browser need not ask again
# Nobody can register a name that ends so. A name without a dot is one of a local network, such as a compose service.
_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".test")


def check_origins(origins: Collection[str]) -> tuple[str, ...]:
    """Check the origins whose pages may use the emulator: ``http://localhost:3000``, ``null`` or ``*``.

    Raises:
        ValueError: One of them is not an origin.
    """
    given = (origins,) if isinstance(origins, str) else tuple(origins)
    for origin in given:
        if not isinstance(origin, str) or (origin not in {ANY, "null"} and not _ORIGIN.match(origin)):
            raise ValueError(
                f"cors: {origin!r} is not an origin: write scheme and host without a path, such as "
                "http://localhost:3000, or * for every page"
            )
    return tuple(origin.lower() for origin in given)


def is_allowed(origin: str, origins: Collection[str]) -> bool:
    """Whether pages of an origin may use the emulator."""
    return ANY in origins or origin.lower() in origins


def cors_headers(headers: Mapping[str, str], origins: Collection[str]) -> dict[str, str]:
    """The headers with which an answer can be read by the page that asks; none when it may not."""
    origin = headers.get("origin")
    if origin is None or not is_allowed(origin, origins):
        return {}
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": ", ".join(_EXPOSED),
        "vary": "Origin",
    }


def preflight_headers(method: str, headers: Mapping[str, str], origins: Collection[str]) -> dict[str, str] | None:
    """The headers of the answer to a browser's question before a request; None when the request is no such question."""
    asked = method == "OPTIONS" and "access-control-request-method" in headers
    allowed = cors_headers(headers, origins) if asked else {}
    if not allowed:
        return None
    wanted = headers.get("access-control-request-headers", "")
    answer = {**allowed, "access-control-allow-methods": _METHODS, "access-control-max-age": _REMEMBERED}
    if wanted:
        answer["access-control-allow-headers"] = wanted
    if headers.get("access-control-request-private-network") == "true":
        answer["access-control-allow-private-network"] = "true"
    return answer


def foreign_page(headers: Mapping[str, str], origins: Collection[str]) -> str:
    """Why a request comes from a page that may not steer the emulator; empty when it may.

    A page elsewhere could post to a server on loopback, or let its own name lead there (DNS rebinding). The first shows
    in ``Origin``, the second in ``Host``.
    """
    host = headers.get("host", "")
    name = host_name(host)
    if not is_private(name):
        return f"the host {name!r} may be any page's name: use localhost, an address or a name of the local network"
    origin = headers.get("origin")
    if origin is None or origin.lower() in {f"http://{host}".lower(), f"https://{host}".lower()}:
        return ""
    if is_allowed(origin, origins):
        return ""
    return f"the origin {origin!r} is not allowed: start the emulator with --cors {origin}"


def host_name(host: str) -> str:
    """The name or address in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def is_private(name: str) -> bool:
    """Whether a name is an address or can only be one of a private network."""
    if not name or "." not in name:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.endswith(_PRIVATE_NAMES)
    return True

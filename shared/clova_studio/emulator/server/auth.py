"""Authentication: API keys as Bearer tokens, and the older pair of headers.

Source: the CLOVA Studio overview page (request headers, test and service keys) and recorded refusals.
"""

import re
from collections.abc import Mapping

from clova_studio.emulator.rules.refusals import Refusal
from clova_studio.emulator.server.state import Settings

_NEW_KEY = re.compile(r"nv-[A-Za-z0-9._~+/=-]+\Z")
_SECRET_HEADERS = frozenset(
    {
        *("authorization", "x-ncp-clovastudio-api-key", "x-ncp-apigw-api-key"),
        # What other services' clients send; here they open nothing, but are secrets all the same.
        *("api-key", "x-api-key", "proxy-authorization", "cookie"),
    }
)
_SECRET_FIELDS = frozenset({"api_key", "api-key", "apikey", "key", "token", "access_token"})


def redact(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with lower-case names and masked keys."""
    return {name.lower(): "***" if name.lower() in _SECRET_HEADERS else value for name, value in headers.items()}


def redact_query(query: Mapping[str, str]) -> dict[str, str]:
    """The fields of a query with masked keys."""
    return {name: "***" if name.lower() in _SECRET_FIELDS else value for name, value in query.items()}


def authenticate(headers: Mapping[str, str], prefix: str, settings: Settings, *, with_pair: bool = True) -> str:
    """Check the key of a request and return it; the OpenAI-compatible paths do not accept the older pair of headers."""
    bearer, facts = headers.get("authorization"), settings.facts
    if bearer is None:
        studio, gateway = headers.get("x-ncp-clovastudio-api-key", ""), headers.get("x-ncp-apigw-api-key", "")
        if not studio or not gateway or not with_pair:  # half of the pair is not a credential
            raise Refusal("40100")
        key, known_form = studio, True
    else:
        scheme, _, key = bearer.partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer":
            raise Refusal("40102")
        if not key:
            raise Refusal("40100")
        known_form = _NEW_KEY.match(key) is not None
    accepted = settings.api_keys
    if not known_form or (accepted is not None and key not in accepted):
        # The page writes "Invalid key", the recorded answer "Invalid Key".
        raise Refusal("40104", facts["invalid-key-message"])
    if prefix == "testapp" and bearer is not None and not facts.takes("testapp-bearer"):
        raise Refusal("40100")
    kind = accepted[key] if isinstance(accepted, Mapping) else None
    if kind == "unregistered":
        # A service key whose service app is not approved: the message was recorded with 401 but without its code; the
        # "4xx" troubleshooting page lists "service app not registered" under 40100.
        raise Refusal("40100", "No Service App" if facts.observed else None)
    if kind is not None and prefix and kind != prefix.removesuffix("app"):
        # "Test key: everything except service apps; service key: only registered service apps" (overview page). The
        # page names no code; of a test key on /serviceapp the HTTP status 400 was reported.
        raise Refusal(facts["serviceapp-test-key"] if prefix == "serviceapp" else "40100")
    return key

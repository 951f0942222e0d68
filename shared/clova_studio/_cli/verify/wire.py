"""Sends the requests of the checks as they are, among them those that the client would refuse before sending."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clova_studio import APIConnectionError
from clova_studio._cli._terminal import hide
from clova_studio._config import make_request_id
from clova_studio._rate_limits.estimates import estimate_tokens
from clova_studio._rate_limits.headers import parse_rate_limit, parse_retry_after
from clova_studio._responses import transport_error
from clova_studio._transport import make_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio._config import Config

__all__ = ["Reply", "Request", "Sender"]

# Bytes of an answer that are read; none of the checks' own is near it.
_MOST = 4 * 1024 * 1024
# Seconds for a whole answer, however slowly it comes.
_LONGEST = 120.0
_UNKNOWN_KEY = "nv-clova-studio-verify-unknown-key"
_TOO_MANY = 429
# Seconds to wait for a quota whose refusal does not say how long; the known window has sixty.
_UNSAID = 20.0
_CODE = re.compile(r"[0-9]{3,6}")
_SUCCESS = {"20000", "20400"}


@dataclass(frozen=True)
class Request:
    """One request, whole: nothing in it comes from the user."""

    path: str
    body: str  # JSON
    stream: bool = False
    output: int = 0  # the largest number of tokens that the answer may have
    images: int = 0
    prefixed: bool = True  # whether the path prefix of the user's app belongs before the path
    unknown_key: bool = False

    @property
    def tokens(self) -> int:
        """About how many tokens it can use: the input and the largest output. Token calculators use none."""
        if "tokenize" in self.path or self.unknown_key:
            return 0
        return estimate_tokens(self.body) + 1_700 * self.images + self.output

    def words(self) -> dict[str, Any]:
        """Return what is sent, for a report."""
        return {"method": "POST", "path": self.path, "stream": self.stream, "body": json.loads(self.body)}


@dataclass(frozen=True)
class Reply:
    """What came."""

    status: int
    headers: dict[str, str]
    raw: bytes
    body: Any = None  # parsed JSON; None for a stream and for what is not JSON

    @property
    def code(self) -> str:
        """The code of the service, of either form of the error; empty without one."""
        for holder in (self._part("status"), self._part("error")):
            if holder.get("code") is not None:
                code = str(holder["code"])
                # Five digits; whatever else stands there goes into no report.
                return code if _CODE.fullmatch(code) else "another code"
        return ""

    @property
    def message(self) -> str:
        """The message of the service."""
        found = self._part("status").get("message") or self._part("error").get("message")
        return found if isinstance(found, str) else ""

    @property
    def ok(self) -> bool:
        """Whether it is a success, which an answer with HTTP 200 and another code is not."""
        return self.status == 200 and (not self.code or self.code in _SUCCESS)  # noqa: PLR2004  the HTTP status

    @property
    def result(self) -> dict[str, Any]:
        """The result of a native answer; empty without one."""
        return self._part("result")

    @property
    def compatible_message(self) -> dict[str, Any]:
        """The message of an OpenAI-compatible answer; empty without one."""
        choices = self.field("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, dict) else None
        return message if isinstance(message, dict) else {}

    def field(self, name: str) -> Any:
        """Return a field of the answer; None without one."""
        return self.body.get(name) if isinstance(self.body, dict) else None

    @property
    def limits(self) -> dict[str, str]:
        """The headers that report a quota."""
        return {name: value for name, value in self.headers.items() if name.startswith("x-ratelimit-")}

    def remaining(self, what: str) -> int | None:
        """Return how many ``requests`` or ``tokens`` are left, by the headers."""
        limit = parse_rate_limit(self.headers)
        found = None if limit is None else getattr(limit, f"remaining_{what}")
        return found if isinstance(found, int) else None

    @property
    def wait(self) -> float | None:
        """Seconds until the quota opens, by the headers."""
        limit = parse_rate_limit(self.headers)
        resets = () if limit is None else (limit.reset_requests, limit.reset_tokens)
        known = [value for value in (parse_retry_after(self.headers), *resets) if value is not None and value >= 0]
        return max(known, default=None)

    def _part(self, name: str) -> dict[str, Any]:
        value = self.field(name)
        return value if isinstance(value, dict) else {}


@dataclass
class Sender:
    """Sends each request once: checks that look at the same answer share it."""

    config: Config
    timeout: float
    patience: float  # seconds to wait, in all, for quotas that are used up
    on_wait: Callable[[float], None] = lambda _: None
    sent: int = 0
    tokens: int = 0  # that the answers reported as used
    emulated: bool = False  # whether the emulator answered
    limited: list[Reply] = field(default_factory=list)  # refusals of a quota
    _known: dict[Request, Reply] = field(default_factory=dict)

    def __post_init__(self) -> None:
        hide(_UNKNOWN_KEY)
        self._http = make_client()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, request: Request) -> Reply:
        """Return the answer to a request; a used-up quota is waited for, as long as the patience lasts.

        Raises:
            APIConnectionError: No answer came.
        """
        if request in self._known:
            return self._known[request]
        reply = self.ask_again(request)
        while reply.status == _TOO_MANY and self.patience > 0:
            self.limited.append(reply)
            wait = min(self.patience, max(0.05, _UNSAID if reply.wait is None else reply.wait))
            self.patience -= wait
            self.on_wait(wait)
            time.sleep(wait)
            reply = self.ask_again(request)
        if reply.status == _TOO_MANY:
            self.limited.append(reply)
        self._known[request] = reply
        return reply

    def ask_again(self, request: Request) -> Reply:
        """Send a request, even if it was sent before, and return its answer."""
        request_id = make_request_id()
        headers = {
            "Accept": "text/event-stream" if request.stream else "application/json",
            "Content-Type": "application/json",
            "X-NCP-CLOVASTUDIO-REQUEST-ID": request_id,
        }
        compatible = request.path.startswith("/v1/openai/")
        built = self._http.build_request(
            "POST",
            self.config.url(request.path, prefixed=request.prefixed and not compatible),
            headers=headers,
            content=request.body.encode(),
            timeout=self.timeout,
        )
        if request.unknown_key:
            built.headers["Authorization"] = f"Bearer {_UNKNOWN_KEY}"
        else:
            self.config.authorize(built)
        self.sent += 1
        try:
            response = self._http.send(built, stream=True)
            try:
                raw = self._read(response)
            finally:
                response.close()
        except Exception as exc:
            error = transport_error(exc, request_id)
            if error is None:
                raise
            # Without its cause, which holds the request.
            raise error from None
        found = {name.lower(): value for name, value in response.headers.items()}
        reply = Reply(response.status_code, found, raw, _parsed(raw))
        self.tokens += _used(reply)
        self.emulated = self.emulated or "x-clova-emulator" in found
        return reply

    @staticmethod
    def _read(response: Any) -> bytes:
        raw, end = bytearray(), time.monotonic() + _LONGEST
        for piece in response.iter_bytes():
            raw += piece
            if len(raw) > _MOST:
                raise APIConnectionError("the answer is longer than any answer to these checks can be")
            if time.monotonic() > end:
                raise APIConnectionError(f"the answer takes more than {_LONGEST:g} s")
        return bytes(raw)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _used(reply: Reply) -> int:
    """Return the tokens that an answer reports as used."""
    usages = [reply.result.get("usage"), reply.field("usage")]
    for usage in usages:
        if isinstance(usage, dict):
            total = usage.get("totalTokens", usage.get("total_tokens"))
            if isinstance(total, int):
                return total
    lengths = [reply.result.get(name) for name in ("inputLength", "outputLength", "inputTokens")]
    return sum(value for value in lengths if isinstance(value, int))

"""The errors of the client, one tree with one root.

::

    ClovaStudioError
    ├── ConfigurationError            wrong use, found before sending: names the parameters and the rule
    ├── APIConnectionError
    │   ├── APITimeoutError
    │   └── InvalidResponseError      200 with HTML, a truncated body or no envelope
    ├── APIStatusError                .status_code .code .message .request_id .retry_after .body .hint
    │   ├── BadRequestError
    │   │   ├── ContextLengthError    40003 "Context length exceeded" / "Text too long", 64400, 65400
    │   │   └── UnsupportedFunctionError   40009 "Unsupported function"
    │   ├── AuthenticationError   PermissionDeniedError
    │   ├── NotFoundError             404, and 40080, 40082, 40084
    │   ├── RateLimitError            429, 64429
    │   └── ServerError               5xx and the 6xxxx server codes
    ├── StreamError
    │   └── StreamInterruptedError    after the first event: cut, or an error event
    └── TuningTaskError               a tuning task that was waited for has failed

An answer is classified by its five-digit code first and by its HTTP status second. No error holds a request, a
header or a key; all of them can be pickled.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from clova_studio._error_codes import hint_for, lookup
from clova_studio._secrets import mask

if TYPE_CHECKING:
    from clova_studio.types._base import RateLimit

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ClovaStudioError",
    "ConfigurationError",
    "ContextLengthError",
    "InvalidResponseError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "ServerError",
    "StreamError",
    "StreamInterruptedError",
    "TuningTaskError",
    "UnsupportedFunctionError",
    "closes_quota",
    "is_retryable",
    "redact",
    "status_error",
]


_LONGEST_MESSAGE = 2_000
# Of a message so much is read: masks are shorter than what they stand for, and masking takes time for all of a text.
_READ_OF_MESSAGE = 4 * _LONGEST_MESSAGE
# An HTTP status and two digits more, as documented.
_CODE = re.compile(r"[45][0-9]{4}")
_KEY = re.compile(r"nv-[0-9A-Za-z_-]{4,}")


def redact(text: str, *, cut: bool = False) -> str:
    """Return a text with every secret of a client or a request masked, and whatever else looks like an API key.

    Args:
        text: Any text.
        cut: Whether it is the beginning of a longer one, so that a secret may be cut off at its end.
    """
    return _KEY.sub("nv-***", mask(text, cut=cut))


class ClovaStudioError(Exception):
    """Root of every error that this package raises.

    Attributes:
        message: What happened and what to do, without secrets; of a longer one the first 2,000 characters.
        request_id: The id that went with the request as ``X-NCP-CLOVASTUDIO-REQUEST-ID``; None before sending.
        partial: What had arrived before the error: a partial result for streams; for work of several requests, such as
            ``embed_many``, a list with each result or error at its index; None where nothing can have arrived.
    """

    def __init__(self, message: str, *, request_id: str | None = None, partial: Any = None) -> None:
        length = len(message)
        # A key in the wrong argument must not show in the message about that argument.
        message = redact(message[:_READ_OF_MESSAGE], cut=length > _READ_OF_MESSAGE)
        if length > _READ_OF_MESSAGE or len(message) > _LONGEST_MESSAGE:
            message = f"{message[:_LONGEST_MESSAGE]}... ({length:,} characters)"
        super().__init__(message)
        self.message = message
        self.request_id = request_id
        self.partial = partial

    def __str__(self) -> str:
        return f"{self.message} [request id {self.request_id}]" if self.request_id else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # The default rebuilds with ``args`` alone and would lose, or fail on, the keyword-only facts. These come last:
        # ``partial`` may hold the error itself.
        return _rebuild, (type(self), self.args), self.__dict__


def _rebuild(cls: type[ClovaStudioError], args: tuple[Any, ...]) -> ClovaStudioError:
    error = cls.__new__(cls)
    error.args = args
    return error


class ConfigurationError(ClovaStudioError):
    """Wrong use, found before anything was sent; the message names the parameter, the rule and the way out."""


class APIConnectionError(ClovaStudioError):
    """The service could not be reached, or the connection broke before an answer was complete.

    Attributes:
        sent: Whether the request may have reached the service; False where no connection was made.
    """

    sent = True


class APITimeoutError(APIConnectionError):
    """The service did not answer, or a stream stood still, for longer than the timeout."""


class InvalidResponseError(APIConnectionError):
    """What came back is not an answer of the service: HTML of a gateway, a truncated body, no envelope.

    Attributes:
        status_code: The HTTP status of the answer, if one had arrived.
        body: The first 500 characters of what arrived.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        body: str = "",
        request_id: str | None = None,
        partial: Any = None,
    ) -> None:
        super().__init__(message, request_id=request_id, partial=partial)
        self.status_code = status_code
        self.body = body


class APIStatusError(ClovaStudioError):
    """The service answered with an error.

    Attributes:
        status_code: The HTTP status; 200 where the error came in the body or the stream of a 200.
        code: The five-digit code of the service as a string, None where the answer had none.
        retry_after: Seconds to wait as the answer's headers gave them, None where they did not.
        rate_limit: What the ``x-ratelimit-*`` headers said (``clova_studio.RateLimit``), None where there were none.
        body: The answer as parsed JSON, or the first 500 characters of anything else and of more than 20,000 bytes.
        hint: One sentence in English and one in Korean on what to do, None for codes without a documented remedy.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        code: str | None = None,
        retry_after: float | None = None,
        body: Any = None,
        request_id: str | None = None,
        partial: Any = None,
    ) -> None:
        super().__init__(message, request_id=request_id, partial=partial)
        self.status_code = status_code
        self.code = code
        self.retry_after = retry_after
        self.rate_limit: RateLimit | None = None
        self.body = body
        self.hint = hint_for(code, self.message)

    def add_hint(self, more: str) -> None:
        """Add to the hint.

        Args:
            more: A sentence in English and one in Korean, with `` / `` between them.
        """
        if self.hint is None:
            self.hint = more
            return
        pairs = zip(self.hint.split(" / ", 1), more.split(" / ", 1), strict=True)
        self.hint = " / ".join(f"{said} {added}" for said, added in pairs)

    def __str__(self) -> str:
        facts = [f"HTTP {self.status_code}"]
        if self.code:
            facts.append(f"code {self.code}")
        if self.retry_after is not None:
            facts.append(f"retry after {self.retry_after:g} s")
        if self.request_id:
            facts.append(f"request id {self.request_id}")
        text = f"{self.message} [{', '.join(facts)}]"
        return f"{text} {self.hint}" if self.hint else text


class BadRequestError(APIStatusError):
    """The service refused the request as it is; sending it again does not help."""


class ContextLengthError(BadRequestError):
    """Input and requested output together are longer than the model or the tool takes."""


class UnsupportedFunctionError(BadRequestError):
    """40009 "Unsupported function": a feature that the model lacks, or trouble with tools.

    With tools the model invented one, or their declarations are too long for it (observed, not documented); the same
    request can pass later. See ``hint``.
    """


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong, of the wrong kind for this path, or without a subscription."""


class PermissionDeniedError(APIStatusError):
    """403: the key is good, but not for this."""


class NotFoundError(APIStatusError):
    """The path, the task or the model does not exist, is retired, or is not served by this API."""


class RateLimitError(APIStatusError):
    """429: the requests or the tokens per minute of the account are used up, or the service is overloaded.

    Also raised without sending when the quota is known to stay closed for longer than ``max_wait``.
    """


class ServerError(APIStatusError):
    """The service, or a gateway in front of it, failed."""


class StreamError(ClovaStudioError):
    """A stream was used in a way it cannot serve, or ended wrongly."""


class StreamInterruptedError(StreamError):
    """A stream broke after its first event: it was cut, stood still, or carried an error event.

    What had arrived is on ``partial``. The cause is on ``__cause__``.

    Attributes:
        code: The five-digit code of the error event, None where the connection broke.
        hint: What to do, as on ``APIStatusError``.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        request_id: str | None = None,
        partial: Any = None,
    ) -> None:
        super().__init__(message, request_id=request_id, partial=partial)
        self.code = code
        self.hint = hint_for(code, message)


class TuningTaskError(ClovaStudioError):
    """A tuning task that was waited for has failed. The task is on ``partial``.

    Attributes:
        reason: The service's reason, such as ``file.format`` or ``resource.timeout``; None where it gave none.
    """

    def __init__(
        self, message: str, *, reason: str | None = None, request_id: str | None = None, partial: Any = None
    ) -> None:
        super().__init__(message, request_id=request_id, partial=partial)
        self.reason = reason


_REQUEST_TIMEOUT = 408
_NOT_IMPLEMENTED = 501
_BY_STATUS: dict[int, type[APIStatusError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: APIStatusError,
    429: RateLimitError,
}


def _error_class(status_code: int, code: str | None, message: str) -> type[APIStatusError]:
    """Return the class for an answer: the code decides, the HTTP status only where there is no known code."""
    row = lookup(code, message)
    if row is not None:
        return cast("type[APIStatusError]", globals()[row.error])
    status = status_code
    if code and _CODE.fullmatch(code):
        status = int(code[:3])
    elif code and code[0] == "6":
        # Router and skill codes: their digits are not an HTTP status.
        return ServerError if status_code >= 500 else BadRequestError  # noqa: PLR2004
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:  # noqa: PLR2004
        return ServerError
    return BadRequestError if 400 <= status < 500 else APIStatusError  # noqa: PLR2004


def status_error(
    message: str,
    *,
    status_code: int,
    code: str | None = None,
    retry_after: float | None = None,
    body: Any = None,
    request_id: str | None = None,
) -> APIStatusError:
    """Return the error of the right class for an answer of the service.

    Args:
        message: The message of the service, as it came.
        status_code: The HTTP status.
        code: The five-digit code, if there was one.
        retry_after: Seconds from the answer's headers, if any.
        body: The answer, parsed where it is JSON.
        request_id: The id of the request.
    """
    cls = _error_class(status_code, code, message[:_LONGEST_MESSAGE])
    return cls(message, status_code=status_code, code=code, retry_after=retry_after, body=body, request_id=request_id)


def closes_quota(error: BaseException) -> bool:
    """Return whether a failure says that the account's quota is used up, for every caller."""
    if not isinstance(error, RateLimitError):
        return False
    row = lookup(error.code, error.message)
    return row is None or row.closes_quota


def is_retryable(error: BaseException, *, idempotent: bool = True) -> bool:
    """Return whether sending the same request again can help and does no harm.

    Args:
        error: The failure.
        idempotent: Whether a request that the service may have begun can be repeated. Otherwise only a refusal for the
            quota and a connection that was not made are worth another attempt.
    """
    if isinstance(error, APIConnectionError):
        return idempotent or not error.sent
    if not isinstance(error, APIStatusError) or not (idempotent or isinstance(error, RateLimitError)):
        return False
    row = lookup(error.code, error.message)
    if row is not None:
        return row.retry
    if isinstance(error, ServerError):
        return error.status_code != _NOT_IMPLEMENTED
    return isinstance(error, RateLimitError) or (error.status_code == _REQUEST_TIMEOUT and error.code is None)

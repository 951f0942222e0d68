"""From an HTTP answer to a result or an error. Pure: bytes and headers in, a value or an exception out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from clova_studio._errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    ClovaStudioError,
    InvalidResponseError,
    NotFoundError,
    redact,
    status_error,
)
from clova_studio._rate_limits.headers import parse_rate_limit, parse_retry_after
from clova_studio._requests.call import Nothing
from clova_studio._requests.messages import callers_index
from clova_studio._secrets import mask_chain, mask_parsed
from clova_studio.types._base import Result, WireModel
from clova_studio.types._json import deeper_than, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from clova_studio._requests.call import Call
    from clova_studio._streaming.sse import ServerSentEvent

__all__ = [
    "envelope_of",
    "error_in",
    "parse_payload",
    "parse_response",
    "refuse_error_event",
    "transport_error",
    "unreadable",
]

ResultT = TypeVar("ResultT", bound=Result)

_SUCCESS = "20000"
_NO_CONTENT = "20400"
_SNIPPET = 500
_LONGEST_CODE = 64
# Of what an error keeps as parsed JSON, in bytes and in levels.
_LONGEST_BODY = 20_000
_DEEPEST_BODY = 50
# What the HTTP library raises while it waits for a connection: nothing of the request is written then.
_BEFORE_SENDING = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"})


class _Status(WireModel):
    code: str | int | None = None
    message: str | None = None


_envelopes: dict[type[Result], type[BaseModel]] = {}


def envelope_of(result_type: type[ResultT]) -> type[BaseModel]:
    """Return the model of a whole answer whose result is of the given type; each is built once."""
    envelope = _envelopes.get(result_type)
    if envelope is None:
        envelope = _envelopes[result_type] = type(
            f"{result_type.__name__}Envelope",
            (WireModel,),
            {"__annotations__": {"status": _Status, "result": result_type}, "__module__": __name__},
        )
    return envelope


def parse_response(status_code: int, headers: Mapping[str, str], body: bytes, call: Call[ResultT]) -> ResultT:
    """Return the result that an answer holds.

    Args:
        status_code: The HTTP status.
        headers: The headers, looked up in lower case.
        body: The whole body.
        call: What was asked.

    Raises:
        APIStatusError: The service answered with an error, also inside an HTTP 200.
        InvalidResponseError: The answer is not one of the service, or cannot be read for any other reason.
    """
    try:
        return _parse(status_code, headers, body, call)
    except APIStatusError as error:
        if call.model_hint and _is_about_model(error):
            error.add_hint(call.model_hint)
        if index_hint := callers_index(error.message, call.body):
            error.add_hint(index_hint)
        raise
    except ClovaStudioError:
        raise
    except Exception as exc:
        raise unreadable(exc, call.request_id, status_code) from exc


def _is_about_model(error: APIStatusError) -> bool:
    return isinstance(error, NotFoundError) or (isinstance(error, BadRequestError) and "model" in error.message.lower())


def unreadable(exc: Exception, request_id: str, status_code: int = 200) -> InvalidResponseError:
    """Return the error for what escaped while an answer was read: one odd answer must not cost a whole batch."""
    return InvalidResponseError(
        f"the answer cannot be read: {_described(exc)}", status_code=status_code, request_id=request_id
    )


def _parse(status_code: int, headers: Mapping[str, str], body: bytes, call: Call[ResultT]) -> ResultT:
    if status_code >= 300:  # noqa: PLR2004
        raise error_in(status_code, headers, body, call.request_id)
    try:
        if call.native:
            envelope: Any = envelope_of(call.result_type).model_validate_json(body)
            if str(envelope.status.code) not in {_SUCCESS, _NO_CONTENT}:
                raise error_in(status_code, headers, body, call.request_id)
            result: ResultT = envelope.result
        else:
            result = call.result_type.model_validate_json(body)
    except ValidationError:
        result = _explain_misfit(status_code, headers, body, call)
    if call.check is not None and (wrong := call.check(result)) is not None:
        raise InvalidResponseError(
            f"HTTP {status_code} with a result that cannot be right: {wrong}",
            status_code=status_code,
            body=_snippet(body),
            request_id=call.request_id,
        )
    result.request_id = call.request_id
    result.rate_limit = parse_rate_limit(headers)
    return result


def _explain_misfit(status_code: int, headers: Mapping[str, str], body: bytes, call: Call[ResultT]) -> ResultT:
    """Tell apart why a 2xx answer does not fit: an error in it, no content, or nonsense."""
    code, _ = _status_of(_json_or_none(body))
    if code is not None and code not in {_SUCCESS, _NO_CONTENT}:
        raise error_in(status_code, headers, body, call.request_id)
    empty = getattr(call.result_type, "without_content", None)
    # HTTP 204 has no body at all; with code 20400 the result is missing or null. An API that answers with a status
    # alone has nothing else to say with 20000 either.
    no_content = code == _NO_CONTENT or (status_code == 204 and not body.strip())  # noqa: PLR2004
    if empty is not None and (no_content or (code == _SUCCESS and call.result_type is Nothing)):
        return empty()  # type: ignore[no-any-return]  # a classmethod of the result type
    raise InvalidResponseError(
        _nonsense(status_code, headers, body, call.result_type.__name__),
        status_code=status_code,
        body=_snippet(body),
        request_id=call.request_id,
    )


def error_in(status_code: int, headers: Mapping[str, str], body: bytes, request_id: str) -> ClovaStudioError:
    """Return the error that an answer means.

    Reads the envelope of the native API and ``{"error": {...}}`` of the OpenAI-compatible one; anything else (a gateway
    in front) is classified by its HTTP status.
    """
    parsed = _json_or_none(body)
    code, message = _status_of(parsed)
    if code is None and status_code < 300:  # noqa: PLR2004
        return InvalidResponseError(
            _nonsense(status_code, headers, body, "answer"),
            status_code=status_code,
            body=_snippet(body),
            request_id=request_id,
        )
    if message is None:
        message = f"HTTP {status_code} without a message of the service"
        if status_code < 400:  # noqa: PLR2004
            message = f"HTTP {status_code}, a redirect, is not followed: give the service's own address as base_url"
    error = status_error(
        message,
        status_code=status_code,
        code=code,
        retry_after=parse_retry_after(headers),
        body=_kept(parsed, body),
        request_id=request_id,
    )
    error.rate_limit = parse_rate_limit(headers)
    return error


def parse_payload(model: type[ResultT], data: bytes, request_id: str) -> ResultT:
    """Return the payload of a stream event.

    Raises:
        APIStatusError: The payload is an error envelope.
        InvalidResponseError: The payload is not what the event should carry.
    """
    try:
        return model.model_validate_json(data)
    except ValidationError:
        pass
    parsed = _json_or_none(data)
    code, message = _status_of(parsed)
    if code is not None:
        # The HTTP status of the stream was 200; the code says what it would have been.
        raise status_error(
            message or "error event without a message",
            status_code=200,
            code=code,
            body=_kept(parsed, data),
            request_id=request_id,
        )
    raise InvalidResponseError(
        "an event of the stream is not valid JSON of the service",
        status_code=200,
        body=_snippet(data),
        request_id=request_id,
    )


def refuse_error_event(event: ServerSentEvent, request_id: str) -> None:
    """Raise the error that an event carries: it is named ``error``, or its data is the envelope of either API.

    Raises:
        APIStatusError: The event is an error of the service.
        InvalidResponseError: It is called an error and says nothing that can be read.
    """
    enveloped = event.data.startswith((b'{"status"', b'{"error"'))
    if event.event == "error" or enveloped:
        parsed = _json_or_none(event.data)
        code, message = _status_of(parsed)
        if code is None and event.event != "error":
            return
        if code is None:
            raise InvalidResponseError(
                "an error event without a code", status_code=200, body=_snippet(event.data), request_id=request_id
            )
        raise status_error(
            message or "error event without a message",
            status_code=200,
            code=code,
            body=_kept(parsed, event.data),
            request_id=request_id,
        )


def transport_error(exc: Any, request_id: str) -> ClovaStudioError | None:
    """Return the error for an exception of the HTTP library, or None if it is not one.

    By the names of its classes, so that a caller's httpx2 client works like an httpx one. The exception's request,
    which holds the key, is taken off it: it stays on as ``__cause__``.
    """
    names = {cls.__name__ for cls in type(exc).__mro__}
    if "HTTPError" not in names and "StreamError" not in names and "InvalidURL" not in names:
        return None
    if hasattr(exc, "_request"):
        exc._request = None  # noqa: SLF001  its public setter does the same and differs between the two libraries
    mask_chain(exc)
    if "TimeoutException" in names:
        error: APIConnectionError = APITimeoutError(
            f"{_described(exc)}: no answer within the time limit", request_id=request_id
        )
    else:
        error = APIConnectionError(_described(exc), request_id=request_id)
    if not names.isdisjoint(_BEFORE_SENDING):
        error.sent = False
    return error


def _described(exc: BaseException) -> str:
    text = str(exc)
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__


def _json_or_none(body: bytes) -> Any:
    try:
        text = body.decode("utf-8-sig")
        if len(body) > _LONGEST_BODY:
            # No error keeps it: `_status_of` and the error mask the little that is taken from it.
            return parse_json(text)
        # Some gateways repeat the key that they refuse, and JSON can write it in many ways.
        return mask_parsed(parse_json(redact(text)))
    except ValueError:
        return None


def _kept(parsed: Any, body: bytes) -> Any:
    """Return what an error keeps of its answer: the parsed JSON, or the start of a body that is not JSON or too big."""
    if parsed is None or len(body) > _LONGEST_BODY or deeper_than(_DEEPEST_BODY, parsed):
        return _snippet(body)
    return parsed


def _status_of(parsed: Any) -> tuple[str | None, str | None]:
    """Return code and message of an envelope of either API."""
    if isinstance(parsed, dict):
        for name in ("status", "error"):
            status = parsed.get(name)
            if isinstance(status, dict) and isinstance(code := status.get("code"), (str, int)):
                message = status.get("message")
                text = str(code)
                code = redact(text[:_LONGEST_CODE], cut=len(text) > _LONGEST_CODE)
                return code, message if isinstance(message, str) else None
    return None, None


def _snippet(body: bytes) -> str:
    start = body[: _SNIPPET * 4]
    return redact(start.decode("utf-8", "replace"), cut=len(start) < len(body))[:_SNIPPET]


def _nonsense(status_code: int, headers: Mapping[str, str], body: bytes, wanted: str) -> str:
    kind = headers.get("content-type", "no content type")[:100]
    if not body.strip():
        return f"HTTP {status_code} with an empty body instead of a JSON {wanted}"
    return f"HTTP {status_code} with {len(body)} bytes of {kind}, not a JSON {wanted} (cut off, or not the service)"

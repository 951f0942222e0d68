"""What one request to one API is, and the checks that many of them share."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from clova_studio._config import check_request_id, headers_of_call, make_request_id
from clova_studio._errors import ConfigurationError
from clova_studio._rate_limits.estimates import estimate_body_tokens
from clova_studio.types._base import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clova_studio._secrets import Secrets

__all__ = [
    "MAX_BODY_BYTES",
    "Call",
    "Nothing",
    "fresh_or_given",
    "post",
    "present",
]

ResultT = TypeVar("ResultT", bound=Result)

_CAPS = ("maxTokens", "maxCompletionTokens", "max_tokens", "max_completion_tokens")

MAX_BODY_BYTES = 50 * 1024 * 1024


class Nothing(Result):
    """The result of an API that answers with a status alone."""

    @classmethod
    def without_content(cls) -> Nothing:
        """Return the result, which has no content."""
        return cls()


@dataclass(frozen=True, slots=True)
class Call(Generic[ResultT]):
    """One request to one API, without address and key.

    Attributes:
        method: The HTTP method.
        path: The path without prefix, percent-encoded, with its query.
        body: The body, None for a request without one. Not in the repr: it may hold Object Storage keys.
        result_type: The type of the answer's ``result``.
        quota: The name of the quota that it counts on: the model or the tool.
        in_doubt: For a call that is not idempotent: what the service may have done if a request reached it and no
            result came, and how to check. Empty for an idempotent call, which can be retried.
        native: Whether the answer has the native envelope and the path takes the ``testapp``/``serviceapp`` prefix.
            The OpenAI-compatible paths have neither.
        gone_is_done: Whether "not found" on a retry means that an earlier attempt did the work.
        assembler: Makes the assembler of a streamed answer from the request id; None for an API that is not streamed.
        check: Returns what is wrong with a parsed result, None if nothing is.
        request_id: The id that goes with all attempts of the call.
        timeout: Time limits of this call, None for the client's.
        headers: Headers of this call besides the client's, checked; they take precedence. Not in the repr, either.
        default_output: The output cap in tokens that the service applies when the body sets none.
        model_hint: What to add to a refusal of its model, in English and Korean; empty for nothing.
        secrets: Values of the body and the headers that are masked in errors.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    body: Mapping[str, Any] | None = field(repr=False)
    result_type: type[ResultT]
    quota: str
    in_doubt: str = ""
    native: bool = True
    gone_is_done: bool = False
    assembler: Callable[[str], Any] | None = None
    check: Callable[[ResultT], str | None] | None = None
    request_id: str = field(default_factory=make_request_id)
    timeout: Any = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    default_output: int = 0
    model_hint: str = ""
    secrets: Secrets | None = field(default=None, repr=False, compare=False)

    def input_tokens(self) -> int:
        """Return an estimate of the tokens in the input."""
        return estimate_body_tokens(self.body or {})

    def output_tokens(self) -> int:
        """Return the output cap in tokens: the service counts it in full, however short the answer is."""
        body = self.body or {}
        for name in _CAPS:
            cap = body.get(name)
            if isinstance(cap, int):
                return cap
        return self.default_output

    def content(self) -> bytes | None:
        """Return the body as JSON in UTF-8.

        Raises:
            ConfigurationError: The body cannot be written as JSON in UTF-8, or is over 50 MB.
        """
        if self.body is None:
            return None
        content = None
        try:
            content = json.dumps(self.body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except UnicodeEncodeError:
            pass  # the exception holds the whole request, so no error of ours is chained to it
        except (TypeError, ValueError, RecursionError) as exc:
            raise ConfigurationError(f"the request cannot be written as JSON: {exc}") from exc
        if content is None:
            raise ConfigurationError(
                "the request holds half of a surrogate pair, which is not text: decode the source with errors='replace'"
            )
        if len(content) > MAX_BODY_BYTES:
            raise ConfigurationError(
                f"the request has {len(content) >> 20} MB, the service takes 50: send images as URLs, or fewer of them"
            )
        return content


def fresh_or_given(request_id: str | None) -> str:
    """Return the caller's request id, checked, or a fresh one."""
    return make_request_id() if request_id is None else check_request_id(request_id)


def present(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body without the fields that are None, for which the service has defaults."""
    return {name: value for name, value in body.items() if value is not None}


def post(
    path: str,
    body: Mapping[str, Any],
    result_type: type[ResultT],
    *,
    quota: str,
    request_id: str | None,
    timeout: Any,
    headers: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Call[ResultT]:
    """Return a POST request; ``fields`` are the other fields of ``Call``."""
    checked = headers_of_call(headers)
    if checked is not None:
        fields["headers"], fields["secrets"] = checked
    given = fresh_or_given(request_id)
    return Call("POST", path, body, result_type, quota=quota, request_id=given, timeout=timeout, **fields)

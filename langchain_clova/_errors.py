"""Errors that are both the client's and LangChain's, and the translation of the client's errors to them.

Each class inherits from an error of ``clova_studio`` and from one of langchain-core's ``ModelError`` family, so that
``except clova_studio.RateLimitError`` and LangChain's retry, fallback and summarization middleware (which look at
``ModelError.is_retryable`` and ``ContextOverflowError``) see the same exception. A translated error has every
attribute, the cause and the traceback of the original, and can be pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

from clova_studio import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClovaStudioError,
    ConfigurationError,
    ContextLengthError,
    InvalidResponseError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StreamError,
    StreamInterruptedError,
    UnsupportedFunctionError,
)

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "ClovaAPIConnectionError",
    "ClovaAPIStatusError",
    "ClovaAPITimeoutError",
    "ClovaAuthenticationError",
    "ClovaBadRequestError",
    "ClovaConfigurationError",
    "ClovaContextLengthError",
    "ClovaInvalidResponseError",
    "ClovaModelError",
    "ClovaNotFoundError",
    "ClovaPermissionDeniedError",
    "ClovaRateLimitError",
    "ClovaServerError",
    "ClovaStreamError",
    "ClovaStreamInterruptedError",
    "ClovaUnsupportedFunctionError",
    "langchain_errors",
    "translated",
]


class ClovaModelError(ClovaStudioError, ModelError):
    """An error of the client that has no more specific class."""


class ClovaConfigurationError(ConfigurationError, ModelInvalidRequestError):
    """Wrong use, found before anything was sent."""


class ClovaAPIConnectionError(APIConnectionError, ModelConnectionError):
    """The service could not be reached, or the connection broke."""


class ClovaAPITimeoutError(APITimeoutError, ModelTimeoutError):
    """The service did not answer in time."""


class ClovaInvalidResponseError(InvalidResponseError, ModelConnectionError):
    """The response is not an answer of the service."""


class ClovaAPIStatusError(APIStatusError, ModelAPIError):
    """The service answered with an error that has no more specific class."""


class ClovaBadRequestError(BadRequestError, ModelInvalidRequestError):
    """The service refused the request as it is."""


class ClovaContextLengthError(ContextLengthError, ModelInvalidRequestError, ContextOverflowError):
    """Input and requested output together exceed the model's context."""


class ClovaUnsupportedFunctionError(UnsupportedFunctionError, ModelInvalidRequestError):
    """40009: a feature that the model lacks, a tool that it invented, or declarations of tools that are too long."""


class ClovaAuthenticationError(AuthenticationError, ModelAuthenticationError):
    """The key is missing, wrong, or of the wrong kind."""


class ClovaPermissionDeniedError(PermissionDeniedError, ModelPermissionDeniedError):
    """The key is valid, but not for this request."""


class ClovaNotFoundError(NotFoundError, ModelNotFoundError):
    """The path, the task or the model does not exist."""


class ClovaRateLimitError(RateLimitError, ModelRateLimitError):
    """The quota is used up, or the service is overloaded."""


class ClovaServerError(ServerError, ModelAPIError):
    """The service, or a gateway in front of it, failed."""


class ClovaStreamError(StreamError, ModelAPIError):
    """A stream failed or ended too early."""


class ClovaStreamInterruptedError(StreamInterruptedError, ModelAPIError):
    """A stream broke after its first event; what had arrived is on ``partial``."""


# The client's error, which is the first base of each class -> the class.
_BRIDGES: dict[type, type[ClovaStudioError]] = {
    globals()[name].__bases__[0]: globals()[name] for name in __all__ if name.endswith("Error")
}


def translated(error: ClovaStudioError) -> ClovaStudioError:
    """Return an error of the client as one that is also LangChain's, with the same attributes, cause and traceback."""
    if isinstance(error, ModelError):
        return error
    bridge = next(_BRIDGES[base] for base in type(error).__mro__ if base in _BRIDGES)
    # Not through __init__: the constructors differ, and attributes that the client set later must be kept.
    twin = bridge.__new__(bridge)
    twin.args = error.args
    twin.__dict__.update(error.__dict__)
    twin.partial = _translated_in(error.partial, error, twin)
    twin.__cause__ = error.__cause__
    return twin.with_traceback(error.__traceback__)


def _translated_in(partial: Any, error: ClovaStudioError, twin: ClovaStudioError) -> Any:
    """Return partial results with translated errors, the error itself among them."""
    if isinstance(partial, list):
        return [_translated_in(item, error, twin) for item in partial]
    if partial is error:
        return twin
    return translated(partial) if isinstance(partial, ClovaStudioError) else partial


class _Translation:
    """A context manager that translates errors of the client. It has no state, so one instance is shared."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ClovaStudioError) and not isinstance(error, ModelError):
            twin = translated(error)
            raise twin from error.__cause__


langchain_errors = _Translation()

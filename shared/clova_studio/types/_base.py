"""What all results have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = ["RateLimit", "Result", "Vector", "WireModel"]

Vector = Annotated[list[Annotated[float, Field(strict=True, allow_inf_nan=False)]], Field(min_length=1)]
"""A vector that an index can hold: at least one number, all finite."""


class WireModel(BaseModel):
    """A wire object in snake_case. Fields that this version does not know are kept in ``model_extra``."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="allow",
        # The service's own field names start with "model" in places.
        protected_namespaces=(),
        # Building the schema of a class takes about a dozen milliseconds; no program uses all classes.
        defer_build=True,
        # Our errors have pydantic's as their context, and a value that did not fit may be an echoed key.
        hide_input_in_errors=True,
    )


class RateLimit(BaseModel):
    """What the ``x-ratelimit-*`` headers of an answer reported; None where a header was missing.

    Attributes:
        limit_requests: Requests per window.
        remaining_requests: Requests left in this window.
        reset_requests: Seconds until the request window ends; zero or less means that it has just ended.
        limit_tokens: Tokens per window (input plus requested maximum output).
        remaining_tokens: Tokens left in this window.
        reset_tokens: Seconds until the token window ends.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests: float | None = None
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens: float | None = None


class Result(WireModel):
    """An answer of the service.

    Attributes:
        request_id: The id that went with the request (``X-NCP-CLOVASTUDIO-REQUEST-ID``).
        rate_limit: The rate-limit headers of the answer, None where there were none.
    """

    request_id: str | None = None
    rate_limit: RateLimit | None = None

    def __eq__(self, other: object) -> bool:
        """Compare what the service answered; request id and rate limits do not count."""
        if type(self) is not type(other) or not isinstance(other, Result):
            return NotImplemented
        return self._comparable() == other._comparable()

    __hash__ = None  # type: ignore[assignment]  # mutable, as every pydantic model that is not frozen

    def _comparable(self) -> dict[str, Any]:
        return self.model_dump(exclude={"request_id", "rate_limit"})

"""Router. Source: the router page of the API guide."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from clova_studio.types._base import Result, WireModel
from clova_studio.types.chat import Usage

__all__ = ["RouteDomain", "RouteFilter", "RouteResult"]


class RouteDomain(WireModel):
    """The domain that a query belongs to.

    Attributes:
        result: The name of the domain exactly as typed in the console; ``""`` when none matches.
        called: Whether the service classified the query.
    """

    result: str = ""
    called: bool = False

    @field_validator("result", mode="before")
    @classmethod
    def _none_is_no_domain(cls, value: Any) -> Any:
        return "" if value is None else value


class RouteFilter(WireModel):
    """The filters of the domain that a query hit.

    Attributes:
        result: Their names; empty when none was hit.
        called: Whether they were checked. Without a domain no filter is: such a query is **not** checked for safety.
    """

    result: list[str] = Field(default_factory=list)
    called: bool = False

    @field_validator("result", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        if value is None or value == "":
            return []
        return [value] if isinstance(value, str) else value


class RouteResult(Result):
    """The domain of a query and the filters that it hits. Source: the router page of the API guide.

    Attributes:
        domain: The domain.
        blocked_content: The content filters of the domain that were hit.
        safety: The safety filters that were hit (``unethical``, ``contentious``; compare without case).
        usage: Tokens of the classification.
    """

    domain: RouteDomain
    blocked_content: RouteFilter = Field(default_factory=RouteFilter)
    safety: RouteFilter = Field(default_factory=RouteFilter)
    usage: Usage | None = None

"""What a rate limiter has learnt of a quota, as plain JSON values and back. The requests themselves are not in it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clova_studio._rate_limits.limiter import RateLimiter

__all__ = ["dump_learnt", "load_learnt"]


def dump_learnt(limiter: RateLimiter) -> list[Any]:
    """Return what a limiter has learnt, with times as they are."""
    budget = limiter._budget  # noqa: SLF001  its state is what is shared
    scarce = {id(budget.requests): 0, id(budget.tokens): 1}.get(id(budget._scarce))  # noqa: SLF001
    reopening = _values(budget.reopening)
    doubt = _values(reopening.pop("doubt"))
    doubt["_refusals"] = list(doubt["_refusals"])
    return [
        _values(budget.requests, without=_GIVEN),
        _values(budget.tokens, without=_GIVEN),
        reopening,
        doubt,
        {name: getattr(budget, name) for name in _OF_BUDGET},
        {name: getattr(limiter, name) for name in _OF_LIMITER},
        scarce,
    ]


def load_learnt(limiter: RateLimiter, learnt: list[Any]) -> None:
    """Have a limiter know what another one has learnt.

    Raises:
        ValueError: It is something else.
    """
    requests, tokens, reopening, doubt, of_budget, of_limiter, scarce = learnt
    budget = limiter._budget  # noqa: SLF001
    for target, values in (
        (budget.requests, requests),
        (budget.tokens, tokens),
        (budget.reopening, reopening),
        (budget.reopening.doubt, {**doubt, "_refusals": deque(doubt["_refusals"])}),
        (budget, of_budget),
        (limiter, of_limiter),
    ):
        for name, value in values.items():
            setattr(target, name, tuple(value) if isinstance(value, list) else value)
    budget._scarce = None if scarce is None else (budget.requests, budget.tokens)[scarce]  # noqa: SLF001


# What processes were given is kept for each of them apart.
_GIVEN = ("given",)
_OF_BUDGET = ("refused", "_before_burst", "_ratio", "_measured")
_OF_LIMITER = ("_closed_until", "_most", "_peak", "_halved")


def _values(target: Any, without: tuple[str, ...] = ()) -> dict[str, Any]:
    return {name: getattr(target, name) for name in type(target).__slots__ if name not in without}

"""The account's limits as the user gives them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from clova_studio._catalogue import EMBEDDING_MODELS, MODELS, model_info
from clova_studio._errors import ConfigurationError

__all__ = ["Limit", "RateLimits", "patience_of", "rate_limits_of"]

# Windows.
_PATIENCE = 5

Limit = tuple[int | None, int | None]
"""Requests and tokens per window; None where the number is not known."""

# Source: the rate-limit page of the user guide (2025-07-17) and, for bge-m3 and the service keys, values observed in
# public code. A model or tool that is not named here has no number that could be found.
_PRESETS: Mapping[str, Mapping[str, Limit]] = {
    "test": {
        "HCX-007": (60, 60_000),
        "HCX-005": (60, 60_000),
        "HCX-DASH-002": (90, 80_000),
        "HCX-003": (200, 30_000),
        "HCX-DASH-001": (200, 30_000),
        "bge-m3": (60, 40_000),
    },
    "service": {
        "HCX-007": (180, 300_000),
        "HCX-005": (300, 180_000),
        "bge-m3": (540, 960_000),
    },
}


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The account's limits, for calls to wait locally so that a refusal is rare.

        >>> RateLimits({"HCX-005": (60, 60_000), "bge-m3": (60, None)}).of("HCX-005")
        (60, 60000)

    ``rate_limits="test"`` and ``"service"`` are the documented limits of the two kinds of keys. Without limits calls
    are sent at once, and a refusal holds back the others; from then on the limits that refusals and headers show apply.

    Attributes:
        limits: Model or tool -> requests and tokens per window; None for a number that is not known. Tokens are the
            input and the requested maximum output. Tools are named as ``client.quota`` names them: ``"segmentation"``,
            ``"summarization"``, ``"reranker"``, ``"rag-reasoning"``, ``"router"`` and so on.
        window: Seconds in which the service counts. A refusal without a reset header closes the quota for a share of
            it.

    Raises:
        ConfigurationError: A limit is not a pair of whole numbers from 1, or the window is not a number above 0.
    """

    limits: Mapping[str, Limit] | Iterable[tuple[str, Limit]] = ()
    window: float = 60.0

    def __post_init__(self) -> None:
        if not isinstance(self.window, (int, float)) or isinstance(self.window, bool) or not 0 < self.window < math.inf:
            raise ConfigurationError(f"rate_limits: window must be a number of seconds above 0, got {self.window!r}")
        given: Any = self.limits.items() if isinstance(self.limits, Mapping) else self.limits
        items = list(given) if isinstance(given, Iterable) else [given]
        if any(not isinstance(item, (tuple, list)) or len(item) != 2 for item in items):  # noqa: PLR2004  name and limit
            raise ConfigurationError(
                "rate_limits: limits must be a mapping such as {'HCX-005': (60, 60_000)}, got something else"
            )
        # A sorted tuple, so that limits can be compared, hashed and pickled.
        checked = dict(_checked(name, limit) for name, limit in items)
        object.__setattr__(self, "limits", tuple(sorted(checked.items())))

    @classmethod
    def preset(cls, name: Literal["test", "service"]) -> Self:
        """Return what is documented of a kind of key.

        Args:
            name: ``"test"`` for test keys, ``"service"`` for keys of service apps.

        Raises:
            ConfigurationError: There is no such preset.
        """
        if name not in _PRESETS:
            raise ConfigurationError(f"rate_limits must be 'test', 'service', RateLimits(...) or None, got {name!r}")
        return cls(_PRESETS[name])

    def of(self, name: str) -> Limit:
        """Return the limits of a model or tool.

        Args:
            name: As in ``limits``; upper and lower case of a model are the same.

        Returns:
            Requests and tokens per window, ``(None, None)`` if it is not among the limits.
        """
        return dict(self.limits).get(_known(name), (None, None))


def patience_of(limits: RateLimits | None) -> float:
    """Return the seconds without any success after which a batch ends: five windows.

    Args:
        limits: The client's, None for none.
    """
    return _PATIENCE * (limits or RateLimits()).window


def rate_limits_of(given: RateLimits | str | None) -> RateLimits:
    """Return limits in any form that a client takes.

    Raises:
        ConfigurationError: It is none of these forms.
    """
    if given is None:
        return RateLimits()
    if isinstance(given, RateLimits):
        return given
    if isinstance(given, str):
        return RateLimits.preset(given)  # type: ignore[arg-type]  # checked there
    raise ConfigurationError(
        f"rate_limits must be 'test', 'service', RateLimits(...) or None, got {type(given).__name__}"
    )


def _known(name: str) -> str:
    """Return a model's name as quotas have it: upper and lower case are the same."""
    info = model_info(name)
    return info.name if info.known else name


def _nearest(name: str) -> str | None:
    # Here, since it is not needed for names that are known.
    from clova_studio._requests.names import nearest

    return nearest(name, (*MODELS, *EMBEDDING_MODELS))


def _checked(name: Any, limit: Any) -> tuple[str, Limit]:
    if not isinstance(name, str):
        raise ConfigurationError(f"rate_limits: the name of a model or tool must be a string, got {name!r}")
    pair = tuple(limit) if isinstance(limit, (tuple, list)) else ()
    if len(pair) != 2 or any(  # noqa: PLR2004  requests and tokens
        value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1) for value in pair
    ):
        raise ConfigurationError(
            f"rate_limits: {name} must be (requests, tokens) per window, each a whole number from 1 or None; got "
            f"{limit!r}"
        )
    if not model_info(name).known and name not in EMBEDDING_MODELS and (near := _nearest(name)) is not None:
        warnings.warn(
            f"rate_limits: {name!r} is not known, so its limit may hold for nothing: did you mean {near!r}?",
            stacklevel=2,
        )
    return _known(name), pair

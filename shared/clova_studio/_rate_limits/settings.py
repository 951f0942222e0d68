"""The account's limits as the user gives them."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from clova_studio._catalogue import EMBEDDING_MODELS, MODELS, model_info
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from clova_studio._rate_limits.stores.address import StoreAddress
    from clova_studio._rate_limits.stores.interface import QuotaStore

__all__ = ["Limit", "RateLimits", "patience_of", "rate_limits_of", "store_of"]

STORE_VARIABLE = "CLOVASTUDIO_QUOTA_STORE"
"""Where the address of a store is looked for."""

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
        store: Where several processes count together: ``"sqlite:///quota.db"`` (a file in the current folder; four
            slashes for an absolute path) for those of one machine, ``"redis://host:6379/0"`` (``rediss://``,
            ``valkey://``, extra ``redis``) for those of several, or a ``QuotaStore``. Default: the variable
            ``CLOVASTUDIO_QUOTA_STORE``, else this process alone. Its repr shows no password; a pickle holds it.
        on_store_error: What calls do while the store does not answer within 250 ms: ``"alone"`` goes on with the share
            of the quota that this process had, ``"raise"`` raises an ``APIConnectionError``.

    Raises:
        ConfigurationError: A limit is not a pair of whole numbers from 1, the window is not a number above 0, or the
            store is none of these.
    """

    limits: Mapping[str, Limit] | Iterable[tuple[str, Limit]] = ()
    window: float = 60.0
    store: str | QuotaStore | StoreAddress | None = None
    on_store_error: Literal["alone", "raise"] = "alone"

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
        if self.on_store_error not in {"alone", "raise"}:
            raise ConfigurationError(
                f"rate_limits: on_store_error must be 'alone' or 'raise', got {self.on_store_error!r}"
            )
        if self.store is not None:
            object.__setattr__(self, "store", _checked_store("rate_limits: store", self.store))

    @classmethod
    def preset(cls, name: Literal["test", "service"], *, store: str | QuotaStore | None = None) -> Self:
        """Return what is documented of a kind of key.

        Args:
            name: ``"test"`` for test keys, ``"service"`` for keys of service apps.
            store: Where several processes count together.

        Raises:
            ConfigurationError: There is no such preset.
        """
        if name not in _PRESETS:
            raise ConfigurationError(f"rate_limits must be 'test', 'service', RateLimits(...) or None, got {name!r}")
        return cls(_PRESETS[name], store=store)

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


def store_of(limits: RateLimits | None) -> StoreAddress | QuotaStore | None:
    """Return where processes share their quotas: as the limits say, else as the variable does, None for nowhere.

    Raises:
        ConfigurationError: The variable holds no address, or the store can never work on this machine.
    """
    name, store = "rate_limits: store", None if limits is None else limits.store
    if store is None:
        name, store = STORE_VARIABLE, os.environ.get(STORE_VARIABLE, "").strip() or None
    if store is None:
        return None
    found = _checked_store(name, store)
    found.check_machine(name)
    return found


def _checked_store(name: str, value: Any) -> StoreAddress | QuotaStore:
    # Not before there is a store: nobody else pays for it.
    from clova_studio._rate_limits.stores.address import checked_store

    return checked_store(name, value)


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

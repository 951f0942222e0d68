"""Names of a package that are loaded when they are first used."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["lazy_names"]


def lazy_names(
    package: str, names: Sequence[str], homes: Mapping[str, Sequence[str]], *, rest: str = ""
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose names are loaded when they are first used.

    Args:
        package: The package's name.
        names: Its ``__all__``.
        homes: Modules, relative to the package, and which of the names each has.
        rest: The module of all other names.

    Raises:
        AttributeError: The package is asked for another name.
    """
    home_of = {name: home for home, held in homes.items() for name in held}

    def load(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home_of.get(name, rest), package), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: sorted({*vars(sys.modules[package]), *names})

"""What the environment of the tests has installed, and which of it a distribution needs."""

from __future__ import annotations

from importlib.metadata import distribution, packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(wanted: list[str]) -> set[str]:
    """Return the names of the distributions that requirements need, directly and behind each other."""
    found: set[tuple[str, str]] = set()
    todo = [Requirement(line) for line in wanted]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in found:
                continue
            found.add((name, extra))
            for line in distribution(name).requires or []:
                behind = Requirement(line)
                if behind.marker is None or behind.marker.evaluate({"extra": extra}):
                    todo.append(behind)
    return {name for name, _ in found}


def modules_beyond(wanted: list[str]) -> set[str]:
    """Return the top-level modules that are installed here and that no distribution behind the requirements brings."""
    needed = closure(wanted)
    return {
        module
        for module, owners in packages_distributions().items()
        if needed.isdisjoint(canonicalize_name(owner) for owner in owners)
    }

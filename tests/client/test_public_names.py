"""The public face: names, and the two clients held together."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import clova_studio
import clova_studio.adapters
import clova_studio.types
from clova_studio import (
    AsyncClovaStudio,
    AsyncOpenAICompatible,
    AsyncTuning,
    ClovaStudio,
    OpenAICompatible,
    Tuning,
)

ASYNC_NAMES = {"close": "aclose"}


def test_all_is_sorted_and_true() -> None:
    """__all__ names what is there, in ruff's order, and dir() shows it."""
    for module in (clova_studio, clova_studio.adapters, clova_studio.types):
        assert len(set(module.__all__)) == len(module.__all__)
        for name in module.__all__:
            assert getattr(module, name) is not None
            assert name in dir(module)
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = clova_studio.nothing_such  # type: ignore[attr-defined]  # the point of the test


def test_every_result_type_is_public() -> None:
    """Whatever a method returns can be imported from the package."""
    hidden = {"Result", "WireModel"}
    assert set(clova_studio.types.__all__) - hidden <= set(clova_studio.__all__)


def test_every_public_name_has_a_docstring() -> None:
    """Classes, functions and public methods say what they do."""
    names = [(module, name) for module in (clova_studio, clova_studio.adapters) for name in module.__all__]
    for module, name in names:
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        assert inspect.getdoc(value), name
        for method, function in vars(value).items():
            if inspect.isfunction(function) and not method.startswith("_"):
                assert inspect.getdoc(function), f"{name}.{method}"


def test_the_twins_are_alike() -> None:
    """Both clients have the same public names and signatures; the async docstrings refer to the sync ones."""
    sync = {n: f for n, f in inspect.getmembers(ClovaStudio) if not n.startswith("_")}
    other = {n: f for n, f in inspect.getmembers(AsyncClovaStudio) if not n.startswith("_")}
    assert {ASYNC_NAMES.get(name, name) for name in sync} == set(other)
    assert inspect.signature(ClovaStudio.__init__) == inspect.signature(AsyncClovaStudio.__init__)
    for name, function in sync.items():
        twin = other[ASYNC_NAMES.get(name, name)]
        assert inspect.getdoc(twin) in {inspect.getdoc(function), f"Async variant of ``{name}``."}, name
        if not inspect.isfunction(function):
            continue
        assert inspect.signature(function).parameters == inspect.signature(twin).parameters, name
        # A stream sends when it is entered, and what is known of a quota is asked of nobody.
        assert inspect.iscoroutinefunction(twin) != (name.startswith("stream_") or name == "quota"), name


@pytest.mark.parametrize(("sync", "other"), [(Tuning, AsyncTuning), (OpenAICompatible, AsyncOpenAICompatible)])
def test_the_namespaces_are_alike(sync: type, other: type) -> None:
    """client.tuning and client.openai have the same names and parameters on both clients."""
    names = {name for name in vars(sync) if not name.startswith("_")}
    assert names == {name for name in vars(other) if not name.startswith("_")}
    for name in names:
        one, twin = vars(sync)[name], vars(other)[name]
        assert inspect.getdoc(twin) == f"Async variant of ``{name}``.", name
        assert inspect.signature(one).parameters == inspect.signature(twin).parameters, name
        assert (inspect.iscoroutinefunction(twin) or inspect.isasyncgenfunction(twin)) != name.startswith("stream_")


@pytest.mark.slow
def test_importing_costs_nothing_heavy() -> None:
    """Importing the package loads neither HTTP, pydantic, tenacity nor a framework."""
    heavy = ("httpx", "pydantic", "tenacity", "langchain_core", "llama_index", "starlette", "numpy", "openai")
    code = f"import sys, clova_studio; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = f"import sys; from clova_studio import ClovaStudio; print([m for m in {heavy[3:]!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

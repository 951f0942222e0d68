"""The docstrings of everything public: there, whole, and in a form that the API documentation can read."""

from __future__ import annotations

import ast
import importlib
import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import griffe
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "clova_studio",
    "clova_studio.types",
    "clova_studio.adapters",
    "clova_studio.emulator",
    "langchain_clova",
    "llama_index_clova",
)
PUBLIC = [f"{package}.{name}" for package in PACKAGES for name in importlib.import_module(package).__all__]
CLIENTS = ("ClovaStudio", "AsyncClovaStudio", "Tuning", "AsyncTuning", "OpenAICompatible", "AsyncOpenAICompatible")
# These are given out by a client, never built by its users.
GIVEN_OUT = {
    *(f"{twin}{kind}Stream" for twin in ("", "Async") for kind in ("Chat", "OpenAIChat", "Skillset")),
    *(f"{twin}{namespace}" for twin in ("", "Async") for namespace in ("Tuning", "OpenAICompatible")),
}
# What a client does without asking the service.
LOCAL = {"aclose", "close", "quota"}
DOCUMENTED = {
    griffe.DocstringSectionKind.parameters,
    griffe.DocstringSectionKind.other_parameters,
    griffe.DocstringSectionKind.attributes,
}


@cache
def loaded() -> griffe.GriffeLoader:
    """The source of the three packages, read and not run, with imported names resolved."""
    loader = griffe.GriffeLoader(
        search_paths=[ROOT / "shared", ROOT],
        docstring_parser=griffe.Parser.google,
        # As in mkdocs.yml.
        docstring_options={"returns_multiple_items": False, "returns_named_value": False},
        allow_inspection=False,
    )
    for package in ("clova_studio", "langchain_clova", "llama_index_clova"):
        loader.load(package)
    loader.resolve_aliases(implicit=True, external=False)
    return loader


def public(path: str) -> griffe.Object:
    """Return the object that a public name means."""
    found = loaded().modules_collection[path]
    return found.final_target if isinstance(found, griffe.Alias) else found


def ours(cls: griffe.Class) -> list[griffe.Class]:
    """Return a class and those of its bases that are of these packages."""
    return [cls, *(base for base in cls.mro() if isinstance(base, griffe.Class))]


def members(cls: griffe.Class) -> dict[str, griffe.Object]:
    """Return the public methods, properties and fields of a class, inherited ones of these packages included."""
    found: dict[str, griffe.Object] = {}
    for owner in ours(cls):
        for name, member in owner.members.items():
            if not name.startswith("_") and not member.is_alias and not member.is_class:
                found.setdefault(name, member)
    return found


def everything() -> Iterator[tuple[str, griffe.Object]]:
    """Yield every public object with the path that users know: names, methods and properties."""
    for path in PUBLIC:
        found = public(path)
        yield path, found
        if isinstance(found, griffe.Class):
            for name, member in members(found).items():
                if isinstance(member, griffe.Function) or "property" in member.labels:
                    yield f"{path}.{name}", member


def sections(found: griffe.Object, *kinds: griffe.DocstringSectionKind) -> list[griffe.DocstringSection]:
    """Return the sections of an object's docstring, of the kinds asked for."""
    parsed = found.docstring.parsed if found.docstring else []
    return [section for section in parsed if not kinds or section.kind in kinds]


def sync_twin(found: griffe.Object) -> griffe.Function | None:
    """Return the sync function of an async one: ``embed`` of ``aembed``, ``X.embed`` of ``AsyncX.embed``."""
    if not isinstance(found, griffe.Function) or found.name.startswith("_"):
        return None
    owner = found.parent
    assert owner is not None
    names = [found.name.removeprefix("a")] if found.name.startswith("a") else []
    siblings = dict(owner.members)
    if isinstance(owner, griffe.Class) and owner.name.startswith("Async"):
        name = owner.name.removeprefix("Async")
        twin = owner.parent.members[name] if name in owner.parent.members else public(f"clova_studio.{name}")
        assert isinstance(twin, griffe.Class)
        siblings, names = dict(members(twin)), [found.name, *names]
    return next((item for name in names if isinstance(item := siblings.get(name), griffe.Function)), None)


def described(found: griffe.Object) -> list[griffe.Object]:
    """Return an object, and the sync twin that its docstring refers to."""
    twin = sync_twin(found)
    return [found] if twin is None else [found, twin]


def documented(found: griffe.Object) -> set[str]:
    """Return the parameters and attributes that an object's docstring tells about, or that of its sync twin."""
    return {
        item.name.lstrip("*")
        for own in described(found)
        for section in sections(own, *DOCUMENTED)
        for item in section.value
    }


def raised(found: griffe.Object) -> set[str]:
    """Return the errors that an object's docstring tells about, or that of its sync twin."""
    kind = griffe.DocstringSectionKind.raises
    return {
        str(item.annotation) for own in described(found) for section in sections(own, kind) for item in section.value
    }


def parameters(function: griffe.Function) -> list[str]:
    """Return the names of a function's parameters that a caller gives."""
    return [item.name for item in function.parameters if item.name not in {"self", "cls"} and item.name[0] != "_"]


def shown_with(cls: griffe.Class) -> list[griffe.Class]:
    """Return a class and the public bases that its documentation leads to: those that it shows or names."""
    public_paths = {public(path).canonical_path for path in PUBLIC}
    text = cls.docstring.value if cls.docstring else ""
    shown, todo = [cls], direct_bases(cls)
    for base in todo:
        # A private base is shown as its own bases are.
        if base.canonical_path not in public_paths:
            todo += direct_bases(base)
    shown += [base for base in todo if base.canonical_path in public_paths]
    shown += [base for base in ours(cls)[1:] if base.canonical_path in public_paths and f"``{base.name}``" in text]
    return [cls, *(led for base in shown[1:] for led in shown_with(base))]


def direct_bases(cls: griffe.Class) -> list[griffe.Class]:
    """Return the bases of a class that are of these packages."""
    return [base for base in cls.resolved_bases if isinstance(base, griffe.Class)]


def constructor(cls: griffe.Class) -> griffe.Function | None:
    """Return the constructor of a class if it is one of these packages."""
    for owner in ours(cls):
        found = owner.members.get("__init__")
        if isinstance(found, griffe.Function) and "dataclass" not in owner.labels:
            return found
    return None


def fields(cls: griffe.Class) -> set[str]:
    """Return the public fields of a class that have no docstring of their own; variables of the class are none."""
    found: dict[str, list[griffe.Attribute]] = {}
    for owner in ours(cls):
        for name, member in owner.members.items():
            if isinstance(member, griffe.Attribute) and not name.startswith("_") and "property" not in member.labels:
                found.setdefault(name, []).append(member)
    return {
        name
        for name, attributes in found.items()
        if name != "model_config"
        and not any(attribute.docstring or "ClassVar" in str(attribute.annotation) for attribute in attributes)
    }


def test_every_public_name_has_a_docstring() -> None:
    """Every public name, and every public method and property of a public class, says what it is in a sentence."""
    wrong = []
    for path, found in everything():
        first = found.docstring.value.strip().split("\n\n")[0].rstrip() if found.docstring else ""
        if not first.endswith((".", ":")):
            wrong.append(f"{path}: {first!r}")
    assert not wrong, "\n".join(wrong)


def test_async_twins_say_nothing_twice() -> None:
    """The docstring of an async twin names the sync method, and beyond that only what differs."""
    wrong = []
    for path, found in everything():
        twin = sync_twin(found)
        if twin is None or found.docstring is None or twin.docstring is None:
            continue
        first, *more = found.docstring.value.strip().split("\n\n")
        repeated = set(more) & set(twin.docstring.value.strip().split("\n\n"))
        if first != f"Async variant of ``{twin.name}``." or repeated:
            wrong.append(f"{path}: {first.splitlines()[0]!r}")
    assert not wrong, "\n".join(wrong)


def test_every_parameter_is_documented() -> None:
    """Every parameter of a public function, method or constructor has a line in the docstring."""
    missing = []
    for path, found in everything():
        if isinstance(found, griffe.Function):
            missing += [f"{path}({name})" for name in parameters(found) if name not in documented(found)]
        elif isinstance(found, griffe.Class) and found.name not in GIVEN_OUT and (init := constructor(found)):
            told = set().union(*(documented(owner) for owner in shown_with(found)))
            missing += [f"{path}({name})" for name in parameters(init) if name not in told]
    assert not missing, "\n".join(missing)


def test_every_field_is_documented() -> None:
    """Every field of a public class is documented there, on itself, or on a public base that its page leads to."""
    missing = []
    for path in PUBLIC:
        cls = public(path)
        if isinstance(cls, griffe.Class):
            told = set().union(*(documented(owner) for owner in shown_with(cls)))
            missing += [f"{path}.{name}" for name in fields(cls) if name not in told]
    assert not missing, "\n".join(missing)


def test_docstrings_name_only_what_exists(caplog: pytest.LogCaptureFixture) -> None:
    """Docstrings parse as Google style without a warning, and tell of no parameter or attribute that is not there."""
    wrong = []
    with caplog.at_level(logging.WARNING):
        for path, found in everything():
            if not isinstance(found, griffe.Class):
                sections(found)
                continue
            init = constructor(found)
            real = {*members(found), *(parameters(init) if init else [])}
            # Fields of the frameworks' bases are known when these are there, and only then.
            package, _, name = path.rpartition(".")
            real |= {*getattr(getattr(importlib.import_module(package), name), "model_fields", ())}
            wrong += [f"{path}.{name}" for name in documented(found) - real]
    assert not wrong, "\n".join(wrong)
    assert not caplog.messages


def test_errors_that_are_raised_are_documented() -> None:
    """What a public function, method or constructor raises itself stands in its docstring, or a base of it does."""
    missing = []
    for path, found in everything():
        function = constructor(found) if isinstance(found, griffe.Class) else found
        if not isinstance(function, griffe.Function):
            continue
        told = raised(found)
        missing += [f"{path}: {name}" for name in raised_in(function) if not told & {name, *bases_of(name)}]
    assert not missing, "\n".join(missing)


def raised_in(function: griffe.Function) -> set[str]:
    """Return the classes of the errors that a function raises itself."""
    source = "\n".join(function.lines)
    indent = len(source) - len(source.lstrip())
    tree = ast.parse("\n".join(line[indent:] for line in source.splitlines()))
    raises = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    calls = [node.func for node in raises if isinstance(node, ast.Call)]
    return {node.id for node in calls if isinstance(node, ast.Name) and node.id[0].isupper()}


def bases_of(name: str) -> set[str]:
    """Return the names of the bases of an error class of these packages."""
    for module in ("clova_studio", "langchain_clova._errors"):
        if cls := getattr(importlib.import_module(module), name, None):
            return {base.__name__ for base in cls.__mro__}
    return set()


@pytest.mark.parametrize("client", CLIENTS)
def test_methods_name_their_page_and_their_errors(client: str) -> None:
    """Every method of a client names the page of the API guide that it follows, and the errors that a caller meets."""
    cls = public(f"clova_studio.{client}")
    assert isinstance(cls, griffe.Class)
    methods = {
        name: member
        for name, member in members(cls).items()
        if isinstance(member, griffe.Function) and "property" not in member.labels and name not in LOCAL
    }
    assert len(methods) > 3
    missing = []
    for name, method in methods.items():
        assert method.docstring
        if not any("API guide" in own.docstring.value for own in described(method) if own.docstring):
            missing.append(f"{name}: source")
        if not raised(method):
            missing.append(f"{name}: errors")
    assert not missing, missing


def test_results_and_options_name_their_page() -> None:
    """Every result and every set of options names the page of the API guide that it follows."""
    missing = []
    for path in PUBLIC:
        found = public(path)
        if isinstance(found, griffe.Class) and found.name not in {"Result", "WireModel"}:
            bases = {owner.name for owner in ours(found)}
            if "Result" in bases or found.name.endswith("Options"):
                assert found.docstring
                missing += [] if "API guide" in found.docstring.value else [path]
    assert not missing, missing


@pytest.mark.parametrize("package", ["langchain_clova", "llama_index_clova"])
def test_components_name_their_page(package: str) -> None:
    """Every component of an adapter that asks the service names the page of the API guide that it follows."""
    missing = []
    for path in PUBLIC:
        found = public(path)
        if path.startswith(package) and isinstance(found, griffe.Class) and "region" in fields(found):
            assert found.docstring
            if "API guide" not in found.docstring.value:
                missing.append(path)
    assert not missing, missing

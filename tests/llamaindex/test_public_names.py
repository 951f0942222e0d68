"""The package's names, and what importing it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import llama_index_clova

MODULES = sorted(path.stem for path in Path(llama_index_clova.__file__).parent.glob("*.py") if path.stem != "__init__")


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def public(module: Any) -> list[tuple[str, Any]]:
    """Return what a module makes public, with the public functions of its own classes, each by a name to show."""
    found = []
    for name in module.__all__:
        value = getattr(module, name)
        found.append((name, value))
        if inspect.isclass(value):
            found += [
                (f"{name}.{key}", member)
                for key, member in vars(value).items()
                if not key.startswith(("_", "model_"))
                and (inspect.isfunction(member) or isinstance(member, (property, classmethod, staticmethod)))
            ]
    return found


# The public module that each public name stands in.
HOMES = {
    "ClovaEmbedding": "embeddings",
    "ClovaRagCitation": "query_engines",
    "ClovaRagReasoningQueryEngine": "query_engines",
    "ClovaRagResult": "query_engines",
    "ClovaRerank": "postprocessors",
    "ClovaRerankCitation": "postprocessors",
    "ClovaRerankEndEvent": "postprocessors",
    "ClovaRerankResult": "postprocessors",
    "ClovaRouterSelector": "selectors",
    "ClovaSegmentationNodeParser": "node_parsers",
    "ClovaSkillsetQueryEngine": "skillsets",
    "ClovaSkillsetTool": "skillsets",
    "ClovaSlidingWindowMemory": "memory",
    "ClovaSummarize": "synthesizers",
    "ClovaSummaryExtractor": "extractors",
    "ClovaX": "llms",
    "clova_tokenizer": "tokenizers",
}


def test_all_names_exist_and_are_sorted() -> None:
    """__all__ is sorted and complete, dir() lists it, and another name is an AttributeError that says it."""
    assert llama_index_clova.__all__ == sorted(llama_index_clova.__all__)
    assert set(llama_index_clova.__all__) == set(HOMES)
    assert set(llama_index_clova.__all__) <= set(dir(llama_index_clova))
    for name in llama_index_clova.__all__:
        value = getattr(llama_index_clova, name)
        assert value.__name__ == name
        assert value.__module__ == f"llama_index_clova.{HOMES[name]}"
    with pytest.raises(AttributeError, match="Nothing"):
        _ = llama_index_clova.Nothing


@pytest.mark.parametrize("name", MODULES)
def test_module_lists_and_documents_its_names(name: str) -> None:
    """Every module has a sorted __all__ of names that are there, and a docstring on all that is public."""
    module = import_module(f"llama_index_clova.{name}")
    assert (module.__doc__ or "").strip()
    assert module.__all__ == sorted(module.__all__)
    assert [shown for shown, value in public(module) if not (value.__doc__ or "").strip()] == []


@pytest.mark.slow
def test_every_module_can_be_imported_first() -> None:
    """Each module can be the first one that a program imports; none depends on another having been."""
    names = [f"llama_index_clova.{name}" for name in MODULES]
    assert names
    code = (
        "import importlib, sys, llama_index.core\n"
        f"for name in {names!r}:\n"
        "    for known in [k for k in sys.modules if k.split('.')[0] in ('llama_index_clova', 'clova_studio')]:\n"
        "        del sys.modules[known]\n"
        "    importlib.import_module(name)\n"
        "print('all')"
    )
    assert python(code) == "all"


@pytest.mark.slow
def test_importing_the_package_imports_nothing_heavy() -> None:
    """The package alone loads no framework; a component no HTTP library, no client and no other component."""
    light = "import sys, llama_index_clova; print('llama_index.core' in sys.modules, 'pydantic' in sys.modules)"
    assert python(light) == "False False"
    # LlamaIndex itself imports tenacity and httpx in places.
    heavy = (
        "import sys, llama_index.core, llama_index.core.llms.function_calling, llama_index.core.embeddings\n"
        "before = set(sys.modules)\n"
        "ours = ('clova_studio._client', 'clova_studio._async_client', 'httpx', 'langchain_clova', 'langchain_core')\n"
        f"homes = {sorted(set(HOMES.values()))}\n"
        f"for name in {list(HOMES)!r}:\n"
        "    getattr(__import__('llama_index_clova'), name)\n"
        "    new = set(sys.modules) - before\n"
        "    print(name, [each for each in ours if each in new], "
        "[home for home in homes if f'llama_index_clova.{home}' in new])\n"
        "    for each in new:\n"  # the next name starts from the same modules
        "        del sys.modules[each]"
    )
    assert python(heavy).splitlines() == [f"{name} [] ['{home}']" for name, home in HOMES.items()]


@pytest.mark.parametrize("package", ["llama_index", "llama_index.core"])
def test_missing_extra_is_named(package: str) -> None:
    """Without the extra, or with a part of LlamaIndex alone, the ImportError says what to install."""
    code = (
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        f"util.find_spec = lambda name, *a: None if name == {package!r} else find(name, *a)\n"
        "try:\n    import llama_index_clova\nexcept ImportError as error: print(error.name, error)"
    )
    told = python(code)
    assert "pip install 'clova-studio[llama-index]'" in told
    assert told.startswith("llama_index.core ")


@pytest.mark.slow
def test_importing_has_no_side_effects() -> None:
    """Importing every module changes nothing in LlamaIndex: no setting, no handler, no attribute of its modules."""
    code = (
        "import importlib, logging, pkgutil, sys, warnings\n"
        "import llama_index.core, llama_index.core.llms.llm, llama_index.core.ingestion, llama_index.core.agent\n"
        "from llama_index.core import Settings\n"
        "from llama_index.core.instrumentation import get_dispatcher\n"
        "known = {k: m for k, m in sys.modules.items() if k.startswith('llama_index.core')}\n"
        "def state():\n"
        "    told = {(k, n): v for k, m in known.items() for n, v in vars(m).items() if not hasattr(v, '__path__')}\n"
        "    root = get_dispatcher()\n"
        "    return told, vars(Settings).copy(), list(root.event_handlers), list(root.span_handlers), "
        "list(logging.root.handlers), logging.root.level, list(warnings.filters)\n"
        "before = state()\n"
        "import llama_index_clova\n"
        "for module in pkgutil.walk_packages(llama_index_clova.__path__, 'llama_index_clova.'):\n"
        "    importlib.import_module(module.name)\n"
        "after = state()\n"
        "changed = [k for k, v in before[0].items() if after[0].get(k) is not v]\n"
        "added = [k for k in after[0] if k not in before[0] and f'{k[0]}.{k[1]}' not in sys.modules]\n"
        "print(changed, added, before[1:] == after[1:])"
    )
    assert python(code) == "[] [] True"

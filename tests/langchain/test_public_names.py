"""The package's names, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import langchain_clova


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_all_names_exist_and_are_sorted() -> None:
    """__all__ is sorted and complete, and dir() lists it."""
    assert langchain_clova.__all__ == sorted(langchain_clova.__all__)
    assert set(langchain_clova.__all__) <= set(dir(langchain_clova))
    for name in langchain_clova.__all__:
        assert getattr(langchain_clova, name).__name__ == name
    with pytest.raises(AttributeError, match="Nothing"):
        _ = langchain_clova.Nothing


@pytest.mark.slow
def test_importing_the_package_imports_nothing_heavy() -> None:
    """The package alone loads no framework; the chat model no HTTP library and no client."""
    light = "import sys, langchain_clova; print('langchain_core' in sys.modules)"
    assert python(light) == "False"
    chat = (
        "import sys; from langchain_clova import ChatClovaX; print([name for name in ('httpx', 'tenacity', "
        "'clova_studio._client', 'clova_studio._async_client', 'langchain_text_splitters') if name in sys.modules])"
    )
    assert python(chat) == "[]"
    embeddings = (
        "import sys; from langchain_clova import ClovaEmbeddings; print('langchain_clova.chat_models' in sys.modules)"
    )
    assert python(embeddings) == "False"


@pytest.mark.parametrize("package", ["langchain_core", "langchain_text_splitters"])
def test_missing_extra_is_named(package: str) -> None:
    """Without the extra, the ImportError says what to install."""
    code = (
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        f"util.find_spec = lambda name, *a: None if name == {package!r} else find(name, *a)\n"
        "try:\n    import langchain_clova\nexcept ImportError as error: print(error)"
    )
    assert "pip install 'clova-studio[langchain]'" in python(code)


@pytest.mark.slow
def test_importing_changes_no_other_package() -> None:
    """The only trace in langchain-core is our own translator."""
    code = (
        "from langchain_core.messages import block_translators as b\n"
        "import langchain_core.language_models.chat_models, langchain_core.load.mapping as m\n"
        "before, mapping = set(b.PROVIDER_TRANSLATORS), dict(m.SERIALIZABLE_MAPPING)\n"
        "from langchain_clova import ChatClovaX, ClovaEmbeddings\n"
        "print(set(b.PROVIDER_TRANSLATORS) - before, mapping == m.SERIALIZABLE_MAPPING)"
    )
    assert python(code) == "{'clova'} True"


def test_profiles_tell_what_models_can_do() -> None:
    """Profiles come from the catalogue, never claim structured output, and are absent for unknown models."""
    models = {name: langchain_clova.ChatClovaX(api_key="nv-x", model=name) for name in ("HCX-005", "HCX-007", "HCX-9")}
    profile = models["HCX-005"].profile
    assert profile is not None
    assert profile["max_input_tokens"] == 128_000
    assert profile["image_inputs"]
    assert profile["tool_calling"]
    assert not profile["reasoning_output"]
    assert models["HCX-007"].profile["reasoning_output"]
    assert "structured_output" not in models["HCX-007"].profile
    assert models["HCX-9"].profile is None


@pytest.mark.slow
def test_importing_leaves_langchain_openai_alone() -> None:
    """Importing every module of the adapter changes nothing in langchain_openai, which langchain-naver patches."""
    code = (
        "import importlib, pkgutil, langchain_openai.chat_models.base as other\n"
        "from langchain_openai import ChatOpenAI\n"
        "def state(): return {**vars(other), **{f'C.{k}': v for k, v in vars(ChatOpenAI).items()}}\n"
        "before = state()\n"
        "import langchain_clova\n"
        "for module in pkgutil.walk_packages(langchain_clova.__path__, 'langchain_clova.'):\n"
        "    importlib.import_module(module.name)\n"
        "after = state()\n"
        "print(sorted(set(before) ^ set(after)) + [k for k in before if before[k] is not after[k]])"
    )
    assert python(code) == "[]"

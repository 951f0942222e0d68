"""What ``make compat`` runs, and that the first example of each extra needs that extra alone."""

from __future__ import annotations

import ast
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from installed import modules_beyond
from resolutions import EXTRAS, first_examples, requirements_of, words_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.ko.md")
LINES = [
    "httpx<1,>=0.27",
    "pydantic<3,>=2.7",
    "langchain-core<2,>=1.6; extra == 'langchain'",
    "pydantic<3,>=2.9; extra == 'langchain'",
    "clova-studio[langchain]; extra == 'demo'",
    "numpy>=1.26; extra == 'demo'",
]
README = """
```python
from langchain_clova import ChatClovaX
from llama_index_clova import ClovaX
```
```python
from clova_studio.emulator import serve
from clova_studio import ClovaStudio
```
```sh
make demo  # or
# clova-studio demo
clova-studio demo contract.txt
clova-studio demo --question "임기는?"
clova-studio demo
```
```python
from langchain_clova import ChatClovaX  # first
```
```python
from langchain_clova import ChatClovaX  # second
```
```python
from clova_studio import ClovaStudio
```
```python
from llama_index_clova import ClovaX
```
"""
# Runs code as in an environment that lacks the modules named.
HIDING = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def test_every_extra_is_tried() -> None:
    """The extras that are tried are those of the project, but for ``redis``, whose example needs a server."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {*EXTRAS, "redis"} == {"", *project["optional-dependencies"]}


def test_the_example_of_an_extra_is_found_by_its_imports() -> None:
    """The first block that imports an extra's package and no other's is its example; the demo's names no file."""
    found = first_examples(README)
    assert found["langchain"] == [("python", "from langchain_clova import ChatClovaX  # first\n")]
    assert found["llama-index"] == [("python", "from llama_index_clova import ClovaX\n")]
    assert "serve" in found["emulator"][0][1]
    assert found[""] == [("python", "from clova_studio import ClovaStudio\n")]
    assert found["demo"] == [("sh", 'clova-studio demo --question "임기는?"')]
    assert len(found["all"]) == 5
    with pytest.raises(ValueError, match="llama-index"):
        first_examples(README.replace("llama_index_clova", "llama_index"))


def test_requirements_of_an_extra() -> None:
    """An extra has the bare requirements, its own and those of the extras that it names, with all their bounds."""
    assert [str(item) for item in requirements_of(LINES, "")] == ["httpx<1,>=0.27", "pydantic<3,>=2.7"]
    demo = requirements_of(LINES, "demo")
    assert [item.name for item in demo] == ["httpx", "langchain-core", "numpy", "pydantic"]
    assert demo[-1].specifier.contains("2.9")
    assert not demo[-1].specifier.contains("2.8")


def test_a_version_that_is_not_the_lowest_is_told() -> None:
    """Where the lowest version that is allowed could not be taken, the table names both."""
    wanted = requirements_of(LINES, "langchain")
    installed = {"httpx": "0.27.0", "langchain-core": "1.6.1", "pydantic": "2.9.0"}
    assert words_for(wanted, installed, lowest=True) == "httpx 0.27.0, langchain-core 1.6.1 (not 1.6), pydantic 2.9.0"
    assert "not" not in words_for(wanted, installed, lowest=False)


def examples() -> Iterator[Any]:
    """Yield the first example of each extra, and that of the other language where it is another program."""
    seen: set[tuple[str, str]] = set()
    for readme in READMES:
        found = first_examples((ROOT / readme).read_text(encoding="utf-8"))
        for extra in EXTRAS:
            if extra != "all":
                [(language, code)] = found[extra]
                if language == "sh":
                    words = shlex.split(code, comments=True)[1:]
                    code = f"from clova_studio._cli import main; sys.exit(main({words!r}))"
                if (extra, program := ast.dump(ast.parse(code))) not in seen:
                    seen.add((extra, program))
                    yield pytest.param(extra, code, id=f"{extra or 'no extra'}, {readme}")


@pytest.mark.slow
@pytest.mark.parametrize(("extra", "code"), list(examples()))
def test_the_first_example_needs_its_extra_alone(
    extra: str, code: str, clova_studio_server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first example of an extra runs where only what the extra brings can be imported, in both languages."""
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", clova_studio_server.base_url)
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", clova_studio_server.api_key)
    hidden = modules_beyond([f"clova-studio[{extra}]" if extra else "clova-studio"])
    assert "pytest" in hidden
    done = subprocess.run(
        [sys.executable, "-c", HIDING.format(hidden=hidden) + code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr

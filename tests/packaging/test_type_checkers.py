"""What people write passes pyright and mypy as they are installed: constructors, and each block of the READMEs."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import AliasChoices, BaseModel

from clova_studio.adapters import ConnectionFields

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
# What a constructor of the package cannot do without.
NEEDED = {
    "ClovaRagReasoning": {"retriever": "cast('Any', None)"},
    "ClovaRagReasoningQueryEngine": {"retriever": "cast('Any', None)"},
    "ClovaRouter": {"router_id": "'travel01'", "version": "1"},
    "ClovaRouterSelector": {"router_id": "'travel01'", "version": "1"},
    "ClovaSkillset": {"skillset_id": "'weather1'", "version": "1"},
    "ClovaSkillsetQueryEngine": {"skillset_id": "'weather1'", "version": "1"},
    "ClovaSkillsetTool": {"skillset_id": "'weather1'", "version": "1", "name": "'weather'", "description": "'날씨'"},
    "ClovaSlidingWindow": {"max_tokens": "100"},
}
# What people write, to the letter.
WRITTEN = [
    "llama_index_clova.ClovaX()",
    "llama_index_clova.ClovaX(model='HCX-007')",
    "llama_index_clova.ClovaX(model_name='HCX-007', thinking='low', stop='끝')",
    "llama_index_clova.ClovaEmbedding(model='bge-m3', model_name='bge-m3').model.upper()",
    "langchain_clova.ChatClovaX()",
    "langchain_clova.ChatClovaX(model='HCX-007', thinking={'effort': 'low'}, stop=['끝'], timeout=30)",
    "langchain_clova.ChatClovaX(model_name='HCX-005', max_completion_tokens=100).model_name.upper()",
    "langchain_clova.ChatClovaX().bind(stop='끝', timeout=3, headers={'X-Team': 'a'}).invoke('안녕')",
    "langchain_clova.ChatClovaX().model_copy(update={'api_key': 'nv-other'}).invoke('안녕')",
    "langchain_clova.ClovaEmbeddings(model_name='bge-m3').embed_documents(('하나', '둘'))",
    "langchain_clova.ClovaEmbeddings().embed_documents(text for text in ['하나'])",
    "clova_studio.ClovaStudio('nv-key').chat([{'role': 'user', 'content': '안녕'}], stop='끝', timeout=3)",
    "clova_studio.ClovaStudio('nv-key').chat([], headers={'X-Team': 'a', 'X-Key': SecretStr('b')})",
    "clova_studio.ClovaStudio('nv-key').embed_many({'하나': 1}.keys())",
]
# What they must not take, so that a slip of the pen is seen.
REFUSED = [
    "langchain_clova.ChatClovaX(temprature=0.5)",
    "langchain_clova.ChatClovaX(temperature='hot')",
    "langchain_clova.ChatClovaX(api_key=3)",
    "langchain_clova.ClovaEmbeddings(modle='bge-m3')",
    "llama_index_clova.ClovaX(temprature=0.5)",
    "llama_index_clova.ClovaX(stop=3)",
    "llama_index_clova.ClovaRerank(api_key=b'nv-key')",
]


def constructed() -> Iterator[tuple[str, list[str]]]:
    """Yield each class that takes a key, and the names of its arguments."""
    for package in ("clova_studio", "langchain_clova", "llama_index_clova"):
        module = importlib.import_module(package)
        for name in module.__all__:
            found = getattr(module, name)
            if not inspect.isclass(found):
                continue
            if issubclass(found, ConnectionFields):
                yield f"{package}.{name}", list(argument_names(found))
            elif "api_key" in inspect.signature(found.__init__).parameters or _takes_settings(found):
                yield f"{package}.{name}", ["api_key"]


def _takes_settings(found: type[Any]) -> bool:
    kinds = {parameter.name: parameter.kind for parameter in inspect.signature(found.__init__).parameters.values()}
    return kinds.get("connection") == inspect.Parameter.VAR_KEYWORD


def argument_names(found: type[BaseModel]) -> Iterator[str]:
    """Yield the names that fields of ours can be given under; a framework's own ones are its affair."""
    for name, field in found.model_fields.items():
        owner = next(base for base in found.__mro__ if name in inspect.get_annotations(base))
        if owner.__module__.split(".")[0] not in {"clova_studio", "langchain_clova", "llama_index_clova"}:
            continue
        yield name
        if isinstance(field.validation_alias, AliasChoices):
            yield from (alias for alias in field.validation_alias.choices if isinstance(alias, str) and alias != name)


def constructors() -> str:
    """Return a program with one call of a constructor for each way to write each of its arguments."""
    lines = []
    for path, names in constructed():
        needed = NEEDED.get(path.split(".")[1], {})
        for name, value in [
            *[(name, "cast('Any', None)") for name in names],
            ("api_key", "'nv-key'"),
            ("api_key", "SecretStr('nv-key')"),
        ]:
            given = ", ".join(f"{key}={text}" for key, text in {**needed, name: value}.items())
            lines.append(f"{path}({given})")
    head = "from typing import Any, cast\n\nimport clova_studio\nimport langchain_clova\nimport llama_index_clova\n"
    body = [*lines, *WRITTEN, *(f"{line}  # refused" for line in REFUSED)]
    return f"{head}from pydantic import SecretStr\n\n" + "\n".join(body) + "\n"


@cache
def _programs() -> dict[str, str]:
    programs = {"constructors.py": constructors()}
    for name in ("README.md", "README.ko.md"):
        blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / name).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for number, block in enumerate(blocks):
            programs[f"{name.lower().replace('.', '_')}_{number}.py"] = block
    return programs


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with all programs."""
    for name, program in _programs().items():
        (tmp_path / name).write_text(program, encoding="utf-8")
    return tmp_path


def check(found: list[tuple[str, int, str]]) -> None:
    """Compare what a checker found, as file, line from 1 and message, with what it should have found."""
    wanted = {
        ("constructors.py", number)
        for number, line in enumerate(_programs()["constructors.py"].splitlines(), 1)
        if line.endswith("# refused")
    }
    surprises = [
        f"{name}:{line}: {message} -- {_programs()[name].splitlines()[line - 1].strip()}"
        for name, line, message in found
        if (name, line) not in wanted
    ]
    assert not surprises, "\n".join(surprises)
    assert {(name, line) for name, line, _ in found} == wanted


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_pyright_accepts_what_people_write(programs: Path) -> None:
    """Pyright finds nothing in the constructors and the READMEs but the slips that are there on purpose."""
    (programs / "pyrightconfig.json").write_text(
        json.dumps({"include": ["*.py"], "extraPaths": [str(ROOT), str(ROOT / "shared")]}), encoding="utf-8"
    )
    command = [sys.executable, "-m", "pyright", "--outputjson", "-p", str(programs), "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] >= len(_programs())
    check(
        [
            (Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"])
            for one in report["generalDiagnostics"]
            if one["severity"] == "error"
        ]
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_mypy_accepts_what_people_write(programs: Path) -> None:
    """Mypy finds nothing in the constructors and the READMEs but the slips that are there on purpose."""
    cache_of_ours = ROOT / ".mypy_cache" / "as_installed"
    command = [
        *(sys.executable, "-m", "mypy", "--config-file=", "--follow-imports=silent", "--no-error-summary"),
        *("--hide-error-context", "--no-pretty", f"--cache-dir={cache_of_ours}", *_programs()),
    ]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared")])}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=programs, env=environment, encoding="utf-8"
    )
    assert not done.stderr, done.stderr
    lines = [re.fullmatch(r"([\w.]+):(\d+): (error|note): (.*)", line) for line in done.stdout.splitlines()]
    assert all(lines), done.stdout
    check([(line[1], int(line[2]), line[4]) for line in lines if line is not None and line[3] == "error"])

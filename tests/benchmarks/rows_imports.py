"""What importing costs: whole processes, in their CPU time; and modules loaded."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

from measuring import Measured, Row, UnmeasurableError, compare
from workers import ENVIRONMENTS

if TYPE_CHECKING:
    from collections.abc import Callable


def printed(statement: str) -> str:
    """Return what a fresh interpreter prints for a statement.

    Its byte code is cached, ours as well as that of installed packages, wherever the tree lies and whatever the
    environment says: otherwise compiling would be measured.
    """
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["PYTHONPYCACHEPREFIX"] = str(ENVIRONMENTS / "bytecode")
    done = subprocess.run([sys.executable, "-c", statement], check=False, capture_output=True, env=environ, text=True)
    if done.returncode:
        raise UnmeasurableError(f"{statement}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def cpu_of(statement: str) -> float:
    """Return the CPU seconds of a fresh interpreter that does a statement."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    printed(statement)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def modules_of(statement: str) -> float:
    """Return how many modules a fresh interpreter has loaded after a statement."""
    return float(printed(f"import sys; {statement}; print(len(sys.modules))"))


def imported(ours: str, baseline: str) -> Callable[[str], Measured]:
    """Return what measures one statement against another."""
    return lambda _: compare(lambda: cpu_of(ours), lambda: cpu_of(baseline))


def loaded(ours: str, baseline: str) -> Callable[[str], Measured]:
    """Return what counts the modules of one statement against another's."""

    def count(_: str) -> Measured:
        a, b = modules_of(ours), modules_of(baseline)
        return Measured(a, b, a / b)

    return count


ROWS = (
    Row(
        "import-langchain",
        "import ChatClovaX / BaseChatModel of langchain-core",
        1.2,
        imported("from langchain_clova import ChatClovaX", "from langchain_core.language_models import BaseChatModel"),
        unit="ms",
    ),
    Row(
        "import-client",
        "import ClovaStudio / httpx, pydantic, tenacity",
        1.35,
        imported("from clova_studio import ClovaStudio", "import httpx, pydantic, tenacity"),
        unit="ms",
    ),
    Row(
        "import-llama-index",
        "modules of import ClovaX / llama_index.core",
        1.1,
        loaded("from llama_index_clova import ClovaX", "import llama_index.core"),
        unit="modules",
    ),
)

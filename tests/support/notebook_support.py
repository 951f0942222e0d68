"""Notebooks as a reader gets them: reading them, and running each in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import nbformat

from clova_studio.emulator import serve

if TYPE_CHECKING:
    from clova_studio.emulator import RecordedRequest

__all__ = ["FOLDER", "TIMED", "Ran", "code_of", "execute", "read", "texts_of"]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
RUN = ROOT / "tests" / "notebooks" / "run.py"
KEY = "nv-made-up-for-the-notebooks"
# Where the clock has a say: how often a program asked in vain, what a client made of it, how long it has to wait.
TIMED = {"measure", "learnt", "max-wait"}
# What a kernel says of its own threads and sockets, with its traceback, while it starts or is ended.
KERNEL = re.compile(
    r"^(?:ERROR:(?:tornado|asyncio)[^\n]*|Exception in thread Heartbeat:)\n"
    r"(?:(?:Traceback [^\n]*|During handling [^\n]*|The above exception [^\n]*)?\n"
    r"|[ \t][^\n]*\n|(?:zmq|asyncio)\.[^\n]*\n)*"
    r"|^[^\n]+ \(src/\w+\.cpp:\d+\)\n",
    flags=re.MULTILINE,
)


class Ran(NamedTuple):
    """A notebook that was run, and what arrived at the server that the environment named."""

    cells: list[Any]
    requests: list[RecordedRequest]


def read(path: Path) -> Any:
    """Return a notebook."""
    return nbformat.read(path, as_version=4)


def code_of(cells: list[Any]) -> list[Any]:
    """Return the cells that hold code."""
    return [cell for cell in cells if cell.cell_type == "code"]


def texts_of(cell: Any) -> list[str]:
    """Return what a cell shows in words."""
    return [output["text"] if output.output_type == "stream" else output.data["text/plain"] for output in cell.outputs]


def execute(name: str, folder: Path, *, with_key: bool, **environ: str) -> Ran:
    """Run a notebook in a process of its own, with a key for a server of the test's, or without one.

    Args:
        name: The notebook's name.
        folder: Where it is saved with its outputs.
        with_key: Whether there is a key in the environment.
        environ: More for the environment.
    """
    environment = {name: value for name, value in os.environ.items() if "CLOVASTUDIO" not in name} | environ
    with serve(api_keys=[KEY]) as server:
        if with_key:
            environment |= {"CLOVASTUDIO_API_KEY": KEY, "CLOVASTUDIO_BASE_URL": server.base_url}
        command = [sys.executable, str(RUN), name, "--into", str(folder), *(["--service"] if with_key else [])]
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", check=False, cwd=folder, env=environment
        )
        # What a kernel and its sockets say of themselves is no matter of the notebook, whose cells keep what they say.
        assert (done.returncode, KERNEL.sub("", done.stderr)) == (0, "")
        return Ran(read(folder / f"{name}.ipynb").cells, server.requests)

"""The notebooks as a reader gets them: saved with true outputs, and run from clean kernels, with a key and without."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import nbformat
import pytest
from notebook_support import FOLDER, TIMED, code_of, execute, read, texts_of

if TYPE_CHECKING:
    from pathlib import Path

# Each with the APIs that it asks at the place where the key leads.
NOTEBOOKS = {
    "agent_langgraph": {"chat-completions"},
    "emulator_in_your_tests": {"embedding", "chat-completions"},
    "index_llama_index": {"segmentation", "embedding", "reranker", "summarization", "chat-completions"},
    "quotas_and_retries": {"chat-completions"},
    "rag_langchain": {"segmentation", "embedding", "reranker", "rag-reasoning", "chat-completions"},
}
# What needs an engine for clusters is run by `make scale`.
ELSEWHERE = "index_at_scale"
SAVED = [*NOTEBOOKS, ELSEWHERE]
EMULATOR_KEY = "nv-emulator-test-key"
MACHINE = re.compile(
    r"/(?:home|Users|root|tmp|usr|opt|var|work)/|[A-Z]:\\\\|site-packages|(?:127\.0\.0\.1|localhost):\d"
)
MAX_PICTURE = 100_000


def test_the_folder_holds_the_six_notebooks() -> None:
    """There are six notebooks, each with a test, and nothing beside them."""
    found = {path.name for path in FOLDER.iterdir() if path.name != ".ipynb_checkpoints"}
    assert found == {f"{name}.ipynb" for name in SAVED}


@pytest.mark.parametrize("name", SAVED)
def test_saved_whole(name: str) -> None:
    """A notebook is saved as one run from top to bottom left it, without an error, a warning or a cell left out."""
    notebook = read(FOLDER / f"{name}.ipynb")
    nbformat.validate(notebook)
    cells = code_of(notebook.cells)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error", cell.id
            assert output.get("name") != "stderr", cell.id
    pictures = [
        output.data["image/png"] for cell in cells for output in cell.outputs if "image/png" in output.get("data", {})
    ]
    assert all(len(base64.b64decode(picture)) < MAX_PICTURE for picture in pictures)
    assert pictures or name == "emulator_in_your_tests"


@pytest.mark.parametrize("name", SAVED)
def test_saved_without_traces(name: str) -> None:
    """Nothing saved tells of a machine, a front end, a time or a key but the emulator's made-up one."""
    notebook = read(FOLDER / f"{name}.ipynb")
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}
    for cell in notebook.cells:
        assert cell.metadata == {}, cell.id
        shown = [
            text for output in cell.get("outputs", []) for text in texts_of(nbformat.NotebookNode(outputs=[output]))
        ]
        for text in [cell.source, *shown]:
            assert not MACHINE.search(text), cell.id
            assert set(re.findall(r"nv-[\w-]{6,}", text)) <= {EMULATOR_KEY}, cell.id


@pytest.mark.parametrize("name", SAVED)
def test_begins_with_what_it_shows(name: str) -> None:
    """The first cell is a title with prose in Korean and English and how to run it; the second chooses who answers."""
    title, setup, *_ = read(FOLDER / f"{name}.ipynb").cells
    assert title.cell_type == "markdown"
    assert re.match(r"# \S.*\n\n.*[가-힣]", title.source)
    assert "**To run it:**" in title.source
    assert "CLOVASTUDIO_API_KEY" in setup.source
    assert texts_of(setup) == ["No CLOVASTUDIO_API_KEY: a local emulator answers. It is no language model.\n"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_runs_without_a_key(tmp_path: Path, name: str) -> None:
    """From a clean kernel a notebook runs without a key, asks nobody else, and shows what is saved of it."""
    ran = execute(name, tmp_path, with_key=False)
    assert ran.requests == []
    saved = code_of(read(FOLDER / f"{name}.ipynb").cells)
    for before, now in zip(saved, code_of(ran.cells), strict=True):
        assert [output.get("name") for output in now.outputs] == [output.get("name") for output in before.outputs]
        if now.id not in TIMED:
            assert texts_of(now) == texts_of(before), f"{name}, {now.id}: save it anew with make notebooks"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_key_is_used(tmp_path: Path, name: str) -> None:
    """With a key in the environment a notebook runs unchanged and asks the service with it: every API that it shows."""
    ran = execute(name, tmp_path, with_key=True)
    cells = code_of(ran.cells)
    assert texts_of(cells[0]) == ["CLOVASTUDIO_API_KEY is set: CLOVA Studio answers.\n"]
    assert not [cell.id for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    assert {request.status for request in ran.requests} == {200}
    asked = {api for request in ran.requests for api in NOTEBOOKS[name] if api in request.path.split("/")}
    assert asked == NOTEBOOKS[name]

"""Execute the notebooks, each in a clean kernel and an empty folder, and save them with their outputs.

`make notebooks` runs it in place. Nothing volatile is saved: no times, no versions, no metadata of a front end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
_SERVICE = ("CLOVASTUDIO_", "NCP_CLOVASTUDIO_", "NCP_APIGW_")
# Where a front end, or the user's own settings, would get into the kernel.
_FOREIGN = ("JUPYTER_PATH", "JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH", "MPLBACKEND", "MATPLOTLIBRC", "PYTHONSTARTUP")
_CELL_SECONDS = 300


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="names without .ipynb (default: all)")
    parser.add_argument("--into", type=Path, default=FOLDER, help="folder to write to (default: in place)")
    parser.add_argument(
        "--service",
        action="store_true",
        help="leave CLOVASTUDIO_API_KEY and the like in the environment, so that the service is used; "
        "without it the emulator answers",
    )
    parser.add_argument("--jobs", type=int, default=2, help="kernels at once (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.service and arguments.into.resolve() == FOLDER:
        parser.error("--service needs --into: the notebooks are saved with the emulator's outputs")
    if not arguments.service:
        for name in [name for name in os.environ if name.startswith(_SERVICE)]:
            del os.environ[name]
    names = arguments.names or sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    with tempfile.TemporaryDirectory() as home:
        _shut_out_settings(home)
        return asyncio.run(_run(names, arguments.into, arguments.jobs))


def _shut_out_settings(home: str) -> None:
    """Keep the user's own settings and history from the kernels: an executed notebook must not depend on them."""
    os.environ.update({"IPYTHONDIR": home, "JUPYTER_DATA_DIR": home})
    for name in _FOREIGN:
        os.environ.pop(name, None)
    # matplotlib says so on stderr when it builds its list of fonts: once, and here rather than in a notebook.
    with contextlib.redirect_stderr(sys.stdout):
        import matplotlib.font_manager  # noqa: F401


async def _run(names: list[str], folder: Path, jobs: int) -> int:
    at_once = asyncio.Semaphore(jobs)

    async def one(name: str) -> bool:
        async with at_once:
            start = time.monotonic()
            try:
                notebook = await _executed(FOLDER / f"{name}.ipynb")
            except CellExecutionError as error:
                print(f"{name}: {error}", file=sys.stderr)
                return False
            nbformat.write(notebook, folder / f"{name}.ipynb")
            print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)
            return True

    done = await asyncio.gather(*map(one, names))
    return 0 if all(done) else 1


async def _executed(path: Path) -> Any:
    notebook: Any = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=_CELL_SECONDS,
            kernel_name="python3",
            coalesce_streams=True,
            record_timing=False,
            # On loopback, and nobody reads the kernel's log.
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": folder}},
        )
        await client.async_execute()
    return _cleaned(notebook)


def _cleaned(notebook: Any) -> Any:
    """Take out what differs from run to run, or from machine to machine."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output.metadata = {}
    return notebook


if __name__ == "__main__":
    sys.exit(main())

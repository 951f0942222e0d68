"""Each extra alone, with the oldest and the newest versions that the metadata allows: ``make compat``.

For no extra, for each extra, for both resolutions and for each Python: the built wheel goes into a clean environment,
its packages are imported with warnings as errors, the command is asked for its help and the models, and the extra's
first example of the README runs, all in an empty folder. One emulator answers them all, from an environment of its
own. It needs a package index, so that it is no part of ``make test``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXTRAS = ("", "langchain", "llama-index", "emulator", "demo", "all")
RESOLUTIONS = ("lowest-direct", "highest")
PYTHONS = ("3.11", "3.12", "3.13")
PACKAGES = {
    "": ["clova_studio"],
    "langchain": ["clova_studio", "langchain_clova"],
    "llama-index": ["clova_studio", "llama_index_clova"],
    "emulator": ["clova_studio", "clova_studio.emulator"],
    "demo": ["clova_studio", "clova_studio.emulator", "langchain_clova"],
    "all": ["clova_studio", "clova_studio.emulator", "langchain_clova", "llama_index_clova"],
}
OURS = {"clova_studio", "clova_studio.emulator", "langchain_clova", "llama_index_clova"}
IMPORTED = re.compile(r"^(?:from|import) ([\w.]+)", flags=re.MULTILINE)
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
# What would lead to the checkout, to another environment, or to the service.
FOREIGN = ("PYTHON", "VIRTUAL_ENV", "CLOVASTUDIO_", "NCP_")
LONGEST = 300.0


class Row(NamedTuple):
    """A line of the table: what was installed, and why it does not work, or nothing."""

    extra: str
    resolution: str
    python: str
    versions: str
    problem: str


class Environment(NamedTuple):
    """A clean environment: its folder, and the variables of the processes in it."""

    folder: Path
    variables: dict[str, str]

    def run(self, *words: str) -> None:
        """Run a program of the environment in an empty folder.

        Raises:
            subprocess.CalledProcessError: It fails.
        """
        program = str(self.folder / "bin" / words[0])
        with tempfile.TemporaryDirectory() as empty:
            subprocess.run(
                [program, *words[1:]],
                check=True,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                cwd=empty,
                env=self.variables,
                timeout=LONGEST,
            )


def first_examples(readme: str) -> dict[str, list[tuple[str, str]]]:
    """Return what each extra alone has to run: its first example of a README, as language and code.

    An example belongs to an extra by what it imports of ours; the demo's is its first command that names no file.

    Raises:
        ValueError: The README has no example of an extra.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for language, code in BLOCK.findall(readme):
        if language == "python":
            ours = OURS.intersection(IMPORTED.findall(code))
            for extra in ("langchain", "llama-index", "emulator", ""):
                if ours and ours <= set(PACKAGES[extra]) and PACKAGES[extra][-1] in ours:
                    found.setdefault(extra, [("python", code)])
        else:
            for line in code.splitlines():
                if re.match(r"clova-studio demo(?= *$| +--question)", line):
                    found.setdefault("demo", [("sh", line)])
    missing = [extra for extra in EXTRAS if extra not in found and extra != "all"]
    if missing:
        raise ValueError(f"no example in the README for: {', '.join(missing)}")
    found["all"] = [example for extra in EXTRAS if extra != "all" for example in found[extra]]
    return found


def requirements_of(lines: list[str], extra: str) -> list[Requirement]:
    """Return the direct dependencies of the bare distribution and of an extra, with the extras that it names."""
    extras: set[str] = set()
    todo = [extra]
    own = [Requirement(line) for line in lines]
    found: dict[str, SpecifierSet] = {}
    while todo:
        extras.add(name := todo.pop())
        for requirement in own:
            if requirement.marker is None or requirement.marker.evaluate({"extra": name}):
                if canonicalize_name(requirement.name) == "clova-studio":
                    todo += [other for other in requirement.extras if other not in extras]
                    continue
                allowed = found.get(requirement.name, SpecifierSet()) & requirement.specifier
                found[requirement.name] = allowed
    return [Requirement(f"{name}{allowed}") for name, allowed in sorted(found.items())]


def metadata_of(wheel: Path) -> list[str]:
    """Return the requirements that a wheel states."""
    with ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])


def words_for(requirements: list[Requirement], installed: dict[str, str], *, lowest: bool) -> str:
    """Return the versions taken; where it is not the lowest that is allowed, that one too."""
    words = []
    for requirement in requirements:
        version = installed[canonicalize_name(requirement.name)]
        floor = max((Version(item.version) for item in requirement.specifier if item.operator == ">="), default=None)
        other = lowest and Version(version) != floor
        words.append(f"{requirement.name} {version}{f' (not {floor})' if other else ''}")
    return ", ".join(words)


def uv(*words: str) -> str:
    """Run uv, and return what it prints.

    Raises:
        subprocess.CalledProcessError: It fails.
    """
    command = [sys.executable, "-m", "uv", *words]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=clean_variables(), timeout=LONGEST
    ).stdout


def clean_variables(**more: str) -> dict[str, str]:
    """Return the variables of this process without those that lead out of a clean environment."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}, **more}


def interpreter(wanted: str) -> str | None:
    """Return the interpreter of a version, or of a path; None where the machine has none."""
    if Path(wanted).exists():
        return wanted
    try:
        return uv("python", "find", "--no-python-downloads", "--no-project", "--system", wanted).strip()
    except subprocess.CalledProcessError:
        return None


def install(folder: Path, wheel: Path, extra: str, resolution: str, python: str) -> dict[str, str]:
    """Make a clean environment with the wheel and an extra; return the versions in it.

    The direct dependencies are named beside the wheel: to uv only what is asked for is direct. Only wheels are taken,
    so that the lowest versions are the lowest which a user's Python has.

    Raises:
        subprocess.CalledProcessError: There is no such set of versions, or it cannot be installed.
    """
    uv("venv", "--quiet", "--python", python, str(folder))
    direct = [str(requirement) for requirement in requirements_of(metadata_of(wheel), extra)]
    wanted = f"clova-studio[{extra}] @ {wheel.as_uri()}" if extra else f"clova-studio @ {wheel.as_uri()}"
    target = ("--python", str(folder / "bin" / "python"))
    uv("pip", "install", "--quiet", *target, "--no-build", "--resolution", resolution, wanted, *direct)
    return {item["name"]: item["version"] for item in json.loads(uv("pip", "list", *target, "--format", "json"))}


def try_out(environment: Environment, extra: str, examples: list[tuple[str, str]]) -> str:
    """Return what does not work in an environment, nothing where all does."""
    steps = [
        ("import", ("python", "-W", "error", "-c", f"import {', '.join(PACKAGES[extra])}")),
        ("--help", ("clova-studio", "--help")),
        ("models", ("clova-studio", "models")),
    ]
    for language, code in examples:
        name = code.splitlines()[0][:50]
        # A line of shell has one command: its words are passed on as they are.
        words = ("python", "-c", code) if language == "python" else tuple(shlex.split(code, comments=True))
        steps.append((name, words))
    for name, words in steps:
        try:
            environment.run(*words)
        except subprocess.CalledProcessError as error:
            said = [line for line in (error.stderr or error.stdout).splitlines() if line.strip()]
            return f"{name}: {said[-1] if said else f'exit code {error.returncode}'}"
        except subprocess.TimeoutExpired:
            return f"{name}: no end after {LONGEST:.0f} s"
    return ""


@contextlib.contextmanager
def emulator(folder: Path) -> Iterator[dict[str, str]]:
    """Run the emulator of an environment; give the variables that lead to it."""
    command = [str(folder / "bin" / "clova-studio"), "emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_variables(), cwd=folder) as process:
        assert process.stdout is not None
        try:
            words = process.stdout.readline().split()
            yield {"CLOVASTUDIO_BASE_URL": words[words.index("on") + 1], "CLOVASTUDIO_API_KEY": words[-1]}
        finally:
            process.terminate()


def examine(wheel: Path, readme: Path, extras: list[str], pythons: list[str], scratch: Path) -> Iterator[Row]:
    """Yield a row for each extra, Python and resolution."""
    examples = first_examples(readme.read_text(encoding="utf-8"))
    lines = metadata_of(wheel)
    install(scratch / "emulator", wheel, "emulator", "highest", pythons[0])
    with emulator(scratch / "emulator") as address:
        for python in pythons:
            code = "import platform; print(platform.python_version())"
            number = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
            for extra in extras:
                for resolution in RESOLUTIONS:
                    folder = scratch / "each"
                    shutil.rmtree(folder, ignore_errors=True)
                    try:
                        installed = install(folder, wheel, extra, resolution, python)
                    except subprocess.CalledProcessError as error:
                        yield Row(extra or "-", resolution, number, "", f"install: {' '.join(error.stderr.split())}")
                        continue
                    versions = words_for(requirements_of(lines, extra), installed, lowest=resolution == "lowest-direct")
                    problem = try_out(Environment(folder, clean_variables(**address)), extra, examples[extra])
                    yield Row(extra or "-", resolution, number, versions, problem)


def main() -> int:
    """Print the table; return 1 if anything in it does not work."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path, help="the built wheel")
    parser.add_argument("--extra", action="append", choices=EXTRAS, help="this one alone (can be repeated)")
    parser.add_argument(
        "--python",
        action="append",
        help=f"a version or an interpreter (can be repeated; default: those of {', '.join(PYTHONS)} that are here)",
    )
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", help="where the examples are")
    arguments = parser.parse_args()
    found = {wanted: interpreter(wanted) for wanted in arguments.python or PYTHONS}
    pythons = [path for path in found.values() if path]
    for wanted, path in found.items():
        if path is None:
            print(f"Python {wanted} is not on this machine")
    if not pythons or (arguments.python and len(pythons) < len(found)):
        return 1
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        started = time.monotonic()
        rows = examine(
            arguments.wheel.resolve(), arguments.readme, arguments.extra or list(EXTRAS), pythons, Path(scratch)
        )
        print(f"{'EXTRA':<12} {'RESOLUTION':<14} {'PYTHON':<8} {'RESULT':<7} VERSIONS")
        for row in rows:
            failed |= bool(row.problem)
            result = "FAILED" if row.problem else "ok"
            print(f"{row.extra:<12} {row.resolution:<14} {row.python:<8} {result:<7} {row.versions}", flush=True)
            if row.problem:
                print(f"{'':<12} {row.problem}")
        print(f"{time.monotonic() - started:.0f} s")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

"""The built distributions: what is in them, and that the bare install stands alone."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from configparser import ConfigParser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from installed import closure
from packaging.metadata import Metadata
from trove_classifiers import classifiers

ROOT = Path(__file__).parents[2]
PACKAGES = {"clova_studio", "langchain_clova", "llama_index_clova"}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions, built by the project's own backend; the wheel from the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    """The wheel."""
    return next(built.glob("*.whl"))


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Metadata:
    """What the wheel says of itself, read by the rules of an index."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(name), validate=True)


def install_copies(names: set[str], site: Path) -> None:
    """Copy installed distributions into another environment: what pip would put there, without an index."""
    for name in names:
        source = distribution(name)
        for file in source.files or []:
            if ".." in file.parts or "__pycache__" in file.parts:
                continue
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(source.locate_file(file)), target)


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a clean environment: the wheel and its required dependencies, no extra."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = next((folder / "lib").glob("python*")) / "site-packages"
    install_copies(closure(["httpx", "pydantic", "tenacity"]), site)
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return python


def run(python: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in an environment, outside of the checkout."""
    return subprocess.run(
        [str(python), "-I", "-W", "error", "-c", code], capture_output=True, text=True, check=False, cwd=python.parent
    )


def test_wheel_has_exactly_the_three_packages(wheel: Path) -> None:
    """The wheel has the three packages alone, each typed, with the demo's document and the emulator's page."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert "langchain_clova/_demo/constitution-ko.txt" in names
    page = Path("shared") / "clova_studio" / "emulator" / "page" / "static"
    assert {f"clova_studio/emulator/page/static/{path.name}" for path in (ROOT / page).iterdir()} <= set(names)
    strange = {"docs", "notebooks", "shared", "tests"}
    assert not [name for name in names if strange & set(name.split("/")) or name.endswith((".pyc", ".ipynb", ".md"))]


def names_in(sdist: Path) -> set[str]:
    """Return the files of a source distribution, without the folder that holds them all."""
    with tarfile.open(sdist) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


def test_sdist_has_only_what_belongs_in_it(built: Path) -> None:
    """The source distribution holds the packages, notebooks, tests and project files, nothing else of the checkout."""
    tops = {name.split("/")[0] for name in names_in(next(built.glob("*.tar.gz")))}
    files = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.ko.md", "README.md", "pyproject.toml"}
    files |= {"mkdocs.yml"}
    folders = {"docs", "langchain_clova", "llama_index_clova", "notebooks", "shared", "tests"}
    assert tops == files | folders | {"PKG-INFO", ".gitignore", ".pre-commit-config.yaml"}


def test_sdist_has_all_that_the_tests_need(built: Path) -> None:
    """Every file under version control is in the source distribution, but for those of CI and git: `make test` runs."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=False, cwd=ROOT)
    if listed.returncode:  # these tests run in an unpacked source distribution: it is itself what they need
        assert (ROOT / "PKG-INFO").is_file()
        return
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    hidden = {name for name in tracked if name.startswith(".")}
    assert tracked - hidden <= names_in(next(built.glob("*.tar.gz")))


def test_wheels_of_sdist_and_tree_are_the_same(wheel: Path, tmp_path: Path) -> None:
    """The wheel that is built from the source distribution is, byte for byte, the one of the tree."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert filecmp.cmp(wheel, tmp_path / wheel.name, shallow=False)


def test_an_index_takes_both(built: Path) -> None:
    """Twine finds nothing wrong with either distribution, however strict."""
    files = [str(path) for path in built.iterdir()]
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


def test_metadata_is_complete(metadata: Metadata) -> None:
    """Name, version, summary, licence, Python, keywords and README are there and by the rules; classifiers exist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (metadata.name, str(metadata.version)) == (project["name"], project["version"])
    assert metadata.summary == project["description"]
    assert len(metadata.summary) <= 512
    assert metadata.license_expression == "MIT"
    assert metadata.license_files == ["LICENSE"]
    assert str(metadata.requires_python) == ">=3.11"
    assert metadata.keywords
    assert {"clova", "hyperclova", "langchain", "llama-index"} <= set(metadata.keywords)
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (ROOT / "README.md").read_text(encoding="utf-8")
    assert metadata.classifiers
    assert set(metadata.classifiers) <= classifiers
    assert not [name for name in metadata.classifiers if name.startswith("License ::")], "the expression says it"


def test_entry_points(wheel: Path) -> None:
    """The wheel brings the command and the pytest plugin, each with something behind it, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        parser = ConfigParser()
        parser.read_string(archive.read(name).decode())
        modules = {name.removesuffix(".py").removesuffix("/__init__") for name in archive.namelist()}
    points = {section: dict(parser[section]) for section in parser.sections()}
    assert points == {
        "console_scripts": {"clova-studio": "clova_studio._cli:main"},
        "pytest11": {"clova_studio": "clova_studio._pytest_plugin"},
    }
    for target in ("clova_studio._cli", "clova_studio._pytest_plugin"):
        assert target.replace(".", "/") in modules


def test_metadata_names_the_extras(bare: Path) -> None:
    """The bare install requires three distributions; the extras are the six documented ones."""
    code = """
from importlib.metadata import metadata, requires
bare = [line for line in requires("clova-studio") if "extra" not in line]
print(sorted(line.split(";")[0].split(">")[0].split("<")[0] for line in bare))
print(sorted(metadata("clova-studio").get_all("Provides-Extra")))
"""
    done = run(bare, code)
    assert done.stdout.splitlines() == [
        "['httpx', 'pydantic', 'tenacity']",
        "['all', 'demo', 'emulator', 'langchain', 'llama-index', 'redis']",
    ], done.stderr


def test_client_works_without_extras(bare: Path) -> None:
    """Without extras the client imports, is built, and sends a request."""
    code = """
import httpx
from clova_studio import APIConnectionError, AsyncClovaStudio, ClovaStudio
AsyncClovaStudio("nv-test")
client = ClovaStudio("nv-test", base_url="http://127.0.0.1:9", max_retries=0)
try:
    client.chat([{"role": "user", "content": "안녕"}])
except APIConnectionError as error:
    print("tried", type(error.__cause__).__name__)
"""
    done = run(bare, code)
    assert done.stdout.strip() == "tried ConnectError", done.stderr


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ("import langchain_clova", "langchain"),
        ("import llama_index_clova", "llama-index"),
        ("from clova_studio.emulator import serve", "emulator"),
    ],
)
def test_a_missing_extra_is_named(bare: Path, code: str, extra: str) -> None:
    """Importing what needs an extra says which one to install."""
    done = run(bare, code)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("ImportError")
    assert f"pip install 'clova-studio[{extra}]'" in done.stderr


def test_commands_name_their_extra(bare: Path) -> None:
    """The command is installed, shows its help and version, and names the extra that a subcommand lacks."""
    script = str(bare.parent / "clova-studio")
    for arguments in (["--help"], ["--version"]):
        assert subprocess.run([script, *arguments], capture_output=True, check=False).returncode == 0
    for command, extra in (("demo", "langchain"), ("emulator", "emulator")):
        done = subprocess.run([script, command], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert f"clova-studio[{extra}]" in done.stderr


def test_commands_without_extras(bare: Path) -> None:
    """The other commands run on the bare install; without a service to reach they say so with exit code 1."""
    script = str(bare.parent / "clova-studio")
    environment = {"CLOVASTUDIO_API_KEY": "nv-test", "CLOVASTUDIO_BASE_URL": "http://127.0.0.1:9"}
    for words, code in (
        ("models --local", 0),
        ("tokens 안녕 --local", 0),
        ("chat 안녕 --max-retries 0", 1),
        ("tokens 안녕 --max-retries 0", 1),
        ("tuning list --max-retries 0", 1),
        ("doctor", 1),
    ):
        done = subprocess.run([script, *words.split()], capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == code, (words, done.stderr)
        assert "Traceback" not in done.stderr
        assert (done.stdout if words == "doctor" else done.stderr) or code == 0


PLUGIN_TEST = """
def test_without_the_fixture():
    pass

def test_with_the_fixture(clova_studio_server):
    pass
"""


def test_the_pytest_plugin_without_its_extra(tmp_path: Path) -> None:
    """Without the extra pytest runs as ever; only a test that asks for the fixture fails, and names the extra."""
    (tmp_path / "test_plugin.py").write_text(PLUGIN_TEST)
    code = "import sys; sys.modules['starlette'] = sys.modules['uvicorn'] = None; import pytest; pytest.main(['-q'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "1 passed, 1 error" in done.stdout
    assert "clova-studio[emulator]" in done.stdout

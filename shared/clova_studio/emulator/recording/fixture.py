"""The server of a test that records or replays, for the pytest plugin: which file is whose, and with what upstream."""

import hashlib
import os
import re
from pathlib import Path, PurePosixPath

from clova_studio.emulator.recording.options import PUBLIC_URL, key_of_environment
from clova_studio.emulator.server.server import EmulatorServer, serve

URL_VARIABLE = "CLOVASTUDIO_BASE_URL"
_LONGEST = 120
_ENDING = ".jsonl"


class RecordingError(Exception):
    """A test cannot record or replay; the message says why and what to do."""


def file_of(test: str, module: Path, folder: str, name: str | None = None) -> Path:
    """The recording of a test.

    Args:
        test: What follows the file in the id of the test, such as ``TestChat::test_answer[HCX-005]``.
        module: The file of the test.
        folder: The folder of recordings, beside the file of the test.
        name: What the mark of the test gives in place of the usual name, without the ending.

    Returns:
        ``FOLDER/MODULE/TEST.jsonl``, or ``FOLDER/NAME.jsonl``.

    Raises:
        RecordingError: The name leads out of the folder.
    """
    place = module.parent / folder
    if name is None:
        return place / module.stem / (_file_name(test.replace("::", ".")) + _ENDING)
    parts = PurePosixPath(name).parts if isinstance(name, str) else ()
    if not parts or ".." in parts or parts[0] == "/":
        raise RecordingError(f"clova_recording({name!r}): the name must be a path below the folder {folder!r}")
    return place.joinpath(*parts[:-1], parts[-1].removesuffix(_ENDING) + _ENDING)


def _file_name(test: str) -> str:
    """The name of a test as that of a file, on every system; two tests never have the same."""
    name = re.sub(r"[^\w.\[\]-]+", "-", test)
    if name == test and len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}-{hashlib.blake2b(test.encode(), digest_size=4).hexdigest()}"


def recording_server(path: Path, test: str, recorded: dict[os.PathLike[str], str]) -> EmulatorServer:
    """A server that records a test's requests.

    Args:
        path: The file.
        test: The id of the test.
        recorded: The files that were recorded in this run, with their tests; this one is added.

    Raises:
        RecordingError: Another test of this run has the file, or there is no key, or the file cannot be written.
    """
    other = recorded.setdefault(path, test)
    if other != test:
        raise RecordingError(f"{path} has been recorded by {other}: give each test a clova_recording name of its own")
    try:
        key_of_environment()
        path.parent.mkdir(parents=True, exist_ok=True)
        return serve(record=path, upstream=os.environ.get(URL_VARIABLE, "").strip() or PUBLIC_URL)
    except (OSError, RuntimeError, ValueError) as error:
        raise RecordingError(str(error)) from error


def replaying_server(path: Path, test: str) -> EmulatorServer:
    """A server that answers a test from its recording.

    Args:
        path: The file.
        test: The id of the test.

    Raises:
        RecordingError: The file is missing or is no recording.
    """
    if not path.exists():
        raise RecordingError(f"There is no recording {path}. Make it with: pytest --clova-record '{test}'")
    try:
        return serve(replay=path)
    except (OSError, ValueError) as error:
        raise RecordingError(str(error)) from error

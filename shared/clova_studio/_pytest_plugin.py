"""The pytest plugin: the fixture ``clova_studio_server``, a local CLOVA Studio for each test that asks for it.

With ``--clova-record`` it passes requests on to the service and records them, with ``--clova-replay`` it answers from
the recordings. pytest loads this module in every project where the distribution is installed, so it imports nothing but
pytest; the emulator itself is imported when a test asks for the fixture. Without the extra ``emulator`` only that test
fails.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

_FOLDER = "clova_recordings"
_RECORDED = pytest.StashKey[dict[os.PathLike[str], str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that record and replay."""
    group = parser.getgroup("clova-studio")
    group.addoption(
        "--clova-record",
        action="store_true",
        help="record what clova_studio_server is asked: requests go to CLOVASTUDIO_BASE_URL, or to the public service, "
        "with the key of CLOVASTUDIO_API_KEY",
    )
    group.addoption(
        "--clova-replay", action="store_true", help="let clova_studio_server answer from recordings, not by computing"
    )
    parser.addini(_FOLDER, "folder of recordings, beside the file of a test", default="recordings")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, and refuse options that exclude each other."""
    for mark in (
        "clova_recording(name): clova_studio_server answers from a recording without --clova-replay too; NAME.jsonl",
        "clova_emulator: clova_studio_server is the emulator also with --clova-record and --clova-replay",
    ):
        config.addinivalue_line("markers", mark)
    if config.getoption("--clova-record") and config.getoption("--clova-replay"):
        raise pytest.UsageError("--clova-record and --clova-replay exclude each other: record first, then replay")


@pytest.fixture
def clova_studio_server(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """A running emulator in its default behaviour, stopped after the test.

    With ``--clova-record`` the requests of the test go to the service, or to the address in ``CLOVASTUDIO_BASE_URL``,
    and are written to ``recordings/MODULE/TEST.jsonl`` beside the test; ``api_key`` is then the key in
    ``CLOVASTUDIO_API_KEY``. With ``--clova-replay`` the test is answered from that file, at once and without a key.

    Yields:
        The server, with ``base_url`` and ``api_key`` to give to a client, ``requests`` for what arrived,
        ``script([...])`` for the next answers and ``add_fault(...)`` for failures. The last two are refused while it
        records or replays.
    """
    try:
        from clova_studio.emulator import serve
    except ImportError as error:
        pytest.fail(str(error), pytrace=False)
    server = _recorded(request) or serve()
    with server:
        yield server


def _recorded(request: pytest.FixtureRequest) -> EmulatorServer | None:
    """The server of a test that records or replays; None for one that does neither."""
    record, node = bool(request.config.getoption("--clova-record")), request.node
    mark = node.get_closest_marker("clova_recording")
    replay = bool(request.config.getoption("--clova-replay")) or (mark is not None and not record)
    if node.get_closest_marker("clova_emulator") is not None or not (record or replay):
        return None
    from clova_studio.emulator.recording import fixture

    test = node.nodeid.partition("::")[2] or node.name
    name = mark.args[0] if mark is not None and mark.args else None
    try:
        path = fixture.file_of(test, node.path, request.config.getini(_FOLDER), name)
        if replay:
            return fixture.replaying_server(path, node.nodeid)
        recorded = request.config.stash.setdefault(_RECORDED, {})
        return fixture.recording_server(path, node.nodeid, recorded)
    except fixture.RecordingError as error:
        pytest.fail(str(error), pytrace=False)

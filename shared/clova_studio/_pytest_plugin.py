"""The pytest plugin: the fixture ``clova_studio_server``, a local CLOVA Studio for each test that asks for it.

pytest loads this module in every project where the distribution is installed, so it imports nothing but pytest;
the emulator itself is imported when a test asks for the fixture. Without the extra ``emulator`` only that test fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer


@pytest.fixture
def clova_studio_server() -> Iterator[EmulatorServer]:
    """A running emulator in its default behaviour, stopped after the test.

    Yields:
        The server, with ``base_url`` and ``api_key`` to give to a client, ``requests`` for what arrived,
        ``script([...])`` for the next answers and ``add_fault(...)`` for failures.
    """
    try:
        from clova_studio.emulator import serve
    except ImportError as error:
        pytest.fail(str(error), pytrace=False)
    with serve() as server:
        yield server

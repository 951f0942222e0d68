"""A process that forks: connections are the parent's, and the child makes its own."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
from client_support import KEY

from clova_studio import ClovaStudio
from clova_studio.emulator import serve

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

CLIENTS: list[ClovaStudio] = []


def first_numbers(start: int) -> list[float]:
    """Return the first number of the vectors of ten texts, asked for through the parent's client."""
    return [CLIENTS[0].embed(f"글 {i}").embedding[0] for i in range(start, start + 10)]


def test_forked_workers_do_not_share_connections() -> None:
    """Workers that were forked after a call each open connections of their own: no request fails, no answer is lost."""
    with serve() as server, ClovaStudio(KEY, base_url=server.base_url, max_retries=0) as client:
        CLIENTS[:] = [client]
        expected = [client.embed(f"글 {i}").embedding[0] for i in range(40)]
        with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("fork")) as pool:
            found = list(pool.map(first_numbers, [0, 10, 20, 30]))
        CLIENTS.clear()
        assert [number for numbers in found for number in numbers] == expected
        assert len(client.embed("글").embedding) == 1024

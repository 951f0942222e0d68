"""Requests of many megabytes, beside which the server answers others."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import connect, user

from clova_studio.emulator import serve

if TYPE_CHECKING:
    import httpx

LONG = "x" * 48_000_000
TOO_MUCH = LONG[:4_000_000]
COUNT = "/v3/api-tools/chat-tokenize/HCX-005"
SHORT = ("/v3/chat-completions/HCX-005", user("안녕"))

# What is longer than any limit is refused by its length, before it is counted.
TOO_LONG: list[tuple[str, dict[str, Any], str]] = [
    ("/v3/chat-completions/HCX-005", user(TOO_MUCH), "40003"),
    ("/v1/chat-completions/HCX-003", user(TOO_MUCH), "40003"),
    ("/v1/api-tools/embedding/v2", {"text": TOO_MUCH}, "40003"),
    ("/v1/completions/LK-D2", {"text": TOO_MUCH}, "40003"),
    ("/v1/api-tools/reranker", {"query": "a", "documents": [{"id": "a", "doc": TOO_MUCH}]}, "40003"),
    ("/v1/routers/travel01/versions/1/route", {"query": TOO_MUCH}, "65400"),
]


@pytest.mark.slow
def test_a_long_count_does_not_stop_the_server() -> None:
    """While 48 MB are counted, a request that came later is answered earlier."""
    with (
        serve() as server,
        connect(server) as client,
        connect(server, timeout=100) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        counting = pool.submit(other.post, COUNT, json=user(LONG))
        while not server.requests or not server.requests[0].raw:
            time.sleep(0.005)
        assert client.post(SHORT[0], json=SHORT[1]).status_code == 200
        statuses = [request.status for request in server.requests]
        counted = counting.result()
    assert statuses == [None, 200]
    assert counted.json()["result"]["messages"][0]["content"][0]["count"] == 6_000_000


@pytest.mark.slow
@pytest.mark.parametrize(("path", "body", "code"), TOO_LONG)
def test_too_long_for_any_limit(either: httpx.Client, path: str, body: dict[str, Any], code: str) -> None:
    """A text over a limit is refused, however long it is."""
    assert either.post(path, json=body).json()["status"]["code"] == code

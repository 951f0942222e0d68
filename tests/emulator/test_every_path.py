"""What holds for every native path: prefixes, keys, quotas, faults and headers."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from emulator_support import NO_TLS, connect, tool, user

from clova_studio.emulator import EmulatorServer, Fault, serve

SEARCH = tool("search", "문서를 찾는다.", query={"type": "string"})
TASK = {
    "model": "HCX-005",
    "trainingDatasetFilePath": "a.csv",
    "trainingDatasetBucket": "b",
    "trainingDatasetAccessKey": "c",
    "trainingDatasetSecretKey": "d",
}
# Path, body, name of the quota.
PATHS: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/chat-completions/HCX-003", user("a"), "HCX-003"),
    ("/v3/chat-completions/HCX-005", user("a"), "HCX-005"),
    ("/v2/tasks/t-1/chat-completions", user("a"), "HCX-003"),
    ("/v1/completions/LK-D2", {"text": "a"}, "LK-D2"),
    ("/v1/tasks/t-1/completions", {"text": "a"}, "LK-D2"),
    ("/v1/api-tools/tokenize/LK-D2", {"text": "a"}, "tokenize"),
    ("/v1/api-tools/chat-tokenize/HCX-003", user("a"), "chat-tokenize"),
    ("/v3/api-tools/chat-tokenize/HCX-005", user("a"), "chat-tokenize"),
    ("/v1/api-tools/embedding/clir-emb-dolphin", {"text": "a"}, "clir-emb-dolphin"),
    ("/v1/api-tools/embedding/v2", {"text": "a"}, "bge-m3"),
    ("/v1/api-tools/embedding/v2/tokenize", {"text": "a"}, "embedding-tokenize"),
    ("/v1/api-tools/segmentation", {"text": "가."}, "segmentation"),
    ("/v1/api-tools/summarization/v2", {"texts": ["가."]}, "summarization"),
    ("/v1/api-tools/sliding/chat-messages/HCX-003", user("a", maxTokens=9), "sliding"),
    ("/v1/api-tools/reranker", {"documents": [{"id": "a", "doc": "b"}], "query": "c"}, "reranker"),
    ("/v1/api-tools/rag-reasoning", user("a", tools=[SEARCH]), "rag-reasoning"),
    ("/v1/routers/travel01/versions/1/route", {"query": "a"}, "skill-trainer"),
    ("/v1/skillsets/weather1/versions/1/final-answer", {"query": "a"}, "skill-trainer"),
    ("/tuning/v2/tasks", TASK, "tuning"),
]
PAIR = {"x-ncp-clovastudio-api-key": "k1", "x-ncp-apigw-api-key": "k2"}
by_path = pytest.mark.parametrize(("path", "body", "quota"), PATHS)


@by_path
def test_prefixes_and_keys(observed_server: EmulatorServer, path: str, body: Any, quota: str) -> None:
    """Every native path answers with either prefix to a new key and to the old pair of headers, else it refuses."""
    with httpx.Client(base_url=observed_server.base_url, verify=NO_TLS) as client:
        for prefix in ("", "/testapp", "/serviceapp"):
            for headers, status in ((PAIR, 200), ({"authorization": "Bearer nv-a"}, 200), ({}, 401)):
                answer = client.post(prefix + path, json=body, headers=headers)
                assert answer.status_code == status, answer.text
                assert answer.headers["x-clova-emulator"] == "1"


def test_key_kinds() -> None:
    """A test key opens no service app and a service key no test app, on any path."""
    with serve(api_keys={"nv-t": "test", "nv-s": "service"}) as server, connect(server) as client:
        for path, body, _ in PATHS:
            for key, prefix, status in (("nv-t", "/serviceapp", 400), ("nv-s", "/testapp", 401), ("nv-t", "", 200)):
                headers = {"authorization": f"Bearer {key}"}
                assert client.post(prefix + path, json=body, headers=headers).status_code == status, path


def test_quotas() -> None:
    """Every path has a quota, under the name that the settings document, and refuses with 42901 over it."""
    for name in sorted({quota for _, _, quota in PATHS}):
        with serve(rate_limits={name: (1, None)}) as server, connect(server) as client:
            for path, body, quota in PATHS:
                if quota != name:
                    continue
                server.reset()
                answers = [client.post(path, json=body) for _ in range(2)]
                assert [answer.status_code for answer in answers] == [200, 429], path
                assert answers[0].headers["x-ratelimit-remaining-requests"] == "0"
                assert answers[1].json()["status"]["code"] == "42901"


@by_path
def test_faults(observed_server: EmulatorServer, path: str, body: Any, quota: str) -> None:
    """Every path fails on demand: with a code, a page, nothing, or half an answer."""
    with connect(observed_server) as client:

        def hit(fault: str) -> httpx.Response:
            return client.post(path, json=body, headers={"x-clova-emulator-fault": fault})

        assert hit("status;code=50400").json()["status"] == {"code": "50400", "message": "Gateway timeout"}
        assert hit("html").status_code == 503
        assert hit("empty").content == b""
        with pytest.raises(json.JSONDecodeError):
            hit("truncate").json()


@by_path
def test_headers(observed_server: EmulatorServer, path: str, body: Any, quota: str) -> None:
    """Every path wants JSON, and gives nothing but what it has."""
    with connect(observed_server) as client:
        raw = json.dumps(body).encode()
        assert client.post(path, content=raw, headers={"content-type": "text/plain"}).status_code == 415
        assert client.post(path, json=body, headers={"accept": "image/png"}).status_code == 406
        assert client.put(path, json=body).status_code == 404
        for wrong in (b"[]", b"null", b"{", b""):
            answer = client.post(path, content=wrong, headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["status"]["code"]) == (400, "40000")


def test_same_request_same_answer() -> None:
    """Two servers give the same answer to the same request, on every path where no clock takes part."""
    with serve() as one, serve() as two, connect(one) as first, connect(two) as second:
        for path, body, _ in PATHS:
            left, right = first.post(path, json=body).json()["result"], second.post(path, json=body).json()["result"]
            for found in (left, right):
                for clock in ("created", "createdDate", "updatedDate", "name"):
                    found.pop(clock, None)
            assert left == right, path


def test_faults_by_path() -> None:
    """A fault for one path leaves the others alone."""
    with serve(faults=[Fault("status", path="/reranker")]) as server, connect(server) as client:
        codes = {path: client.post(path, json=body).status_code for path, body, _ in PATHS}
        assert [path for path, code in codes.items() if code != 200] == ["/v1/api-tools/reranker"]

"""``clova-studio models`` and ``clova-studio tokens``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio import EMBEDDING_MODELS, MODEL_USE_SOURCES, MODEL_USES, MODELS
from clova_studio.emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer


def test_the_catalogue_needs_no_key(cli: Callable[..., Any]) -> None:
    """Without a key the catalogue is printed, nothing else, and it is no error."""
    ran = cli("models")
    assert ran.code == 0
    for name in (*MODELS, *EMBEDDING_MODELS):
        assert name in ran.out
    assert "LISTED" not in ran.out
    assert json.loads(cli("models", "--json").out)["listed"] is None


def test_which_model_for_what(cli: Callable[..., Any]) -> None:
    """Below the limits there is a row for each task: models, source, reason; and what the sources are. JSON too."""
    lines = cli("models", "--local").out.splitlines()
    for use in MODEL_USES:
        (row,) = [line for line in lines if line.startswith(f"{use.task} ") and line.endswith(use.why)]
        assert ", ".join(use.models) in row
        assert f" {use.source} " in row
    for name, text in MODEL_USE_SOURCES.items():
        assert f"{name}: {text}" in lines
    found = json.loads(cli("models", "--local", "--json").out)["uses"]
    assert [(use["task"], tuple(use["models"]), use["why"], use["source"]) for use in found] == [
        (use.task, use.models, use.why, use.source) for use in MODEL_USES
    ]


def test_models_that_the_service_lists(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """With a key each model says whether the service lists it; --local asks nobody."""
    found = json.loads(cli("models", "--json").out)
    assert {info["name"] for info in found["chat"]} == set(MODELS)
    assert "HCX-007" in found["listed"]
    assert "LISTED" in cli("models").out
    asked = len(server.requests)
    assert json.loads(cli("models", "--local", "--json").out)["listed"] is None
    assert len(server.requests) == asked


def test_a_list_that_fails(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """When the service does not list its models the catalogue comes all the same, with exit code 1."""
    server.add_fault(Fault("status", code="40300", path="/models"))
    ran = cli("models")
    assert ran.code == 1
    assert "HCX-007" in ran.out
    assert "40300" in ran.err


def test_the_old_pair_cannot_list(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]
) -> None:
    """The old pair of keys is not sent to the OpenAI-compatible path."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "NTA0MjU2MWZlZTcxNDJiY")
    monkeypatch.setenv("NCP_APIGW_API_KEY", "storage-secret-words")
    ran = cli("models")
    assert ran.code == 0
    assert "old key pair" in ran.err
    assert not server.requests


def test_tokens_of_each_source(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path) -> None:
    """Argument, file and stdin are counted alike; stdout is one number."""
    file = tmp_path / "글.txt"
    file.write_text("안녕하세요? 반갑습니다.", encoding="utf-8-sig")
    numbers = {
        cli("tokens", "안녕하세요? 반갑습니다.").out,
        cli("tokens", "--file", str(file)).out,
        cli("tokens", stdin="안녕하세요? 반갑습니다.").out,
    }
    assert len(numbers) == 1
    assert int(numbers.pop()) > 0


def test_tokens_of_a_chat(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """The model's calculator counts the system message too, and JSON has the counts of each message."""
    found = json.loads(cli("tokens", "안녕", "--system", "짧게", "--model", "HCX-007", "--json").out)
    assert server.requests[-1].path == "/v3/api-tools/chat-tokenize/HCX-007"
    assert [part["role"] for part in found["messages"]] == ["system", "user"]
    assert found["total"] >= sum(part["count"] for part in found["messages"]) > 0
    assert found["estimate"] is False


def test_tokens_of_an_embedding(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """With --embedding the calculator of embedding v2 counts."""
    assert int(cli("tokens", "안녕", "--embedding").out) > 0
    assert server.requests[-1].path == "/v1/api-tools/embedding/v2/tokenize"


@pytest.mark.parametrize("words", [[], ["--embedding"], ["--system", "짧게"]])
def test_an_estimate_needs_no_key(cli: Callable[..., Any], words: list[str]) -> None:
    """With --local an estimate is made without key and service, and says that it is one."""
    found = json.loads(cli("tokens", "안녕하세요? 반갑습니다.", "--local", "--json", *words).out)
    assert found["estimate"] is True
    assert found["total"] > 5


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["안녕", "--file", "x"], "--file"),
        (["--file", "no-such-file"], "no-such-file"),
        ([" "], "empty"),
        ([], "stdin is empty"),
        (["안녕", "--embedding", "--system", "x"], "--system"),
    ],
)
def test_wrong_use_of_tokens(server: EmulatorServer, cli: Callable[..., Any], arguments: list[str], named: str) -> None:
    """Wrong use is one line that names the argument, and exit code 2; nothing is sent."""
    ran = cli("tokens", *arguments)
    assert ran.code == 2
    assert named in ran.err
    assert not server.requests

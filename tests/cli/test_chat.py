"""``clova-studio chat``."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer


def test_the_answer_and_its_cost(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """The answer alone goes to stdout, the tokens used to stderr."""
    server.script(["서울입니다."])
    ran = cli("chat", "수도는?")
    assert (ran.code, ran.out) == (0, "서울입니다.\n")
    assert "tokens; stop]" in ran.err
    assert server.requests[-1].headers["accept"] == "text/event-stream"


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_the_prompt_from_stdin(server: EmulatorServer, cli: Callable[..., Any], arguments: list[str]) -> None:
    """Without an argument, or with a minus, the prompt is stdin, in UTF-8."""
    assert cli("chat", *arguments, stdin="\ufeff안녕\n").code == 0
    assert server.requests[-1].body["messages"] == [{"role": "user", "content": "안녕\n"}]


@pytest.mark.parametrize(("arguments", "stdin"), [([" "], ""), ([], " \n"), (["안녕", "--temperature", "3"], "")])
def test_wrong_use(server: EmulatorServer, cli: Callable[..., Any], arguments: list[str], stdin: str) -> None:
    """An empty prompt and an option out of range are exit code 2; nothing is sent."""
    assert cli("chat", *arguments, stdin=stdin).code == 2
    assert not server.requests


def test_options_reach_the_wire(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """Each option is in the request under the wire's name."""
    words = "--system 짧게 --temperature 0.2 --top-p 0.5 --top-k 3 --repetition-penalty 1.2 --seed 7 --max-tokens 50"
    assert cli("chat", "안녕", *words.split(), "--stop", "끝", "--stop", "末").code == 0
    body = server.requests[-1].body
    assert body.pop("messages")[0] == {"role": "system", "content": "짧게"}
    assert body == {
        "temperature": 0.2,
        "topP": 0.5,
        "topK": 3,
        "repetitionPenalty": 1.2,
        "seed": 7,
        "maxTokens": 50,
        "stop": ["끝", "末"],
    }


def test_thinking(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """Thinking goes to stderr, not into the answer; with --quiet stderr is empty."""
    server.script([{"thinking": "세어 본다.", "content": "셋"}] * 2)
    ran = cli("chat", "몇 개?", "--model", "HCX-007", "--thinking", "low")
    assert ran.out == "셋\n"
    assert ran.err.splitlines()[0] == "세어 본다."
    assert server.requests[-1].body["thinking"] == {"effort": "low"}
    assert cli("chat", "몇 개?", "--model", "HCX-007", "--quiet") == (0, "셋\n", "")


def test_a_cut_answer_is_said(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """An answer that ended at its cap is named as such."""
    ran = cli("chat", "대한민국 헌법을 길게 설명해 주세요.", "--max-tokens", "1")
    assert "raise --max-tokens" in ran.err


@pytest.mark.parametrize("more", [[], ["--quiet"], ["--json"]])
def test_thinking_that_used_up_the_cap(server: EmulatorServer, cli: Callable[..., Any], more: list[str]) -> None:
    """No answer is said once on stderr, however quiet: the option, the tokens spent, and the way out."""
    ran = cli("chat", "사과 세 개와 배 두 개를 더하면?", "--model", "HCX-007", "--max-tokens", "3", *more)
    assert ran.code == 0
    assert ran.err.count("thinking used up --max-tokens=3 (3 tokens spent, 3 of them on thinking)") == 1
    assert "Raise --max-tokens, up to 32768, or lower --thinking" in ran.err


def test_json(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """With --json stdout is one JSON value with the answer, its end and its tokens."""
    server.script(["서울입니다."])
    found = json.loads(cli("chat", "수도는?", "--json").out)
    assert found["message"]["content"] == "서울입니다."
    assert found["finish_reason"] == "stop"
    assert found["usage"]["total_tokens"] > 0
    assert found["request_id"]


def test_a_stream_that_breaks(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """What had come of a broken answer is printed, and the exit code is 1."""
    server.script(["하나 둘 셋 넷 다섯"])
    server.add_fault(Fault("cut", after=2))
    ran = cli("chat", "세어 줘")
    assert ran.code == 1
    assert ran.out.startswith("하나")
    assert ran.out.endswith("\n")
    assert "clova-studio: " in ran.err


def test_interrupted(spawn: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of an answer leaves what had come, no traceback, and exit code 130."""
    with serve(token_latency=0.5) as server:
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", server.base_url)
        monkeypatch.setenv("CLOVASTUDIO_API_KEY", server.api_key)
        server.script(["하나 둘 셋 넷 다섯 여섯 일곱 여덟 아홉 열"])
        process = spawn("chat", "세어 줘")
        first = process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert first == "하"
    assert "열" not in out
    assert "Traceback" not in err
    assert server.api_key not in out + err


def test_a_conversation(server: EmulatorServer, spawn: Callable[..., Any]) -> None:
    """On a terminal it is a conversation: it remembers, /new forgets, a turn without an answer is taken back."""
    import pty

    empty = {"content": "", "finish_reason": "length"}
    server.script(["첫째", Fault("status", code="40003"), empty, "둘째", "셋째"])
    ours, theirs = pty.openpty()
    process = spawn("chat", "--system", "짧게", "--max-retries", "0", stdin=theirs)
    os.close(theirs)
    os.write(ours, "하나\n둘\n빈\n셋\n/new\n넷\n\x04".encode())
    out, err = process.communicate()
    os.close(ours)
    assert process.returncode == 0, err
    assert out.split() == ["첫째", "둘째", "셋째"]
    assert "40003" in err
    sent = [[message["content"] for message in request.body["messages"]] for request in server.requests]
    assert sent == [
        ["짧게", "하나"],
        ["짧게", "하나", "첫째", "둘"],
        ["짧게", "하나", "첫째", "빈"],
        ["짧게", "하나", "첫째", "셋"],
        ["짧게", "넷"],
    ]

"""Each documented error that a request can provoke, provoked on the emulator: the typed error with all its facts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from api_row import USER
from api_tools import SEARCH

import clova_studio as cs
from clova_studio._requests.call import Call
from clova_studio.emulator import Fault, serve
from clova_studio.types import ChatResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clova_studio.emulator import EmulatorServer

MESSAGES = [USER]
PICTURE = {"type": "image_url", "imageUrl": {"url": "https://img.example.com/a.png"}}
TEXT = {"type": "text", "text": "무엇?"}


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    """One emulator for all codes."""
    with serve() as running:
        yield running


def raw(path: str, body: dict[str, Any] | None) -> Callable[[cs.ClovaStudio], Any]:
    """Send a body that the client itself would refuse, through the client."""
    return lambda client: client._send(Call("POST", path, body, ChatResult, quota="raw", request_id="provoked-1"))


def v3(model: str = "HCX-005", **body: Any) -> Callable[[cs.ClovaStudio], Any]:
    """Send a v3 chat body as it is."""
    return raw(f"/v3/chat-completions/{model}", {"messages": MESSAGES, **body})


def pictures(*turns: int) -> list[dict[str, Any]]:
    """Return user messages with so many images each."""
    return [{"role": "user", "content": [TEXT, *[PICTURE] * count]} for count in turns]


def inline(data: str) -> list[dict[str, Any]]:
    """Return a user message with an inline image."""
    return [{"role": "user", "content": [TEXT, {"type": "image_url", "dataUri": {"data": data}}]}]


PROVOKED: list[tuple[str, type[cs.APIStatusError], Callable[[cs.ClovaStudio], Any]]] = [
    ("40000", cs.BadRequestError, v3(messages=[])),
    ("40000", cs.BadRequestError, v3(messages=pictures(2))),
    ("40001", cs.BadRequestError, v3(temperature=2)),
    ("40001", cs.BadRequestError, v3(tools=[SEARCH], maxTokens=100)),
    ("40001", cs.BadRequestError, v3("HCX-007", tools=[SEARCH])),
    ("40001", cs.BadRequestError, v3(thinking={"effort": "low"})),
    ("40001", cs.BadRequestError, v3("HCX-007", maxTokens=10)),
    ("40003", cs.ContextLengthError, v3("HCX-DASH-002", messages=[{"role": "user", "content": "대한민국 " * 30_000}])),
    ("40003", cs.BadRequestError, v3(messages=pictures(1, 1, 1, 1, 1, 1))),
    ("40003", cs.ContextLengthError, raw("/v1/api-tools/embedding/clir-emb-dolphin", {"text": "가나다 " * 2_000})),
    ("40003", cs.ContextLengthError, raw("/v1/api-tools/embedding/v2", {"text": "가나다 " * 20_000})),
    ("40003", cs.ContextLengthError, raw("/v1/api-tools/segmentation", {"text": "가" * 120_001})),
    ("40003", cs.ContextLengthError, raw("/v1/api-tools/summarization/v2", {"texts": ["가" * 35_001]})),
    ("40004", cs.BadRequestError, raw("/v1/api-tools/embedding/v2", {"text": ""})),
    ("40009", cs.UnsupportedFunctionError, v3(tools=[SEARCH], toolChoice={"type": "function",
                                                                       "function": {"name": "cs_search"}})),
    ("40009", cs.BadRequestError, v3("HCX-DASH-002", messages=pictures(1))),
    ("40055", cs.BadRequestError, v3("HCX-007", thinking={"effort": "none"}, responseFormat={
        "type": "json", "schema": {"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}}})),
    ("40080", cs.NotFoundError, v3("HCX-999")),
    ("40084", cs.NotFoundError, v3("HCX-003")),
    ("40400", cs.NotFoundError, raw("/v1/no-such-api", {})),
    ("40400", cs.NotFoundError, lambda client: client.route("nosuch01", 1, "q", request_id="provoked-1")),
    ("40400", cs.NotFoundError, lambda client: client.tuning.get("nosuch01", request_id="provoked-1")),
    ("61002", cs.BadRequestError, raw("/v1/skillsets/weather1/versions/1/final-answer", {"query": ""})),
]  # fmt: skip


@pytest.mark.parametrize(("code", "kind", "provoke"), PROVOKED, ids=[f"{i}-{row[0]}" for i, row in enumerate(PROVOKED)])
def test_provoked_codes_are_typed(
    server: EmulatorServer, code: str, kind: type[cs.APIStatusError], provoke: Callable[[cs.ClovaStudio], Any]
) -> None:
    """The refusal of a wrong request is its class, with code, request id, and a hint in English and Korean."""
    with cs.ClovaStudio(server.api_key, base_url=server.base_url) as client, pytest.raises(cs.APIStatusError) as caught:
        provoke(client)
    error = caught.value
    assert (error.code, type(error)) == (code, kind), error
    assert error.request_id == "provoked-1"
    _check_hint(error.hint, code)


def _check_hint(hint: str | None, code: str) -> None:
    assert hint, code
    english, korean = hint.split(" / ", 1)
    assert re.search("[a-z]{3}", english)
    assert re.search("[가-힣]{2}", korean)


@pytest.mark.parametrize(
    ("keys", "settings", "code"),
    [
        (["nv-right"], {"api_key": "nv-wrong"}, "40104"),
        (None, {"api_key": "old-style-key"}, "40104"),
    ],
)
def test_wrong_keys_are_told(keys: Any, settings: dict[str, Any], code: str) -> None:
    """A wrong key and an old-style key as Bearer are AuthenticationErrors that say which key the path needs."""
    with (
        serve(api_keys=keys) as server,
        cs.ClovaStudio(**settings, base_url=server.base_url) as client,
        pytest.raises(cs.AuthenticationError) as caught,
    ):
        client.chat(MESSAGES, request_id="provoked-2")
    assert (caught.value.code, caught.value.request_id) == (code, "provoked-2")
    _check_hint(caught.value.hint, code)
    assert settings["api_key"] not in str(caught.value)


SERVER_SIDE = [
    ("40005", cs.BadRequestError), ("40060", cs.BadRequestError), ("40061", cs.BadRequestError),
    ("40063", cs.BadRequestError), ("40082", cs.NotFoundError), ("40083", cs.BadRequestError),
    ("40100", cs.AuthenticationError), ("40101", cs.AuthenticationError), ("40102", cs.AuthenticationError),
    ("40103", cs.AuthenticationError), ("40170", cs.AuthenticationError), ("40300", cs.PermissionDeniedError),
    ("40301", cs.PermissionDeniedError), ("40600", cs.BadRequestError), ("40800", cs.APIStatusError),
    ("41300", cs.BadRequestError), ("41500", cs.BadRequestError), ("42400", cs.BadRequestError),
    ("42900", cs.RateLimitError), ("42901", cs.RateLimitError), ("42902", cs.RateLimitError),
    ("42903", cs.RateLimitError), ("50000", cs.ServerError), ("50100", cs.ServerError), ("50400", cs.ServerError),
    ("61004", cs.BadRequestError), ("61005", cs.BadRequestError), ("62001", cs.BadRequestError),
    ("63001", cs.BadRequestError), ("63002", cs.BadRequestError), ("64400", cs.ContextLengthError),
    ("64429", cs.RateLimitError), ("65001", cs.BadRequestError), ("65400", cs.ContextLengthError),
    ("64000", cs.ServerError), ("64424", cs.ServerError), ("64500", cs.ServerError), ("65002", cs.ServerError),
]  # fmt: skip


@pytest.mark.parametrize(("code", "kind"), SERVER_SIDE)
def test_codes_of_the_service_are_typed(server: EmulatorServer, code: str, kind: type[cs.APIStatusError]) -> None:
    """A code that no request provokes comes as its class, with request id and hint, whole and streamed."""
    for n, verb in enumerate(("chat", "stream_chat")):
        # A quota of its own each: a refusal closes it for whoever comes next.
        settings = {"base_url": server.base_url, "max_retries": 0, "quota_group": f"{code}-{n}"}
        with cs.ClovaStudio(server.api_key, **settings) as client:
            server.add_fault(Fault("status", code=code, times=1))
            with pytest.raises(cs.APIStatusError) as caught:
                list(getattr(client, verb)(MESSAGES))
        assert (caught.value.code, type(caught.value)) == (code, kind)
        assert caught.value.request_id
        _check_hint(caught.value.hint, code)


def test_hint_about_tools_says_what_can_help() -> None:
    """40009 with tools has several causes: the hint names shorter declarations, another model and no tools."""
    hint = cs.BadRequestError("Unsupported function", status_code=400, code="40009").hint or ""
    for language in hint.split(" / "):
        for word in ("enum", "HCX-007", "tool_choice='none'"):
            assert word in language

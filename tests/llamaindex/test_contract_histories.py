"""Histories that other providers' LLMs left in LlamaIndex, and blocks that are neither text nor image."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    CitableBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_support import CHAT, run

from clova_studio import BadRequestError, ConfigurationError
from clova_studio.adapters import TokenCounting
from clova_studio.emulator import Fault
from llama_index_clova import ClovaX
from llama_index_clova._messages import has_tools, to_clova_messages

if TYPE_CHECKING:
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

NAME = "get_weather"
ARGUMENTS = {"city": "부산"}
TEXT = json.dumps(ARGUMENTS)
RAW = b"%PDF-1.7" + bytes(range(256)) * 1_200
PDF = "[file: application/pdf, 307 kB]"


class Held:
    """An object of a provider's client."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def in_kwargs(*calls: Any) -> ChatMessage:
    """Return an answer with calls where versions without blocks keep them."""
    return ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": list(calls)})


def in_blocks(*ids: str | None) -> ChatMessage:
    """Return an answer with a call for each id."""
    blocks = [ToolCallBlock(tool_call_id=call_id, tool_name=NAME, tool_kwargs=ARGUMENTS) for call_id in ids]
    return ChatMessage(role="assistant", blocks=blocks)


def result(text: str = "맑음", role: str = "tool", **kwargs: Any) -> ChatMessage:
    """Return a tool's result."""
    return ChatMessage(role=role, content=text, additional_kwargs=kwargs)


FUNCTION = {"name": NAME, "arguments": TEXT}
HISTORIES = {
    "openai": (in_kwargs({"id": "c", "type": "function", "function": FUNCTION}), result(tool_call_id="c")),
    "openai object": (in_kwargs(Held(id="c", function=Held(**FUNCTION))), result(tool_call_id="c")),
    "openai functions": (
        ChatMessage(role="assistant", content="", additional_kwargs={"function_call": FUNCTION}),
        result(role="function", name=NAME),
    ),
    "anthropic": (
        in_kwargs({"type": "tool_use", "id": "c", "name": NAME, "input": ARGUMENTS}),
        result(tool_call_id="c"),
    ),
    "anthropic object": (in_kwargs(Held(type="tool_use", id="c", name=NAME, input=TEXT)), result(tool_call_id="c")),
    "bedrock": (in_kwargs({"toolUseId": "c", "name": NAME, "input": ARGUMENTS}), result(tool_call_id="c")),
    "bedrock part": (
        in_kwargs({"toolUse": {"toolUseId": "c", "name": NAME, "input": ARGUMENTS}}),
        result(toolUseId="c"),
    ),
    "ollama": (in_kwargs({"function": {"name": NAME, "arguments": ARGUMENTS}}), result(tool_call_id=NAME)),
    "ollama object": (in_kwargs(Held(function=Held(name=NAME, arguments=ARGUMENTS))), result(tool_call_id=NAME)),
    "gemini": (in_kwargs({"name": NAME, "args": ARGUMENTS}), result(tool_call_id=NAME)),
    "gemini object": (in_kwargs(Held(id=None, name=NAME, args=ARGUMENTS)), result(name=NAME)),
    "cohere": (in_kwargs({"name": NAME, "parameters": ARGUMENTS}), result(tool_call_id=NAME)),
    "block without id": (in_blocks(None), result(tool_call_id=NAME)),
    "block without id, result with one": (in_blocks(None), result(tool_call_id="4f2a")),
    "nothing named": (in_blocks(None), result()),
}


@pytest.mark.parametrize("way", CHAT)
@pytest.mark.parametrize("name", HISTORIES)
def test_history_goes_on(server: EmulatorServer, account: Any, name: str, way: str) -> None:
    """The service, which refuses results without calls, answers; it got one call with its arguments, and its result."""
    call, told = HISTORIES[name]
    history = [ChatMessage("부산 날씨?"), call, told, ChatMessage("고마워요.")]
    before = [message.model_copy(deep=True) for message in history]
    assert run(ClovaX(**account), way, history)[-1].message.content
    assert [message.blocks for message in history] == [message.blocks for message in before]
    _, called, answered, _ = server.requests[-1].body["messages"]
    assert [made["function"] for made in called["toolCalls"]] == [{"name": NAME, "arguments": ARGUMENTS}]
    assert answered == {"role": "tool", "toolCallId": called["toolCalls"][0]["id"], "content": "맑음"}
    assert [has_tools(message) for message in history] == [False, True, True, False]


def test_several_calls_of_a_tool() -> None:
    """Results that name the tool answer its calls in order; a call in blocks and kwargs is one, with its id."""
    calls = [{"function": {"name": NAME, "arguments": {"city": city}}} for city in ("서울", "부산")]
    _, called, first, second = to_clova_messages(
        [
            ChatMessage("날씨?"),
            in_kwargs(*calls),
            result("서울 맑음", tool_call_id=NAME),
            result("부산 흐림", tool_call_id=NAME),
        ]
    )
    assert [first["toolCallId"], second["toolCallId"]] == [call["id"] for call in called["toolCalls"]]
    both = in_blocks(None)
    both.additional_kwargs["tool_calls"] = [{"id": "c", "function": FUNCTION}]
    assert [call["id"] for call in to_clova_messages([both, result(tool_call_id="c")])[0]["toolCalls"]] == ["c"]


HEAD = [ChatMessage("가", role="system"), ChatMessage("나", role="system"), ChatMessage("다"), in_blocks()]
URL = "https://example.com/a.png"


@pytest.mark.parametrize(
    "message",
    [
        result(name=NAME),
        result(),
        result(tool_call_id="c"),
        ChatMessage(" "),
        ChatMessage(role="user", blocks=[ImageBlock(url=URL), ImageBlock(url=URL)]),
        ChatMessage(role="user", blocks=[ImageBlock(image=b"no picture")]),
        ChatMessage(role="user", blocks=[ImageBlock(url="file:///etc/passwd")]),
        ChatMessage(role="user", blocks=[DocumentBlock(data=RAW)]),
        ChatMessage(role="user", blocks=[CitableBlock(title="t", source="s", content=[DocumentBlock(data=RAW)])]),
        ChatMessage(role="user", blocks=[AudioBlock(audio=RAW, format="wav")]),
        ChatMessage(role="system", blocks=[VideoBlock(video=RAW, video_mimetype="video/mp4")]),
    ],
)
def test_errors_count_as_the_caller_does(server: EmulatorServer, account: Any, message: ChatMessage) -> None:
    """What cannot be sent is refused by its index in the caller's list, after joined and dropped messages; unsent."""
    with pytest.raises(ConfigurationError, match=r"messages\[4\]"):
        ClovaX(**account).chat([*HEAD, message])
    assert server.requests == []


@pytest.mark.parametrize("way", CHAT)
def test_refusals_of_the_service_are_translated(server: EmulatorServer, account: Any, way: str) -> None:
    """The service counts the messages of the request: the hint says which message of the caller's list it means."""
    server.add_fault(Fault("status", status=400, code="40001", message="Invalid parameter: messages[1].content"))
    with pytest.raises(BadRequestError, match=r"messages\[1\] of the request is your messages\[2\]"):
        run(ClovaX(**account), way, HEAD[:3])


def test_blocks_of_results_become_lines(tmp_path: Path) -> None:
    """Files, sounds and films of a result are lines with type and size, with one warning; artefacts are nothing."""
    path = tmp_path / "보고.csv"
    path.write_bytes(b"1" * 2_000)
    blocks: list[tuple[Any, list[str]]] = [
        (TextBlock(text="결과"), ["결과"]),
        (DocumentBlock(data=RAW, title="보고서"), ["[file: 보고서, application/pdf, 307 kB]"]),
        (DocumentBlock(data=io.BytesIO(RAW), document_mimetype="application/pdf"), [PDF]),
        (DocumentBlock(path=str(path)), ["[file: 보고.csv, 2 kB]"]),
        (DocumentBlock(url="https://a.test/b.pdf"), ["[file: application/pdf, https://a.test/b.pdf]"]),
        (AudioBlock(audio=RAW, format="wav"), ["[audio: audio/wav, 307 kB]"]),
        (VideoBlock(video=RAW, video_mimetype="video/mp4"), ["[video: video/mp4, 307 kB]"]),
        (CitableBlock(title="t", source="s", content=[TextBlock(text="인용"), DocumentBlock(data=RAW)]), ["인용", PDF]),
        (CachePoint(cache_control=CacheControl(type="ephemeral")), []),
        (ThinkingBlock(content="비밀"), []),
        (ImageBlock(url=URL), ["[image]"]),
    ]
    message = ChatMessage(role="tool", blocks=[block for block, _ in blocks], additional_kwargs={"tool_call_id": "c"})
    with pytest.warns(UserWarning) as caught:  # noqa: PT030  two of them, below
        (wire,) = to_clova_messages([message])
    assert wire["content"].split("\n") == [line for _, lines in blocks for line in lines]
    assert [str(warning.message).split(" sent as")[0] for warning in caught] == [
        "1 image(s) of the history",
        "messages[0] has a part that is",
    ]


def test_base64_in_the_text_of_a_result() -> None:
    """What core made of an MCP server's picture, a long text, is a line."""
    encoded = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(5_000)).decode()
    text = f"meta=None content=[ImageContent(type='image', data='{encoded}', mimeType='image/png')] isError=False"
    with pytest.warns(UserWarning, match=r"messages\[0\] has a part"):
        (wire,) = to_clova_messages([result(text, tool_call_id="c")])
    assert wire["content"] == text.replace(encoded, "[file: image/png, 5 kB]")


def test_a_document_that_a_tool_gives(server: EmulatorServer, account: Any) -> None:
    """A tool that returns a document is answered: the model gets a line in place of its base64."""
    given = FunctionTool.from_defaults(lambda name: DocumentBlock(data=RAW, title=name), name="report").call("보고")
    message = ChatMessage(role="tool", blocks=given.blocks, additional_kwargs={"tool_call_id": "c"})
    with pytest.warns(UserWarning, match=r"messages\[2\]"):
        assert ClovaX(**account).chat([ChatMessage("보고서"), in_blocks("c"), message]).message.content
    assert len(server.requests[-1].raw) < 2_000


def test_documents_of_earlier_turns() -> None:
    """A document in an earlier message of the user, or in an answer, is a line."""
    blocks = [TextBlock(text="읽어"), DocumentBlock(data=RAW)]
    for role in ("user", "assistant"):
        with pytest.warns(UserWarning, match=r"messages\[0\] has a part"):
            wire = to_clova_messages([ChatMessage(role=role, blocks=blocks), ChatMessage("요약은?")])
        assert wire[0] == {"role": role, "content": f"읽어\n{PDF}"}


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", ["HCX-005", "HCX-007", "HCX-003"])
def test_every_part_of_a_conversation_counts(account: Any, model: str) -> None:
    """Histories of other providers, files, pictures and empty messages count, whole, reversed and cut; async too."""
    picture = ImageBlock(url=URL)
    messages = [ChatMessage("짧게", role="system"), *(message for pair in HISTORIES.values() for message in pair)]
    messages += [ChatMessage(role="user", blocks=[TextBlock(text=f"{i}"), picture]) for i in range(7)]
    messages += [ChatMessage(role="user", blocks=[DocumentBlock(data=RAW)]), ChatMessage("")]
    llm = ClovaX(model=model, **account)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = llm.count_chat_tokens(messages).total
        assert llm.count_chat_tokens(messages[::-1]).total > 0
        assert asyncio.run(llm.acount_chat_tokens(messages)).total == whole
        for start in (1, 2, len(messages) - 1):
            assert 0 < llm.count_chat_tokens(messages[start:]).total <= whole
    assert (whole > 2_000) == (model == "HCX-005")


def test_any_part_can_be_counted() -> None:
    """For a count nothing is refused or warned of: results without calls, empty messages, what is no text."""
    messages = [
        result(name=NAME),
        result(),
        in_blocks(None, None),
        ChatMessage(role="system", blocks=[DocumentBlock(data=RAW)]),
        ChatMessage(role="user", blocks=[ImageBlock(), AudioBlock(audio=RAW)]),
        ChatMessage(""),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wire = to_clova_messages(messages, is_counted=True)
    assert [message["role"] for message in wire] == ["system", "tool", "tool", "assistant", "user", "user"]
    (request,) = TokenCounting(wire, model="HCX-005").requests
    # The picture cannot be read and the last message is empty: both are estimated. A call is added for the results.
    assert [message["role"] for message in request["messages"]] == ["system", "assistant", "tool", "tool", "assistant"]

"""The language model's answers, in all eight ways of asking: against the wire, not against our own code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import ThinkingBlock
from llama_index.core.llms import ChatMessage, MessageRole, TextBlock
from llama_index.core.prompts import PromptTemplate
from llama_support import CHAT, COMPLETE, MODELS, QUESTION, STREAMS, asked, kinds, replay, run

from clova_studio import ConfigurationError
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer


def thinking_of(message: ChatMessage) -> str | None:
    """Return the text of a message's thinking, None without any."""
    return next((block.content for block in message.blocks if isinstance(block, ThinkingBlock)), None)


def check_counts(response: Any, usage: dict[str, Any]) -> None:
    """Compare both places of the token counts with the usage on the wire."""
    counts = {
        "prompt_tokens": usage["promptTokens"],
        "completion_tokens": usage["completionTokens"],
        "total_tokens": usage["totalTokens"],
    }
    assert {name: response.raw["usage"][name] for name in counts} == counts
    assert {name: response.additional_kwargs[name] for name in counts} == counts


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", CHAT)
def test_chat_gives_what_was_on_the_wire(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """The last response has the wire's text in one block, its thinking, its usage, its end and the request id."""
    last = run(ClovaX(model=model, seed=7, **account), way, [ChatMessage(QUESTION)])[-1]
    request, wire = server.requests[0], replay(server)
    assert last.message.role == MessageRole.ASSISTANT
    assert kinds(last.message) == (["text", "thinking"] if model == "HCX-007" else ["text"])
    assert last.message.content == wire["message"]["content"] != ""
    assert thinking_of(last.message) == wire["message"].get("thinkingContent")
    assert not last.message.additional_kwargs.get("tool_calls")
    check_counts(last, wire["usage"])
    assert last.additional_kwargs["finish_reason"] == "stop"
    assert last.additional_kwargs["request_id"] == request.headers["x-ncp-clovastudio-request-id"]
    assert ("event-stream" in request.headers["accept"]) is ("stream" in way)


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", ["chat", "stream_chat"])
def test_thinking_is_counted(server: EmulatorServer, account: Any, way: str) -> None:
    """The thinking block says how many tokens the thinking took."""
    last = run(ClovaX(model="HCX-007", **account), way, [ChatMessage(QUESTION)])[-1]
    details = replay(server)["usage"]["completionTokensDetails"]
    assert last.message.blocks[1].num_tokens == details["thinkingTokens"] > 0


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", COMPLETE)
def test_complete_gives_what_was_on_the_wire(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """A completion is the answer to one message of the user's, with the same counts."""
    last = run(ClovaX(model=model, seed=7, **account), way, QUESTION)[-1]
    wire = replay(server)
    assert last.text == wire["message"]["content"] != ""
    assert server.requests[0].body["messages"] == [{"role": "user", "content": QUESTION}]
    check_counts(last, wire["usage"])


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", [*MODELS, "HCX-003"])
@pytest.mark.parametrize("way", STREAMS)
def test_streams_add_up(account: Any, model: str, way: str) -> None:
    """Every response holds all so far and its delta just the new text; thinking likewise; nothing comes twice."""
    llm = ClovaX(model=model, seed=7, **account)
    responses = run(llm, way, asked(way))
    assert len(responses) > 3
    text = thinking = ""
    for response in responses:
        text += response.delta or ""
        so_far = response.text if "complete" in way else response.message.content or ""
        assert so_far == text
        if "complete" not in way:
            thinking += response.additional_kwargs.get("thinking_delta") or ""
            assert (thinking_of(response.message) or "") == thinking
            assert kinds(response.message).count("text") <= 1
    whole = llm.chat([ChatMessage(QUESTION)]).message
    assert text == whole.content
    if "complete" not in way:
        assert thinking == (thinking_of(whole) or "")


@pytest.mark.each_behaviour
def test_older_model_counts_and_ends_alike(server: EmulatorServer, account: Any) -> None:
    """A v1 model's lengths and reasons to stop are given in the words of v3."""
    for way in CHAT:
        last = run(ClovaX(model="HCX-003", seed=7, **account), way, [ChatMessage(QUESTION)])[-1]
        wire = replay(server)
        assert kinds(last.message) == ["text"]
        assert last.message.content == wire["message"]["content"]
        assert last.raw["usage"]["prompt_tokens"] == wire["inputLength"]
        assert last.raw["usage"]["completion_tokens"] == wire["outputLength"]
        assert last.additional_kwargs["finish_reason"] == "stop"


@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_text_arrives_unchanged(server: EmulatorServer, account: Any, way: str) -> None:
    """Hangul, emoji, blank lines and Unicode's other line ends survive."""
    text = "가나다 😀\u2028둘\u0085셋\r\n\n  넷\t“다섯”"
    server.script([text])
    last = run(ClovaX(**account), way, asked(way))[-1]
    assert (last.text if "complete" in way else last.message.content) == text


@pytest.mark.parametrize("way", CHAT)
def test_cut_answers_say_so(account: Any, way: str) -> None:
    """An answer that the cap cut ends with "length", thinking that used up the budget too."""
    cut = run(ClovaX(max_tokens=3, **account), way, [ChatMessage(QUESTION)])[-1]
    assert cut.additional_kwargs["finish_reason"] == "length"
    with pytest.warns(UserWarning, match="thinking used up max_tokens=3"):
        thought = run(ClovaX(model="HCX-007", max_tokens=3, **account), way, [ChatMessage(QUESTION)])[-1]
    assert thought.additional_kwargs["finish_reason"] == "length"
    assert thinking_of(thought.message)
    assert not thought.message.content


@pytest.mark.parametrize("model", [*MODELS, "HCX-003"])
def test_any_order_of_roles_is_answered(server: EmulatorServer, account: Any, model: str) -> None:
    """Repeated roles are sent in order, and all system messages become the one that the service takes, in front."""
    roles = ["system", "system", "user", "user", "assistant", "assistant", "user"]
    messages = [ChatMessage(f"말 {number}", role=role) for number, role in enumerate(roles)]
    assert ClovaX(model=model, **account).chat(messages).message.content
    first, *rest = server.requests[0].body["messages"]
    assert first["role"] == "system"
    assert first["content"].index("말 0") < first["content"].index("말 1")
    assert "system" not in [message["role"] for message in rest]
    assert [word for message in rest for word in message["content"].split("\n")] == [f"말 {n}" for n in range(2, 7)]


def test_conversation_and_late_system_message(server: EmulatorServer, account: Any) -> None:
    """An earlier answer is replayed as the assistant's; a system message further down moves to the front."""
    llm = ClovaX(model="HCX-007", **account)
    answer = llm.chat([ChatMessage("안녕")]).message
    llm.chat([ChatMessage("안녕"), answer, ChatMessage("짧게", role="system"), ChatMessage("다시")])
    assert server.requests[-1].body["messages"] == [
        {"role": "system", "content": "짧게"},
        {"role": "user", "content": "안녕"},
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": "다시"},
    ]


def test_developer_messages_are_instructions(server: EmulatorServer, account: Any) -> None:
    """The role developer, which the service does not have, is sent as system."""
    ClovaX(**account).chat([ChatMessage("짧게", role=MessageRole.DEVELOPER), ChatMessage("안녕")])
    assert server.requests[0].body["messages"][0] == {"role": "system", "content": "짧게"}


@pytest.mark.parametrize("role", [MessageRole.CHATBOT, MessageRole.MODEL])
def test_other_names_of_the_assistant(server: EmulatorServer, account: Any, role: MessageRole) -> None:
    """An answer in a history of another integration, whatever that calls its model, is the assistant's."""
    ClovaX(**account).chat([ChatMessage("안녕"), ChatMessage("네", role=role), ChatMessage("다시")])
    assert server.requests[0].body["messages"][1] == {"role": "assistant", "content": "네"}


def test_text_blocks_are_one_text(server: EmulatorServer, account: Any) -> None:
    """Several text blocks are joined as LlamaIndex joins them, with a line end."""
    message = ChatMessage(blocks=[TextBlock(text="하나"), TextBlock(text="둘")])
    ClovaX(**account).chat([message])
    content = server.requests[0].body["messages"][0]["content"]
    sent = content if isinstance(content, str) else "\n".join(part["text"] for part in content)
    assert sent == message.content


@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_empty_requests_are_refused_unsent(server: EmulatorServer, account: Any, way: str) -> None:
    """No message, and a message without text, are told before anything is sent."""
    for nothing in [""] if "complete" in way else [[], [ChatMessage("")], [ChatMessage("안녕"), ChatMessage("")]]:
        with pytest.raises(ConfigurationError, match="empty"):
            run(ClovaX(**account), way, nothing)
    assert server.requests == []


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("where", ["constructor", "call"])
def test_stop_ends_the_answer(server: EmulatorServer, account: Any, model: str, where: str) -> None:
    """The answer ends before the stop string in every way of asking; HCX-007 then does not think."""
    settings, options = ({"stop": ["더"]}, {}) if where == "constructor" else ({}, {"stop": ["더"]})
    llm = ClovaX(model=model, **settings, **account)
    for way in [*CHAT, *COMPLETE]:
        last = run(llm, way, asked(way), **options)[-1]
        assert server.requests[-1].body["stop"] == ["더"]
        whole = replay(server, stop=None)["message"]["content"]
        assert "더" in whole
        assert (last.text if "complete" in way else last.message.content) == whole.partition("더")[0]


@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_model_can_change_per_call(server: EmulatorServer, account: Any, way: str) -> None:
    """The model of a call goes before the constructor's, for this call alone."""
    llm = ClovaX(model="HCX-DASH-002", **account)
    run(llm, way, asked(way), model="HCX-007", max_tokens=3000)
    run(llm, way, asked(way))
    assert [request.path.rpartition("/")[2] for request in server.requests] == ["HCX-007", "HCX-DASH-002"]
    assert server.requests[0].body["maxCompletionTokens"] == 3000


@pytest.mark.parametrize("way", ["predict", "apredict", "stream", "astream"])
def test_system_prompt_goes_with_prompts_alone(server: EmulatorServer, account: Any, way: str) -> None:
    """The prompt methods put the system prompt in front and give the answer's text; chat and complete do not."""
    llm = ClovaX(system_prompt="존댓말로 답하세요.", seed=7, **account)
    text = "".join(run(llm, way, PromptTemplate("{what}의 수도는?"), what="대한민국"))
    assert text == replay(server)["message"]["content"]
    assert server.requests[0].body["messages"] == [
        {"role": "system", "content": "존댓말로 답하세요."},
        {"role": "user", "content": "대한민국의 수도는?"},
    ]
    llm.complete("안녕", formatted=True)
    llm.chat([ChatMessage("안녕")])
    assert [len(request.body["messages"]) for request in server.requests[-2:]] == [1, 1]

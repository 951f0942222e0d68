"""One question to a chat, whatever it takes: a second request where the first was refused or missed its tool."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio import (
    ChatChunk,
    ChatResult,
    ConfigurationError,
    Message,
    ToolCall,
    ToolCallFunction,
    UnsupportedFunctionError,
    Usage,
)
from clova_studio._streaming.chat_assembler import ChatAssembler
from clova_studio.adapters import ClovaMessages, ForcedTool, ToolChoiceFlow
from clova_studio.adapters._refused_force import RefusedForce
from clova_studio.types import CompletionTokensDetails

if TYPE_CHECKING:
    from clova_studio.adapters._tool_choice import ToolChoice

USER = {"role": "user", "content": "서울 날씨는?"}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": {"type": "object"}}}
    for name in ("get_weather", "find_train")
]
CALL = ToolCall(id="call_1", index=0, function=ToolCallFunction(name="get_weather", partial_json="{}"))
REFUSED = UnsupportedFunctionError("Unsupported function", status_code=400, code="40009", request_id="r-1")


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """Return an address that no other test has: what a place refuses is remembered for the process."""
    return f"http://{abs(hash(request.node.nodeid))}.test"


def flow(
    choice: ToolChoice | None, place: str | None = None, fallback: str = "after_tool_result", **more: Any
) -> ToolChoiceFlow:
    """Return a flow about the weather."""
    request = {"model": "HCX-005", "messages": [USER], "tools": TOOLS, **more}
    return ToolChoiceFlow(request, choice=choice, tool_fallback=fallback, base_url=place)


def usage(prompt: int, completion: int, thinking: int | None = None) -> Usage:
    """Return tokens."""
    details = None if thinking is None else CompletionTokensDetails(thinking_tokens=thinking)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        completion_tokens_details=details,
    )


def said(*texts: str) -> list[ChatChunk]:
    """Return the pieces of an answer in text, without its end."""
    return [ChatChunk(message=Message(content=text)) for text in texts]


def called() -> list[ChatChunk]:
    """Return the piece of an answer that calls a tool."""
    return [ChatChunk(message=Message(tool_calls=[CALL]))]


def end(spent: Usage | None = None, reason: str | None = "stop") -> ChatChunk:
    """Return the last piece of an answer."""
    return ChatAssembler("id").finish(ChatResult(message=Message(), finish_reason=reason, usage=spent))


def feed(given: ToolChoiceFlow, *pieces: ChatChunk) -> list[tuple[str, bool]]:
    """Stream one answer into an flow; returns what is given out: text or tool, and whether it is the last."""
    out = [item for piece in pieces for item in given.streamed(piece)]
    return [("call" if piece.message.tool_calls else piece.message.content, last) for piece, last in out]


def whole(text: str = "", *, call: bool = False, spent: Usage | None = None) -> ChatResult:
    """Return a whole answer."""
    return ChatResult(message=Message(content=text, tool_calls=[CALL] if call else None), usage=spent)


def test_plain_exchange_is_one_request_as_it_was_given() -> None:
    """Without a choice the request is the caller's own, pieces pass as they come, and the last one ends it."""
    given = flow(None)
    assert given.request == {"model": "HCX-005", "messages": [USER], "tools": TOOLS}
    assert given.model == "HCX-005"
    assert feed(given, *said("맑", "음"), end(usage(3, 2))) == [("맑", False), ("음", False), ("", True)]
    assert given.done
    assert given.marks == {}
    assert given.total_usage(usage(3, 2)) == usage(3, 2)


def test_usage_in_every_piece_does_not_end_the_answer() -> None:
    """Documentation has usage in token events too: only the last piece ends the answer, and its tokens are counted."""
    pieces = [ChatChunk(message=Message(content=text), usage=usage(3, i)) for i, text in enumerate("맑음", 1)]
    given = flow(None)
    assert feed(given, *pieces, end(usage(3, 2))) == [("맑", False), ("음", False), ("", True)]
    demanding = flow("any")
    assert feed(demanding, *pieces, end(usage(3, 2))) == []
    assert not demanding.done


@pytest.mark.parametrize("reason", ["stop", None])
def test_demand_met_at_the_second_request_is_not_marked(reason: str | None) -> None:
    """Text, asked again, call: the text is taken back, nothing is marked, and the tokens of both are counted."""
    given = flow("any")
    first = given.request
    spent = [usage(10, 4, thinking=3), usage(20, 6, thinking=5)]
    assert feed(given, *said("글로 ", "답함"), end(spent[0], reason)) == []
    assert not given.done
    assert given.request["messages"][:-2] == first["messages"]
    assert given.request["messages"][-2] == {"role": "assistant", "content": "글로 답함"}
    assert given.request["messages"][-1]["role"] == "user"
    assert "get_weather, find_train" in given.request["messages"][-1]["content"]
    assert feed(given, *called(), end(spent[1], "tool_calls")) == [("call", False), ("", True)]
    assert given.done
    assert given.marks == {}
    assert given.total_usage(spent[1]) == usage(30, 10, thinking=8)


def test_demand_unmet_twice_is_marked() -> None:
    """Text twice: the second text is given out as it comes, and marked."""
    given = flow("any")
    assert feed(given, *said("하나"), end(usage(10, 4))) == []
    second = said("둘", "셋")
    assert [given.streamed(piece) for piece in second] == [[(piece, False)] for piece in second]
    assert feed(given, end(usage(20, 6))) == [("", True)]
    assert given.done
    assert given.marks == {"tool_choice_unmet": True}
    assert given.total_usage(usage(20, 6)) == usage(30, 10)


def test_demand_met_at_once_keeps_the_words_before_the_call() -> None:
    """What was said before the call is held until the call is there, and then given out in order."""
    given = flow("any")
    words, call = *said("찾아볼게요."), *called()
    assert given.streamed(words) == []
    assert given.streamed(call) == [(words, False), (call, False)]
    assert feed(given, end(usage(1, 1))) == [("", True)]
    assert (given.done, given.marks) == (True, {})


def test_call_that_only_the_last_piece_brings_is_one() -> None:
    """An answer whose call comes with its end has met the demand."""
    given = flow("any")
    last = ChatAssembler("id").finish(ChatResult(message=Message(tool_calls=[CALL]), finish_reason="tool_calls"))
    assert feed(given, last) == [("call", True)]
    assert (given.done, given.marks) == (True, {})


def test_stream_without_reason_and_tokens_still_ends() -> None:
    """A service that says neither how an answer ended nor what it cost does not leave the flow open."""
    given = flow("any")
    assert feed(given, *said("하나"), end(None, None)) == []
    assert not given.done
    assert feed(given, *said("둘"), end(None, None)) == [("둘", False), ("", True)]
    assert (given.done, given.marks) == (True, {"tool_choice_unmet": True})
    assert given.total_usage(None) is None


@pytest.mark.parametrize(
    ("spent", "total"),
    [
        ([usage(10, 4), usage(20, 6)], usage(30, 10)),
        ([usage(10, 4, thinking=3), usage(20, 6)], usage(30, 10, thinking=3)),
        ([usage(10, 4), usage(20, 6, thinking=0)], usage(30, 10, thinking=0)),
        ([usage(10, 4), None], usage(10, 4)),
        ([None, usage(20, 6)], usage(20, 6)),
    ],
)
def test_tokens_of_both_requests_are_counted(spent: list[Usage | None], total: Usage) -> None:
    """Whole answers: the sum is of what each said, thinking tokens included where one said any."""
    given = flow("any")
    assert given.answered(whole("글", spent=spent[0])) is False
    assert given.answered(whole(call=True, spent=spent[1])) is True
    assert (given.done, given.marks) == (True, {})
    assert given.total_usage(spent[1]) == total


def test_blank_answer_is_not_sent_back() -> None:
    """An answer without a word is no message of the second request: the service refuses empty ones."""
    given = flow("any")
    given.answered(whole(" \n"))
    assert [message["role"] for message in given.request["messages"]] == ["system", "user", "user"]


def test_the_given_request_is_never_changed() -> None:
    """Instructions and second questions go into copies."""
    request = {
        "model": "HCX-005",
        "messages": [{"role": "system", "content": "짧게"}, USER],
        "tools": TOOLS,
    }
    before = copy.deepcopy(request)
    given = ToolChoiceFlow(request, choice="any", tool_fallback="always", base_url=None)
    given.answered(whole("글"))
    given.refused(REFUSED)
    assert request == before
    assert given.request == {**before, "tool_choice": "none"}


def test_forced_tool_is_declared_alone(place: str) -> None:
    """With or without force the request has the one tool, so that only force can be what is refused."""
    given = flow(ForcedTool("find_train"), place)
    assert given.request["tool_choice"] == {"type": "function", "function": {"name": "find_train"}}
    assert given.request["tools"] == TOOLS[1:]
    given.refused(REFUSED)
    assert given.request["tool_choice"] == "auto"
    assert given.request["tools"] == TOOLS[1:]


def refuse_once(place: str, *, streamed: bool = False, **more: Any) -> None:
    """Meet 40009 with a forced choice, and an answer without force that was asked for twice."""
    given = flow(ForcedTool("find_train"), place, **more)
    assert given.request["tool_choice"] != "auto"
    given.refused(REFUSED)
    if streamed:
        assert feed(given, *said("글"), end()) == []
        assert feed(given, *called(), end()) == [("call", False), ("", True)]
    else:
        assert not given.answered(whole("글"))
        assert given.answered(whole(call=True))


@pytest.mark.parametrize("streamed", [False, True])
def test_force_is_left_out_after_two_refusals(place: str, *, streamed: bool) -> None:
    """One 40009 teaches nothing; the second, at the same place and model, that force is not worth a request."""
    refuse_once(place, streamed=streamed)
    refuse_once(place, streamed=streamed)
    later = flow(ForcedTool("get_weather"), place)
    assert (later.request["tool_choice"], later.request["tools"]) == ("auto", TOOLS[:1])
    assert flow(ForcedTool("get_weather"), f"{place}/other").request["tool_choice"] != "auto"
    assert flow(ForcedTool("get_weather"), place, model="HCX-007").request["tool_choice"] != "auto"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_force_that_is_accepted_takes_a_refusal_back(place: str, *, streamed: bool) -> None:
    """A forced choice that works between two refusals: they had another reason, and force is tried again."""
    refuse_once(place)
    accepted = flow(ForcedTool("find_train"), place)
    if streamed:
        feed(accepted, *called(), end())
    else:
        accepted.answered(whole(call=True))
    refuse_once(place)
    assert flow(ForcedTool("find_train"), place).request["tool_choice"] != "auto"


def test_the_memory_of_refusals_is_bounded() -> None:
    """After 1,000 other targets the oldest is forgotten; the newest is known."""
    known = RefusedForce()
    for number in range(1_001):
        known.refused((str(number), "HCX-005"))
        known.refused((str(number), "HCX-005"))
    assert [known.is_known((str(number), "HCX-005")) for number in (0, 1, 1_000)] == [False, True, True]


def test_refused_force_is_forgotten() -> None:
    """What two refusals say has an end: then force is tried again, and two more are needed."""
    now = 0.0
    known = RefusedForce(lasts=600, clock=lambda: now)

    def forced() -> ToolChoiceFlow:
        request = {"model": "HCX-005", "messages": [USER], "tools": TOOLS}
        choice = ForcedTool("find_train")
        return ToolChoiceFlow(request, choice=choice, tool_fallback="never", base_url="x", refused_force=known)

    def refuse() -> None:
        given = forced()
        given.refused(REFUSED)
        given.answered(whole(call=True))

    refuse()
    now = 500
    refuse()
    assert forced().request["tool_choice"] == "auto"
    now = 599
    assert forced().request["tool_choice"] == "auto"
    now = 601  # the first of the two does not count any more
    assert forced().request["tool_choice"] != "auto"
    refuse()
    assert forced().request["tool_choice"] == "auto"
    now = 2_000
    refuse()
    assert forced().request["tool_choice"] != "auto"


def test_a_tool_refused_alone_too_teaches_nothing(place: str) -> None:
    """Where the tool itself is refused, forced or not, the error is raised and nothing is remembered."""
    for _ in range(3):
        given = flow(ForcedTool("find_train"), place)
        given.refused(REFUSED)
        with pytest.raises(UnsupportedFunctionError) as caught:
            given.refused(REFUSED)
        assert caught.value is REFUSED
    assert flow(ForcedTool("find_train"), place).request["tool_choice"] != "auto"


def test_going_on_without_tools_drops_what_was_held(caplog: pytest.LogCaptureFixture) -> None:
    """After 40009 the answer without tools is given out alone, marked, and not asked for a call any more."""
    history = [USER, {"role": "assistant", "content": "", "toolCalls": []}, {"role": "tool", "content": "맑음"}]
    given = flow("any", messages=history)
    assert given.streamed(said("버려질 말")[0]) == []
    with caplog.at_level(logging.WARNING, "clova_studio"):
        given.refused(REFUSED)
    assert "r-1" in caplog.text
    assert given.request == {"model": "HCX-005", "messages": history, "tools": TOOLS, "tool_choice": "none"}
    assert feed(given, *said("맑습니다."), end(usage(1, 1))) == [("맑습니다.", False), ("", True)]
    assert (given.done, given.marks) == (True, {"tool_fallback": True})


@pytest.mark.parametrize(
    ("choice", "fallback", "more"),
    [
        ("auto", "never", {}),
        ("auto", "after_tool_result", {}),
        ("none", "always", {}),
        (None, "always", {"tools": None}),
    ],
)
def test_40009_is_raised_where_nothing_helps(choice: ToolChoice | None, fallback: str, more: dict[str, Any]) -> None:
    """Without leave, without tools, or when there was no tool to call, the error reaches the caller."""
    with pytest.raises(UnsupportedFunctionError):
        flow(choice, fallback=fallback, **more).refused(REFUSED)


def test_unknown_fallback_is_refused() -> None:
    """A fourth policy does not exist."""
    with pytest.raises(ConfigurationError, match="tool_fallback"):
        flow(None, fallback="sometimes")


def test_messages_of_a_stranger_stay_to_be_translated() -> None:
    """Plain messages with an instruction added are still checked and translated by the client; an adapter's are not."""
    plain = flow("any", messages=[USER]).request["messages"]
    made = flow("any", messages=ClovaMessages([USER])).request["messages"]
    assert plain == made
    assert [type(plain), type(made)] == [list, ClovaMessages]

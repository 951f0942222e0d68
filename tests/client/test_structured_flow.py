"""Ways to ask for a structured answer: which come first, which follow, and what ends them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from clova_studio import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ContextLengthError,
    RateLimitError,
    ServerError,
    UnsupportedFunctionError,
)
from clova_studio.adapters import StructuredFlow, UnfitAnswerError, json_instruction, structured_methods
from clova_studio.adapters._conversation import tools_as_text
from clova_studio.adapters._structured_flow import refuses_method

ALL = ("json_schema", "function_calling", "json_mode")
UNSUPPORTED = UnsupportedFunctionError("Unsupported function", status_code=400, code="40009")


@pytest.mark.parametrize(
    ("model", "facts", "methods"),
    [
        ("HCX-007", {}, ALL),
        ("HCX-007", {"after_tools": True}, ("function_calling", "json_schema", "json_mode")),
        ("HCX-005", {}, ALL[1:]),
        ("HCX-005", {"after_tools": True}, ALL[1:]),
        ("HCX-005", {"with_images": True}, ("json_mode",)),
        ("HCX-DASH-002", {}, ALL[1:]),
        ("HCX-DASH-002", {"with_images": True}, ALL[1:]),
        ("HCX-003", {}, ("json_mode",)),
        ("HCX-005", {"task_id": "bjlkpn9s"}, ("json_mode",)),
        ("ft:bjlkpn9s", {}, ("json_mode",)),
        ("HCX-999", {}, ALL[1:]),
    ],
)
def test_ways_follow_model_and_conversation(model: str, facts: dict[str, Any], methods: tuple[str, ...]) -> None:
    """The first way is the best that model and conversation allow, and JSON by instruction is always the last."""
    assert structured_methods(model, **facts) == methods


@pytest.mark.parametrize(
    ("error", "refuses"),
    [
        (UNSUPPORTED, True),
        (BadRequestError("Invalid response format schema", status_code=400, code="40055"), True),
        (BadRequestError("Invalid parameter: responseFormat", status_code=400, code="40001"), True),
        (BadRequestError("Invalid parameter: tools[].function.description", status_code=400, code="40001"), True),
        (BadRequestError("Invalid parameter: temperature", status_code=400, code="40001"), False),
        (BadRequestError("Unavailable output", status_code=400, code="40005"), False),
        (ContextLengthError("Context length exceeded", status_code=400, code="40003"), False),
        (RateLimitError("Too many requests", status_code=429, code="42901"), False),
        (AuthenticationError("Invalid key", status_code=401, code="40104"), False),
        (ServerError("Internal server error", status_code=500, code="50000"), False),
    ],
)
def test_only_refusals_of_the_way_lead_to_the_next(error: Exception, *, refuses: bool) -> None:
    """40009 and refusals of schema or tools do; quota, key, server and length do not."""
    assert refuses_method(error) is refuses
    flow = StructuredFlow(ALL, model="HCX-007")
    if refuses:
        flow.refused(error)
        assert flow.method == "function_calling"
    else:
        with pytest.raises(type(error)):
            flow.refused(error)
    pinned = StructuredFlow(["json_schema"], model="HCX-007", is_pinned=True)
    with pytest.raises(type(error)):
        pinned.refused(error)


def test_every_way_is_tried_then_once_more_with_the_words(caplog: pytest.LogCaptureFixture) -> None:
    """After the last way it is asked once more with the validator's words; one warning, without texts, says it."""
    caplog.set_level(logging.INFO, "clova_studio")
    flow = StructuredFlow(ALL, model="HCX-007")
    flow.refused(BadRequestError("Invalid response format schema", status_code=400, code="40055"))
    assert flow.correction is None
    flow.unfit(UnfitAnswerError("invalid", "city: must be a string", said='{"city": ["비밀"]}'))
    assert flow.method == "json_mode"
    assert flow.correction is not None
    assert flow.correction.said == '{"city": ["비밀"]}'
    assert "city: must be a string" in flow.correction.request
    flow.unfit(UnfitAnswerError("not_json", said="비밀입니다."))
    assert flow.method == "json_mode"
    assert flow.correction.said == "비밀입니다."
    with pytest.raises(UnfitAnswerError, match="not a JSON object"):
        flow.unfit(UnfitAnswerError("not_json", said="비밀입니다."))
    assert flow.marks == {
        "structured_output_method": "json_mode",
        "structured_output_fallback": [
            "json_schema: 40055 Invalid response format schema",
            "function_calling: city: must be a string",
            "json_mode: The answer is not a JSON object.",
        ],
    }
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "INFO"]
    assert "비밀" not in caplog.text


@pytest.mark.parametrize("fault", ["no_call", "not_json", "invalid"])
def test_pinned_way_never_falls_over(fault: Any) -> None:
    """A way that the caller has chosen is asked once."""
    flow = StructuredFlow(["function_calling"], model="HCX-005", is_pinned=True)
    assert not flow.reads_text
    with pytest.raises(UnfitAnswerError):
        flow.unfit(UnfitAnswerError(fault))


def test_cut_answer_ends_it() -> None:
    """The cap that cut an answer would cut the next one: no other way is tried, and the error names max_tokens."""
    flow = StructuredFlow(ALL, model="HCX-007")
    with pytest.raises(UnfitAnswerError, match="max_tokens"):
        flow.unfit(UnfitAnswerError("cut"))


def test_way_that_the_options_exclude_is_passed_over() -> None:
    """Where a later way cannot be sent the next is taken; for the first one it is the caller's to resolve."""
    wrong = ConfigurationError("max_tokens must be at least 1024 with tools")
    with pytest.raises(ConfigurationError):
        StructuredFlow(ALL, model="HCX-007").refused(wrong)
    flow = StructuredFlow(ALL, model="HCX-007")
    flow.unfit(UnfitAnswerError("not_json"))
    flow.refused(wrong)
    assert flow.method == "json_mode"
    flow = StructuredFlow(ALL[:2], model="HCX-007")
    flow.unfit(UnfitAnswerError("not_json"))
    with pytest.raises(UnfitAnswerError):
        flow.refused(wrong)


def test_instruction_holds_the_schema() -> None:
    """The instruction is in both languages and has the schema as JSON, Hangul as it is."""
    words = json_instruction({"type": "object", "description": "주소"})
    assert "JSON 객체" in words
    assert '{"type": "object", "description": "주소"}' in words
    assert "Schema" not in json_instruction()


def test_tool_turns_become_text() -> None:
    """Calls and results become text of the model and of the user, in order, and nothing else changes."""
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "부산"}}}
    wire = [
        {"role": "user", "content": "날씨?"},
        {"role": "assistant", "content": "찾아볼게요.", "toolCalls": [call, {**call, "id": "c2"}]},
        {"role": "tool", "toolCallId": "c1", "content": "맑음"},
        {"role": "tool", "toolCallId": "c2", "content": "흐림"},
        {"role": "assistant", "content": "맑습니다."},
    ]
    before = repr(wire)
    told = tools_as_text(wire)
    assert [message["role"] for message in told] == ["user", "assistant", "user", "assistant"]
    assert told[1]["content"].splitlines()[1] == '[tool call] weather({"city": "부산"})'
    assert told[2]["content"] == "[tool result] weather: 맑음\n[tool result] weather: 흐림"
    assert (told[0], told[3]) == (wire[0], wire[4])
    assert repr(wire) == before
    assert tools_as_text(wire[:1]) == wire[:1]

"""The language model's options: what arrives on the wire, what is refused, and what its metadata says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import PromptHelper
from llama_index.core.llms import ChatMessage, MessageRole
from llama_support import CHAT, COMPLETE, MODELS, asked, run

from clova_studio import ConfigurationError, NotFoundError
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

V3 = {
    "temperature": 0.0,
    "top_p": 0.7,
    "top_k": 3,
    "max_tokens": 50,
    "repetition_penalty": 1.05,
    "stop": ["끝"],
    "seed": 0,
    "include_ai_filters": True,
}
V3_WIRE = {
    "temperature": 0.0,
    "topP": 0.7,
    "topK": 3,
    "maxTokens": 50,
    "repetitionPenalty": 1.05,
    "stop": ["끝"],
    "seed": 0,
    "includeAiFilters": True,
}
THINKING = {"thinking": {"effort": "high"}, "max_tokens": 3000, "top_k": 128, "seed": 4_294_967_295}
THINKING_WIRE = {"thinking": {"effort": "high"}, "maxCompletionTokens": 3000, "topK": 128, "seed": 4_294_967_295}
V1 = {**V3, "temperature": 0.2, "repetition_penalty": 5.5, "include_ai_filters": False}
V1_WIRE = {
    "temperature": 0.2,
    "topP": 0.7,
    "topK": 3,
    "maxTokens": 50,
    "repeatPenalty": 5.5,
    "stopBefore": ["끝"],
    "seed": 0,
    "includeAiFilters": False,
}
SETS = [
    ("HCX-005", V3, V3_WIRE, "/v3/chat-completions/HCX-005"),
    ("HCX-DASH-002", V3, V3_WIRE, "/v3/chat-completions/HCX-DASH-002"),
    ("HCX-007", THINKING, THINKING_WIRE, "/v3/chat-completions/HCX-007"),
    ("HCX-003", V1, V1_WIRE, "/v1/chat-completions/HCX-003"),
    ("HCX-DASH-001", V1, V1_WIRE, "/v1/chat-completions/HCX-DASH-001"),
]


@pytest.mark.parametrize(("model", "options", "wire", "path"), SETS, ids=[item[0] for item in SETS])
@pytest.mark.parametrize("where", ["constructor", "call"])
def test_options_reach_the_wire(
    server: EmulatorServer,
    account: Any,
    model: str,
    options: dict[str, Any],
    wire: dict[str, Any],
    path: str,
    where: str,
) -> None:
    """Every option arrives under the wire's name, zeros included, in all eight ways; nothing else is sent."""
    llm = ClovaX(model=model, **(options if where == "constructor" else {"top_k": 99}), **account)
    for way in [*CHAT, *COMPLETE]:
        run(llm, way, asked(way), **(options if where == "call" else {}))
        request = server.requests[-1]
        assert request.path == path
        assert {name: value for name, value in request.body.items() if name != "messages"} == wire


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"model_name": "HCX-DASH-002"}, None, "/v3/chat-completions/HCX-DASH-002"),
        ({"max_completion_tokens": 51}, "maxTokens", 51),
        ({"repeat_penalty": 1.06}, "repetitionPenalty", 1.06),
        ({"stop_sequences": ["끝"]}, "stop", ["끝"]),
        ({"stop": "끝"}, "stop", ["끝"]),
    ],
)
def test_other_names(server: EmulatorServer, account: Any, given: dict[str, Any], name: str | None, value: Any) -> None:
    """The second names of options work in the constructor and per call."""
    ClovaX(**given, **account).complete("안녕")
    ClovaX(**account).complete("안녕", **given)
    for request in server.requests:
        assert (request.path if name is None else request.body[name]) == value


def test_effort_can_be_a_word(server: EmulatorServer, account: Any) -> None:
    """The thinking effort is taken by its name too, and "none" turns thinking off."""
    answer = ClovaX(model="HCX-007", thinking="none", **account).chat([ChatMessage("안녕")])
    assert [block.block_type for block in answer.message.blocks] == ["text"]
    ClovaX(model="HCX-007", **account).complete("안녕", thinking="medium")
    assert [request.body["thinking"]["effort"] for request in server.requests] == ["none", "medium"]


def test_none_leaves_an_option_to_the_service(server: EmulatorServer, account: Any) -> None:
    """None per call takes the constructor's value back."""
    ClovaX(temperature=0.3, **account).complete("안녕", temperature=None)
    assert "temperature" not in server.requests[0].body


def test_tuned_models_have_paths_of_their_own(server: EmulatorServer, account: Any) -> None:
    """task_id, or a name with "ft:", goes to the task's path, and such a model calls no tools."""
    for settings in ({"task_id": "task1234", "base_model": "HCX-005"}, {"model": "ft:task1234"}):
        llm = ClovaX(**settings, **account)
        assert llm.complete("안녕").text
        assert not llm.metadata.is_function_calling_model
    ClovaX(model="HCX-003", task_id="task1234", api_version="v2", **account).complete("안녕")
    paths = [request.path for request in server.requests]
    assert paths == ["/v3/tasks/task1234/chat-completions"] * 2 + ["/v2/tasks/task1234/chat-completions"]


@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_names_that_are_wrong(server: EmulatorServer, account: Any, way: str) -> None:
    """The long name of a tuned model is refused unsent; a name nearly known is asked about, before and after."""
    long = ClovaX(model="ft:tuning-1883-250519-abc", **account)
    with pytest.raises(ConfigurationError, match=r"short id that tuning\.list"):
        run(long, way, asked(way, "안녕"))
    assert server.requests == []
    llm = ClovaX(model="HCX007", **account)
    with pytest.warns(UserWarning, match="did you mean 'HCX-007'"), pytest.raises(NotFoundError) as caught:
        run(llm, way, asked(way, "안녕"))
    assert "Did you mean 'HCX-007'?" in (caught.value.hint or "")


@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_request_id_and_format_of_a_call(server: EmulatorServer, account: Any, way: str) -> None:
    """A request id of the caller's goes along and comes back; a response format is sent as the service has it."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
    llm = ClovaX(model="HCX-007", **account)
    last = run(llm, way, asked(way, "도시는 '서울'입니다."), response_format=form, request_id="mine-1")[-1]
    assert json.loads(last.text if "complete" in way else last.message.content) == {"city": "서울"}
    assert server.requests[0].body["responseFormat"] == {"type": "json", "schema": schema}
    assert server.requests[0].headers["x-ncp-clovastudio-request-id"] == "mine-1"
    assert last.additional_kwargs["request_id"] == "mine-1"


def test_answers_are_not_cut_at_the_services_default(server: EmulatorServer, account: Any) -> None:
    """Without a cap a model that does not think gets more than the 100 tokens that the service may assume."""
    for model in ("HCX-005", "HCX-DASH-002", "HCX-003"):
        ClovaX(model=model, **account).complete("안녕")
        assert server.requests[-1].body["maxTokens"] >= 256


@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_wrong_options_are_refused_by_name(server: EmulatorServer, account: Any, way: str) -> None:
    """Misspelt, foreign, contradictory and out-of-range options of a call are named, and nothing is sent."""
    llm = ClovaX(**account)
    for wrong, named in [
        ({"temprature": 0.1}, "temprature"),
        ({"logit_bias": {}}, "logit_bias"),
        ({"api_key": "nv-other"}, "api_key"),
        ({"temperature": 1.5}, "temperature"),
        ({"max_tokens": 5000}, "max_tokens"),
        ({"thinking": "low"}, "thinking"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_completion_tokens"),
    ]:
        with pytest.raises(ConfigurationError, match=named) as caught:
            run(llm, way, asked(way), **wrong)
        assert "nv-other" not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize("name", ["temprature", "api_base", "additional_kwargs", "context_window", "reuse_client"])
def test_constructor_refuses_unknown_names(name: str) -> None:
    """What is no field is refused by name, other integrations' fields too, never ignored."""
    with pytest.raises(ConfigurationError, match=name):
        ClovaX(api_key="nv-x", **{name: 1})


def test_explicit_thinking_does_not_go_with_stop(server: EmulatorServer, account: Any) -> None:
    """Thinking that was asked for and stop strings are a contradiction, told before sending."""
    with pytest.raises(ConfigurationError, match="thinking"):
        ClovaX(model="HCX-007", thinking={"effort": "low"}, stop=["끝"], **account).complete("안녕")
    assert server.requests == []


# Context (input and output), most input and most output of each model, from the guide's model page.
LIMITS = {
    "HCX-007": (128_000, 128_000, 32_768),
    "HCX-005": (128_000, 128_000, 4_096),
    "HCX-DASH-002": (32_000, 32_000, 4_096),
    "HCX-003": (8_192, 7_600, 4_096),
    "HCX-DASH-001": (4_096, 3_500, 4_096),
}


@pytest.mark.parametrize("model", LIMITS)
def test_metadata_comes_from_the_model(model: str) -> None:
    """Abilities and name are the model's; what LlamaIndex makes of context and output fits the model, and is of use."""
    context, most_input, most_output = LIMITS[model]
    metadata = ClovaX(model=model, api_key="nv-x").metadata
    assert (metadata.model_name, metadata.is_chat_model) == (model, True)
    assert metadata.is_function_calling_model is (model in MODELS)
    assert metadata.system_role == MessageRole.SYSTEM
    assert 0 < metadata.num_output <= most_output
    # LlamaIndex fills the context but for the output with input, and the older models take less input than that.
    assert metadata.context_window == min(context, most_input + metadata.num_output)
    helper = PromptHelper.from_llm_metadata(metadata)
    assert 1_000 < helper._get_available_context_size(500) <= most_input


def test_metadata_follows_the_settings() -> None:
    """The output cap is what the metadata says; a model of tomorrow works and calls tools."""
    assert ClovaX(api_key="nv-x", max_tokens=300).metadata.num_output == 300
    metadata = ClovaX(api_key="nv-x", model="HCX-009").metadata
    assert (metadata.model_name, metadata.is_function_calling_model) == ("HCX-009", True)
    assert metadata.context_window > metadata.num_output > 0


def test_identity_of_the_class() -> None:
    """The class tells its name without an instance, as LlamaIndex's serialisation wants it."""
    from llama_index.core.llms.function_calling import FunctionCallingLLM

    assert isinstance(ClovaX.class_name(), str)
    assert ClovaX.class_name() not in {"base_component", "base_llm"}
    assert FunctionCallingLLM in ClovaX.__mro__
    assert ClovaX(api_key="nv-x").to_dict()["class_name"] == ClovaX.class_name()

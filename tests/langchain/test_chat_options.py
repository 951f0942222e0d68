# mypy: disable-error-code="attr-defined"
"""Every option of the chat model: where it arrives on the wire, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField

from clova_studio import ConfigurationError
from langchain_clova import ChatClovaX

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

V3 = [
    ({"temperature": 0.3}, "temperature", 0.3),
    ({"temperature": 0}, "temperature", 0),
    ({"top_p": 0.7}, "topP", 0.7),
    ({"top_k": 3}, "topK", 3),
    ({"max_tokens": 50}, "maxTokens", 50),
    ({"max_completion_tokens": 51}, "maxTokens", 51),
    ({"repetition_penalty": 1.05}, "repetitionPenalty", 1.05),
    ({"repeat_penalty": 1.06}, "repetitionPenalty", 1.06),
    ({"stop": ["끝"]}, "stop", ["끝"]),
    ({"stop": "끝"}, "stop", ["끝"]),
    ({"stop": ("끝", "둘")}, "stop", ["끝", "둘"]),
    ({"seed": 7}, "seed", 7),
    ({"include_ai_filters": True}, "includeAiFilters", True),
]


@pytest.mark.parametrize(("option", "name", "value"), V3)
def test_constructor_options_reach_the_wire(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, option: dict[str, Any], name: str, value: Any
) -> None:
    """An option of the constructor is sent under the wire's name."""
    chat(**option).invoke("안녕")
    assert server.requests[-1].body[name] == value


@pytest.mark.parametrize(("option", "name", "value"), V3)
def test_call_options_go_before_the_constructors(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, option: dict[str, Any], name: str, value: Any
) -> None:
    """An option of the call replaces the constructor's, in invoke, stream and bind alike."""
    model = chat(
        temperature=0.9, top_p=0.1, top_k=9, max_tokens=9, repetition_penalty=1.9, seed=9, stop=["x"], thinking=None
    )
    model.invoke("안녕", **option)
    list(model.stream("안녕", **option))
    model.bind(**option).invoke("안녕")
    assert [request.body[name] for request in server.requests] == [value] * 3


@pytest.mark.parametrize(
    ("option", "name", "value"),
    [
        ({"thinking": {"effort": "high"}}, "thinking", {"effort": "high"}),
        ({"thinking": "none"}, "thinking", {"effort": "none"}),
        ({"max_tokens": 2_000}, "maxCompletionTokens", 2_000),
    ],
)
def test_thinking_model_options(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, option: dict[str, Any], name: str, value: Any
) -> None:
    """HCX-007 has its effort, and its own name for the output cap, from constructor and call."""
    chat(model="HCX-007", **option).invoke("안녕")
    chat(model="HCX-007").invoke("안녕", **option)
    assert [request.body[name] for request in server.requests] == [value] * 2


@pytest.mark.each_behaviour
def test_older_models_get_older_names(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A v1 model is asked through v1, with its words."""
    chat(model="HCX-003", repetition_penalty=5.0, stop=["끝"]).invoke("안녕")
    request = server.requests[-1]
    assert request.path == "/v1/chat-completions/HCX-003"
    assert (request.body["repeatPenalty"], request.body["stopBefore"]) == (5.0, ["끝"])


def test_none_leaves_an_option_to_the_service(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """None per call takes the constructor's value back."""
    chat(temperature=0.3).invoke("안녕", temperature=None)
    assert "temperature" not in server.requests[-1].body


def test_the_model_can_change_per_call(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """Both names of the model work per call and in the constructor."""
    answer = chat(model_name="HCX-DASH-002").invoke("안녕", model_name="HCX-005")
    assert server.requests[-1].path == "/v3/chat-completions/HCX-005"
    assert answer.response_metadata["model_name"] == "HCX-005"
    assert chat(model_name="HCX-DASH-002").model == chat(model="HCX-DASH-002").model_name


def test_request_id_and_tuned_models(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A request id of the caller's goes with the request and comes back; task_id changes the path."""
    answer = chat().invoke("안녕", request_id="mine-1")
    assert server.requests[-1].headers["x-ncp-clovastudio-request-id"] == "mine-1"
    assert answer.response_metadata["request_id"] == "mine-1"
    chat(task_id="task1234", model="HCX-005", base_model="HCX-005").invoke("안녕")
    assert server.requests[-1].path == "/v3/tasks/task1234/chat-completions"


def test_prefix_pair_of_keys_and_headers(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """path_prefix, apigw_api_key and headers reach the wire."""
    chat(path_prefix="testapp", apigw_api_key="second", headers={"X-Team": "a"}).invoke("안녕")
    request = server.requests[-1]
    assert request.path.startswith("/testapp/v3/")
    assert {"x-ncp-clovastudio-api-key", "x-ncp-apigw-api-key"} <= set(request.headers)
    assert request.headers["x-team"] == "a"


def test_openai_ending_is_taken_off(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, chat: Callable[..., ChatClovaX]
) -> None:
    """A base URL as langchain-naver wants it works, given or from its environment variable."""
    chat(base_url=f"{server.base_url}/v1/openai").invoke("안녕")
    monkeypatch.setenv("CLOVASTUDIO_API_BASE_URL", f"{server.base_url}/v1/openai/")
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", server.api_key)
    ChatClovaX().invoke("안녕")
    assert [request.path for request in server.requests] == ["/v3/chat-completions/HCX-005"] * 2


def test_region_names_the_other_host() -> None:
    """region="gov" goes to the government's address."""
    assert "gov" in ChatClovaX(api_key="nv-x", region="gov")._connection.sync.base_url


@pytest.mark.parametrize("name", ["n", "logprobs", "use_responses_api", "reasoning_effort", "model_kwargs"])
def test_meaningless_fields_are_refused_with_a_hint(name: str) -> None:
    """Fields of langchain-naver that mean nothing here say so, and what to do."""
    with pytest.raises(ConfigurationError, match=rf"no argument '{name}': \w+"):
        ChatClovaX(api_key="nv-x", **{name: 1})


@pytest.mark.parametrize("where", ["constructor", "call"])
def test_unknown_arguments_are_refused_by_name(chat: Callable[..., ChatClovaX], where: str) -> None:
    """A misspelt argument is never ignored, and the near one is named."""
    make = {"constructor": lambda: chat(temprature=1), "call": lambda: chat().invoke("안녕", temprature=1)}
    with pytest.raises(ConfigurationError, match="'temprature'; did you mean 'temperature'"):
        make[where]()


def test_two_names_of_one_option_contradict(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """Two values for one option are refused, not chosen between."""
    with pytest.raises(ConfigurationError, match="max_tokens and max_completion_tokens"):
        chat(max_tokens=1, max_completion_tokens=2)
    with pytest.raises(ConfigurationError, match="repetition_penalty and repeat_penalty"):
        chat().invoke("안녕", repetition_penalty=1.1, repeat_penalty=1.2)
    assert server.requests == []


@pytest.mark.parametrize("option", [{"temperature": 2}, {"top_k": 500}, {"max_tokens": 5_000}, {"thinking": "low"}])
def test_ranges_are_checked_before_sending(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, option: dict[str, Any]
) -> None:
    """What the service would refuse is refused here, as both kinds of error."""
    with pytest.raises(ConfigurationError) as caught:
        chat().invoke("안녕", **option)
    assert isinstance(caught.value, ModelInvalidRequestError)
    assert server.requests == []


def test_instance_settings_are_refused_per_call(chat: Callable[..., ChatClovaX]) -> None:
    """A key in a call would stand in traces: it is refused."""
    with pytest.raises(ConfigurationError, match="api_key cannot be given per call"):
        chat().invoke("안녕", api_key="nv-other")


def test_missing_key_is_told_at_construction() -> None:
    """Without a key nothing is built, and the message says where to put one."""
    with pytest.raises(ConfigurationError, match="CLOVASTUDIO_API_KEY"):
        ChatClovaX()


@pytest.mark.parametrize("stream", [True, False])
def test_stream_keyword_is_not_sent(chat: Callable[..., ChatClovaX], server: EmulatorServer, stream: bool) -> None:  # noqa: FBT001
    """``stream=`` chooses the way of asking and is no option of the service."""
    answer = chat().invoke("안녕", stream=stream)
    assert answer.text
    assert "stream" not in server.requests[-1].body
    assert ("event-stream" in server.requests[-1].headers["accept"]) is stream


@pytest.mark.parametrize(("streaming", "streamed"), [(True, True), (False, False), (None, False)])
def test_streaming_field(
    chat: Callable[..., ChatClovaX],
    server: EmulatorServer,
    streaming: bool | None,  # noqa: FBT001
    streamed: bool,  # noqa: FBT001
) -> None:
    """streaming=True streams in invoke too; left out, invoke asks at once."""
    chat(streaming=streaming).invoke("안녕")
    assert ("event-stream" in server.requests[-1].headers["accept"]) is streamed


def test_streaming_false_never_streams(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """streaming=False and disable_streaming=True make stream() ask at once."""
    list(chat(streaming=False).stream("안녕"))
    list(chat(disable_streaming=True).stream("안녕"))
    assert not any("event-stream" in request.headers["accept"] for request in server.requests)


def test_configurable_fields_keep_connection_and_streaming(
    chat: Callable[..., ChatClovaX], server: EmulatorServer
) -> None:
    """An instance that LangChain rebuilds on each call uses the same client and still streams."""
    model = chat()
    variable = model.configurable_fields(top_k=ConfigurableField(id="k"))
    list(variable.with_config(configurable={"k": 5}).stream("안녕"))
    request = server.requests[-1]
    assert request.body["topK"] == 5
    assert "event-stream" in request.headers["accept"]
    rebuilt, _ = variable.prepare({"configurable": {"k": 6}})
    assert rebuilt._connection.sync is model._connection.sync


def test_messages_of_the_caller_stay_as_they_are(chat: Callable[..., ChatClovaX]) -> None:
    """Neither the list nor a message in it is changed."""
    messages = [HumanMessage([{"type": "text", "text": "안녕"}], name="a")]
    before = [message.model_copy(deep=True) for message in messages]
    chat().invoke(messages)
    list(chat().stream(messages))
    assert messages == before


def test_identity_tells_models_apart() -> None:
    """Every option that changes answers is part of the identity that caches go by."""
    one = ChatClovaX(api_key="nv-x")
    for change in ({"model": "HCX-007"}, {"top_k": 1}, {"base_url": "http://127.0.0.1:1"}, {"region": "gov"}):
        other = ChatClovaX(api_key="nv-x", **change)
        assert one._identifying_params != other._identifying_params
        assert one._get_llm_string() != other._get_llm_string()


def test_traces_name_provider_and_options(chat: Callable[..., ChatClovaX]) -> None:
    """What traces say of provider and model is what messages say, and follows the call."""
    model = chat(stop=["끝"], max_tokens=9, temperature=0.1)
    params = model._get_ls_params(model="HCX-007", max_completion_tokens=7)
    assert params["ls_provider"] == model.invoke("안녕").response_metadata["model_provider"]
    assert (params["ls_model_name"], params["ls_max_tokens"]) == ("HCX-007", 7)
    assert (params["ls_temperature"], params["ls_stop"]) == (0.1, ["끝"])
    assert model._get_ls_params(stop="둘")["ls_stop"] == chat(stop="둘")._get_ls_params()["ls_stop"] == ["둘"]


def test_answers_are_not_cut_at_the_services_default(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """Without a cap a model that does not think gets 512 tokens; None of a call, tools and thinking leave it out."""
    tool = {"title": "tool", "description": "x", "type": "object", "properties": {}}
    chat(model="HCX-005").invoke("안녕")
    chat(model="HCX-003").invoke("안녕")
    chat(model="HCX-005").invoke("안녕", max_tokens=None)
    chat(model="HCX-005").bind_tools([tool]).invoke("안녕")
    chat(model="HCX-007").invoke("안녕")
    sent = [request.body.get("maxTokens", request.body.get("maxCompletionTokens")) for request in server.requests]
    assert sent == [512, 512, None, None, None]

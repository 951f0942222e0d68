"""Names of models and tuning tasks: which form goes where, and what was probably meant."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from client_support import MESSAGES, OK, Both, answer, embedded, envelope, sample

from clova_studio import (
    EMBEDDING_MODELS,
    MODELS,
    BadRequestError,
    ClovaStudio,
    ConfigurationError,
    NotFoundError,
    RateLimits,
)
from clova_studio._requests.names import nearest

LONG = "tuning-1883-250519-abcdefg"
TASK = OK + b'{"id":"bjlkpn9s","status":"SUCCEEDED"}}'
COMPATIBLE = b'{"id":"a","choices":[{"index":0,"message":{"role":"assistant","content":"\xea\xb0\x80"}}],"usage":null}'
KINDS = pytest.mark.parametrize("kind", ["sync", "async"])


def chatted() -> Any:
    """Return the answer to a chat."""
    return answer(sample("v3_chat.json"))


@KINDS
@pytest.mark.parametrize(
    ("verb", "given", "path"),
    [
        ("chat", {"task_id": "bjlkpn9s"}, "/v3/tasks/bjlkpn9s/chat-completions"),
        ("chat", {"task_id": "ft:bjlkpn9s"}, "/v3/tasks/bjlkpn9s/chat-completions"),
        ("chat", {"model": "ft:bjlkpn9s"}, "/v3/tasks/bjlkpn9s/chat-completions"),
        ("stream_chat", {"model": "ft:bjlkpn9s"}, "/v3/tasks/bjlkpn9s/chat-completions"),
        ("chat", {"model": "ft:bjlkpn9s", "api_version": "v2"}, "/v2/tasks/bjlkpn9s/chat-completions"),
        ("chat", {"model": "ft:bjlkpn9s", "task_id": "bjlkpn9s"}, "/v3/tasks/bjlkpn9s/chat-completions"),
    ],
)
def test_task_ids_go_into_the_path(kind: str, verb: str, given: dict[str, Any], path: str) -> None:
    """A tuned model is found by its short id, given as the task or, after ``ft:``, as the model."""
    client = Both(kind, chatted)
    client.call(verb, MESSAGES, **given)
    assert [request.url.path for request in client.requests] == [path]
    assert "model" not in json.loads(client.requests[0].content)


@KINDS
@pytest.mark.parametrize("model", [f"ft:{LONG}", "ft:bjlkpn9s"])
def test_both_forms_go_to_the_compatible_path_as_they_are(kind: str, model: str) -> None:
    """The OpenAI-compatible path names tuned models in the body, by either form."""
    client = Both(kind, lambda: answer(COMPATIBLE))
    client.call("openai.chat", MESSAGES, model=model)
    assert json.loads(client.requests[0].content)["model"] == model


@KINDS
@pytest.mark.filterwarnings("ignore:the Completions API")
@pytest.mark.parametrize(
    ("verb", "args", "name", "value"),
    [
        ("chat", (MESSAGES,), "task_id", LONG),
        ("chat", (MESSAGES,), "task_id", f"ft:{LONG}"),
        ("chat", (MESSAGES,), "model", f"ft:{LONG}"),
        ("stream_chat", (MESSAGES,), "task_id", LONG),
        ("tuning.get", (), "task_id", LONG),
        ("tuning.delete", (), "task_id", f"ft:{LONG}"),
        ("complete", ("a",), "task_id", LONG),
    ],
)
def test_the_long_form_is_no_task_id(kind: str, verb: str, args: Any, name: str, value: str) -> None:
    """The long form is refused unsent wherever a task's id belongs, with the place for each form."""
    client = Both(kind, chatted)
    more = {"model": "LK-D2"} if verb == "complete" else {}
    with pytest.raises(ConfigurationError, match=f"{name}=.*client.openai.chat.*tuning.list"):
        client.call(verb, *args, **more, **{name: value})
    assert client.requests == []


@KINDS
def test_wrong_names_of_tasks(kind: str) -> None:
    """Two tasks, no task, and a tuned model for the token calculator are refused unsent, by name."""
    client = Both(kind, chatted)
    for given, named in (
        ({"model": "ft:aaaaaaaa", "task_id": "bbbbbbbb"}, "two tuned models"),
        ({"model": "ft:"}, "model"),
        ({"task_id": " "}, "task_id"),
        ({"task_id": 7}, "task_id"),
    ):
        with pytest.raises(ConfigurationError, match=named):
            client.call("chat", MESSAGES, **given)
    with pytest.raises(ConfigurationError, match="base model"):
        client.call("count_chat_tokens", MESSAGES, model="ft:bjlkpn9s")
    assert client.requests == []


@KINDS
def test_ids_of_tasks_are_taken_with_their_prefix(kind: str) -> None:
    """``ft:`` before a task's id does no harm where the task itself is asked for."""
    client = Both(kind, lambda: answer(TASK))
    assert client.call("tuning.get", "ft:bjlkpn9s").id == "bjlkpn9s"
    assert client.requests[0].url.path == "/tuning/v2/tasks/bjlkpn9s"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("hcx007", "HCX-007"),
        ("HCX_005", "HCX-005"),
        ("HCX-7", "HCX-007"),
        ("HXC-005", "HCX-005"),
        ("HyperCLOVAX-007", "HCX-007"),
        ("HCX-DASH002", "HCX-DASH-002"),
        ("DASH-001", "HCX-DASH-001"),
        # Other numbers are other models, and these may come any day.
        ("HCX-008", None),
        ("HCX-002", None),
        ("HCX-DASH-003", None),
        ("gpt-4", None),
    ],
)
def test_what_was_meant(name: str, meant: str | None) -> None:
    """A typing error is known from a new model, whose number differs."""
    assert nearest(name, MODELS) == meant


@pytest.mark.parametrize(
    ("name", "meant"), [("BGE-M3", "bge-m3"), ("BAAI/bge-m3", "bge-m3"), ("clir-emb-dolfin", "clir-emb-dolphin")]
)
def test_which_embedding_model_was_meant(name: str, meant: str) -> None:
    """Names of embedding models likewise."""
    assert nearest(name, EMBEDDING_MODELS) == meant


NEARLY = [
    ("chat", (MESSAGES,), "HCX007", "HCX-007"),
    ("stream_chat", (MESSAGES,), "HCX007", "HCX-007"),
    ("count_chat_tokens", (MESSAGES,), "HCX007", "HCX-007"),
    ("openai.chat", (MESSAGES,), "hcx_005", "HCX-005"),
    ("embed", ("글",), "bge_m3", "bge-m3"),
    ("openai.embed", ("글",), "BGE-M3", "bge-m3"),
]


@KINDS
@pytest.mark.parametrize(("verb", "args", "name", "meant"), NEARLY)
def test_nearly_a_known_model(kind: str, verb: str, args: Any, name: str, meant: str) -> None:
    """It is sent as it is, after one warning; the service's refusal carries the question in both languages."""
    client = Both(kind, lambda: answer(envelope("40080", "Model not found"), 400))
    with pytest.warns(UserWarning, match=f"{name}.*did you mean '{meant}'"), pytest.raises(NotFoundError) as caught:
        client.call(verb, *args, model=name)
    english, korean = (caught.value.hint or "").split(" / ")
    assert english == f"Check the model name. Did you mean '{meant}'?"
    assert "모델 이름을 확인하세요." in korean
    assert f"'{meant}'" in korean
    assert name in str(client.requests[0].url) + client.requests[0].content.decode()
    with pytest.raises(NotFoundError):  # and no second warning
        client.call(verb, *args, model=name)


@KINDS
def test_unknown_models_are_sent_without_a_word(kind: str) -> None:
    """A new model works on the day it appears; if the service does not know it, the hint names those known here."""
    client = Both(kind, chatted, lambda: answer(envelope("40400", "Not found"), 404))
    assert client.call("chat", MESSAGES, model="HCX-009").message.content
    with pytest.raises(NotFoundError) as caught:
        client.call("chat", MESSAGES, model="HCX-009")
    assert ", ".join(MODELS) in (caught.value.hint or "")
    vectors = Both(kind, lambda: answer(embedded()))
    assert vectors.call("embed", "글", model="bge-m4")


@KINDS
def test_other_refusals_say_nothing_of_models(kind: str) -> None:
    """The hint on models goes with refusals of the model alone."""
    client = Both(kind, lambda: answer(envelope("40001", "Invalid parameter: topP"), 400))
    with pytest.raises(BadRequestError) as caught:
        client.call("chat", MESSAGES, model="HCX-009")
    assert "HCX-007" not in (caught.value.hint or "")


def test_limits_of_nearly_a_known_model() -> None:
    """A limit that would hold for nothing is warned of; those of tools and new models are not."""
    with pytest.warns(UserWarning, match="did you mean 'HCX-007'"):
        RateLimits({"HCX007": (60, 60_000)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RateLimits(dict.fromkeys(("HCX-009", "segmentation", "router", "chat-tokenize", "task bjlkpn9s"), (60, None)))


@KINDS
@pytest.mark.parametrize("name", ["task bjlkpn9s", "ft:bjlkpn9s"])
def test_quota_of_a_tuned_model(kind: str, name: str) -> None:
    """A tuned model of unknown base has one quota, on both paths and by either name."""
    client = Both(kind, chatted, lambda: answer(COMPATIBLE), rate_limits=RateLimits({"task bjlkpn9s": (10, None)}))
    client.call("chat", MESSAGES, model="ft:bjlkpn9s")
    client.call("openai.chat", MESSAGES, model="ft:bjlkpn9s")
    with ClovaStudio(**client.settings) as other:
        assert other.quota(name).remaining_requests == 8

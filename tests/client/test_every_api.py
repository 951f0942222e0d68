"""Every API of the reference through both clients: its exact request, each field of its answer, and the emulator."""

from __future__ import annotations

import json
import time
import warnings
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from api_row import USER, Row
from api_table import TABLE
from api_tools import SEARCH, SEARCH_CALL
from api_tuning import CREATE, TASK
from client_support import NO_TLS, Both, Clock, answer, envelope
from pydantic import BaseModel, SecretStr

import clova_studio as cs
from clova_studio.emulator import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

IDS = [row.name for row in TABLE]


def wire_answer(row: Row) -> bytes:
    """Return the whole answer of a row."""
    if row.openai:
        return json.dumps(row.result, ensure_ascii=False).encode()
    status = {"code": "20000", "message": "OK"}
    body = {"status": status} if row.result is None else {"status": status, "result": row.result}
    return json.dumps(body, ensure_ascii=False).encode()


def call(peer: Both, row: Row) -> Any:
    """Call the verb of a row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return peer.call(row.verb, *row.args, **row.kwargs)


def dumped(value: Any) -> Any:
    """Return a result under the wire's names."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True)
    return [dumped(item) for item in value] if isinstance(value, list) else value


def lost(sent: Any, got: Any, where: str = "") -> list[str]:
    """Return the places of what was sent and did not arrive."""
    if isinstance(sent, dict) and isinstance(got, dict):
        return [place for key, value in sent.items() for place in lost(value, got.get(key, KeyError), f"{where}.{key}")]
    if isinstance(sent, list) and isinstance(got, list) and len(sent) == len(got):
        return [place for i, value in enumerate(sent) for place in lost(value, got[i], f"{where}[{i}]")]
    return [] if sent == got else [f"{where}: {sent!r} became {got!r}"]


@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_request_and_answer_are_those_of_the_reference(both, row: Row) -> None:
    """The verb sends exactly the reference's method, path and body, and its result has every field of the answer."""
    peer = both(lambda: answer(wire_answer(row)))
    result = call(peer, row)
    request = peer.requests[0]
    assert len(peer.requests) == 1
    assert (request.method, request.url.raw_path.decode()) == (row.method, row.path)
    assert (json.loads(request.content) if request.content else None) == row.body
    if row.verb == "tuning.delete":
        assert result is None
        return
    if row.verb == "slide":
        assert lost(row.result["messages"], dumped(result)) == []
        return
    assert result.request_id == request.headers["x-ncp-clovastudio-request-id"]
    if isinstance(result, cs.TokenCount):
        _check_counts(row.result, result)
    else:
        assert lost(row.result, dumped(result)) == []


def _check_counts(sent: dict[str, Any], result: cs.TokenCount) -> None:
    """Every count of the answer is in the result, and their sum is the total."""
    counts = json.dumps(sent).count('"count"') + ("numTokens" in sent)
    found = [part.count for message in result.messages for part in message.parts]
    found += [message.count for message in result.messages if not message.parts]
    found += [count for count in (result.tools, result.response_format, result.total) if count and not found]
    found += [count for count in (result.tools, result.response_format) if count and result.messages]
    assert len(found) == counts
    assert result.total == sum(found)


@pytest.fixture(scope="module", params=["observed", "documented"])
def server(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """One emulator of each behaviour."""
    with serve(behaviour=request.param) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_emulator_answers_the_request_of_the_reference(server: EmulatorServer, row: Row) -> None:
    """The emulator has each path, and answers the reference's own request with fields of the reference's answer."""
    headers = {"Authorization": f"Bearer {server.api_key}", "Content-Type": "application/json"}
    with httpx.Client(base_url=server.base_url, headers=headers, verify=NO_TLS) as raw:
        path = row.path
        if "k3m9x2qa" in path or "ab12cd34" in path:
            model = "HCX-003" if path.startswith(("/v1/tasks", "/v2/tasks")) else "HCX-005"
            task = _finished_task(raw, model)
            path = path.replace("k3m9x2qa", task).replace("ab12cd34", task)
        response = raw.request(row.method, path, json=row.body) if row.body else raw.request(row.method, path)
    got = response.json()
    if response.status_code != 200 and row.name == "completions, tuned":
        # A task trained here is one of chat models; that the path is there shows in what is refused.
        assert got["status"]["code"] in {"40009", "40084"}
        return
    assert response.status_code == 200, got
    result = got if row.openai else got.get("result")
    if isinstance(row.result, dict):
        optional = {"aiFilter", "aiFilters", "useTask", "thinkingContent", "suggestedQueries", "seed", "responseFormat"}
        assert set(row.result) - set(result) <= optional | {"inputTokens", "outputTokens"}


def _finished_task(raw: httpx.Client, model: str) -> str:
    task = raw.post("/tuning/v2/tasks", json={**CREATE, "model": model}).json()["result"]["id"]
    for _ in range(100):
        status = raw.get(f"/tuning/v2/tasks/{task}").json()["result"]["status"]
        if status in {"SUCCEEDED", "FAILED"}:
            break
        time.sleep(0.05)
    return str(task)


NATIVE = [row for row in TABLE if not row.openai]


@pytest.mark.parametrize("row", NATIVE, ids=[row.name for row in NATIVE])
def test_prefixes_regions_and_old_keys_on_every_native_path(both, row: Row) -> None:
    """Region, prefix and the old key pair reach every native path."""
    settings = {"region": "gov", "path_prefix": "testapp", "api_key": "old", "apigw_api_key": "gateway"}
    peer = both(lambda: answer(wire_answer(row)), **settings)
    call(peer, row)
    request = peer.requests[0]
    assert request.url.host == "clovastudio.stream.gov-ntruss.com"
    assert request.url.raw_path.decode() == f"/testapp{row.path}"
    assert (request.headers["x-ncp-clovastudio-api-key"], request.headers["x-ncp-apigw-api-key"]) == ("old", "gateway")
    assert "authorization" not in request.headers


@pytest.mark.parametrize("row", [row for row in TABLE if row.openai], ids=lambda row: row.name)
def test_openai_paths_have_no_prefix_and_no_old_keys(both, row: Row) -> None:
    """The OpenAI-compatible paths never carry a prefix, and the old key pair is refused before sending."""
    peer = both(lambda: answer(wire_answer(row)), path_prefix="serviceapp", region="gov")
    call(peer, row)
    assert str(peer.requests[0].url) == f"https://clovastudio.stream.gov-ntruss.com{row.path}"
    old = both(lambda: answer(wire_answer(row)), api_key="old", apigw_api_key="gateway")
    with pytest.raises(cs.ConfigurationError, match="apigw_api_key"):
        call(old, row)
    assert old.requests == []


REFUSED: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("summarize", ([],), {}, "texts is empty"),
    ("summarize", (["a", " "],), {}, r"texts\[1\]"),
    ("summarize", ("a" * 35_001,), {}, "35,000"),
    ("summarize", ("a",), {"seg_max_size": 3_001}, "seg_max_size"),
    ("summarize", ("a",), {"seg_count": 0}, "seg_count"),
    ("summarize", ("a",), {"seg_min_size": 1_001}, "seg_min_size"),
    ("summarize", ("a",), {"auto_sentence_splitter": 1}, "auto_sentence_splitter"),
    ("slide", ([USER],), {"max_tokens": 4_097}, "max_tokens"),
    ("slide", ([USER],), {"max_tokens": None}, "max_tokens"),
    ("slide", ([USER],), {"max_tokens": 100, "model": "HCX-005"}, "v1 models"),
    ("slide", ([],), {"max_tokens": 100}, "messages is empty"),
    ("rerank", ("", ["a"]), {}, "query is empty"),
    ("rerank", ("q", []), {}, "documents is empty"),
    ("rerank", ("q", "text"), {}, "documents must be"),
    ("rerank", ("q", ["a", ""]), {}, r"documents\[1\]"),
    ("rerank", ("q", [{"id": "a"}]), {}, r"documents\[0\]"),
    ("rerank", ("q", ["a"]), {"max_tokens": 4_097}, "max_tokens"),
    ("reason", ([USER],), {"tools": []}, "tools is empty"),
    ("reason", ([USER],), {"tools": [{"function": {"name": "a", "description": "b"}}]}, "parameters"),
    ("reason", ([USER],), {"tools": [SEARCH], "max_tokens": 1_023}, "max_tokens"),
    ("reason", ([USER],), {"tools": [SEARCH], "temperature": 0}, "temperature"),
    ("reason", ([USER],), {"tools": [SEARCH], "tool_choice": "required"}, "tool_choice"),
    ("reason", ([USER],), {"tools": [SEARCH], "tempreture": 0.5}, "did you mean 'temperature'"),
    ("reason", ([USER, {"role": "tool", "tool_call_id": "x", "content": [1]}],), {"tools": [SEARCH]}, "search_result"),
    ("route", ("", 1, "q"), {}, "router_id"),
    ("route", ("r", 0, "q"), {}, "version"),
    ("route", ("r", "latest", "q"), {}, "version"),
    ("route", ("r", 1, " "), {}, "query"),
    ("route", ("r", 1, "q"), {"chat_history": [{"role": "assistant", "content": "a"}]}, "chat_history"),
    ("run_skillset", ("s", True, "q"), {}, "version"),
    ("run_skillset", ("s", 1, ""), {}, "query"),
    ("run_skillset", ("s", 1, "q"), {"chat_history": "a"}, "chat_history"),
    ("run_skillset", ("s", 1, "q"), {"request_override": {"headers": {}}}, "request_override"),
    ("run_skillset", ("s", 1, "q"), {"request_override": {"operations": [{"header": {}}]}}, "operation_id"),
    ("count_embedding_tokens", ("a" * 10_001,), {}, "10,000"),
    ("count_embedding_tokens", ("",), {}, "text is empty"),
    ("complete", ("",), {}, "text is empty"),
    ("complete", ("a",), {"max_tokens": 2_049}, "max_tokens"),
    ("complete", ("a",), {"logprobs": 1}, "logprobs"),
    ("tuning.get", ("",), {}, "task_id"),
    ("tuning.list", (), {"size": 101}, "size"),
    ("tuning.list", (), {"page": -1}, "page"),
    ("openai.chat", ([USER],), {"presence_penalty": 1}, "presence_penalty is not supported"),
    ("openai.chat", ([USER],), {"stream_options": {}}, "stream_options is not supported"),
    ("openai.chat", ([USER],), {"n": 2}, "n must be"),
    ("openai.chat", ([USER],), {"parallel_tool_calls": False}, "parallel_tool_calls"),
    ("openai.chat", ([USER],), {"tool_choice": "required"}, "required"),
    ("openai.chat", ([USER],), {"reasoning_effort": "max"}, "reasoning_effort"),
    ("openai.chat", ([USER],), {"response_format": {"type": "json_object"}}, "response_format"),
    ("openai.chat", ([USER],), {"max_tokens": 100, "tools": [SEARCH]}, "1024"),
    ("openai.chat", ([USER],), {"temprature": 1}, "did you mean 'temperature'"),
    ("openai.chat", ([],), {}, "messages"),
    ("openai.embed", (["a"],), {}, "input must be one string"),
    ("openai.embed", ("",), {}, "input is empty"),
]


@pytest.mark.parametrize(("verb", "args", "kwargs", "named"), REFUSED)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wrong_arguments_are_refused_before_sending(both, verb: str, args: Any, kwargs: Any, named: str) -> None:
    """Each broken rule is a ConfigurationError that names it; nothing is sent."""
    peer = both(lambda: answer(b"{}"))
    with pytest.raises(cs.ConfigurationError, match=named):
        peer.call(verb, *args, **kwargs)
    assert peer.requests == []


@pytest.mark.parametrize("name", ["train_epochs", "learning_rate", "lora_r", "lora_alpha", "validation_split_ratio"])
def test_tuning_ranges_are_checked(both, name: str) -> None:
    """Each number of a tuning task has its documented range."""
    peer = both(lambda: answer(b"{}"))
    kwargs = next(row for row in TABLE if row.verb == "tuning.create").kwargs
    for wrong in (-1, 1000, "x"):
        with pytest.raises(cs.ConfigurationError, match=name):
            peer.call("tuning.create", **{**kwargs, name: wrong})
    assert peer.requests == []


def test_storage_keys_stay_secret(both) -> None:
    """Object Storage keys reach the wire, SecretStr or not, and stand in no repr or error."""
    kwargs = dict(next(row for row in TABLE if row.verb == "tuning.create").kwargs)
    kwargs["training_dataset_secret_key"] = SecretStr("very-secret-storage-key")
    peer = both(lambda: answer(envelope("40001", "Invalid parameter"), 400))
    with pytest.raises(cs.BadRequestError) as caught:
        peer.call("tuning.create", **kwargs)
    assert json.loads(peer.requests[0].content)["trainingDatasetSecretKey"] == "very-secret-storage-key"
    assert "very-secret-storage-key" not in str(caught.value) + repr(vars(caught.value))
    from clova_studio._requests.tuning import create_task

    assert "very-secret-storage-key" not in repr(create_task(**kwargs))


def test_both_forms_of_search_results(both) -> None:
    """Search results go out as JSON text in the form they were given: object, list with the object, text."""
    documents = [{"id": "doc-7", "doc": "환불은 7일"}]
    row = next(row for row in TABLE if row.name == "RAG reasoning, answer")
    forms: list[tuple[Any, Any]] = [
        ({"search_result": documents}, {"search_result": documents}),
        ([{"search_result": documents}], [{"search_result": documents}]),
        (documents, {"search_result": documents}),
        ('{"search_result": []}', {"search_result": []}),
    ]
    for given, expected in forms:
        history = [*row.args[0][:2], {"role": "tool", "tool_call_id": SEARCH_CALL["id"], "content": given}]
        peer = both(lambda: answer(wire_answer(row)))
        peer.call("reason", history, tools=[SEARCH])
        content = json.loads(peer.requests[0].content)["messages"][2]["content"]
        assert isinstance(content, str)
        assert json.loads(content) == expected


def test_reasoning_answers_in_either_form(both) -> None:
    """A message under `messages`, or arguments as text, are read like the documented form."""
    text = b'{"status":{"code":"20000"},"result":{"messages":[{"role":"assistant","content":"a","toolCalls":[{"id":"c",'
    text += b'"function":{"name":"f","arguments":"{\\"x\\":1}"}}]}]}}'
    result = both(lambda: answer(text)).call("reason", [USER], tools=[SEARCH])
    assert (result.message.content, result.message.tool_calls[0].function.arguments) == ("a", {"x": 1})


def test_filters_of_a_route_are_lists(both) -> None:
    """A filter result that comes as one name, null or nothing is a list all the same."""
    for sent, expected in (('"unethical"', ["unethical"]), ("null", []), ('""', []), ('["a","b"]', ["a", "b"])):
        body = '{"status":{"code":"20000"},"result":{"domain":{"result":null},"safety":{"result":' + sent + "}}}"
        route = both(lambda body=body: answer(body.encode())).call("route", "travel01", 1, "q")
        assert (route.domain.result, route.safety.result, route.blocked_content.result) == ("", expected, [])


def test_openai_content_is_never_null(both) -> None:
    """A content of None, as the OpenAI SDK writes it beside tool calls, goes out as an empty string."""
    row = next(row for row in TABLE if row.verb == "openai.chat")
    peer = both(lambda: answer(wire_answer(row)))
    turn = {"role": "assistant", "content": None, "tool_calls": []}
    peer.call("openai.chat", [USER, turn])
    assert json.loads(peer.requests[0].content)["messages"] == [USER, {**turn, "content": ""}]
    assert turn["content"] is None


def test_completions_warn_and_name_the_successor(both) -> None:
    """complete() gives a DeprecationWarning that names chat() and points at the caller."""
    row = next(row for row in TABLE if row.name == "completions")
    with pytest.warns(DeprecationWarning, match=r"chat\(\)") as caught:
        both(lambda: answer(wire_answer(row))).call("complete", "옛날")
    assert caught[0].filename.endswith("client_support.py")


def test_deleting_again_after_a_lost_answer_is_done(both) -> None:
    """A 404 on a repetition means that the first request did its work; on the first it is an error."""
    gone = answer(envelope("40400", "Not found"), 404)
    peer = both(httpx.ReadError("lost"), lambda: gone, clock=Clock())
    assert peer.call("tuning.delete", "k3m9x2qa") is None
    assert len(peer.requests) == 2
    with pytest.raises(cs.NotFoundError):
        both(lambda: gone).call("tuning.delete", "k3m9x2qa")


@pytest.mark.parametrize("verb", ["tuning.create", "run_skillset", "stream_skillset"])
def test_what_acts_is_not_repeated_when_it_may_have_arrived(both, verb: str) -> None:
    """A lost answer of tuning.create or a skillset is not asked for again; a refusal that did nothing is."""
    row = next(row for row in TABLE if row.verb == verb.replace("stream_", "run_"))
    peer = both(httpx.ReadTimeout("slow"), clock=Clock())
    with pytest.raises(cs.APITimeoutError):
        peer.call(verb, *row.args, **row.kwargs)
    assert len(peer.requests) == 1
    busy = answer(envelope("42902", "overloaded"), 429)
    peer = both(lambda: busy, lambda: answer(wire_answer(row)), clock=Clock())
    peer.call(verb, *row.args, **row.kwargs)
    assert len(peer.requests) == 2


def tasks(*states: dict[str, Any]) -> list[Any]:
    """Return the answers of a task in these states, one after the other."""
    row = next(row for row in TABLE if row.verb == "tuning.get")
    bodies = [json.dumps({"status": {"code": "20000"}, "result": {**row.result, **state}}).encode() for state in states]
    return [lambda body=body: answer(body) for body in bodies]


def test_waiting_for_a_task(both) -> None:
    """wait() asks until the task has ended, reports each answer, and sleeps between."""
    clock = Clock()
    peer = both(*tasks({"status": "WAIT"}, {"status": "RUNNING"}, {"status": "SUCCEEDED"}), clock=clock)
    seen: list[str] = []
    task = peer.call("tuning.wait", "k3m9x2qa", poll_interval=7, on_progress=lambda task: seen.append(task.status))
    assert task.status == "SUCCEEDED"
    assert seen == ["WAIT", "RUNNING", "SUCCEEDED"]
    assert clock.sleeps == [7, 7]


def test_a_failed_task_raises_its_reason(both) -> None:
    """wait() raises with the documented failure reason and keeps the task."""
    info = {**TASK["statusInfo"], "failureReason": "file.format", "message": "Invalid dataset: column order"}
    with pytest.raises(cs.TuningTaskError, match=r"file\.format.*column order") as caught:
        both(*tasks({"status": "FAILED", "statusInfo": info})).call("tuning.wait", "k3m9x2qa")
    assert caught.value.reason == "file.format"
    assert caught.value.partial.status == "FAILED"


def test_waiting_has_a_bound(both) -> None:
    """wait() gives up after max_wait, with the task as it is."""
    clock = Clock()
    with pytest.raises(cs.APITimeoutError, match="RUNNING") as caught:
        both(*tasks({"status": "RUNNING"}), clock=clock).call("tuning.wait", "k", poll_interval=7, max_wait=20)
    assert sum(clock.sleeps) == 20
    assert caught.value.partial.status == "RUNNING"


async def test_iterating_over_pages() -> None:
    """iter() yields the tasks of all pages, sync and async, and none of an empty list."""
    with serve() as server:
        with cs.ClovaStudio(server.api_key, base_url=server.base_url) as client:
            assert list(client.tuning.iter()) == []
            kwargs = next(row for row in TABLE if row.verb == "tuning.create").kwargs
            made = {client.tuning.create(**{**kwargs, "name": f"t{i}"}).id for i in range(5)}
            assert {task.id for task in client.tuning.iter(size=2)} == made
        async with cs.AsyncClovaStudio(server.api_key, base_url=server.base_url) as client:
            assert {task.id async for task in client.tuning.iter(size=2)} == made

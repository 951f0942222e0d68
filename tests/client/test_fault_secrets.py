"""A key in every argument place, and every way to look at what comes of it: it shows nowhere."""

from __future__ import annotations

import asyncio
import inspect
import logging
import pickle
import traceback
import warnings
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from api_table import TABLE
from client_support import MESSAGES, Clock, Wire, answer, envelope, sample, sse
from pydantic import SecretStr

import clova_studio as cs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "nv-0123456789abcdef-very-secret"
OLD = "0ldStyleSecretOfTheGateway"
SECRETS = (KEY, KEY.removeprefix("nv-"), OLD, "proxy-secret", "bucket-secret")
CLIENTS = [cs.ClovaStudio, cs.AsyncClovaStudio]
VALID: dict[str, Any] = {
    "api_key": KEY,
    "apigw_api_key": SecretStr(OLD),
    "headers": {"X-Proxy": "proxy-secret"},
}


def views(error: BaseException | None) -> Iterator[str]:
    """Yield every text that an error has, those of its causes and contexts among them."""
    if error is None:
        return
    yield "".join(traceback.format_exception(error))
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield f"{one} {one!r} {one.args!r} {vars(one)!r}"
        pending += [one.__cause__, one.__context__]
    if isinstance(error, cs.ClovaStudioError):
        yield str(pickle.dumps(error))


def shown(texts: list[str]) -> list[tuple[str, str]]:
    """Return the secrets that show, each with where."""
    return [(secret, text) for text in texts for secret in SECRETS if secret in text]


def outcome(make: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """Return what a call gives, awaited, or its error."""
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            result = make()
            if inspect.iscoroutine(result):
                result = asyncio.run(result)
    except Exception as error:  # noqa: BLE001  whatever it is, it must not show a key
        return None, error
    assert not shown([str(warning.message) for warning in told])
    return result, None


WRONG_KEYS = [f" {KEY}\n{KEY}", f"Bearer {KEY}", f"{KEY}한글", f"{KEY} {OLD}", KEY.encode(), [KEY], {"key": KEY}]
SETTINGS = [name for name in inspect.signature(cs.ClovaStudio).parameters if name != "api_key"]


@pytest.mark.parametrize("make", CLIENTS)
def test_keys_that_are_refused_do_not_show(make: Any) -> None:
    """Each form of a key that is refused is a ConfigurationError without it, in either of its two places."""
    for wrong in WRONG_KEYS:
        for settings in ({"api_key": wrong}, {"api_key": KEY, "apigw_api_key": wrong}):
            _, error = outcome(lambda settings=settings: make(**settings))
            assert isinstance(error, cs.ConfigurationError)
            assert not shown(list(views(error)))


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("make", CLIENTS)
def test_a_key_in_any_other_setting_does_not_show(make: Any, name: str) -> None:
    """A key that was given as another setting, alone or inside one, shows in no error, repr or log line."""
    inside = ({"X-Key": f"{KEY}\n"}, {"X-Key": f" {OLD}"}, {f"X {KEY}": OLD}) if name == "headers" else ()
    for wrong in (KEY, SecretStr(KEY), [KEY], {KEY: KEY}, *inside):
        client, error = outcome(lambda wrong=wrong: make(**{"api_key": KEY, name: wrong}))
        assert not shown([*views(error), repr(client), str(client)])
        if error is not None:
            assert isinstance(error, (cs.ConfigurationError, AttributeError, TypeError))


ADDRESSES = ["https://{}@host", "https://user:{}@host", "https://host/?key={}", "https://host:{}", "{}://host",
             "https://[{}", "https://host/#{}"]  # fmt: skip


@pytest.mark.parametrize("url", [address.format(KEY) for address in ADDRESSES])
def test_a_key_in_the_address_is_refused_unseen(url: str) -> None:
    """An address that holds a key is refused, and the refusal does not repeat it."""
    _, error = outcome(lambda: cs.ClovaStudio(KEY, base_url=url))
    assert isinstance(error, cs.ConfigurationError)
    assert not shown(list(views(error)))


@pytest.mark.parametrize("make", [cs.RetryPolicy, cs.RateLimits, cs.Timeouts])
def test_a_key_in_a_policy_does_not_show(make: Any) -> None:
    """A key as any field of a policy is refused unseen."""
    for name in inspect.signature(make).parameters:
        _, error = outcome(lambda name=name: make(**{name: KEY}))
        assert isinstance(error, cs.ConfigurationError)
        assert not shown(list(views(error)))


def echo(request: httpx.Request) -> bytes:
    """Return what a careless gateway would say: the headers that it got."""
    return repr(request.headers.multi_items()).replace('"', "'").encode()


def refusals(request: httpx.Request) -> list[Callable[[], httpx.Response]]:
    """Return answers that fail, most of which repeat the key."""
    key = request.headers.get("authorization", "")
    said = f"Incorrect API key provided: {key}"
    return [
        lambda: answer(envelope("40104", said), 401),
        lambda: answer(envelope("50000", said), 200),
        lambda: answer(b"<html>" + key.encode() * 9 + b"</html>", 403, "text/html"),
        lambda: answer(key.encode(), 200, "text/plain"),
        lambda: answer(f'{{"error":{{"code":"40104","message":"{said}"}}}}'.encode(), 401),
        lambda: sse(b"event:error\ndata:" + envelope("50000", said) + b"\n\n"),
        lambda: sse(
            sample("v3_chat.sse").split(b"\n\n")[0] + b"\n\nevent:error\ndata:" + envelope("50000", said) + b"\n\n"
        ),
        lambda: sse(b"event:token\ndata:" + key.encode() + b"\n\n"),
        lambda: answer(envelope("42901", said), 429, x_ratelimit_reset_requests="3s"),
    ]


FAILURES = [
    httpx.ConnectError,
    httpx.ReadTimeout,
    httpx.WriteError,
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
]


def client_over(make: Any, handler: Any, **settings: Any) -> Any:
    """Return a client over canned answers, whose waits cost nothing."""
    transport = httpx.MockTransport(handler)
    http = httpx.Client(transport=transport) if make is cs.ClovaStudio else httpx.AsyncClient(transport=transport)
    return Clock().on(make(http_client=http, **settings))


def read(client: Any, verb: str, *args: Any, **kwargs: Any) -> Any:
    """Call a verb; read a stream to its end."""
    result = attrgetter(verb)(client)(*args, **kwargs)
    if hasattr(result, "__aiter__"):
        return _drained(result)
    return [*result, result.result()] if "stream" in verb else result


async def _drained(stream: Any) -> list[Any]:
    async with stream:
        return [*[chunk async for chunk in stream], stream.result()]


@pytest.mark.parametrize("verb", ["chat", "stream_chat", "openai.chat", "openai.stream_chat"])
@pytest.mark.parametrize("make", CLIENTS)
def test_failing_calls_show_no_key(make: Any, verb: str, caplog: pytest.LogCaptureFixture) -> None:
    """However a call fails, also where a gateway repeats the key, no log line of any library and no error shows it."""
    probe = httpx.Request("POST", "https://host", headers={"Authorization": f"Bearer {KEY}"})
    turns: list[Any] = [*refusals(probe), *FAILURES]
    with caplog.at_level(logging.DEBUG):
        for turn in turns:

            def fail(request: httpx.Request, turn: Any = turn) -> httpx.Response:
                if isinstance(turn, type):
                    raise turn("failed", request=request)
                response: httpx.Response = turn()
                return response

            client = client_over(
                make, fail, api_key=KEY, headers=VALID["headers"], max_retries=1, quota_group=str(turn)
            )
            _, error = outcome(lambda client=client: read(client, verb, MESSAGES))
            assert isinstance(error, cs.ClovaStudioError)
            assert not shown([*views(error), repr(client), repr(client._config), repr(vars(client))])
    assert caplog.records
    assert not shown([f"{record.getMessage()} {record.args!r} {record.exc_text}" for record in caplog.records])


ROWS = {row.verb: row for row in TABLE if "tuning.delete" not in row.verb}
# An id of the caller's choice is on errors and in log lines as it was given; so is, in log lines, the name of a quota.
SENT = {"request_id"}
LOGGED = {"model", "task_id"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "verb", [*ROWS, "stream_chat", "stream_skillset", "openai.stream_chat", "embed_many", "tuning.wait"]
)
@pytest.mark.parametrize("make", CLIENTS)
def test_a_key_in_any_argument_of_any_verb_does_not_show(
    make: Any, verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A key as any argument of any verb shows in no error and no log line of ours, refused here or by the service."""
    name = {"stream_chat": "chat", "stream_skillset": "run_skillset", "openai.stream_chat": "openai.chat",
            "embed_many": "embed", "tuning.wait": "tuning.get"}.get(verb, verb)  # fmt: skip
    row = ROWS[name]
    function = attrgetter(verb)(cs.ClovaStudio(KEY))
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name not in SENT]
    usual = dict(zip([p.name for p in parameters], row.args, strict=False)) | row.kwargs
    if verb == "embed_many":
        usual["texts"] = list(row.args)
    usual = {key: value for key, value in usual.items() if key in {p.name for p in parameters}}
    tried = 0
    with caplog.at_level(logging.DEBUG, "clova_studio"):
        for parameter in parameters:
            caplog.clear()
            for wrong in (KEY, [KEY], {KEY: KEY}, [{"role": KEY, "content": KEY}], SecretStr(KEY)):
                wire = Wire([lambda: answer(envelope("42901", "no"), 429), lambda: answer(envelope("50000", KEY), 500)])
                client = client_over(make, wire, api_key=KEY, max_retries=1, quota_group=f"{verb}{parameter}{wrong}")
                arguments = {**usual, parameter.name: wrong}
                _, error = outcome(lambda client=client, arguments=arguments: read(client, verb, **arguments))
                tried += error is not None
                assert not shown([str(error), repr(error), "".join(traceback.format_exception(error)), repr(client)])
            assert parameter.name in LOGGED or not shown([record.getMessage() for record in caplog.records])
    assert tried > len(parameters)


def test_the_keys_of_a_bucket_do_not_show(both: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The Object Storage keys of a tuning task show nowhere when its creation is refused."""
    row = ROWS["tuning.create"]
    keys = dict.fromkeys(["training_dataset_access_key", "training_dataset_secret_key"], SecretStr("bucket-secret"))
    for turn in (lambda: answer(envelope("40000", "bad"), 400), httpx.ReadTimeout("slow")):
        with caplog.at_level(logging.DEBUG):
            _, error = outcome(lambda turn=turn: both(turn).call("tuning.create", **{**row.kwargs, **keys}))
        assert isinstance(error, cs.ClovaStudioError)
        assert not shown([*views(error), caplog.text])


COMPONENTS: dict[str, dict[str, Any]] = {
    "ChatClovaX": {},
    "ClovaEmbeddings": {},
    "ClovaXEmbeddings": {},
    "ClovaReranker": {},
    "ClovaRouter": {"router_id": "travel01", "version": 1},
    "ClovaSegmentationTextSplitter": {},
    "ClovaSkillset": {"skillset_id": "weather1", "version": 1},
    "ClovaSlidingWindow": {},
    "ClovaSummarizationChain": {},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPONENTS)
def test_dumps_of_components_hold_no_key(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A LangChain component with keys in every place shows none in repr, dumps, to_json or a failing call."""
    from langchain_core.load import dumpd, dumps

    import langchain_clova

    def fail(request: httpx.Request) -> httpx.Response:
        return refusals(request)[0]()

    cls = getattr(langchain_clova, name)
    http = {"http_client": httpx.Client(transport=httpx.MockTransport(fail))}
    keys = [{**VALID, **http}, {"client": cs.ClovaStudio(**VALID, **http)}, {"api_key": SecretStr(KEY), **http}]
    for given in keys:
        component = cls(**COMPONENTS[name], **given)
        texts = [repr(component), str(component)]
        if hasattr(component, "to_json"):
            texts += [dumps(component), str(dumpd(component)), str(component.to_json())]
        if hasattr(component, "model_dump"):
            texts += [str(component.model_dump()), str(component.model_dump_json(exclude={"client"}))]
        with caplog.at_level(logging.DEBUG):
            calls = ("invoke", "embed_query", "split_text", "compress_documents")
            verb = next(getattr(component, call) for call in calls if hasattr(component, call))
            _, error = outcome(lambda verb=verb: verb(*_inputs(verb.__name__)))
        assert isinstance(error, Exception)
        assert not shown([*texts, *views(error), caplog.text])


def _inputs(call: str) -> tuple[Any, ...]:
    if call == "compress_documents":
        from langchain_core.documents import Document

        return [Document("환불은 7일 안에 됩니다.")], "환불은?"
    return ("첫째 문장입니다. 둘째 문장입니다.",)

"""Settings: what is needed is asked for, what is wrong is refused, and no secret ever shows."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client_support import KEY, MESSAGES, Clock, Wire, answer, envelope, sample
from pydantic import SecretStr

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError, RateLimits, RetryPolicy, Timeouts
from clova_studio._config import make_config
from clova_studio._requests.call import Call, Nothing
from clova_studio._transport import build_request, deadline_of, make_client

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS = [ClovaStudio, AsyncClovaStudio]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLOVASTUDIO_API_KEY", "NCP_CLOVASTUDIO_API_KEY", "CLOVASTUDIO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def sent(make: Callable[..., Any] = ClovaStudio, **settings: Any) -> httpx.Request:
    """Return the request of a chat with the given settings."""
    wire = Wire([lambda: answer(sample("v3_chat.json"))])
    transport = httpx.MockTransport(wire)
    if make is ClovaStudio:
        make(http_client=httpx.Client(transport=transport), **settings).chat(MESSAGES)
    else:
        asyncio.run(make(http_client=httpx.AsyncClient(transport=transport), **settings).chat(MESSAGES))
    return wire.requests[0]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "api_key"),
    ({"api_key": ""}, "api_key"),
    ({"api_key": "   "}, "api_key"),
    ({"api_key": 7}, "api_key"),
    ({"api_key": "nv-한글"}, "api_key"),
    ({"api_key": "nv-a\nb"}, "api_key"),
    ({"api_key": f"Bearer {KEY}"}, "Bearer"),
    ({"api_key": KEY, "apigw_api_key": ""}, "apigw_api_key"),
    ({"api_key": KEY, "region": "mars"}, "region"),
    ({"api_key": KEY, "path_prefix": "/testapp"}, "path_prefix"),
    ({"api_key": KEY, "base_url": "clovastudio.example"}, "base_url"),
    ({"api_key": KEY, "base_url": "https://user:pw@host"}, "base_url"),
    ({"api_key": KEY, "base_url": "https://host/?q=1"}, "base_url"),
    ({"api_key": KEY, "timeout": 0}, "timeout"),
    ({"api_key": KEY, "timeout": "10"}, "timeout"),
    ({"api_key": KEY, "max_retries": -1}, "max_retries"),
    ({"api_key": KEY, "max_retries": 1.5}, "max_retries"),
    ({"api_key": KEY, "max_wait": -1}, "max_wait"),
    ({"api_key": KEY, "rate_limits": 60}, "rate_limits"),
    ({"api_key": KEY, "retry": 3}, "retry"),
    ({"api_key": KEY, "headers": {"authorization": "x"}}, "authorization"),
]


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize(("settings", "named"), WRONG)
def test_wrong_settings_are_refused_by_name(make: Any, settings: dict[str, Any], named: str) -> None:
    """A missing key and every wrong setting is a ConfigurationError that names it and shows no key."""
    with pytest.raises(ConfigurationError, match=named) as caught:
        make(**settings)
    assert KEY not in str(caught.value)
    assert "한글" not in str(caught.value)


def test_wrong_policies_are_refused_by_name() -> None:
    """Values that make no sense are refused where they are made."""
    for make in (lambda: RateLimits(window=0), lambda: RetryPolicy(total=-1), lambda: Timeouts(read=-1)):
        with pytest.raises(ConfigurationError):
            make()


@pytest.mark.parametrize("make", CLIENTS)
def test_key_comes_from_argument_then_environment(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument wins, then CLOVASTUDIO_API_KEY, then NCP_CLOVASTUDIO_API_KEY; a SecretStr is taken."""
    monkeypatch.setenv("NCP_CLOVASTUDIO_API_KEY", "nv-third")
    assert sent(make).headers["authorization"] == "Bearer nv-third"
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-second")
    assert sent(make).headers["authorization"] == "Bearer nv-second"
    assert sent(make, api_key=SecretStr("nv-first")).headers["authorization"] == "Bearer nv-first"


@pytest.mark.parametrize("make", CLIENTS)
def test_address_follows_region_prefix_and_base_url(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Region and prefix make the URL, a base URL (argument, then environment) goes before the region."""
    path = "/v3/chat-completions/HCX-005"
    assert str(sent(make, api_key=KEY).url) == f"https://clovastudio.stream.ntruss.com{path}"
    gov = sent(make, api_key=KEY, region="gov", path_prefix="testapp")
    assert str(gov.url) == f"https://clovastudio.stream.gov-ntruss.com/testapp{path}"
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", "http://127.0.0.1:1/")
    assert str(sent(make, api_key=KEY, region="gov").url) == f"http://127.0.0.1:1{path}"
    other = sent(make, api_key=KEY, base_url="https://example.com/v1/openai/", path_prefix="serviceapp")
    assert str(other.url) == f"https://example.com/serviceapp{path}"


@pytest.mark.parametrize("make", CLIENTS)
def test_old_key_pair_replaces_authorization(make: Any) -> None:
    """With apigw_api_key the two X-NCP headers go, and no Authorization."""
    request = sent(make, api_key="old-key", apigw_api_key="gw-key")
    assert request.headers["x-ncp-clovastudio-api-key"] == "old-key"
    assert request.headers["x-ncp-apigw-api-key"] == "gw-key"
    assert "authorization" not in request.headers


@pytest.mark.parametrize("make", CLIENTS)
def test_own_headers_and_agent_are_sent(make: Any) -> None:
    """A caller's headers go with every request; the agent names this package unless the caller names another."""
    assert sent(make, api_key=KEY, headers={"X-Team": "a"}).headers["x-team"] == "a"
    assert sent(make, api_key=KEY).headers["user-agent"].startswith("clova-studio/")
    for spelling in ("User-Agent", "user-agent", "USER-AGENT"):
        assert sent(make, api_key=KEY, headers={spelling: "mine"}).headers.get_list("user-agent") == ["mine"]


@pytest.mark.parametrize("given", [None, {"X-Team": "a"}, {"accept-encoding": "identity", "connection": "close"}])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("content", [None, b"{}"])
def test_own_pools_send_what_httpx_would(*, given: dict[str, str] | None, stream: bool, content: bytes | None) -> None:
    """A request for a pool of our own is the one that httpx's merging gives: method, address, headers, limits, body."""
    config = make_config(api_key=KEY, headers=given)
    call = Call("GET" if content is None else "POST", "/v1/x", None, Nothing, "x", timeout=Timeouts(read=7))
    with make_client() as own, httpx.Client() as merging:
        deadline = deadline_of(call, config, stream=stream)
        ours, theirs = (build_request(http, call, content, config, deadline, stream=stream) for http in (own, merging))
    assert (ours.method, ours.url, ours.content) == (theirs.method, theirs.url, theirs.content)
    assert sorted(ours.headers.multi_items()) == sorted(theirs.headers.multi_items())
    mine, limits = ours.extensions["timeout"], theirs.extensions["timeout"]
    assert (mine["connect"], mine["write"].write_timeout()) == (limits["connect"], limits["write"])
    assert mine["read"].read_timeout() == pytest.approx(limits["read"], abs=0.5)


@pytest.mark.parametrize("make", CLIENTS)
def test_time_limits_reach_the_request(make: Any) -> None:
    """Without a setting a caller's HTTP client keeps its own limits; with one ours are on the request."""
    assert sent(make, api_key=KEY).extensions["timeout"]["read"] == 5  # httpx's own default
    limits = sent(make, api_key=KEY, timeout=7).extensions["timeout"]
    assert (limits["connect"], limits["read"]) == (5.0, 7)
    assert sent(make, api_key=KEY, timeout=httpx.Timeout(9)).extensions["timeout"]["read"] == 9


@pytest.mark.parametrize("make", CLIENTS)
def test_no_secret_shows(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Neither key stands in a repr, a log line, an error, its traceback or its state, also when a call fails."""
    keys = ("old-secret-key", "gateway-secret-key")
    settings = {"api_key": keys[0], "apigw_api_key": keys[1], "headers": {"X-Proxy": "header-secret"}, "max_retries": 1}

    def refuse(request: httpx.Request) -> httpx.Response:
        if request.headers["accept"] == "text/event-stream":
            raise httpx.ConnectError("refused", request=request)
        return answer(envelope("40104", "Invalid Key"), 401)

    transport = httpx.MockTransport(refuse)
    http = httpx.Client(transport=transport) if make is ClovaStudio else httpx.AsyncClient(transport=transport)
    client = Clock().on(make(http_client=http, **settings))
    texts = [repr(client), str(client), repr(client._config)]
    with caplog.at_level(logging.DEBUG):
        for verb in ("chat", "stream_chat"):
            try:
                result = getattr(client, verb)(MESSAGES)
                if make is ClovaStudio:
                    next(result)
                else:
                    asyncio.run(_read(result))
            except Exception as error:  # noqa: BLE001  whatever it is, it must not show a key
                texts.append("".join(traceback.format_exception(error)))
                cause: BaseException | None = error
                while cause is not None:
                    texts.append(repr(cause) + repr(vars(cause)))
                    cause = cause.__cause__
    assert len(texts) > 5
    texts += [record.getMessage() for record in caplog.records]
    for text in texts:
        assert not any(secret in text for secret in (*keys, "header-secret")), text


async def _read(result: Any) -> None:
    if hasattr(result, "__aiter__"):
        async for _ in result:
            pass
    else:
        await result


@pytest.mark.parametrize("make", CLIENTS)
def test_pickle_keeps_settings_and_no_connection(make: Any, clova_studio_server: Any) -> None:
    """A client that has been used can be sent to a worker and works there; copies are the same client."""
    server = clova_studio_server
    client = make(server.api_key, base_url=server.base_url, max_retries=2, timeout=11)
    _chat(client)
    twin = pickle.loads(pickle.dumps(client))  # noqa: S301  our own bytes
    assert twin._config == client._config
    assert twin._policy == client._policy
    assert _chat(twin) == _chat(client)
    assert copy.deepcopy(client) is client
    for one in (client, twin):
        one.close() if make is ClovaStudio else asyncio.run(one.aclose())


def _chat(client: Any) -> str:
    result = client.chat(MESSAGES)
    return (asyncio.run(result) if asyncio.iscoroutine(result) else result).message.content


@pytest.mark.parametrize("make", CLIENTS)
def test_a_callers_http_client_cannot_be_pickled(make: Any) -> None:
    """A client with a caller's http_client refuses to be pickled, naming it."""
    with pytest.raises(ConfigurationError, match="http_client"):
        pickle.dumps(make(KEY, http_client=object()))


def test_a_callers_http_client_stays_open() -> None:
    """Closing the client leaves a caller's http_client open, and refuses further calls."""
    http = httpx.Client(transport=httpx.MockTransport(Wire([lambda: answer(sample("v3_chat.json"))])))
    with ClovaStudio(KEY, http_client=http) as client:
        client.chat(MESSAGES)
    assert not http.is_closed
    with pytest.raises(ConfigurationError, match="closed"):
        client.chat(MESSAGES)


@pytest.mark.parametrize("make", CLIENTS)
def test_unknown_settings_are_refused_by_name(make: Any) -> None:
    """An argument that does not exist is refused by its name."""
    with pytest.raises(TypeError, match="temprature"):
        make(KEY, temprature=1)


def test_request_ids() -> None:
    """Each call has a fresh id, the caller's is sent as given, and one that no header can carry is refused."""
    wire = Wire([lambda: answer(sample("v3_chat.json"))])
    client = ClovaStudio(KEY, http_client=httpx.Client(transport=httpx.MockTransport(wire)))
    results = [client.chat(MESSAGES), client.chat(MESSAGES), client.chat(MESSAGES, request_id="mine-1")]
    ids = [request.headers["x-ncp-clovastudio-request-id"] for request in wire.requests]
    assert ids == [result.request_id for result in results]
    assert len(set(ids)) == 3
    assert ids[2] == "mine-1"
    for bad in ("", "a b", "한글", "a\r\nX-Evil: 1"):
        with pytest.raises(ConfigurationError, match="request_id"):
            client.chat(MESSAGES, request_id=bad)
    assert len(wire.requests) == 3


@pytest.mark.parametrize("proxy", ["foo://user:hidden@host", "http://[::1", "socks5://user:hidden@host:1"])
async def test_a_proxy_that_cannot_be_used_is_said_by_name(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment that httpx cannot use is wrong use, named without its address, at the first call."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as caught:
        ClovaStudio(KEY).embed("글")
    assert "hidden" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY"):
        await AsyncClovaStudio(KEY).embed("글")

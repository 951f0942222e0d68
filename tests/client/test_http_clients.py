"""HTTP clients of the caller's: the right kind, open, and never led elsewhere."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import httpx2
import pytest
from client_support import KEY, MESSAGES, closed

import clova_studio as cs

BASE_URL = "http://127.0.0.1:9"


WRONG = [
    (cs.ClovaStudio, httpx.AsyncClient, "httpx.Client"),
    (cs.ClovaStudio, httpx2.AsyncClient, "httpx.Client"),
    (cs.ClovaStudio, lambda: httpx.Client, "the class Client"),
    (cs.ClovaStudio, httpx.HTTPTransport, "HTTPTransport"),
    (cs.ClovaStudio, lambda: closed(httpx.Client), "is closed"),
    (cs.ClovaStudio, lambda: closed(httpx2.Client), "is closed"),
    (cs.AsyncClovaStudio, httpx.Client, "httpx.AsyncClient"),
    (cs.AsyncClovaStudio, httpx2.Client, "httpx.AsyncClient"),
    (cs.AsyncClovaStudio, object, "object"),
    (cs.AsyncClovaStudio, lambda: closed(httpx.AsyncClient), "is closed"),
]


@pytest.mark.parametrize(("client", "make", "said"), WRONG)
def test_a_wrong_http_client_is_refused_at_construction(client: Any, make: Any, said: str) -> None:
    """An HTTP client of the other kind, a closed one and something else are a ConfigurationError by name."""
    with pytest.raises(cs.ConfigurationError, match="http_client") as caught:
        client(KEY, http_client=make())
    assert said in caught.value.message


@pytest.mark.parametrize("verb", ["chat", "stream_chat"])
def test_an_http_client_that_is_closed_later_is_refused_before_sending(verb: str) -> None:
    """A caller's HTTP client that is closed between construction and call is a ConfigurationError by name."""
    http = httpx.Client()
    client = cs.ClovaStudio(KEY, base_url=BASE_URL, http_client=http)
    http.close()
    with pytest.raises(cs.ConfigurationError, match="http_client is closed"):
        list(getattr(client, verb)(MESSAGES))


def test_an_async_http_client_that_is_closed_later_is_refused_before_sending() -> None:
    """The same, awaited."""

    async def main() -> None:
        http = httpx.AsyncClient()
        client = cs.AsyncClovaStudio(KEY, base_url=BASE_URL, http_client=http)
        await http.aclose()
        with pytest.raises(cs.ConfigurationError, match="http_client is closed"):
            await client.chat(MESSAGES)
        with pytest.raises(cs.ConfigurationError, match="http_client is closed"):
            await anext(client.stream_chat(MESSAGES))

    asyncio.run(main())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_redirect_is_not_followed(kind: str, status: int) -> None:
    """The old key pair does not leave for another host, whatever the caller's HTTP client does by default."""

    def moved(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(status, headers={"location": "https://elsewhere.example/"})

    async def asynchronous() -> None:
        async with httpx.AsyncClient(transport=transport, follow_redirects=True) as http:
            client = cs.AsyncClovaStudio(**settings, http_client=http)
            with pytest.raises(cs.APIStatusError, match="is not followed"):
                await client.chat(MESSAGES)
            with pytest.raises(cs.APIStatusError, match="is not followed"):
                await anext(client.stream_chat(MESSAGES))

    hosts: list[str] = []
    transport = httpx.MockTransport(moved)
    settings: Any = {"api_key": "old-key", "apigw_api_key": "older-key", "max_retries": 0}
    if kind == "async":
        asyncio.run(asynchronous())
    else:
        with httpx.Client(transport=transport, follow_redirects=True) as http:
            client = cs.ClovaStudio(**settings, http_client=http)
            with pytest.raises(cs.APIStatusError, match="is not followed"):
                client.chat(MESSAGES)
            with pytest.raises(cs.APIStatusError, match="is not followed"):
                next(client.stream_chat(MESSAGES))
    assert hosts == ["clovastudio.stream.ntruss.com"] * 2

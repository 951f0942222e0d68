"""What nobody thought of while an answer is read is an InvalidResponseError, too: of that answer, and of no other."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from client_support import KEY, OK, answer, sse
from pydantic import model_validator

import clova_studio as cs
from clova_studio._requests.call import Call
from clova_studio._streaming.chat_assembler import ChatAssembler
from clova_studio.types._base import Result

ODD = [RecursionError("maximum recursion depth exceeded"), OverflowError("too large"), KeyError("x"), MemoryError(),
       AttributeError("no"), TypeError("odd")]  # fmt: skip
TOKEN = b'event:token\ndata:{"message":{"content":"a"}}\n\n'
RESULT = b'event:result\ndata:{"message":{"content":"ab"}}\n\n'


def odd_result(error: Exception) -> type[Result]:
    """Return a result that fails while it is read."""

    class Odd(Result):
        @model_validator(mode="before")
        @classmethod
        def _fail(cls, _: Any) -> Any:
            raise error

    return Odd


def odd_assembler(error: Exception, *, at: str) -> type[ChatAssembler]:
    """Return an assembler that fails at an event, or with a whole answer."""

    class Odd(ChatAssembler):
        def feed(self, event: Any) -> Any:
            if event.event == at:
                raise error
            return super().feed(event)

        def finish(self, result: Any) -> Any:
            if at == "whole":
                raise error
            return super().finish(result)

    return Odd


def send(kind: str, respond: Any, call: Call[Any], *, stream: bool = False) -> Any:
    """Send a call that no verb makes, without retries."""
    settings: dict[str, Any] = {"api_key": KEY, "quota_group": str(uuid.uuid4()), "max_retries": 0}
    transport = httpx.MockTransport(lambda _: respond())
    if kind == "sync":
        client = cs.ClovaStudio(http_client=httpx.Client(transport=transport), **settings)
        return list(client._open(call).rest) if stream else client._send(call)

    async def run() -> Any:
        client = cs.AsyncClovaStudio(http_client=httpx.AsyncClient(transport=transport), **settings)
        if not stream:
            return await client._send(call)
        return [chunk async for chunk in (await client._open(call)).rest]

    return asyncio.run(run())


@pytest.mark.parametrize("error", ODD, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_escapes_while_an_answer_is_read_is_typed(kind: str, error: Exception) -> None:
    """Whole or streamed, at the first event and later, it is an InvalidResponseError with its cause."""
    whole: Call[Any] = Call("POST", "/v1/odd", {}, odd_result(error), "odd")
    with pytest.raises(cs.InvalidResponseError, match=type(error).__name__) as caught:
        send(kind, lambda: answer(OK + b"{}}"), whole)
    assert caught.value.__cause__ is error
    assert (caught.value.status_code, caught.value.request_id) == (200, whole.request_id)

    def streamed(at: str) -> Call[Any]:
        return Call("POST", "/v1/odd", {}, cs.ChatResult, "odd", assembler=odd_assembler(error, at=at))

    with pytest.raises(cs.InvalidResponseError) as caught:
        send(kind, lambda: sse(TOKEN + RESULT), streamed("token"), stream=True)
    assert caught.value.__cause__ is error
    with pytest.raises(cs.InvalidResponseError) as caught:
        send(kind, lambda: answer(OK + b'{"message":{"content":"ab"}}}'), streamed("whole"), stream=True)
    assert caught.value.__cause__ is error
    with pytest.raises(cs.StreamInterruptedError) as interrupted:
        send(kind, lambda: sse(TOKEN + RESULT), streamed("result"), stream=True)
    assert interrupted.value.partial.message.content == "a"
    assert isinstance(interrupted.value.__cause__, cs.InvalidResponseError)

"""OpenAI-compatible chat: the native answer in OpenAI's form ("OpenAI compatibility" page; public recordings).

No raw chunk of a stream was ever recorded; the page says "same structure as OpenAI".
"""

import json
import time
from collections.abc import Iterator
from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.chat import converse
from clova_studio.emulator.apis.openai_request import read_request
from clova_studio.emulator.language.answers import Reply
from clova_studio.emulator.language.tokens import pieces
from clova_studio.emulator.rules.chat_request import ChatRequest
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.server.delivery import Answer, JsonAnswer, StreamAnswer
from clova_studio.emulator.server.wire import OpenAIFrames, call_id, dumps, fingerprint, random_seed


def openai_chat(call: ApiCall) -> Answer:
    """Answer an OpenAI-compatible chat request."""
    request = read_request(call)
    reply, headers = converse(call, request)
    shape = Shape(request, reply, mark=fingerprint("openai", dumps(call.body)), facts=call.facts)
    if not call.streamed:
        return JsonAnswer(dumps(shape.whole()).encode(), headers=headers)
    frames = OpenAIFrames()
    return StreamAnswer(
        frames,
        tokens=(frames.chunk(data) for data in shape.chunks()),
        results=(frames.chunk(data) for data in [shape.last()]),
        headers=headers,
        signal=True,
    )


def _thinking(text: str, facts: Facts) -> dict[str, str]:
    """Thinking under both of its names: NAVER's own client reads the first, a page of the guide prints the second."""
    names = ("reasoning_content", "thinking_content")
    return {name: text for name in names if facts["thinking-name"] in {name, "both"}}


class Shape:
    """One answer in OpenAI's forms."""

    def __init__(self, request: ChatRequest, reply: Reply, *, mark: bytes, facts: Facts) -> None:
        self._request = request
        self._reply = reply
        self._facts = facts
        now = time.time()
        # The recorded `created` is in milliseconds; OpenAI's structure, as documented, has seconds.
        self._created = int(now * 1000) if facts["compatible-created"] == "milliseconds" else int(now)
        self._id = mark.hex()  # 32 digits without "chatcmpl-", as recorded
        self._seed = request.seed or random_seed(mark)
        self._calls = [
            {
                "id": call_id(mark, index),
                "type": "function",
                # Compact, as recorded, unlike the fragments of native streams.
                "function": {"name": call.name, "arguments": dumps(call.arguments)},
            }
            for index, call in enumerate(reply.calls)
        ]

    def whole(self) -> dict[str, Any]:
        """The complete answer. ``model`` is the base of a tuned model, as recorded."""
        reply = self._reply
        message: dict[str, Any] = {"role": "assistant", "content": reply.content}
        if reply.thinking is not None:
            message |= _thinking(reply.thinking, self._facts)
        if self._calls:
            message["tool_calls"] = self._calls
        usage: dict[str, Any] = {
            "completion_tokens": reply.output_tokens,
            "prompt_tokens": self._request.prompt_tokens,
            "total_tokens": self._request.prompt_tokens + reply.output_tokens,
        }
        if reply.thinking is not None:
            usage["completion_tokens_details"] = {"reasoning_tokens": reply.thinking_tokens}
        return {
            "id": self._id,
            "object": "chat.completion",
            "created": self._created,
            "model": self._request.model.name,
            "usage": usage,
            "seed": self._seed,
            "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}],
        }

    def chunks(self) -> Iterator[dict[str, Any]]:
        """The role, then thinking, text and tool calls piece by piece."""
        yield self._chunk({"role": "assistant", "content": ""})
        for piece in pieces(self._reply.thinking or ""):
            yield self._chunk(_thinking(piece, self._facts))
        for piece in pieces(self._reply.content):
            yield self._chunk({"content": piece})
        for index, call in enumerate(self._calls):
            function: dict[str, Any] = json.loads(dumps(call["function"]))
            opening = {**call, "function": {"name": function["name"], "arguments": ""}}
            yield self._chunk({"tool_calls": [{"index": index, **opening}]})
            for piece in pieces(function["arguments"]):
                yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def last(self) -> dict[str, Any]:
        """The chunk with the finish reason. It has no usage, as ``stream_options`` is not supported."""
        return self._chunk({}, self._reply.finish)

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._request.model.name,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }

"""Wire form of Chat Completions v3 answers (the four v3 reference pages; recorded bodies of 2025 and 2026)."""

import json
from collections.abc import Iterator
from typing import Any

from clova_studio.emulator.apis.filters import filter_scores
from clova_studio.emulator.language.answers import Reply
from clova_studio.emulator.language.tokens import pieces
from clova_studio.emulator.language.tool_calls import Call
from clova_studio.emulator.rules.chat_request import ChatRequest
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.server.wire import call_id, usage


def tool_calls(mark: bytes, calls: list[Call]) -> list[dict[str, Any]]:
    """Tool calls in their native form, with ids that follow from the request's digest."""
    return [
        {"id": call_id(mark, index), "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for index, call in enumerate(calls)
    ]


class Shape:
    """One v3 answer in its wire forms."""

    def __init__(
        self, request: ChatRequest, reply: Reply, *, seed: int, created: float, mark: bytes, facts: Facts
    ) -> None:
        self._request = request
        self._reply = reply
        self._seed = seed
        self._created = created
        self._facts = facts
        self._calls = tool_calls(mark, reply.calls)

    def result(self) -> dict[str, Any]:
        """The ``result`` of an answer.

        The page on text prints ``created`` in milliseconds and another order of keys; the pages on the other features
        and all recordings have seconds.
        """
        final = self.final()
        if self._request.tools or self._request.model.thinking:
            return final
        if self._facts["native-created"] == "milliseconds":
            final["created"] = int(self._created * 1000)
        if self._facts["native-order"] == "message-first":
            return final
        names = ("created", "usage", "message", "finishReason", "seed", "aiFilter")
        return {name: final[name] for name in names if name in final}

    def final(self) -> dict[str, Any]:
        """Data of the result event: the complete answer, with usage."""
        reply = self._reply
        message: dict[str, Any] = {"role": "assistant", "content": reply.content}
        if reply.thinking is not None:
            message["thinkingContent"] = reply.thinking
        if self._calls:
            message["toolCalls"] = self._calls
        used = usage(self._request.prompt_tokens, reply.output_tokens)
        if reply.thinking is not None:
            used["completionTokensDetails"] = {"thinkingTokens": reply.thinking_tokens}
        final = self._data(message) | {"finishReason": reply.finish, "usage": used}
        if self._request.ai_filters:  # when not requested, the key is missing, not empty
            final["aiFilter"] = filter_scores(self._facts)
        return final

    def tokens(self) -> Iterator[dict[str, Any]]:
        """Data of the token events: first thinking (without a ``content`` key), then text, then tool calls."""
        for piece in pieces(self._reply.thinking or ""):
            yield self._data({"role": "assistant", "thinkingContent": piece})
        for piece in pieces(self._reply.content):
            yield self._data({"role": "assistant", "content": piece})
        for call in self._calls:
            function = call["function"]
            opening = {"id": call["id"], "type": "function", "function": {"name": function["name"]}}
            yield self._data({"role": "assistant", "content": "", "toolCalls": [opening]})
            # The fragments have no id, name or index; joined they are JSON with a space after each colon.
            for piece in pieces(json.dumps(function["arguments"], ensure_ascii=False)):
                fragment = {"type": "function", "function": {"partialJson": piece}}
                yield self._data({"role": "assistant", "content": "", "toolCalls": [fragment]})

    def _data(self, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "message": message,
            "finishReason": None,
            "created": int(self._created),
            "seed": self._seed,
            "usage": None,
        }

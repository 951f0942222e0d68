"""Wire form of Chat Completions v1 answers ("Chat Completions" reference page; recorded bodies of 2024)."""

from collections.abc import Iterator
from typing import Any

from clova_studio.emulator.apis.filters import filter_scores
from clova_studio.emulator.language.answers import Reply
from clova_studio.emulator.language.tokens import pieces
from clova_studio.emulator.rules.chat_request import ChatRequest
from clova_studio.emulator.rules.facts import Facts

# A normal end is "stop_before" even without stop strings, as recorded.
STOP_REASONS = {"stop": "stop_before", "length": "length"}


class Shape:
    """One v1 answer in its wire forms."""

    def __init__(self, request: ChatRequest, reply: Reply, *, seed: int, facts: Facts) -> None:
        self._request = request
        self._reply = reply
        self._seed = seed
        self._facts = facts

    def result(self) -> dict[str, Any]:
        """The ``result`` of an answer; the two forms differ in the order of the keys."""
        reply = self._reply
        reason = STOP_REASONS.get(reply.finish, reply.finish)
        message = {"message": {"role": "assistant", "content": reply.content}}
        lengths = {"inputLength": self._request.prompt_tokens, "outputLength": reply.output_tokens}
        # With filters off the recorded value is an empty list.
        filters = filter_scores(self._facts) if self._request.ai_filters else []
        ends: dict[str, Any] = {"stopReason": reason}
        middle = {**lengths, **ends} if self._facts["v1-order"] == "lengths-first" else {**ends, **lengths}
        return {**message, **middle, "seed": self._seed, "aiFilter": filters}

    def tokens(self) -> Iterator[dict[str, Any]]:
        """Data of the token events: only the message in the page's example; recorded ones have counts too."""
        for piece in pieces(self._reply.content):
            if self._facts["v1-token-counts"] == "sent":
                yield {
                    "index": 0,
                    "inputLength": self._request.prompt_tokens,
                    "outputLength": 1,
                    "message": {"content": piece, "role": "assistant"},
                }
            else:
                yield {"message": {"role": "assistant", "content": piece}}

    final = result

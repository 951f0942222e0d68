"""The requests to the token calculator that count the messages of a conversation, whatever they are. Pure.

Frameworks count parts of conversations, also in reverse order, and messages that they have cut to nothing. The
calculator takes only what a chat takes. So a result whose call is missing gets a call, which is not counted; images are
spread over several requests; and what the calculator does not take at all is estimated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clova_studio._catalogue import is_tuned, model_info
from clova_studio._rate_limits.estimates import estimate_message_tokens
from clova_studio._requests.chat_options import text_only_reason
from clova_studio._requests.messages import MAX_IMAGES, ClovaMessage, ClovaMessages
from clova_studio.adapters._named_requests import arequest_named, request_named
from clova_studio.types import MessageTokenCount, TokenCount

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from clova_studio._catalogue import ModelInfo

__all__ = ["TokenCounting", "no_images_for"]


def no_images_for(model: str, tools: Sequence[Any] = ()) -> str | None:
    """Return what rules out images where messages are counted for a model, None if nothing does.

    Args:
        model: A model's name.
        tools: The tools that are counted too.
    """
    reason = text_only_reason(tools=tools, response_format=None, tuned=is_tuned(model))
    return reason if reason is not None or model_info(model).images else model


class _Request(NamedTuple):
    """Messages of a request, and the index of each in the conversation; None for one that was added."""

    messages: ClovaMessages
    indices: list[int | None]


class TokenCounting:
    """Counts a conversation with the token calculator: by one request mostly, by none if there is nothing to ask.

    Args:
        wire: The messages in the wire's form; they are not changed.
        tools: Tools in the wire's form, to count too.
        model: The model that counts.
        place: Where the requests go: the base URL, or another name for it. It decides which names are sent.
    """

    def __init__(
        self,
        wire: ClovaMessages,
        tools: Sequence[dict[str, Any]] = (),
        *,
        model: str,
        place: str | None = None,
    ) -> None:
        self._wire = wire
        self._tools = list(tools)
        self._model = model
        self._place = place
        # An empty conversation is refused by the client.
        self._requests = self._planned(model_info(model)) if wire else [_Request(wire, [])]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The arguments of each call of ``count_chat_tokens``; the tools are counted once."""
        return [
            {"messages": request.messages, "model": self._model, "tools": (self._tools or None) if i == 0 else None}
            for i, request in enumerate(self._requests)
        ]

    def run(self, count: Callable[..., TokenCount]) -> TokenCount:
        """Return the count.

        Args:
            count: The client's ``count_chat_tokens``.

        Raises:
            ClovaStudioError: A request failed, or was wrong and not sent.
        """
        return self._united([request_named(count, request, place=self._place) for request in self.requests])

    async def arun(self, count: Callable[..., Awaitable[TokenCount]]) -> TokenCount:
        """Async variant of ``run``."""
        return self._united([await arequest_named(count, request, place=self._place) for request in self.requests])

    def _planned(self, info: ModelInfo) -> list[_Request]:
        requests: list[_Request] = []
        images = 0
        for i, message in enumerate(self._wire):
            if not _is_taken(message, info):
                continue
            shown = _images_in(message)
            if not requests or images + shown > MAX_IMAGES:
                requests.append(_Request(ClovaMessages(), []))
                images = 0
            images += shown
            request = requests[-1]
            if message["role"] == "tool" and not _has_call(request, message["toolCallId"]):
                request.messages.append(_call_for(message))
                request.indices.append(None)
            request.messages.append(message)
            request.indices.append(i)
        return requests

    def _united(self, answers: Sequence[TokenCount]) -> TokenCount:
        """Return one count from all answers; ``messages`` is empty if it cannot be told which count is whose."""
        requests = self._requests
        if len(answers) == 1 and requests[0].indices in ([], list(range(len(self._wire)))):
            return answers[0]
        counts = [
            MessageTokenCount(role=message["role"], count=estimate_message_tokens([message])) for message in self._wire
        ]
        is_told = all(
            len(answer.messages) == len(request.indices) for request, answer in zip(requests, answers, strict=True)
        )
        if is_told:
            for request, answer in zip(requests, answers, strict=True):
                for i, counted in zip(request.indices, answer.messages, strict=True):
                    if i is not None:
                        counts[i] = counted
            total = sum(counted.count for counted in counts)
        else:
            asked = {i for request in requests for i in request.indices}
            total = sum(counted.count for i, counted in enumerate(counts) if i not in asked)
            total += sum(counted.count for answer in answers for counted in answer.messages)
        # Without a request the tools are estimated too.
        tools = sum(answer.tools for answer in answers) if answers else estimate_message_tokens([], self._tools)
        base = answers[-1] if answers else TokenCount()
        found = {"total": total + tools, "messages": counts if is_told else [], "tools": tools}
        return base.model_copy(update=found)


def _is_taken(message: dict[str, Any], info: ModelInfo) -> bool:
    """Return whether the calculator takes a message."""
    role, content, calls = message["role"], message["content"], message.get("toolCalls")
    if info.api == "v1" and (role == "tool" or calls or not isinstance(content, str)):
        return False
    if isinstance(content, str):
        return bool(content.strip() or calls or role == "tool")
    parts = [part for part in content if part["type"] == "image_url"]
    if len(parts) > 1 or role != "user" or not info.images:
        return False
    # An image that cannot be read has neither.
    return all("imageUrl" in part or "dataUri" in part for part in parts)


def _images_in(message: dict[str, Any]) -> int:
    content = message["content"]
    return 0 if isinstance(content, str) else sum(part["type"] == "image_url" for part in content)


def _has_call(request: _Request, call_id: Any) -> bool:
    return any(call["id"] == call_id for message in request.messages for call in message.get("toolCalls") or ())


def _call_for(result: dict[str, Any]) -> ClovaMessage:
    function = {"name": "unknown", "arguments": {}}
    calls = [{"id": result["toolCallId"], "type": "function", "function": function}]
    return ClovaMessage("", role="assistant", content="", toolCalls=calls)

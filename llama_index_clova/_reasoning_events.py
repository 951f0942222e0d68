"""LlamaIndex's events for a step of RAG reasoning: those of a chat, so that handlers see its messages and tokens."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMChatStartEvent

from llama_index_clova._decorators import dispatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from llama_index.core.callbacks import CallbackManager

    from clova_studio import ReasoningResult

__all__ = ["step_events"]

# The model's name in events: the service has one for this, which has no name.
_MODEL = {"model": "clova-rag-reasoning"}


@contextmanager
def step_events(
    callback_manager: CallbackManager, request: Mapping[str, Any]
) -> Iterator[Callable[[ReasoningResult], None]]:
    """Report a step to callbacks and instrumentation; its result goes to the function that this yields."""
    messages = _messages(request["messages"])
    about = {name: value for name, value in request.items() if name != "messages"}
    dispatcher.event(LLMChatStartEvent(messages=messages, additional_kwargs=about, model_dict=_MODEL))
    payload: dict[str, Any] = {
        EventPayload.MESSAGES: messages,
        EventPayload.ADDITIONAL_KWARGS: about,
        EventPayload.SERIALIZED: _MODEL,
    }
    with callback_manager.event(CBEventType.LLM, payload=payload) as event:

        def done(step: ReasoningResult) -> None:
            response = _response(step)
            event.on_end(payload={EventPayload.MESSAGES: messages, EventPayload.RESPONSE: response})
            dispatcher.event(LLMChatEndEvent(messages=messages, response=response))

        yield done


def _messages(wire: Sequence[Mapping[str, Any]]) -> list[ChatMessage]:
    found = []
    for message in wire:
        content = message["content"]
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        kwargs = {name: value for name, value in message.items() if name not in {"role", "content"}}
        found.append(ChatMessage(role=MessageRole(message["role"]), content=text, additional_kwargs=kwargs))
    return found


def _response(step: ReasoningResult) -> ChatResponse:
    calls = [call.model_dump() for call in step.message.tool_calls or ()]
    message = ChatMessage(
        role=MessageRole.ASSISTANT,
        content=step.message.content,
        additional_kwargs={"tool_calls": calls} if calls else {},
    )
    return ChatResponse(message=message, raw=step.model_dump(exclude_none=True))

"""Reads the input of a component that answers a query: the query and the messages before it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from langchain_core.messages import BaseMessage, HumanMessage, MessageLikeRepresentation, convert_to_messages
from langchain_core.prompt_values import PromptValue, StringPromptValue

from langchain_clova._errors import ClovaConfigurationError
from langchain_clova._messages import to_clova_messages

__all__ = ["Query", "QueryInput", "conversation_of", "messages_of", "query_of"]

QueryInput: TypeAlias = str | PromptValue | Sequence[MessageLikeRepresentation] | dict[str, Any]
"""A query, a conversation that ends with one, or a dict with ``query`` and optionally ``chat_history``."""


class Query(NamedTuple):
    """A query and the messages before it in the wire's form: of user and assistant, in order, text only."""

    text: str
    history: list[dict[str, str]]

    @property
    def earlier_user_message(self) -> list[dict[str, str]] | None:
        """The last user message before the query, since a router takes one at most; None if there is none."""
        return [message for message in self.history if message["role"] == "user"][-1:] or None


def query_of(given: Any) -> Query:
    """Return the query of an input, which is the last message of the user, with the messages before it."""
    wire = [message for message in conversation_of(given) if message["role"] != "system"]
    last = max((i for i, message in enumerate(wire) if message["role"] == "user"), default=None)
    if last is None:
        raise ClovaConfigurationError("there is no user message among the messages: the last one would be the query")
    return Query(wire[last]["content"], wire[:last])


def conversation_of(given: Any) -> list[dict[str, str]]:
    """Return an input as messages in the wire's form, text only: tool calls and their results are left out."""
    named = _named_messages(given)
    wire = to_clova_messages(
        [message for _, message in named],
        no_images="this API",
        names=[name for name, _ in named],
        with_tools=False,
    )
    texts = [{"role": message["role"], "content": message["content"]} for message in wire]
    said = [message["content"] for message in texts if message["role"] == "user"]
    if not texts or (said and not said[-1].strip()):
        # Without this error, the question before a blank query would be taken for the query.
        raise ClovaConfigurationError("the query is empty: the service refuses empty text")
    return [message for message in texts if message["content"].strip()]


def messages_of(given: Any, what: str = "the input") -> list[BaseMessage]:
    """Return a list of messages from any form that LangChain takes; message objects are not copied."""
    if isinstance(given, PromptValue):
        return given.to_messages()
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Sequence):
        raise ClovaConfigurationError(f"{what} must be a list of messages, got {type(given).__name__}")
    try:
        return convert_to_messages(given)
    except (ValueError, NotImplementedError, TypeError, KeyError) as error:
        raise ClovaConfigurationError(f"{what} holds an item that is not a message: {error}") from error


def _named_messages(given: Any, name: str = "messages") -> list[tuple[str, BaseMessage]]:
    """Return the messages of an input, each with what errors call it."""
    if isinstance(given, Mapping):
        if "query" in given:
            earlier = messages_of(given.get("chat_history") or [], "chat_history")
            return [*_named("chat_history", earlier), *_named_messages(given["query"], "query")]
        if "messages" in given:
            return _named("messages", messages_of(given["messages"], "messages"))
        raise ClovaConfigurationError(
            f"a dict must have 'query' (or 'messages'), got the keys {sorted(map(str, given))}"
        )
    if isinstance(given, str):
        return [(name, HumanMessage(given))]
    if isinstance(given, StringPromptValue):
        return [(name, HumanMessage(given.text))]
    if isinstance(given, BaseMessage):
        return [(name, given)]
    return _named(name, messages_of(given, "an input that is neither a string nor a dict"))


def _named(name: str, messages: Sequence[BaseMessage]) -> list[tuple[str, BaseMessage]]:
    return [(f"{name}[{i}]", message) for i, message in enumerate(messages)]

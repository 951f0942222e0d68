"""A chat memory that gives the newest messages that fit into a chat with a v1 model, by the sliding window API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.memory.types import DEFAULT_CHAT_STORE_KEY, BaseChatStoreMemory
from llama_index.core.storage.chat_store import BaseChatStore, SimpleChatStore
from llama_index.core.storage.chat_store.loading import load_chat_store
from pydantic import Field, field_serializer, model_validator

from clova_studio import ConfigurationError, model_info
from clova_studio.adapters import SlidingMessages, estimate_tokens, in_thread
from llama_index_clova._fields import ConnectionFields
from llama_index_clova._messages import to_clova_messages, tool_calls_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llama_index.core.llms.llm import LLM

__all__ = ["ClovaSlidingWindowMemory"]

# Of input and output cap together. Source: the sliding window page of the API guide.
_MOST_TOKENS = 4_096


class ClovaSlidingWindowMemory(BaseChatStoreMemory, ConnectionFields):
    """Remembers a chat and gives the newest turns that fit. Source: the sliding window page of the API guide.

        >>> from llama_index.core.chat_engine import SimpleChatEngine
        >>> from llama_index_clova import ClovaSlidingWindowMemory, ClovaX
        >>> memory = ClovaSlidingWindowMemory(model="HCX-003", max_tokens=512)  # doctest: +SKIP
        >>> llm = ClovaX(model="HCX-003", max_tokens=512)  # doctest: +SKIP
        >>> engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory)  # doctest: +SKIP

    ``get`` asks the service, once per call; all other methods are those of LlamaIndex's memories and keep every
    message. System messages stay; the oldest turns after them are left out first. Blank messages, which the service
    refuses, are not sent; they are given or left out with the message before them. Without messages nothing is sent.

    What a chat engine sends beside the history is estimated and counts too: its prefix (``initial_token_count``) and
    the ``input`` that follows, unless that is already the last message.

    Attributes:
        model: The v1 model of the chat: HCX-003 or HCX-DASH-001. Models of v3 have no such API: use LlamaIndex's
            ``Memory``, with ``tokenizer_fn=clova_tokenizer``.
        max_tokens: The output cap of the chat in tokens, 1 to 4,096. Input and cap together may have 4,096 tokens, so a
            larger cap leaves out more. The default, 512, is that of ``ClovaX`` for these models.
        chat_store: Where the messages are; LlamaIndex's ``SimpleChatStore`` by default.
        chat_store_key: The key of this chat in the store.

    Raises:
        ConfigurationError: An argument is unknown or invalid, there is no key, or the model is a v3 one. In
            ``get``: v1 models do not take one of the messages, or the rest of the prompt leaves the history no room.
        ContextLengthError: In ``get``: even the newest turn alone does not fit. Calls raise the other errors of
            ``clova_studio`` too.

    See ``ConnectionFields`` for how to reach the service. Keys are never part of ``to_dict`` and ``to_json``, but a
    pickle contains them.
    """

    model: str = Field(default="HCX-003", min_length=1)
    max_tokens: int = Field(default=512, ge=1, le=_MOST_TOKENS)

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        info = model_info(self.model)
        if info.known and info.api != "v1":
            raise ConfigurationError(
                f"the sliding window is for v1 models (HCX-003, HCX-DASH-001), not {info.name}: use Memory from "
                "llama_index.core.memory with tokenizer_fn=clova_tokenizer"
            )
        return self

    @field_serializer("chat_store")
    def serialize_courses_in_order(self, chat_store: BaseChatStore) -> dict[str, Any]:
        """Return the chat store for dumps.

        Args:
            chat_store: The store.
        """
        # Under its own name, so that it takes the place of core's, which fails with newer versions of pydantic.
        if not isinstance(chat_store, SimpleChatStore):
            return {**chat_store.model_dump(), "class_name": chat_store.class_name()}
        messages = {
            key: [message.model_dump(mode="json") for message in held] for key, held in chat_store.store.items()
        }
        return {"store": messages, "class_name": chat_store.class_name()}

    @classmethod
    def class_name(cls) -> str:
        """Return the class name that dumps use."""
        return "ClovaSlidingWindowMemory"

    @classmethod
    def from_defaults(
        cls,
        chat_history: list[ChatMessage] | None = None,
        llm: LLM | None = None,
        *,
        chat_store: BaseChatStore | None = None,
        chat_store_key: str = DEFAULT_CHAT_STORE_KEY,
        token_limit: int | None = None,  # noqa: ARG003  see below
        **kwargs: Any,
    ) -> Self:
        """Return a memory with messages in it.

        Args:
            chat_history: The messages; None for none.
            llm: The model of the chat, from which ``model`` and ``max_tokens`` are taken unless they are given.
            chat_store: Where the messages are kept; None for a ``SimpleChatStore`` of its own.
            chat_store_key: The key of this chat in the store.
            token_limit: Not used: chat engines pass one for every memory, but the service has its own limit.
            **kwargs: The other arguments of the class.

        Raises:
            ConfigurationError: As for the class.
        """
        if llm is not None:
            kwargs = {"model": llm.metadata.model_name, "max_tokens": llm.metadata.num_output, **kwargs}
        store = SimpleChatStore() if chat_store is None else chat_store
        memory = cls(chat_store=store, chat_store_key=chat_store_key, **kwargs)
        if chat_history is not None:
            store.set_messages(chat_store_key, list(chat_history))  # the caller's list must not grow
        return memory

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:
        """Return a memory from what ``to_dict`` gave.

        Args:
            data: What ``to_dict`` gave, with the messages of a ``SimpleChatStore``.
            **kwargs: Arguments that take precedence; the key is not in ``data``.

        Raises:
            ConfigurationError: As for the class.
            ValueError: The messages are in a store that LlamaIndex cannot load: give ``chat_store``.
        """
        if "chat_store" not in kwargs:
            kwargs["chat_store"] = load_chat_store(data["chat_store"])
        found: Self = super().from_dict(data, **kwargs)
        return found

    @property
    def tokenizer_fn(self) -> Callable[[str], list[int]]:
        """What chat engines count their prefix with: ``clova_tokenizer``."""
        from llama_index_clova.tokenizers import clova_tokenizer

        return clova_tokenizer

    def get(
        self,
        input: str | None = None,  # noqa: A002  the base class's name
        initial_token_count: int = 0,
        **kwargs: Any,
    ) -> list[ChatMessage]:
        """Return the newest messages that fit.

        Args:
            input: The message that follows them, None for none.
            initial_token_count: Tokens of what stands before them.
            **kwargs: Passed on to the chat store.

        Raises:
            ConfigurationError: v1 models do not take one of the messages, there is no room for any, or only
                ``async_client`` was given.
            ClovaStudioError: The request failed.
        """
        window = SlidingMessages(super().get(input, **kwargs), _wire)
        if not window.wire:
            return window.messages
        return window.kept(self._connection.sync.slide(**self._request(window, input, initial_token_count)))

    async def aget(
        self,
        input: str | None = None,  # noqa: A002  the base class's name
        initial_token_count: int = 0,
        **kwargs: Any,
    ) -> list[ChatMessage]:
        """Async variant of ``get``."""
        window = SlidingMessages(await super().aget(input, **kwargs), _wire)
        if not window.wire:
            return window.messages
        request = self._request(window, input, initial_token_count)
        client = self._connection.asynchronous
        if client is None:
            return window.kept(await in_thread(self._connection.sync.slide, **request))
        return window.kept(await client.slide(**request))

    def _request(self, window: SlidingMessages[ChatMessage], following: str | None, before: int) -> dict[str, Any]:
        beside = before
        if following and window.messages[-1].content != following:
            beside += estimate_tokens(following)
        if self.max_tokens + beside > _MOST_TOKENS:
            raise ConfigurationError(
                f"what is sent beside the history has about {beside:,} tokens, and max_tokens is {self.max_tokens:,}: "
                f"together more than {_MOST_TOKENS:,}, so that no history fits; shorten the one or lower the other"
            )
        return {"messages": window.wire, "model": self.model, "max_tokens": self.max_tokens + beside}


def _wire(index: int, message: ChatMessage) -> list[dict[str, Any]]:
    if message.role in {MessageRole.TOOL, MessageRole.FUNCTION} or tool_calls_of(message):
        raise ConfigurationError(
            f"messages[{index}] is a tool call or its result, which v1 models do not take: use Memory from "
            "llama_index.core.memory with tokenizer_fn=clova_tokenizer"
        )
    return to_clova_messages([message], no_images="a v1 model", names=[f"messages[{index}]"])

"""Token counts of a chat model: estimates, or the service's own counts, which are cached."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage
from pydantic import PrivateAttr

from clova_studio.adapters import (
    ClovaMessages,
    TokenCounting,
    estimate_message_tokens,
    estimate_tokens,
    in_thread,
    no_images_for,
)
from langchain_clova._errors import ClovaConfigurationError, langchain_errors
from langchain_clova._fields import ChatFields
from langchain_clova._messages import to_clova_messages
from langchain_clova._schemas import wire_tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.language_models import LanguageModelInput

    from clova_studio import TokenCount

__all__ = ["CountingChatModel", "TokenCountCache"]

_CACHED = 4_096


class TokenCountCache:
    """The service's own token counts, 4,096 at most; the oldest are dropped first."""

    def __init__(self) -> None:
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    def __eq__(self, other: object) -> bool:
        # Models that differ only in what is cached are equal.
        return isinstance(other, TokenCountCache)

    __hash__ = None  # type: ignore[assignment]  # mutable

    @staticmethod
    def key(model: str, counted: Any) -> bytes:
        """Return the key of a message, or of a list of tools."""
        text = json.dumps(counted, ensure_ascii=False, sort_keys=True, default=str)
        return hashlib.sha256(f"{model}\n{text}".encode()).digest()

    def get(self, key: bytes) -> int | None:
        """Return a count, None if it is not known."""
        return self._counts.get(key)

    def put(self, key: bytes, count: int) -> None:
        """Keep a count."""
        self._counts[key] = count
        while len(self._counts) > _CACHED:
            self._counts.popitem(last=False)


class CountingChatModel(BaseChatModel, ChatFields):
    """A chat model of this service that counts tokens."""

    # BaseChatModel comes first among the bases: its model_post_init has to run.

    token_counting: Literal["local", "api"] = "local"  # noqa: S105  tokens of text

    _counts: TokenCountCache = PrivateAttr(default_factory=TokenCountCache)

    def get_token_ids(self, text: str) -> list[int]:
        """Return the token ids that ``custom_get_token_ids`` gives; the service gives none.

        Args:
            text: The text.

        Raises:
            ConfigurationError: There is no ``custom_get_token_ids``.
        """
        if self.custom_get_token_ids is None:
            raise ClovaConfigurationError(
                "the service counts tokens but gives no ids: use get_num_tokens, or give custom_get_token_ids"
            )
        return self.custom_get_token_ids(text)

    def get_num_tokens(self, text: str) -> int:
        """Return how many tokens a text has: an estimate, or the service's count with ``token_counting="api"``.

        Args:
            text: The text.

        Raises:
            ClovaStudioError: The request to the calculator failed.
        """
        if self.custom_get_token_ids is not None:
            return len(self.custom_get_token_ids(text))
        if self._asks_the_service and text.strip():
            return self._counted(ClovaMessages([{"role": "user", "content": text}]), [])
        return estimate_tokens(text)

    def get_num_tokens_from_messages(self, messages: LanguageModelInput, tools: Sequence[Any] | None = None) -> int:
        """Return how many tokens messages and tools have: an estimate, or the service's count.

        The estimate depends on the script: about 0.45 tokens per character of Korean, 0.2 of English, 1.25 of Chinese,
        4 per message and 1,600 per image. With ``token_counting="api"`` the service's calculator counts messages that
        it has not counted before; those that it does not take, such as an empty one, are estimated.

        Args:
            messages: What ``invoke`` takes, and any part of it in any order, as ``trim_messages`` gives it.
            tools: Tools to count too.

        Raises:
            ClovaStudioError: The request to the calculator failed.
        """
        with langchain_errors:
            wire, wire_tools = self._to_count(messages, tools)
        if self.custom_get_token_ids is None and self._asks_the_service and wire:
            return self._counted(wire, wire_tools)
        return estimate_message_tokens(wire, wire_tools, count=self.get_num_tokens)

    def count_chat_tokens(self, messages: LanguageModelInput, *, tools: Sequence[Any] | None = None) -> TokenCount:
        """Return the service's own count. Source: the chat v1 and v3 token calculator pages of the API guide.

        Args:
            messages: What ``invoke`` takes, and any part of it in any order.
            tools: Tools to count too (v3).

        Returns:
            The count of each message as it is sent (system messages are one), of the tools, and their ``total``. What
            the calculator does not take, such as an empty message, is estimated.

        Raises:
            ClovaStudioError: The request to the calculator failed.
        """
        with langchain_errors:
            wire, wire_tools = self._to_count(messages, tools)
            return self._count(wire, wire_tools)

    async def acount_chat_tokens(
        self, messages: LanguageModelInput, *, tools: Sequence[Any] | None = None
    ) -> TokenCount:
        """Async variant of ``count_chat_tokens``."""
        with langchain_errors:
            client = self._connection.asynchronous
            if client is None:
                return await in_thread(self.count_chat_tokens, messages, tools=tools)
            wire, wire_tools = self._to_count(messages, tools)
            return await self._counting(wire, wire_tools).arun(client.count_chat_tokens)

    @property
    def _asks_the_service(self) -> bool:
        return self.token_counting == "api"  # noqa: S105  tokens of text

    def _to_count(
        self, messages: LanguageModelInput, tools: Sequence[Any] | None
    ) -> tuple[ClovaMessages, list[dict[str, Any]]]:
        """Return messages and tools in the wire's form."""
        wire_tools = [wire_tool(tool) for tool in tools or ()]
        given: Any = messages
        if not (isinstance(given, list) and all(isinstance(message, BaseMessage) for message in given)):
            given = self._convert_input(messages).to_messages()
        no_images = no_images_for(self._counted_model, wire_tools)
        return to_clova_messages(given, no_images=no_images, is_counted=True), wire_tools

    def _counting(self, wire: ClovaMessages, tools: list[dict[str, Any]]) -> TokenCounting:
        return TokenCounting(wire, tools, model=self._counted_model, place=self._connection.place)

    def _count(self, wire: ClovaMessages, tools: list[dict[str, Any]]) -> TokenCount:
        return self._counting(wire, tools).run(self._connection.sync.count_chat_tokens)

    def _counted(self, wire: ClovaMessages, tools: list[dict[str, Any]]) -> int:
        """Return the service's count; it is asked only if something is not in the cache."""
        cache, model = self._counts, self._counted_model
        keys = [cache.key(model, message) for message in wire]
        tools_key = cache.key(model, tools)
        if any(cache.get(key) is None for key in keys) or (tools and cache.get(tools_key) is None):
            with langchain_errors:
                count = self._count(wire, tools)
            if len(count.messages) != len(wire):
                return count.total
            for key, counted in zip(keys, count.messages, strict=True):
                cache.put(key, counted.count)
            cache.put(tools_key, count.tools)
        return sum(cache.get(key) or 0 for key in keys) + (cache.get(tools_key) or 0 if tools else 0)

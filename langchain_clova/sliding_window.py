"""The sliding window of CLOVA Studio: the newest messages that fit into a chat with a v1 model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from langchain_core.messages import BaseMessage, MessageLikeRepresentation
from langchain_core.prompt_values import PromptValue
from pydantic import Field, model_validator

from langchain_clova._errors import ClovaConfigurationError, ClovaInvalidResponseError
from langchain_clova._messages import to_clova_messages
from langchain_clova._queries import messages_of
from langchain_clova._runnables import ClovaRunnable

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from clova_studio import AsyncClovaStudio, Message

__all__ = ["ClovaSlidingWindow"]

WindowInput: TypeAlias = PromptValue | Sequence[MessageLikeRepresentation]


class ClovaSlidingWindow(ClovaRunnable[WindowInput, list[BaseMessage]]):
    """Drops the oldest turns of a chat until it fits. Source: the sliding window page of the API guide.

        >>> from langchain_clova import ChatClovaX, ClovaSlidingWindow
        >>> chain = ClovaSlidingWindow(max_tokens=512) | ChatClovaX(model="HCX-003", max_tokens=512)  # doctest: +SKIP

    Input: messages (system, human and AI, with text), or a prompt value. Output: those that fit, as the same objects in
    the same order. System messages stay; the oldest turns after them are dropped first. An empty list gives an empty
    list, without a request. Blank messages, which the service refuses, are not sent; they are kept or dropped with the
    message before them.

    ``max_tokens`` can also be given per call.

    Attributes:
        model: The v1 model of the chat that follows: HCX-003 or HCX-DASH-001. Models of v3 have no such API: use
            ``trim_messages`` of langchain-core, with ``ChatClovaX`` as its token counter.
        max_tokens: The output cap of the chat that follows in tokens, 1 to 4,096. Input and cap together may have
            4,096 tokens, so a larger cap drops more. The default, 512, is that of ``ChatClovaX`` for these models.

    Raises:
        ConfigurationError: An argument does not exist or is wrong, the key is missing, the model is one of v3, or v1
            models do not take one of the messages.
        ContextLengthError: Even the newest turn alone does not fit. Errors of calls are those of ``clova_studio`` and,
            at the same time, of langchain-core's ``ModelError`` family.

    See ``ConnectionFields`` for how to reach the service.
    """

    call_options: ClassVar[tuple[str, ...]] = ("max_tokens",)

    model: str = Field(default="HCX-003", min_length=1)
    max_tokens: int = Field(default=512, ge=1, le=4_096)

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        from clova_studio import model_info

        info = model_info(self.model)
        if info.known and info.api != "v1":
            raise ClovaConfigurationError(
                f"the sliding window is for v1 models (HCX-003, HCX-DASH-001), not {info.name}: use trim_messages from "
                f"langchain_core.messages with token_counter=ChatClovaX(model={info.name!r})"
            )
        return self

    def _run(self, given: WindowInput, config: RunnableConfig, options: dict[str, Any]) -> list[BaseMessage]:  # noqa: ARG002
        window = _Window(given)
        if not window.wire:
            return window.messages
        return window.kept(self._connection.sync.slide(window.wire, model=self.model, **options))

    async def _arun(
        self,
        given: WindowInput,
        config: RunnableConfig,  # noqa: ARG002  nothing is run below this
        options: dict[str, Any],
        client: AsyncClovaStudio,
    ) -> list[BaseMessage]:
        window = _Window(given)
        if not window.wire:
            return window.messages
        return window.kept(await client.slide(window.wire, model=self.model, **options))


class _Window:
    """The given messages, and those of them that are sent."""

    def __init__(self, given: Any) -> None:
        self.messages = messages_of(given)
        self.wire: list[dict[str, Any]] = []
        self._indices: list[int] = []
        for i, message in enumerate(self.messages):
            if message.type == "tool":
                raise ClovaConfigurationError(
                    f"messages[{i}] is a ToolMessage, which v1 models do not take: use trim_messages from "
                    "langchain_core.messages, or leave it out"
                )
            # One at a time, so that system messages are not joined.
            for wire in to_clova_messages([message], no_images="a v1 model"):
                if wire["content"].strip():
                    self.wire.append({"role": wire["role"], "content": wire["content"]})
                    self._indices.append(i)

    def kept(self, answer: list[Message]) -> list[BaseMessage]:
        """Return the messages that the service kept.

        They are matched from the end, since the oldest are dropped first: of two equal messages the newer one is kept.
        """
        kept: set[int] = set()
        position = len(self.wire)
        for left in reversed(answer):
            while True:
                position -= 1
                if position < 0:
                    raise ClovaInvalidResponseError("the sliding window returned a message that was not sent to it")
                sent = self.wire[position]
                if sent["role"] == left.role and sent["content"].strip() == left.content.strip():
                    break
            kept.add(self._indices[position])
        sent_indices = set(self._indices)
        is_kept = True
        result: list[BaseMessage] = []
        for i, message in enumerate(self.messages):
            if i in sent_indices:
                is_kept = i in kept
            if is_kept:
                result.append(message)
        return result

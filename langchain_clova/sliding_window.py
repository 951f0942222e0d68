"""The sliding window of CLOVA Studio: the newest messages that fit into a chat with a v1 model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from langchain_core.messages import BaseMessage, MessageLikeRepresentation
from langchain_core.prompt_values import PromptValue
from pydantic import Field, model_validator

from clova_studio.adapters import SlidingMessages
from langchain_clova._errors import ClovaConfigurationError
from langchain_clova._messages import to_clova_messages
from langchain_clova._queries import messages_of
from langchain_clova._runnables import ClovaRunnable

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from clova_studio import AsyncClovaStudio

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
        ConfigurationError: An argument is unknown or invalid, the key is missing, the model is one of v3, or v1
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
        window = _window(given)
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
        window = _window(given)
        if not window.wire:
            return window.messages
        return window.kept(await client.slide(window.wire, model=self.model, **options))


def _window(given: Any) -> SlidingMessages[BaseMessage]:
    return SlidingMessages(messages_of(given), _wire)


def _wire(index: int, message: BaseMessage) -> list[dict[str, Any]]:
    if message.type in {"tool", "function"}:
        raise ClovaConfigurationError(
            f"messages[{index}] is the result of a tool, which v1 models do not take: use trim_messages from "
            "langchain_core.messages, or leave it out"
        )
    return to_clova_messages([message], no_images="a v1 model", names=[f"messages[{index}]"], with_tools=False)

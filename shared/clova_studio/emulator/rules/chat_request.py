"""A chat request that passed all checks, the same for both API versions."""

from dataclasses import dataclass, field
from typing import Any

from clova_studio.emulator.rules.catalogue import Model


@dataclass(frozen=True)
class ForcedTool:
    """A tool choice that names the tool to call."""

    name: str


@dataclass(frozen=True)
class ChatRequest:
    """A checked chat request.

    Attributes:
        model: The model that answers.
        messages: The conversation.
        limit: Output limit in tokens, including thinking.
        stop: Strings that end the answer.
        seed: Requested seed; 0 means a random one.
        ai_filters: Whether the answer carries filter scores.
        prompt_tokens: Input tokens.
        tools: Tools that may be called.
        tool_choice: ``auto``, ``none``, or the tool that must be called.
        effort: Thinking effort; ``none`` where the model does not think.
        schema: JSON schema of the answer, or None for free text.
    """

    model: Model
    messages: list[dict[str, Any]]
    limit: int
    stop: list[str]
    seed: int
    ai_filters: bool
    prompt_tokens: int
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: str | ForcedTool = "auto"
    effort: str = "none"
    schema: dict[str, Any] | None = None

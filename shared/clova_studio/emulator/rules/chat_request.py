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
    """A checked chat request."""

    model: Model
    messages: list[dict[str, Any]]
    limit: int  # output limit in tokens, including thinking
    stop: list[str]
    seed: int  # 0 means a random one
    ai_filters: bool  # whether the answer carries filter scores
    prompt_tokens: int
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: str | ForcedTool = "auto"  # "auto", "none", or the tool that must be called
    effort: str = "none"  # of thinking
    schema: dict[str, Any] | None = None  # of the answer; None for free text

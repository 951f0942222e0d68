"""What each chat and embedding model can do. Never rejects a name that it does not know.

Source: the model page and the Chat Completions v1 and v3 pages of the API guide (2026-10); where those are silent,
observed traffic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DEFAULT_OUTPUT_BY_EFFORT",
    "EMBEDDING_MODELS",
    "MODELS",
    "TUNED_MODEL_PREFIX",
    "EmbeddingModelInfo",
    "ModelInfo",
    "is_tuned",
    "model_info",
]

TUNED_MODEL_PREFIX = "ft:"
"""What precedes a task's id where a tuned model is named like any other."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The abilities and limits of a chat model; token counts are tokens of the model.

    Attributes:
        name: The name as the path wants it.
        api: The chat API that serves it.
        context_window: Input and output together.
        max_input_tokens: Input alone.
        max_output_tokens: Output alone, thinking included.
        images: Whether it takes images.
        tools: Whether it calls tools.
        thinking: Whether it thinks (and then does by default, with effort "low").
        structured_output: Whether it takes ``response_format``.
        output_field: The wire's name for the output cap.
        known: False for a name that this version of the package does not list; nothing is then refused locally.
    """

    name: str
    api: Literal["v1", "v3"] = "v3"
    context_window: int = 128_000
    max_input_tokens: int = 128_000
    max_output_tokens: int = 4_096
    images: bool = False
    tools: bool = False
    thinking: bool = False
    structured_output: bool = False
    output_field: Literal["maxTokens", "maxCompletionTokens"] = "maxTokens"
    known: bool = True


@dataclass(frozen=True, slots=True)
class EmbeddingModelInfo:
    """An embedding model.

    Attributes:
        name: The name as the caller gives it.
        path: The path of its API.
        max_tokens: Tokens of one text.
        dimensions: Numbers in a vector.
    """

    name: str
    path: str
    max_tokens: int
    dimensions: int = 1_024


MODELS: Mapping[str, ModelInfo] = MappingProxyType(
    {
        info.name: info
        for info in (
            ModelInfo(
                "HCX-007",
                max_output_tokens=32_768,
                tools=True,
                thinking=True,
                structured_output=True,
                output_field="maxCompletionTokens",
            ),
            ModelInfo("HCX-005", images=True, tools=True),
            ModelInfo("HCX-DASH-002", context_window=32_000, max_input_tokens=32_000, tools=True),
            ModelInfo("HCX-003", api="v1", context_window=8_192, max_input_tokens=7_600),
            ModelInfo("HCX-DASH-001", api="v1", context_window=4_096, max_input_tokens=3_500),
        )
    }
)
"""The chat models that are known, by name. Source: the Chat Completions v1 and v3 pages of the API guide."""

EMBEDDING_MODELS: Mapping[str, EmbeddingModelInfo] = MappingProxyType(
    {
        info.name: info
        for info in (
            EmbeddingModelInfo("bge-m3", "/v1/api-tools/embedding/v2", 8_192),
            EmbeddingModelInfo("clir-emb-dolphin", "/v1/api-tools/embedding/clir-emb-dolphin", 500),
            EmbeddingModelInfo("clir-sts-dolphin", "/v1/api-tools/embedding/clir-sts-dolphin", 500),
        )
    }
)
"""The embedding models that are known, by name. Source: the embedding and embedding v2 pages of the API guide."""


# Source: the Chat Completions v3 thinking page: the cap that a thinking model takes where a request names none.
DEFAULT_OUTPUT_BY_EFFORT: Mapping[str, int] = MappingProxyType(
    {"none": 512, "low": 5_120, "medium": 10_240, "high": 20_480}
)


def is_tuned(model: str, task_id: str | None = None) -> bool:
    """Return whether a chat goes to a tuned model.

    Args:
        model: A model's name; ``ft:`` and a task's id is a tuned model.
        task_id: The task of a tuned model.
    """
    return task_id is not None or model.startswith(TUNED_MODEL_PREFIX)


def model_info(name: str) -> ModelInfo:
    """Return what is known of a chat model.

    Args:
        name: A model name; upper and lower case are the same.

    Returns:
        Its entry; for an unknown name one that is served by v3, refuses nothing and has ``known=False``.

    Raises:
        ConfigurationError: The name is not a string, or blank.
    """
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(f"model must be the name of a model such as 'HCX-005', got {name!r}")
    info = MODELS.get(name) or MODELS.get(name.upper())
    if info is not None:
        return info
    return ModelInfo(
        name,
        max_output_tokens=_UNLIMITED,
        images=True,
        tools=True,
        thinking=True,
        structured_output=True,
        known=False,
    )


_UNLIMITED = int(math.pow(2, 31)) - 1

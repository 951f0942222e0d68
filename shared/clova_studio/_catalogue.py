"""What each chat and embedding model can do, and is good for. Never rejects a name that it does not know.

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
    "MODEL_USES",
    "MODEL_USE_SOURCES",
    "TUNED_MODEL_PREFIX",
    "EmbeddingModelInfo",
    "ModelInfo",
    "ModelUse",
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


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A task and the models to begin with.

    Attributes:
        task: What is to be done.
        models: The models for it, the first one first.
        why: The reason.
        source: Where the reason is from: a name of ``MODEL_USE_SOURCES``.
        task_ko: The task in Korean.
        why_ko: The reason in Korean.
    """

    task: str
    models: tuple[str, ...]
    why: str
    source: str
    task_ko: str
    why_ko: str


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


MODEL_USE_SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "guide": "the pages on models and rate limits of the API guide and the user guide",
        "comparison": "one public project that ran the same tasks on three models (2026); not repeated here",
        "reports": "live runs of several public projects (2025 and 2026); not repeated here",
    }
)
"""Where the reasons of ``MODEL_USES`` are from, by name."""

MODEL_USES: tuple[ModelUse, ...] = (
    ModelUse(
        "tools and agents",
        ("HCX-007",),
        "solved 0.79 of the tool tasks, HCX-005 0.55, HCX-DASH-002 0.23",
        "comparison",
        "도구와 에이전트",
        "도구 과제의 0.79를 해결. HCX-005 0.55, HCX-DASH-002 0.23",
    ),
    ModelUse(
        "answers in prose, as in RAG",
        ("HCX-005",),
        "wrote the best answers of the three",
        "comparison",
        "RAG 등의 글로 된 답변",
        "세 모델 중 답변이 가장 좋음",
    ),
    ModelUse(
        "reasoning, long answers",
        ("HCX-007",),
        "the only one that thinks; up to 32,768 tokens of output",
        "guide",
        "추론과 긴 답변",
        "유일한 추론 모델. 출력 최대 32,768토큰",
    ),
    ModelUse(
        "structured output",
        ("HCX-007",),
        "the only one with JSON Schema, and about 2 times as fast as by a tool call; HCX-DASH-002 failed both ways",
        "reports",
        "구조화된 출력",
        "유일하게 JSON 스키마를 지원하며 도구 호출보다 약 2배 빠름. HCX-DASH-002는 두 방식 모두 실패",
    ),
    ModelUse(
        "images",
        ("HCX-005",),
        "the only one that takes images",
        "guide",
        "이미지",
        "이미지를 받는 유일한 모델",
    ),
    ModelUse(
        "many short questions without tools",
        ("HCX-DASH-002",),
        "most tokens per minute with a test key: 80,000",
        "guide",
        "도구 없는 짧은 질문을 많이 보낼 때",
        "테스트 키의 분당 토큰이 가장 많음: 80,000",
    ),
    ModelUse(
        "tuning",
        ("HCX-005", "HCX-DASH-002"),
        "can be tuned; a tuned model takes no tools, images or thinking",
        "guide",
        "튜닝",
        "튜닝할 수 있음. 튜닝한 모델은 도구, 이미지, 추론을 지원하지 않음",
    ),
    ModelUse(
        "programs for the v1 API",
        ("HCX-003",),
        "has the sliding window",
        "guide",
        "v1 API용 프로그램",
        "슬라이딩 윈도를 쓸 수 있음",
    ),
    ModelUse(
        "search in texts",
        ("bge-m3",),
        "texts of up to 8,192 tokens; the others take 500",
        "guide",
        "텍스트 검색",
        "최대 8,192토큰. 다른 임베딩 모델은 500토큰",
    ),
)
"""Which model for what. Source: see ``MODEL_USE_SOURCES``; quality of answers differs by task, so try it on yours."""

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

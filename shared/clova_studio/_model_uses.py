"""Which model for what: the one table that the command, the documentation and both READMEs show."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MODEL_USES", "MODEL_USE_SOURCES", "ModelUse"]


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

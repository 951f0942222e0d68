"""How a row of the API tables is written, and what several rows say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One API: the method and its arguments, the request that must go out, the answer that must not lose a field."""

    name: str
    verb: str
    method: str
    path: str
    body: dict[str, Any] | None
    result: Any
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    openai: bool = False


USER = {"role": "user", "content": "오늘 부산 날씨 어때요?"}
SYSTEM = {"role": "system", "content": "짧게 답한다."}
CALL = {
    "id": "call_0a1B2c3D4e5F6g7H8i9J0kLm",
    "type": "function",
    "function": {"name": "find_train", "arguments": {"from": "Seoul", "to": "Busan"}},
}
TOOL = {
    "type": "function",
    "function": {
        "name": "find_train",
        "description": "기차를 찾는다",
        "parameters": {
            "type": "object",
            "properties": {"from": {"type": "string"}, "to": {"type": "string"}},
            "required": ["from", "to"],
        },
    },
}
FILTERS = [
    {"groupName": "curse", "name": "insult", "score": "2", "result": "OK"},
    {"groupName": "unsafeContents", "name": "sexualHarassment", "score": "2", "result": "OK"},
]
VECTOR = [round(((i * 37) % 199 - 99) / 64, 6) for i in range(1024)]
PICTURE = [
    SYSTEM,
    {
        "role": "user",
        "content": [
            {"type": "image_url", "imageUrl": {"url": "https://img.example.com/dog.png"}},
            {"type": "text", "text": "무엇이 보이나요?"},
        ],
    },
]

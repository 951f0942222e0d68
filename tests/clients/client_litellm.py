"""litellm against the emulator."""

from __future__ import annotations

import os
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks another host for its prices

import litellm
from rows import Row, place, run

litellm.suppress_debug_info = True
WHERE = {"api_base": place()["base_url"], "api_key": place()["api_key"], "max_retries": 0}


def stream(**more: Any) -> str:
    """Read a stream."""
    asked = [{"role": "user", "content": "안녕"}]
    chunks = litellm.completion("openai/HCX-005", messages=asked, stream=True, **more, **WHERE)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def embed(given: Any) -> int:
    """Embed a text or a list."""
    found = litellm.embedding("openai/bge-m3", input=given, encoding_format="float", **WHERE)
    return len(found.data[0]["embedding"])


run(
    [
        Row("stream_options", lambda: stream(stream_options={"include_usage": True}), stream),
        Row("a list as input", lambda: embed(["부산"]), lambda: embed("부산")),
    ]
)

"""The official openai SDK against the emulator."""

from __future__ import annotations

import openai
from rows import Row, place, run

SDK = openai.OpenAI(max_retries=0, **place())


def embed(**more: str) -> list[float]:
    """Embed a text."""
    return SDK.embeddings.create(model="bge-m3", input="부산", **more).data[0].embedding


run([Row("encoding_format: base64", embed, lambda: embed(encoding_format="float"))])

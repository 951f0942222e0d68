"""Embeddings: vectors of 1,024 numbers that are similar for texts with common n-grams.

Each n-gram is hashed to a few signed dimensions. The vectors have the form of the service's (embedding pages and public
recordings): half-precision values, not of unit length, equal for equal texts, different for each model.
"""

import hashlib
import math
import struct
from functools import lru_cache

from clova_studio.emulator.language.text import LONGEST_REMEMBERED, grams

DIMENSIONS = 1_024
_HALF = struct.Struct(f"<{DIMENSIONS}e")
_SPREAD = 3


def _dimensions(model: str, gram: str) -> tuple[tuple[int, float], ...]:
    """The dimensions of an n-gram and their signs, from ten bits and one bit of its hash."""
    number = int.from_bytes(hashlib.blake2b(gram.encode(), digest_size=8, salt=model.encode()[:16]).digest(), "big")
    dimensions = []
    for _ in range(_SPREAD):
        dimensions.append((number & 1023, 1.0 if number & 1024 else -1.0))
        number >>= 11
    return tuple(dimensions)


_known_dimensions = lru_cache(maxsize=16_384)(_dimensions)


def embed(text: str, model: str) -> list[float]:
    """The embedding of a text that is not empty; vectors of different models are unrelated."""
    weights = grams(text) or dict.fromkeys(text, 1.0)
    values = [0.0] * DIMENSIONS
    for gram, weight in weights.items():
        for index, sign in (_known_dimensions if len(gram) <= LONGEST_REMEMBERED else _dimensions)(model, gram):
            values[index] += sign * weight
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    # Lengths are about 16, so that the inner product ranks texts nearly like the cosine, but never unit length.
    scale = (16.0 + min(1.0, len(weights) / 1_000)) / length
    halves = _HALF.unpack(_HALF.pack(*(value * scale for value in values)))
    return [round(value, 7) for value in halves]

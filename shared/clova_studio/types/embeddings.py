"""Embedding v1 and v2. Source: the embedding and embedding v2 pages of the API guide."""

from __future__ import annotations

from clova_studio.types._base import Result, Vector

__all__ = ["Embedding"]


class Embedding(Result):
    """The vector of one text. Source: the embedding and embedding v2 pages of the API guide.

    Attributes:
        embedding: 1,024 floats, not of unit length.
        input_tokens: Tokens of the text; None if the service did not report them.
    """

    embedding: Vector
    input_tokens: int | None = None

"""What the vectors of an embedding model have in common: their length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._catalogue import EMBEDDING_MODELS
from clova_studio.types.embeddings import Embedding

if TYPE_CHECKING:
    from clova_studio.types.openai import OpenAIEmbeddings

__all__ = ["VectorCheck"]


class VectorCheck:
    """Finds vectors of the wrong length. The first vector sets the length of an unknown model.

    Args:
        model: The model that makes the vectors.
    """

    def __init__(self, model: str) -> None:
        info = EMBEDDING_MODELS.get(model)
        self._model = model
        self._lengths = {} if info is None else {model: info.dimensions}

    def __call__(self, result: Embedding | OpenAIEmbeddings) -> str | None:
        """Return what is wrong with the vectors of an answer, None for nothing."""
        for vector in [result] if isinstance(result, Embedding) else result.data:
            length = len(vector.embedding)
            wanted = self._lengths.setdefault(self._model, length)
            if length != wanted:
                return f"the vector has {length} numbers, those of {self._model} have {wanted}"
        return None

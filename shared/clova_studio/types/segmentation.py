"""Paragraph splitting. Source: the segmentation page of the API guide."""

from __future__ import annotations

from pydantic import Field

from clova_studio.types._base import Result

__all__ = ["Segmentation"]


class Segmentation(Result):
    """A text in topic paragraphs. Source: the segmentation page of the API guide.

    Attributes:
        topic_seg: The paragraphs in document order, each a list of trimmed sentences. The white space between
            sentences is not in the answer; ``align_segments`` finds the paragraphs' spans in the source.
        span: For each paragraph, the indices of its sentences in the whole text, from 0.
        input_tokens: Tokens of the text; None if the service did not report them.
    """

    topic_seg: list[list[str]]
    span: list[list[int]] = Field(default_factory=list)
    input_tokens: int | None = None

    @classmethod
    def without_content(cls) -> Segmentation:
        """Return the result of a success without content (code 20400)."""
        return cls(topic_seg=[])

"""A node parser that cuts at changes of topic, by the segmentation API of CLOVA Studio."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.node_parser.interface import TextSplitter
from llama_index.core.node_parser.node_utils import build_nodes_from_splits, default_id_func
from llama_index.core.schema import BaseNode, Document, MetadataMode, NodeRelationship, TextNode
from pydantic import Field, field_validator
from tqdm.auto import tqdm

from clova_studio import ConfigurationError, segmentation_windows
from clova_studio.adapters import asegment_texts, check_texts, in_thread, segment_texts
from llama_index_clova._fields import ConnectionFields

if TYPE_CHECKING:
    from clova_studio.adapters import TopicSpan

__all__ = ["ClovaSegmentationNodeParser"]

_HINTS: Mapping[str, str] = MappingProxyType(
    {
        **ConnectionFields.argument_hints,
        "chunk_size": "use max_chunk_size (a hard limit) or post_process_max_size (a soft one)",
        "chunk_overlap": "topic paragraphs do not overlap",
        "separator": "the service finds the borders",
        "paragraph_separator": "the service finds the borders",
        "embed_model": "the service compares the sentences itself",
    }
)
_OPTIONS = (
    "alpha",
    "seg_cnt",
    "post_process",
    "post_process_min_size",
    "post_process_max_size",
    "max_chunk_size",
    "max_concurrency",
)
_TOPIC = "topic_index"


class ClovaSegmentationNodeParser(TextSplitter, ConnectionFields):
    """Splits documents where their topic changes. Source: the segmentation page of the API guide.

        >>> from llama_index.core import Document
        >>> from llama_index_clova import ClovaSegmentationNodeParser
        >>> parser = ClovaSegmentationNodeParser()  # doctest: +SKIP
        >>> parser.get_nodes_from_documents([Document(text="...")])[0].metadata  # doctest: +SKIP
        {'topic_index': 0}

    Every node is exactly ``text[start_char_idx:end_char_idx]`` of its document, and only white space between nodes is
    lost. A document over 120,000 characters is sent in windows that end at paragraph borders, each segmented on its
    own. A blank document gives no node and costs no request. All documents of a call are sent concurrently. With
    ``show_progress`` a bar counts the requests.

    The first request that fails ends the call. The error's ``partial`` has one list per document: the spans of its
    nodes in order (``clova_studio.adapters.TopicSpan``), the error at the index of a window that failed, and None for a
    window that was not sent.

    Nodes that are part of a document can be split too. The new nodes have that document as their source. Their
    character indices refer to the document if the given node's are known, else to the given node.

    The metadata is a copy of the document's plus ``topic_index``, the number of the topic in the text that was split,
    from 0. ``topic_index`` is left out of the texts for embeddings and models. With ``include_metadata=False`` there is
    no metadata.

    Attributes:
        alpha: Threshold from -1.5 to 1.5, larger gives more paragraphs; -100 lets the model choose.
        seg_cnt: Wanted number of paragraphs per window from 1; -1 is automatic.
        post_process: Whether the service merges and splits paragraphs afterwards to fit the two sizes.
        post_process_min_size: Characters of a paragraph from 0 to ``post_process_max_size``; -1 is automatic.
        post_process_max_size: Characters of a paragraph from 1, a soft bound: the service never cuts a sentence.
        max_chunk_size: Maximum characters of a node, from 1: a hard limit, which the API does not have. Longer text is
            cut at sentence borders, else at white space, else anywhere; the pieces keep their ``topic_index``.
        max_concurrency: Maximum requests in flight for the documents and windows of a call, from 1.
        include_metadata: Whether nodes get metadata.
        include_prev_next_rel: Whether adjacent nodes of the same document are related.
        id_func: A function of a node's number in its document and the document that returns the node's id.
        callback_manager: Gets a ``NODE_PARSING`` event for each call.

    Raises:
        ConfigurationError: An argument does not exist, or there is no key; on the first request, if an option is out
            of range. Calls raise the errors of ``clova_studio``.

    See ``ConnectionFields`` for how to reach the service.
    """

    argument_hints: ClassVar[Mapping[str, str]] = _HINTS

    alpha: float = -100.0
    seg_cnt: int = -1
    post_process: bool = False
    post_process_min_size: int = 300
    post_process_max_size: int = 1_000
    max_chunk_size: int | None = Field(default=None, ge=1)
    max_concurrency: int = Field(default=8, ge=1)

    @field_validator("id_func", mode="before")
    @classmethod
    def _rebuild_id_func(cls, value: Any) -> Any:
        """Return the function that a dump names, which only the default's name allows."""
        if not isinstance(value, Mapping):
            return value
        if value.get("id_func_name") == default_id_func.__name__:
            return default_id_func
        raise ConfigurationError(
            f"a dump holds only the name of id_func, {value.get('id_func_name')!r}: pass the function to from_dict"
        )

    @classmethod
    def class_name(cls) -> str:
        """Return the class name that dumps use."""
        return "ClovaSegmentationNodeParser"

    def split_text(self, text: str) -> list[str]:
        """Return the topic paragraphs of a text.

        Args:
            text: Any text; a blank one gives no chunk and costs no request.

        Returns:
            The chunks in order, each a slice of the text.

        Raises:
            ClovaStudioError: A request failed.
        """
        return self.split_texts([text])

    async def asplit_text(self, text: str) -> list[str]:
        """Async variant of ``split_text``."""
        return await self.asplit_texts([text])

    def split_texts(self, texts: Iterable[str]) -> list[str]:
        """Return the topic paragraphs of several texts, requested concurrently.

        Args:
            texts: The texts, in a list or any other iterable with an order.

        Returns:
            The chunks of all texts in order.

        Raises:
            ClovaStudioError: A request failed.
        """
        given = check_texts("texts", texts)
        return _chunks(given, self._segment(given))

    async def asplit_texts(self, texts: Iterable[str]) -> list[str]:
        """Async variant of ``split_texts``."""
        given = check_texts("texts", texts)
        return _chunks(given, await self._asegment(given))

    def _parse_nodes(
        self,
        nodes: Sequence[BaseNode],
        show_progress: bool = False,  # noqa: FBT001, FBT002  the base class's signature
        **kwargs: Any,  # noqa: ARG002  a pipeline gives its arguments to every transformation
    ) -> list[BaseNode]:
        texts = _texts(nodes)
        return self._build(nodes, texts, self._segment(texts, show_progress=show_progress))

    async def _aparse_nodes(
        self,
        nodes: Sequence[BaseNode],
        show_progress: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,  # noqa: ARG002
    ) -> list[BaseNode]:
        texts = _texts(nodes)
        return self._build(nodes, texts, await self._asegment(texts, show_progress=show_progress))

    def _postprocess_parsed_nodes(
        self,
        nodes: list[BaseNode],
        parent_doc_map: dict[str, Document],  # noqa: ARG002  not needed any more
    ) -> list[BaseNode]:
        """Relate neighbours.

        It replaces the base class's method, which searches each text in its document, finds short texts at wrong
        indices, and relates parts of one document in one direction only.
        """
        if self.include_prev_next_rel:
            related = [(node, node.as_related_node_info()) for node in nodes]
            for (left, left_info), (right, right_info) in pairwise(related):
                if left.ref_doc_id == right.ref_doc_id:
                    left.relationships[NodeRelationship.NEXT] = right_info
                    right.relationships[NodeRelationship.PREVIOUS] = left_info
        return nodes

    def _build(
        self, nodes: Sequence[BaseNode], texts: Sequence[str], spans: Sequence[Sequence[TopicSpan]]
    ) -> list[BaseNode]:
        """Return the nodes for spans, without their relations to one another."""
        built: list[BaseNode] = []
        for node, text, pieces in zip(nodes, texts, spans, strict=True):
            if not pieces:
                continue
            # The new nodes share the metadata object of the document that they are built from: give them a copy.
            document = node.model_copy(update={"metadata": copy.deepcopy(node.metadata)})
            offset = _offset(node, text)
            splits = [text[piece.start : piece.end] for piece in pieces]
            for new, piece in zip(build_nodes_from_splits(splits, document, id_func=self.id_func), pieces, strict=True):
                new.start_char_idx, new.end_char_idx = offset + piece.start, offset + piece.end
                if node.source_node is not None:
                    new.relationships[NodeRelationship.SOURCE] = node.source_node.model_copy(deep=True)
                if self.include_metadata:
                    new.metadata = {**copy.deepcopy(node.metadata), _TOPIC: piece.topic}
                    new.excluded_embed_metadata_keys = _with_topic(node.excluded_embed_metadata_keys)
                    new.excluded_llm_metadata_keys = _with_topic(node.excluded_llm_metadata_keys)
                built.append(new)
        return built

    def _segment(self, texts: Sequence[str], *, show_progress: bool = False) -> list[list[TopicSpan]]:
        options = {name: getattr(self, name) for name in _OPTIONS}
        client = self._connection.sync
        if not show_progress:
            return segment_texts(client, texts, **options)
        with _bar(texts) as bar:
            return segment_texts(client, texts, on_result=bar.update, **options)

    async def _asegment(self, texts: Sequence[str], *, show_progress: bool = False) -> list[list[TopicSpan]]:
        options = {name: getattr(self, name) for name in _OPTIONS}
        client = self._connection.asynchronous
        if client is None:
            return await in_thread(self._segment, texts, show_progress=show_progress)
        if not show_progress:
            return await asegment_texts(client, texts, **options)
        with _bar(texts) as bar:
            return await asegment_texts(client, texts, on_result=bar.update, **options)


def _bar(texts: Sequence[str]) -> tqdm[Any]:
    return tqdm(total=sum(len(segmentation_windows(text)) for text in texts), desc="Parsing nodes")


def _texts(nodes: Sequence[BaseNode]) -> list[str]:
    """Return the texts of nodes; refuse a kind that cannot be split before anything is sent."""
    for i, node in enumerate(nodes):
        if not isinstance(node, (Document, TextNode)):
            raise ConfigurationError(f"node {i} must be a Document or a TextNode, got {type(node).__name__}")
    return [node.get_content(metadata_mode=MetadataMode.NONE) for node in nodes]


def _offset(node: BaseNode, text: str) -> int:
    """Return where a node's text starts in the document that it is part of, 0 if that is not known."""
    if not isinstance(node, TextNode) or node.source_node is None:
        return 0
    start, end = node.start_char_idx, node.end_char_idx
    # A text of another length was changed since, so the indices do not hold.
    return start if start is not None and end is not None and end - start == len(text) else 0


def _with_topic(keys: list[str]) -> list[str]:
    return keys if _TOPIC in keys else [*keys, _TOPIC]


def _chunks(texts: Sequence[str], spans: Sequence[Sequence[TopicSpan]]) -> list[str]:
    return [text[piece.start : piece.end] for text, pieces in zip(texts, spans, strict=True) for piece in pieces]

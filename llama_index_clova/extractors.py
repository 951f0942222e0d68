"""A metadata extractor that summarizes nodes, by the summarization API of CLOVA Studio."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from llama_index.core.extractors.interface import DEFAULT_NODE_TEXT_TEMPLATE, BaseExtractor
from llama_index.core.schema import BaseNode, MetadataMode, TextNode
from pydantic import Field, field_validator, model_validator
from tqdm.auto import tqdm

from clova_studio import ClovaStudioError, ConfigurationError
from clova_studio.adapters import (
    MAX_SUMMARIZATION_CHARACTERS,
    WorkQueue,
    asummarize_texts,
    in_thread,
    run_tasks,
    summarize_texts,
)
from llama_index_clova._fields import ConnectionFields
from llama_index_clova._loops import run_coroutine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ClovaSummaryExtractor"]

_logger = logging.getLogger(__name__)

_HINTS: Mapping[str, str] = MappingProxyType(
    {
        **ConnectionFields.argument_hints,
        "llm": "the summarization API needs no model",
        "llm_predictor": "the summarization API needs no model",
        "prompt_template": "the service takes no prompt",
    }
)
_OPTIONS = (
    "auto_sentence_splitter",
    "seg_count",
    "seg_max_size",
    "seg_min_size",
    "include_ai_filters",
    "max_characters",
)
# Whose summary it is -> its distance from the node, and the key that core's SummaryExtractor gives it.
_KEYS = {"prev": (-1, "prev_section_summary"), "next": (1, "next_section_summary"), "self": (0, "section_summary")}


class ClovaSummaryExtractor(BaseExtractor, ConnectionFields):
    """Adds summaries to the metadata of nodes. Source: the summarization page of the API guide.

        >>> from llama_index.core.ingestion import IngestionPipeline
        >>> from llama_index_clova import ClovaSegmentationNodeParser, ClovaSummaryExtractor
        >>> pipeline = IngestionPipeline(
        ...     transformations=[ClovaSegmentationNodeParser(), ClovaSummaryExtractor()]
        ... )  # doctest: +SKIP
        >>> pipeline.run(documents=documents)[0].metadata["section_summary"]  # doctest: +SKIP
        '- 환불은 7일 안에 신청할 수 있다.'

    The keys are those of LlamaIndex's ``SummaryExtractor``: ``section_summary``, ``prev_section_summary`` and
    ``next_section_summary``. Neighbours are adjacent nodes in the list with the same source. A blank node gets no
    summary and costs no request. Text over ``max_characters`` is summarized in rounds.

    Three defaults differ from LlamaIndex's extractors. ``metadata_mode`` is NONE, so that only the text is summarized.
    The nodes' ``text_template`` is not rewritten unless ``disable_template_rewrite=False`` or a ``node_text_template``
    is given. ``max_retries`` sets the client's retries; there is no second layer of retries.

    Attributes:
        summaries: Which summaries a node gets: a list of ``"prev"``, ``"self"`` and ``"next"``. Only summaries that
            some node gets are requested.
        auto_sentence_splitter: Whether the service splits into paragraphs first, by the three ``seg_*`` options.
        seg_count: Wanted number of paragraphs from 1; -1 is automatic.
        seg_max_size: Characters of a paragraph, 1 to 3,000.
        seg_min_size: Characters of a paragraph, 0 to ``seg_max_size``.
        include_ai_filters: Whether to run the AI filter.
        max_characters: Maximum characters per request, 100 to 35,000; smaller parts give longer summaries.
        num_workers: Maximum requests in flight, from 1.
        max_retries: Maximum retries per request; None for the client's default of 5.
        retry_backoff: Refused: set the waits with ``retry``.
        raise_on_error: Whether a failed request fails the call. If not, its node gets no summary, the other nodes keep
            theirs, and a warning is logged.
        in_place: Whether the given nodes are changed (LlamaIndex's default) or copies of them.
        show_progress: Whether to show a progress bar that counts nodes; LlamaIndex's default is True.
        metadata_mode: The metadata that is summarized with the text.
        is_text_node_only: Whether nodes that are not a ``TextNode`` are refused.
        disable_template_rewrite: Whether the nodes' ``text_template`` is left as it is.
        node_text_template: The ``text_template`` to give to the nodes.

    Raises:
        ConfigurationError: An argument does not exist, or there is no key; on the first request, if an option is out
            of range. Calls raise the errors of ``clova_studio``.

    See ``ConnectionFields`` for how to reach the service.
    """

    argument_hints: ClassVar[Mapping[str, str]] = _HINTS

    summaries: list[str] = Field(default=["self"])
    auto_sentence_splitter: bool = True
    seg_count: int = -1
    seg_max_size: int = 1_000
    seg_min_size: int = 300
    include_ai_filters: bool = False
    max_characters: int = Field(default=MAX_SUMMARIZATION_CHARACTERS, ge=100, le=MAX_SUMMARIZATION_CHARACTERS)
    num_workers: int = Field(default=4, ge=1)
    metadata_mode: MetadataMode = MetadataMode.NONE
    disable_template_rewrite: bool = True
    # Both base classes have a field of this name; LlamaIndex's is a second layer of retries.
    max_retries: int | None = Field(default=None, ge=0)  # type: ignore[assignment]  # None is the client's default

    @field_validator("summaries")
    @classmethod
    def _check_summaries(cls, value: list[str]) -> list[str]:
        if not all(name in _KEYS for name in value):
            raise ValueError("summaries must be one of ['self', 'prev', 'next']")
        return value

    @model_validator(mode="after")
    def _settle(self) -> Self:
        if self.retry_backoff != type(self).model_fields["retry_backoff"].default:
            raise ConfigurationError("retry_backoff is not supported: set the waits with retry=RetryPolicy(...)")
        own_template = self.node_text_template != DEFAULT_NODE_TEXT_TEMPLATE
        if own_template and "disable_template_rewrite" not in self.model_fields_set:
            self.disable_template_rewrite = False
        return self

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:
        """Return the extractor of a dump.

        Args:
            data: The output of ``to_dict``; not changed.
            **kwargs: Arguments that a dump leaves out, such as ``api_key``; they take precedence over the dump.
        """
        return super().from_dict(dict(data), **kwargs)

    @classmethod
    def class_name(cls) -> str:
        """Return the class name that dumps use."""
        return "ClovaSummaryExtractor"

    async def aextract(self, nodes: Sequence[BaseNode]) -> list[dict[str, Any]]:
        """Async variant of ``extract``."""
        if self.is_text_node_only and not all(isinstance(node, TextNode) for node in nodes):
            raise ValueError(
                "Only `TextNode` is allowed for `Summary` extractor: split documents first, or set "
                "is_text_node_only=False"
            )
        texts = [_text(node, self.metadata_mode) for node in nodes]
        neighbours = [self._neighbours(nodes, i) for i in range(len(nodes))]
        asked = sorted({j for keys in neighbours for j in keys.values() if texts[j]})
        try:
            found = await self._summaries([texts[j] for j in asked])
        except ClovaStudioError as error:
            answers = dict(zip(asked, error.partial, strict=True))
            failed = next(j for j, answer in answers.items() if answer is error)
            error.message = f"nodes[{failed}]: {error.message}"
            error.partial = [answers.get(j) for j in range(len(nodes))]
            raise
        summaries = dict(zip(asked, found, strict=True))
        return [{key: summaries[j] for key, j in keys.items() if summaries.get(j)} for keys in neighbours]

    def extract(self, nodes: Sequence[BaseNode]) -> list[dict[str, Any]]:
        """Return the summaries of nodes as new metadata.

        Args:
            nodes: The nodes; not changed.

        Returns:
            The new metadata of each node; a summary that does not exist has no key.

        Raises:
            ValueError: A node is not a ``TextNode``, and ``is_text_node_only`` is set.
            ClovaStudioError: With ``raise_on_error``, the first request that failed; none was started after it. Its
                ``partial`` has one entry per node: its own summary, its error, or None where nothing was requested.
        """
        return run_coroutine(self.aextract(nodes))

    def process_nodes(
        self,
        nodes: Sequence[BaseNode],
        excluded_embed_metadata_keys: list[str] | None = None,
        excluded_llm_metadata_keys: list[str] | None = None,
        **kwargs: Any,
    ) -> list[BaseNode]:
        """Return nodes with summaries in their metadata; calling the extractor does the same.

        It blocks until all summaries are there, even in a running event loop; ``aprocess_nodes`` does not.

        Args:
            nodes: The nodes; with ``in_place``, the default, they are changed.
            excluded_embed_metadata_keys: Keys to keep out of the texts for embeddings.
            excluded_llm_metadata_keys: Keys to keep out of the texts for models.
            **kwargs: Ignored: a pipeline passes its arguments to every transformation.

        Returns:
            The nodes, or their copies.

        Raises:
            ValueError: See ``extract``.
            ClovaStudioError: See ``extract``.
        """
        return run_coroutine(
            self.aprocess_nodes(
                nodes,
                excluded_embed_metadata_keys=excluded_embed_metadata_keys,
                excluded_llm_metadata_keys=excluded_llm_metadata_keys,
                **kwargs,
            )
        )

    async def _aextract_with_retry(self, nodes: Sequence[BaseNode]) -> list[dict[str, Any]]:
        # The base class would retry on top of the client's retries.
        return await self.aextract(nodes)

    def _neighbours(self, nodes: Sequence[BaseNode], i: int) -> dict[str, int]:
        """Return the indices of the nodes whose summaries node ``i`` gets, by metadata key."""
        found = {}
        for name, (step, key) in _KEYS.items():
            j = i + step
            if name in self.summaries and 0 <= j < len(nodes) and nodes[j].ref_doc_id == nodes[i].ref_doc_id:
                found[key] = j
        return found

    async def _summaries(self, texts: Sequence[str]) -> list[str]:
        """Return the summary of each text, ``""`` where there is none."""
        if not texts:
            return []
        client = self._connection.asynchronous
        options = {name: getattr(self, name) for name in _OPTIONS}
        # A long text takes several requests: with few texts, each may use the workers that are left.
        options["max_concurrency"] = max(1, self.num_workers // len(texts))
        errors: list[Exception] = []

        async def summarize(text: str) -> str:
            try:
                if client is None:
                    summary = await in_thread(summarize_texts, self._connection.sync, [text], **options)
                else:
                    summary = await asummarize_texts(client, [text], **options)
            except Exception as error:
                if self.raise_on_error:
                    raise
                errors.append(error)
                summary = ""
            bar.update()
            return summary.strip()

        with tqdm(total=len(texts), desc="Summarizing nodes", disable=not self.show_progress) as bar:
            # Patience 0: the requests of a text are requeued in a queue of its own.
            summaries = await run_tasks(WorkQueue(texts, max_concurrency=self.num_workers, patience=0), summarize)
        if errors:
            _logger.warning("%d of %d nodes got no summary: %s", len(errors), len(texts), errors[0])
        return summaries


def _text(node: BaseNode, mode: MetadataMode) -> str:
    """Return the text to summarize, ``""`` for a blank node even if it has metadata."""
    if not node.get_content(metadata_mode=MetadataMode.NONE).strip():
        return ""
    return node.get_content(metadata_mode=mode)

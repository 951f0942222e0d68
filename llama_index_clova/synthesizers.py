"""A response synthesizer that summarizes the retrieved texts, by the summarization API of CLOVA Studio."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from llama_index.core.indices.prompt_helper import ChatPromptHelper, PromptHelper
from llama_index.core.llms.mock import MockLLM
from llama_index.core.response_synthesizers.base import BaseSynthesizer

from clova_studio import ConfigurationError
from clova_studio.adapters import (
    MAX_SUMMARIZATION_CHARACTERS,
    SETTING_NAMES,
    Connection,
    asummarize_texts,
    in_thread,
    refuse_unknown,
    summarize_texts,
)
from llama_index_clova._engines import astream_of, stream_of
from llama_index_clova._fields import ConnectionFields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.prompts.mixin import PromptDictType
    from llama_index.core.types import RESPONSE_TEXT_TYPE

__all__ = ["ClovaSummarize"]

_HINTS: Mapping[str, str] = MappingProxyType(
    {
        **ConnectionFields.argument_hints,
        "llm": "the summarization API needs no model",
        "output_cls": "the service returns plain text",
        "multimodal": "the service takes text only",
        "prompt_helper": "there is no prompt: texts are cut by max_characters",
        "chat_prompt_helper": "there is no prompt: texts are cut by max_characters",
        "summary_template": "the service takes no prompt",
        "text_qa_template": "the service takes no prompt",
        "refine_template": "the service takes no prompt",
        "use_async": "parts are always summarized concurrently: see max_concurrency",
        "verbose": "there is nothing to print",
    }
)
_CALL_OPTIONS = ("auto_sentence_splitter", "seg_count", "seg_max_size", "seg_min_size", "include_ai_filters")


class ClovaSummarize(BaseSynthesizer):
    """Summarizes the retrieved texts. Source: the summarization page of the API guide.

        >>> from llama_index.core.query_engine import RetrieverQueryEngine
        >>> from llama_index_clova import ClovaSummarize
        >>> engine = RetrieverQueryEngine(retriever, response_synthesizer=ClovaSummarize())  # doctest: +SKIP
        >>> str(engine.query("환불 규정"))  # doctest: +SKIP
        '- 환불은 7일 안에 신청할 수 있다.'

    **The service takes no question**: the query decides which texts are retrieved, and the summary covers all of them.
    For an answer to the question use a synthesizer with a model.

    This class uses no model and takes none from ``Settings``. ``index.as_query_engine(...)`` itself asks ``Settings``
    for one, unless it is given ``llm=``.

    The texts are those that LlamaIndex hands to every synthesizer, with the metadata that is not in a node's
    ``excluded_llm_metadata_keys``. A request holds up to 35,000 characters. Longer input is cut at paragraphs, else at
    sentences, into parts of about the same size. The parts are summarized concurrently, then their summaries together,
    and so on until they fit into one request. If summaries do not get shorter, they are joined as they are. For blank
    texts the response is ``empty_response``, without a request.

    The first request that fails ends the call. The error's ``partial`` has one list per round: the summary of each
    part, the error at the index of a part that failed, and None for a part that was not sent.

    All options except the two ``max_*`` can also be given per call: ``synthesize(query, nodes, seg_count=3)``.

    Args:
        auto_sentence_splitter: Whether the service splits into paragraphs first, by the three ``seg_*`` options.
        seg_count: Wanted number of paragraphs from 1; -1 is automatic.
        seg_max_size: Characters of a paragraph, 1 to 3,000.
        seg_min_size: Characters of a paragraph, 0 to ``seg_max_size``.
        include_ai_filters: Whether to run the AI filter.
        max_characters: Maximum characters per request, 100 to 35,000; smaller parts give longer summaries.
        max_concurrency: Maximum requests in flight for one response, from 1.
        streaming: Whether responses are streams, for programs that expect those. The service does not stream: the
            stream holds the whole text as one piece, and errors are raised before the stream is returned.
        empty_response: The response if there is nothing to summarize; None for LlamaIndex's "Empty Response".
        callback_manager: Gets a ``SYNTHESIZE`` event for each response; None for the manager of ``Settings``.
        **connection: ``client``, ``async_client``, or the client's settings by name: ``api_key``, ``base_url``,
            ``region``, ``path_prefix``, ``apigw_api_key``, ``timeout``, ``max_retries``, ``retry``, ``rate_limits``,
            ``max_wait``, ``quota_group``, ``headers``, ``http_client``, ``http_async_client``.

    Raises:
        ConfigurationError: An argument is unknown or invalid, or there is no key. Calls raise the errors of
            ``clova_studio``.
    """

    def __init__(
        self,
        *,
        auto_sentence_splitter: bool = True,
        seg_count: int = -1,
        seg_max_size: int = 1_000,
        seg_min_size: int = 300,
        include_ai_filters: bool = False,
        max_characters: int = MAX_SUMMARIZATION_CHARACTERS,
        max_concurrency: int = 8,
        streaming: bool = False,
        empty_response: str | None = None,
        callback_manager: CallbackManager | None = None,
        **connection: Any,
    ) -> None:
        names = (*SETTING_NAMES, "client", "async_client", *_OPTION_NAMES)
        refuse_unknown(connection, names, type(self).__name__, hints=_HINTS)
        _check_whole("max_characters", max_characters, 100, MAX_SUMMARIZATION_CHARACTERS)
        _check_whole("max_concurrency", max_concurrency, 1, None)
        # Without these arguments the base class takes a model from Settings and loads a tokenizer.
        super().__init__(
            llm=MockLLM(),
            callback_manager=callback_manager,
            prompt_helper=PromptHelper(tokenizer=list),
            chat_prompt_helper=ChatPromptHelper(tokenizer=list),
            streaming=streaming,
        )
        if empty_response is not None:
            self._empty_response = empty_response
        self._options = {
            "auto_sentence_splitter": auto_sentence_splitter,
            "seg_count": seg_count,
            "seg_max_size": seg_max_size,
            "seg_min_size": seg_min_size,
            "include_ai_filters": include_ai_filters,
        }
        self._bounds = {"max_characters": max_characters, "max_concurrency": max_concurrency}
        self._connection = Connection.of(**connection)

    def get_response(
        self,
        query_str: str,  # noqa: ARG002  the service takes none
        text_chunks: Sequence[str],
        **response_kwargs: Any,
    ) -> RESPONSE_TEXT_TYPE:
        """Return one summary of texts.

        Args:
            query_str: Not used: the service takes no question.
            text_chunks: The texts; blank ones are left out.
            **response_kwargs: Options of the constructor for this call, except the two ``max_*``.

        Returns:
            The summary, mostly lines that start with ``- ``; with ``streaming``, a generator (in ``aget_response`` an
            asynchronous one) that yields it.

        Raises:
            ConfigurationError: An option does not exist or is out of range, or only an ``async_client`` was given.
            ClovaStudioError: A request failed.
        """
        work = self._work(response_kwargs)
        text = summarize_texts(self._connection.sync, text_chunks, **work) or self._empty_response
        return stream_of(text) if self._streaming else text

    async def aget_response(
        self,
        query_str: str,  # noqa: ARG002
        text_chunks: Sequence[str],
        **response_kwargs: Any,
    ) -> RESPONSE_TEXT_TYPE:
        """Async variant of ``get_response``."""
        work = self._work(response_kwargs)
        client = self._connection.asynchronous
        if client is None:
            text = await in_thread(summarize_texts, self._connection.sync, text_chunks, **work)
        else:
            text = await asummarize_texts(client, text_chunks, **work)
        text = text or self._empty_response
        return astream_of(text) if self._streaming else text

    def _work(self, given: Mapping[str, Any]) -> dict[str, Any]:
        refuse_unknown(given, _CALL_OPTIONS, f"a call of {type(self).__name__}", hints=_HINTS)
        return {**self._bounds, **self._options, **given}

    def _get_prompts(self) -> PromptDictType:
        return {}

    def _update_prompts(self, prompts_dict: PromptDictType) -> None:
        if prompts_dict:
            raise ConfigurationError(
                f"{type(self).__name__} has no prompts because the service takes none; got "
                f"{', '.join(sorted(prompts_dict))}"
            )

    def __repr__(self) -> str:
        shown = {**self._options, **self._bounds, "streaming": self._streaming, "base_url": self._connection.base_url}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


# Suggested when an argument is misspelt.
_OPTION_NAMES = tuple(ClovaSummarize.__init__.__kwdefaults__ or ())


def _check_whole(name: str, value: Any, least: int, most: int | None) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        upper = "" if most is None else f" to {most:,}"
        raise ConfigurationError(f"{name} must be a whole number from {least}{upper}, got {value!r}")

"""A response synthesizer that summarizes what was found, by the summarization API of CLOVA Studio."""

from __future__ import annotations

import asyncio
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
    refuse_unknown,
    summarize_texts,
)
from llama_index_clova._fields import ConnectionFields

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping, Sequence

    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.prompts.mixin import PromptDictType
    from llama_index.core.types import RESPONSE_TEXT_TYPE

__all__ = ["ClovaSummarize"]

_HINTS: Mapping[str, str] = MappingProxyType(
    {
        **ConnectionFields.argument_hints,
        "llm": "the summarization API is no model: it needs none",
        "output_cls": "the service gives a text",
        "multimodal": "the service takes text only",
        "prompt_helper": "there is no prompt: texts are cut by max_characters",
        "chat_prompt_helper": "there is no prompt: texts are cut by max_characters",
        "summary_template": "the service takes no prompt",
        "text_qa_template": "the service takes no prompt",
        "refine_template": "the service takes no prompt",
        "use_async": "parts are always summarized side by side: see max_concurrency",
        "verbose": "there is nothing to tell",
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

    **The service takes no question**: the query decides what is retrieved, and what was retrieved is summarized as a
    whole, whatever was asked. For an answer to the question use a synthesizer with a model.

    There is no model in this, so none is taken from ``Settings``. ``index.as_query_engine(...)`` itself asks
    ``Settings`` for one, unless it is given ``llm=``.

    The texts are those that LlamaIndex hands to every synthesizer, with the metadata that is not in a node's
    ``excluded_llm_metadata_keys``. 35,000 characters go in a request; more are cut at borders of paragraphs, else of
    sentences, into parts of about the same size, the parts are summarized side by side, then their summaries together,
    and so on until they fit into one request. Should summaries not get shorter, they come joined, as they are. Of
    nothing but white space the response is ``empty_response``, without a request.

    The first request that fails ends a call. The error has on ``partial`` a list for each round so far, with the
    summaries of its parts, the error in the place of a part that failed, and None in the place of one not asked.

    The options but the two ``max_*`` can also be given per call: ``synthesize(query, nodes, seg_count=3)``.

    Args:
        auto_sentence_splitter: Whether the service splits into paragraphs first, by the three ``seg_*`` options.
        seg_count: Wanted number of paragraphs from 1; -1 is automatic.
        seg_max_size: Characters of a paragraph, 1 to 3,000.
        seg_min_size: Characters of a paragraph, 0 to ``seg_max_size``.
        include_ai_filters: Whether to run the AI filter.
        max_characters: Characters of a request at most, 100 to 35,000; smaller parts give longer summaries.
        max_concurrency: Requests under way at once for one response, from 1.
        streaming: Whether responses are streams, for programs that read those. The service does not stream: the one
            text of the stream is whole, and it is there, or the error raised, before the stream is.
        empty_response: The response where there is nothing to summarize; None for LlamaIndex's "Empty Response".
        callback_manager: Gets a ``SYNTHESIZE`` event for each response; None for that of ``Settings``.
        **connection: ``client``, ``async_client``, or the client's settings by name: ``api_key``, ``base_url``,
            ``region``, ``path_prefix``, ``apigw_api_key``, ``timeout``, ``max_retries``, ``retry``, ``rate_limits``,
            ``max_wait``, ``quota_group``, ``headers``, ``http_client``, ``http_async_client``.

    Raises:
        ConfigurationError: An argument does not exist or is wrong, or there is no key. Errors of calls are those of
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
        # The base class takes a model from Settings, and loads a tokenizer for helpers, unless it is given others.
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
        """Summarize texts.

        Args:
            query_str: Not used: the service takes no question.
            text_chunks: The texts; blank ones are left out.
            **response_kwargs: Options of the constructor for this call, but the two ``max_*``.

        Returns:
            The summary, mostly lines that start with ``- ``; with ``streaming``, a generator of it.

        Raises:
            ConfigurationError: An option does not exist or is out of range, or only an ``async_client`` was given.
            ClovaStudioError: A request failed.
        """
        work = self._work(response_kwargs)
        text = summarize_texts(self._connection.sync, text_chunks, **work) or self._empty_response
        return _stream(text) if self._streaming else text

    async def aget_response(
        self,
        query_str: str,  # noqa: ARG002
        text_chunks: Sequence[str],
        **response_kwargs: Any,
    ) -> RESPONSE_TEXT_TYPE:
        """Summarize texts; see ``get_response``.

        Args:
            query_str: As there.
            text_chunks: As there.
            **response_kwargs: As there.

        Returns:
            As there; with ``streaming``, an asynchronous generator.

        Raises:
            ClovaStudioError: As there.
        """
        work = self._work(response_kwargs)
        client = self._connection.asynchronous
        if client is None:
            text = await asyncio.to_thread(summarize_texts, self._connection.sync, text_chunks, **work)
        else:
            text = await asummarize_texts(client, text_chunks, **work)
        text = text or self._empty_response
        return _astream(text) if self._streaming else text

    def _work(self, given: Mapping[str, Any]) -> dict[str, Any]:
        refuse_unknown(given, _CALL_OPTIONS, f"a call of {type(self).__name__}", hints=_HINTS)
        return {**self._bounds, **self._options, **given}

    def _get_prompts(self) -> PromptDictType:
        return {}

    def _update_prompts(self, prompts_dict: PromptDictType) -> None:
        if prompts_dict:
            raise ConfigurationError(
                f"{type(self).__name__} has no prompts, the service takes none: {', '.join(sorted(prompts_dict))}"
            )

    def __repr__(self) -> str:
        shown = {**self._options, **self._bounds, "streaming": self._streaming, "base_url": self._connection.base_url}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


# For "did you mean": the arguments that are spelt out above.
_OPTION_NAMES = tuple(ClovaSummarize.__init__.__kwdefaults__ or ())


def _check_whole(name: str, value: Any, least: int, most: int | None) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        upper = "" if most is None else f" to {most:,}"
        raise ConfigurationError(f"{name} must be a whole number from {least}{upper}, got {value!r}")


def _stream(text: str) -> Generator[str, None, None]:
    yield text


async def _astream(text: str) -> AsyncGenerator[str, None]:
    yield text

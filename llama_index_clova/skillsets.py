"""Skillsets of CLOVA Studio for LlamaIndex: a query engine and a tool that answer from your own APIs."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks.schema import EventPayload
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools.query_engine import QueryEngineTool
from llama_index.core.tools.types import ToolMetadata

from clova_studio import ConfigurationError
from clova_studio.adapters import SETTING_NAMES, in_thread, iterate_in_threads, refuse_unknown
from llama_index_clova._engines import ClovaQueryEngine, checked_text, query_text
from llama_index_clova._fields import ConnectionFields

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    from llama_index.core.base.response.schema import RESPONSE_TYPE
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.schema import QueryBundle, QueryType

    from clova_studio import AsyncSkillsetStream, SkillsetResult, SkillsetStream

__all__ = ["ClovaSkillsetQueryEngine", "ClovaSkillsetTool"]

_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "llm": "the skillset has a model of its own",
        "response_synthesizer": "the skillset writes the answer",
        "node_postprocessors": "a skillset has no nodes before its answer",
        "verbose": "there is nothing to print: see callback_manager",
    }
)


class ClovaSkillsetQueryEngine(ClovaQueryEngine):
    """Answers a query with a skillset. Source: the skillset final answer page of the API guide.

        >>> from llama_index_clova import ClovaSkillsetQueryEngine
        >>> engine = ClovaSkillsetQueryEngine(skillset_id="weather1", version=1)  # doctest: +SKIP
        >>> str(engine.query("내일 부산 날씨 알려 줘"))  # doctest: +SKIP
        '부산의 내일 날씨는 구름 많음이고 기온은 23도입니다.'

    ``source_nodes`` of a response are the calls that the skills made, in order, with what came back as text; their
    metadata has ``operation_id``, ``name_for_human`` and ``api_order``, not the address and the request, which may
    contain keys: ``run()`` returns the whole ``SkillsetResult``. The response's ``metadata["skillset"]`` has
    ``skillset_id``, ``version``, ``request_id``, ``token_count`` and ``use_task``. The answer of a run that did not
    finish is LlamaIndex's "Empty Response".

    With ``streaming`` a response is a stream of the answer's pieces as they arrive. The request is sent when the stream
    is first iterated; ``source_nodes`` and the last three of the metadata are there once it has ended.

    It works in ``QueryEngineTool``, ``RouterQueryEngine`` and ``SubQuestionQueryEngine``. For agents there is
    ``ClovaSkillsetTool``. A query engine knows no earlier messages; ``run()`` takes ``chat_history``.

    Skills call your APIs, so a request is sent again only after a 429 or if no connection was made. This class uses no
    model and takes none from ``Settings``.

    Args:
        skillset_id: The skillset's id in the console.
        version: Its version, from 1, or ``"latest"`` where the service still takes it.
        request_override: Options of the skills' API calls, ``{"base_operation": {"header", "query", "request_body"},
            "operations": [{"operation_id", ...}]}``. It may contain keys, so it is in no repr, but in a pickle.
        streaming: Whether responses are streams.
        callback_manager: Gets a ``QUERY`` event for each query; None for the manager of ``Settings``.
        **connection: ``client``, ``async_client``, or the client's settings by name: ``api_key``, ``base_url``,
            ``region``, ``path_prefix``, ``apigw_api_key``, ``timeout``, ``max_retries``, ``retry``, ``rate_limits``,
            ``max_wait``, ``quota_group``, ``headers``, ``http_client``, ``http_async_client``. With ``client`` alone,
            asynchronous calls run it in a thread.

    Raises:
        ConfigurationError: An argument is unknown or invalid, or there is no key; in a call also if the query is
            blank. Calls raise the errors of ``clova_studio``.
        StreamInterruptedError: While iterating a stream: it broke after its first piece; what had arrived is on
            ``partial``.
    """

    def __init__(
        self,
        *,
        skillset_id: str,
        version: int | Literal["latest"],
        request_override: Mapping[str, Any] | None = None,
        streaming: bool = False,
        callback_manager: CallbackManager | None = None,
        **connection: Any,
    ) -> None:
        own = ("skillset_id", "version", *(ClovaSkillsetQueryEngine.__init__.__kwdefaults__ or ()))
        super().__init__(connection, own, hints=_HINTS, streaming=streaming, callback_manager=callback_manager)
        if version != "latest" and (isinstance(version, bool) or not isinstance(version, int) or version < 1):
            raise ConfigurationError(f"version must be a whole number from 1, or 'latest', got {version!r}")
        self._skillset_id = checked_text("skillset_id", skillset_id)
        self._version: int | Literal["latest"] = version
        self._request_override = request_override

    def __repr__(self) -> str:
        shown = {
            "skillset_id": self._skillset_id,
            "version": self._version,
            "streaming": self._streaming,
            "base_url": self._connection.base_url,
        }
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def run(
        self,
        query: QueryType,
        *,
        chat_history: list[dict[str, str]] | None = None,
        request_override: Mapping[str, Any] | None = None,
    ) -> SkillsetResult:
        """Return the skillset's whole result for a query.

        Args:
            query: A string, or a ``QueryBundle`` whose ``query_str`` is sent.
            chat_history: Earlier messages, ``{"role": "user" | "assistant", "content": ...}``.
            request_override: Options of this call; None for the constructor's.

        Raises:
            ConfigurationError: The query is blank, an argument is wrong, or only ``async_client`` was given.
            ClovaStudioError: The request failed.
        """
        return self._connection.sync.run_skillset(**self._arguments(query, chat_history, request_override))

    async def arun(
        self,
        query: QueryType,
        *,
        chat_history: list[dict[str, str]] | None = None,
        request_override: Mapping[str, Any] | None = None,
    ) -> SkillsetResult:
        """Async variant of ``run``."""
        client = self._connection.asynchronous
        if client is None:
            return await in_thread(self.run, query, chat_history=chat_history, request_override=request_override)
        return await client.run_skillset(**self._arguments(query, chat_history, request_override))

    def _arguments(
        self,
        query: QueryType,
        chat_history: list[dict[str, str]] | None = None,
        request_override: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {
            "skillset_id": self._skillset_id,
            "version": self._version,
            "query": query_text(query),
            "chat_history": chat_history or None,
            "request_override": self._request_override if request_override is None else request_override,
        }

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        with self._query_event(query_bundle) as event:
            parts = _Parts(self._skillset_id, self._version, self._empty_response)
            response: RESPONSE_TYPE
            if self._streaming:
                stream = self._connection.sync.stream_skillset(**self._arguments(query_bundle))
                response = StreamingResponse(_pieces(stream, parts), parts.nodes, parts.metadata)
            else:
                response = Response(parts.taken(self.run(query_bundle)), parts.nodes, parts.metadata)
            event.on_end(payload={EventPayload.RESPONSE: response})
        return response

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        with self._query_event(query_bundle) as event:
            parts = _Parts(self._skillset_id, self._version, self._empty_response)
            response: RESPONSE_TYPE
            if self._streaming:
                arguments, client = self._arguments(query_bundle), self._connection.asynchronous
                pieces = (
                    iterate_in_threads(_pieces(self._connection.sync.stream_skillset(**arguments), parts))
                    if client is None
                    else _apieces(client.stream_skillset(**arguments), parts)
                )
                response = AsyncStreamingResponse(pieces, parts.nodes, parts.metadata)
            else:
                response = Response(parts.taken(await self.arun(query_bundle)), parts.nodes, parts.metadata)
            event.on_end(payload={EventPayload.RESPONSE: response})
        return response


class ClovaSkillsetTool(QueryEngineTool):
    """A skillset as a tool of agents. Source: the skillset final answer page of the API guide.

        >>> from llama_index_clova import ClovaSkillsetTool
        >>> weather = ClovaSkillsetTool(
        ...     skillset_id="weather1", version=1, name="weather", description="도시의 날씨를 알려 준다."
        ... )  # doctest: +SKIP
        >>> agent = FunctionAgent(tools=[weather], llm=ClovaX())  # doctest: +SKIP

    The model gives the query as ``input``. The tool's output is the answer; its ``raw_output`` is the ``Response`` of
    ``ClovaSkillsetQueryEngine``, with the calls that the skills made as ``source_nodes``. It also works where a
    ``QueryEngineTool`` does, as in ``RouterQueryEngine``.

    Args:
        skillset_id: The skillset's id in the console.
        version: Its version, from 1, or ``"latest"`` where the service still takes it.
        name: The tool's name for the model.
        description: What the skillset does, for the model; the service refuses a tool without it.
        return_direct: Whether the answer ends the agent's run as it is.
        request_override: As for ``ClovaSkillsetQueryEngine``.
        callback_manager: As for ``ClovaSkillsetQueryEngine``.
        **connection: As for ``ClovaSkillsetQueryEngine``.

    Raises:
        ConfigurationError: An argument is unknown or invalid, or there is no key.
    """

    def __init__(
        self,
        *,
        skillset_id: str,
        version: int | Literal["latest"],
        name: str,
        description: str,
        return_direct: bool = False,
        request_override: Mapping[str, Any] | None = None,
        callback_manager: CallbackManager | None = None,
        **connection: Any,
    ) -> None:
        own = tuple(ClovaSkillsetTool.__init__.__kwdefaults__ or ())
        names = (*SETTING_NAMES, "client", "async_client", "skillset_id", "version", "name", "description", *own)
        hints = {**ConnectionFields.argument_hints, **_HINTS, "streaming": "a tool's output is whole"}
        refuse_unknown(connection, names, type(self).__name__, hints=hints)
        engine = ClovaSkillsetQueryEngine(
            skillset_id=skillset_id,
            version=version,
            request_override=request_override,
            callback_manager=callback_manager,
            **connection,
        )
        metadata = ToolMetadata(
            name=checked_text("name", name),
            description=checked_text("description", description),
            return_direct=return_direct,
        )
        super().__init__(query_engine=engine, metadata=metadata)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.metadata.name!r}, {self.query_engine!r})"


class _Parts:
    """The parts of a response that come from the result; of a stream, they are there once it has ended."""

    def __init__(self, skillset_id: str, version: int | str, empty: str) -> None:
        self._empty = empty
        self.nodes: list[NodeWithScore] = []
        self._about: dict[str, Any] = {"skillset_id": skillset_id, "version": version}
        self.metadata: dict[str, Any] = {"skillset": self._about}

    def taken(self, result: SkillsetResult) -> str:
        """Take the parts of a result; return its answer."""
        for call in result.api_result:
            told = call.model_dump(include={"operation_id", "name_for_human", "api_order"}, exclude_none=True)
            self.nodes.append(NodeWithScore(node=TextNode(text=call.response_body or "", metadata=told)))
        self._about.update(request_id=result.request_id, token_count=result.token_count, use_task=result.use_task)
        return result.final_answer or self._empty


def _pieces(stream: SkillsetStream, parts: _Parts) -> Generator[str, None, None]:
    said = False
    with stream:
        for chunk in stream:
            if chunk.text:
                said = True
                yield chunk.text
        answer = parts.taken(stream.result())
    if not said:
        yield answer


async def _apieces(stream: AsyncSkillsetStream, parts: _Parts) -> AsyncGenerator[str, None]:
    said = False
    async with stream:
        async for chunk in stream:
            if chunk.text:
                said = True
                yield chunk.text
        answer = parts.taken(stream.result())
    if not said:
        yield answer

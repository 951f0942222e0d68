"""Skillsets of CLOVA Studio: answers based on your own APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from langchain_core.utils.aiter import aclosing
from pydantic import BaseModel, Field, field_validator

from clova_studio.adapters import iterate_in_threads
from langchain_clova._errors import ClovaConfigurationError, langchain_errors
from langchain_clova._queries import QueryInput, query_of
from langchain_clova._runnables import ClovaRunnable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool

    from clova_studio import AsyncClovaStudio, SelectedSkill, SkillApiCall, SkillsetResult

__all__ = ["ClovaSkillset", "ClovaSkillsetAnswer"]


class ClovaSkillsetAnswer(str):
    """The answer of a skillset: a string that also has the whole result.

    Attributes:
        result: The whole ``clova_studio.SkillsetResult``.
    """

    __slots__ = ("result",)

    result: SkillsetResult

    def __new__(cls, result: SkillsetResult) -> Self:
        """Return the answer of a result."""
        answer = super().__new__(cls, result.final_answer)
        answer.result = result
        return answer

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.result,)

    @property
    def final_answer(self) -> str:
        """The answer as a plain string; ``""`` if the run did not finish."""
        return self.result.final_answer

    @property
    def api_result(self) -> list[SkillApiCall]:
        """The calls that the skills made, in order."""
        return self.result.api_result

    @property
    def selected_skill(self) -> list[SelectedSkill]:
        """The skills that were chosen; only streams have them."""
        return self.result.selected_skill


class _Question(BaseModel):
    query: str = Field(description="질문 (the question, with all that is needed to answer it)", min_length=1)


class ClovaSkillset(ClovaRunnable[QueryInput, str]):
    """Answers a query with a skillset. Source: the skillset final answer page of the API guide.

        >>> from langchain_clova import ClovaSkillset
        >>> skillset = ClovaSkillset(skillset_id="weather1", version=1)  # doctest: +SKIP
        >>> answer = skillset.invoke("내일 부산 날씨 알려 줘")  # doctest: +SKIP
        >>> answer, answer.api_result[0].operation_id  # doctest: +SKIP
        ('부산의 내일 날씨는 구름 많음이고 기온은 23도입니다.', 'getWeather')

    Input: a string, messages, or a dict with ``query`` and optionally ``chat_history`` (messages). The last user
    message is the query, and the messages of user and model before it are sent as history.

    Output: a string, which a chain can use like any other text, streamed or not. ``invoke`` returns a
    ``ClovaSkillsetAnswer``, which also has ``final_answer``, ``api_result`` and the whole ``result``; ``stream`` yields
    the pieces of the same text as they arrive.

    Skills call your APIs, so a request is retried only after a 429 or if no connection was made.

    Attributes:
        skillset_id: The skillset's id in the console.
        version: Its version, from 1, or ``"latest"`` where the service still takes it.
        request_override: Options of the skills' API calls, ``{"base_operation": {"header", "query", "request_body"},
            "operations": [{"operation_id", ...}]}``; also per call. It may contain keys, so it is in no dump or repr.

    Raises:
        ConfigurationError: An argument is unknown or invalid, there is no key, or an input has no query.
        StreamInterruptedError: A stream broke after its first piece; what had arrived is on ``partial``. Errors of
            calls are those of ``clova_studio`` and, at the same time, of langchain-core's ``ModelError`` family.

    See ``ConnectionFields`` for how to reach the service.
    """

    call_options: ClassVar[tuple[str, ...]] = ("request_override",)

    skillset_id: str = Field(min_length=1)
    version: int | Literal["latest"]
    request_override: dict[str, Any] | None = Field(default=None, repr=False, exclude=True)

    @field_validator("version")
    @classmethod
    def _check_version(cls, value: Any) -> Any:
        if value != "latest" and value < 1:
            raise ClovaConfigurationError(f"version must be a whole number from 1, or 'latest', got {value!r}")
        return value

    def as_tool(
        self,
        args_schema: type[BaseModel] | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        arg_types: dict[str, type] | None = None,
    ) -> BaseTool:
        """Return a tool for agents that runs this skillset.

        Its content is the answer, and the artifact of its ``ToolMessage`` is the whole ``clova_studio.SkillsetResult``.
        A call of the tool is one run of the skillset, which is in the same trace.

        Args:
            args_schema: What the model gives: a class with the field ``query``, and with ``chat_history`` if wanted;
                None for one with ``query`` alone.
            name: The tool's name for the model; None for the skillset's id.
            description: What the skillset does, for the model. Needed: the service refuses a tool without it.
            arg_types: Not supported; give ``args_schema``.

        Raises:
            ConfigurationError: ``description`` is missing or blank, ``args_schema`` has other fields or no
                ``query``, or ``arg_types`` is given.
        """
        from langchain_core.tools import StructuredTool

        if description is None or not description.strip():
            raise ClovaConfigurationError(
                "description is needed: say what the skillset does, so that the model knows when to call it"
            )
        if arg_types is not None:
            raise ClovaConfigurationError(
                "arg_types is not supported: give args_schema, a class with the field 'query'"
            )
        schema = args_schema or _Question
        if set(schema.model_fields) - {"query", "chat_history"} or "query" not in schema.model_fields:
            raise ClovaConfigurationError(
                f"args_schema must have the field 'query', and only 'chat_history' beside it; {schema.__name__} has "
                f"{', '.join(map(repr, schema.model_fields)) or 'none'}"
            )

        # Without a config: that of the tool's run is in the context, and the one that core would hand over is not its.
        # LangGraph resolves the annotations, so they name nothing that is imported for types only.
        def run(**given: Any) -> tuple[str, Any]:
            return _with_artifact(self.invoke(given))

        async def arun(**given: Any) -> tuple[str, Any]:
            return _with_artifact(await self.ainvoke(given))

        return StructuredTool(
            name=name or self.skillset_id,
            description=description,
            args_schema=schema,
            func=run,
            coroutine=arun,
            response_format="content_and_artifact",
        )

    @property
    def OutputType(self) -> type[str]:  # noqa: N802  the base class's name
        """The type of the output: a string."""
        return str

    def _run(self, given: QueryInput, config: RunnableConfig, options: dict[str, Any]) -> str:  # noqa: ARG002
        return ClovaSkillsetAnswer(self._connection.sync.run_skillset(**self._arguments(given, options)))

    async def _arun(
        self,
        given: QueryInput,
        config: RunnableConfig,  # noqa: ARG002  nothing is run below this
        options: dict[str, Any],
        client: AsyncClovaStudio,
    ) -> str:
        return ClovaSkillsetAnswer(await client.run_skillset(**self._arguments(given, options)))

    def stream(
        self,
        input: QueryInput,  # noqa: A002  the base class's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[str]:
        """Yield the pieces of the answer as they arrive.

        Args:
            input: See the class.
            config: Callbacks, tags and the like, as for every runnable.
            **kwargs: ``request_override``.

        Yields:
            Non-empty texts; together they are the answer.

        Raises:
            ClovaStudioError: The request failed, or was wrong and not sent.
        """
        yield from self._transform_stream_with_config(iter([input]), self._pieces, config, **kwargs)

    async def astream(
        self,
        input: QueryInput,  # noqa: A002  the base class's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[str]:
        """Async variant of ``stream``."""

        async def only() -> AsyncIterator[QueryInput]:
            yield input

        async with aclosing(self._atransform_stream_with_config(only(), self._apieces, config, **kwargs)) as pieces:
            async for piece in pieces:
                yield piece

    def _pieces(self, inputs: Iterator[QueryInput], **kwargs: Any) -> Generator[str, None, None]:
        with langchain_errors:
            arguments = self._arguments(next(inputs), self._options(kwargs))
            with self._connection.sync.stream_skillset(**arguments) as stream:
                for chunk in stream:
                    if chunk.text:
                        yield chunk.text

    async def _apieces(self, inputs: AsyncIterator[QueryInput], **kwargs: Any) -> AsyncIterator[str]:
        with langchain_errors:
            given = await anext(inputs)
            client = self._connection.asynchronous
            if client is None:
                async with aclosing(iterate_in_threads(self._pieces(iter([given]), **kwargs))) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            async with client.stream_skillset(**self._arguments(given, self._options(kwargs))) as stream:
                async for chunk in stream:
                    if chunk.text:
                        yield chunk.text

    def _arguments(self, given: QueryInput, options: dict[str, Any]) -> dict[str, Any]:
        query = query_of(given)
        return {
            "skillset_id": self.skillset_id,
            "version": self.version,
            "query": query.text,
            "chat_history": query.history or None,
            **options,
        }


def _with_artifact(answer: str) -> tuple[str, SkillsetResult]:
    result: SkillsetResult = answer.result  # type: ignore[attr-defined]  # invoke returns a ClovaSkillsetAnswer
    return str(answer), result

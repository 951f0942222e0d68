"""Structured output: how to ask for it, and parsers that refuse a truncated answer."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, cast, get_args

from langchain_core.exceptions import OutputParserException
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.outputs import Generation
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.pydantic import is_basemodel_subclass

from clova_studio import model_info
from clova_studio.adapters import is_tuned, response_schema
from langchain_clova._errors import ClovaConfigurationError, langchain_errors
from langchain_clova._schemas import json_schema_of, wire_tool

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput

    from langchain_clova._counting import CountingChatModel

__all__ = ["Method", "structured"]

Method: TypeAlias = Literal["json_schema", "function_calling", "json_mode"]
_METHODS: tuple[Method, ...] = get_args(Method)


class _Whole:
    """A parser that refuses an answer that was cut, and parses strictly at the end of a stream."""

    wants_call: ClassVar[bool] = False

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Parse an answer."""
        message = getattr(result[0], "message", None) if result else None
        at_end = not partial or getattr(message, "chunk_position", None) == "last"
        if at_end and message is not None:
            _check_whole(message, wants_call=self.wants_call)
        if not self.wants_call and result:
            result = [_found_json(result[0], at_end=at_end), *result[1:]]
        # The last piece of a stream is parsed as a complete answer: if it does not fit, that is an error, not None.
        return super().parse_result(result, partial=partial and not at_end)  # type: ignore[misc]  # a mixin


def _found_json(answer: Generation, *, at_end: bool) -> Generation:
    """Return an answer without the text that models put around a JSON object, unless it is fenced.

    If only an instruction asks for JSON, about half of these models' answers have text before it (observed).
    """
    text = answer.text
    start = text.find("{")
    if start < 0 or "```" in text:
        return answer
    end = text.rfind("}") + 1 if at_end else 0
    return Generation(text=text[start : end if end > start else len(text)])


class _Json(_Whole, JsonOutputParser):
    pass


class _Pydantic(_Whole, PydanticOutputParser[Any]):
    pass


class _ToolJson(_Whole, JsonOutputKeyToolsParser):
    wants_call: ClassVar[bool] = True


class _ToolPydantic(_Whole, PydanticToolsParser):
    wants_call: ClassVar[bool] = True


def _check_whole(message: Any, *, wants_call: bool) -> None:
    text = str(message.text)
    if message.response_metadata.get("finish_reason") == "length":
        raise OutputParserException(
            "The answer was cut at the output cap (finish_reason 'length') and is not complete: raise max_tokens.",
            llm_output=text,
        )
    if wants_call and not message.tool_calls:
        broken = "a tool call whose arguments are not a JSON object" if message.invalid_tool_calls else "text"
        raise OutputParserException(
            f"The model answered with {broken} instead of calling the tool that carries the answer.", llm_output=text
        )


def structured(
    model: CountingChatModel,
    schema: Any,
    *,
    method: Method | None,
    include_raw: bool,
    strict: bool | None,
) -> Runnable[LanguageModelInput, Any]:
    """Return the chat model with its answers parsed; see ``ChatClovaX.with_structured_output``."""
    method = method or _method_of(model)
    if method not in _METHODS:
        raise ClovaConfigurationError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")
    schema = _unwrapped(schema)
    is_pydantic = isinstance(schema, type) and is_basemodel_subclass(schema)
    recorded = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
    parser: Any
    if method == "function_calling":
        if schema is None:
            raise ClovaConfigurationError("schema is missing: function_calling needs one")
        name = wire_tool(schema)["function"]["name"]
        asking = model.bind_tools([schema], tool_choice=name, strict=strict, ls_structured_output_format=recorded)
        if is_pydantic:
            parser = _ToolPydantic(tools=[schema], first_tool_only=True)
        else:
            parser = _ToolJson(key_name=name, first_tool_only=True)
    else:
        if method == "json_schema":
            if schema is None:
                raise ClovaConfigurationError("schema is missing: json_schema needs one")
            response_format: dict[str, Any] = {"type": "json", "schema": _schema_of(schema, strict=strict)}
        else:
            response_format = _json_mode(model, schema, strict=strict)
        asking = cast(
            "Runnable[LanguageModelInput, Any]",
            model.bind(response_format=response_format, ls_structured_output_format=recorded),
        )
        parser = _Pydantic(pydantic_object=schema) if is_pydantic else _Json()
    if not include_raw:
        plain: Runnable[LanguageModelInput, Any] = asking | parser
        return plain
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    with_raw: Runnable[LanguageModelInput, Any] = RunnableMap(raw=asking) | parsed.with_fallbacks(
        [failed], exception_key="parsing_error"
    )
    return with_raw


def _method_of(model: CountingChatModel) -> Method:
    """Return the method that a model supports: a response schema, a tool that carries the answer, or an instruction."""
    info = model_info(model.model)
    if is_tuned(model.model, model.task_id) or not info.tools:
        return "json_mode"
    return "json_schema" if info.known and info.structured_output else "function_calling"


def _json_mode(model: CountingChatModel, schema: Any, *, strict: bool | None) -> dict[str, Any]:
    """Return the response format of JSON mode: the service's for HCX-007, which needs a schema, else an instruction."""
    info = model_info(model.model)
    if schema is not None and info.known and info.structured_output and not is_tuned(model.model, model.task_id):
        return {"type": "json", "schema": _schema_of(schema, strict=strict)}
    return {"type": "json_object"}


def _unwrapped(schema: Any) -> Any:
    """Return a JSON Schema without OpenAI's wrapper around it; the wrapper's name becomes its title."""
    if not isinstance(schema, dict):
        return schema
    held = schema.get("json_schema") if schema.get("type") == "json_schema" else schema
    if not isinstance(held, dict) or not isinstance(held.get("schema"), dict) or "properties" in held:
        return schema
    named = {"title": held.get("name"), "description": held.get("description")}
    return {**{name: value for name, value in named.items() if value is not None}, **held["schema"]}


def _schema_of(schema: Any, *, strict: bool | None) -> dict[str, Any]:
    if isinstance(schema, dict) and "title" not in schema and "properties" in schema:
        # Langchain-core requires a title, as the name of a function; here there is no function.
        found = dict(schema)
    else:
        found = json_schema_of(schema, strict=strict)
    with langchain_errors:
        return response_schema(found)

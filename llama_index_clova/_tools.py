"""Translates LlamaIndex's tools to the wire's, and reads the tool calls of an answer. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool, ToolMetadata

from clova_studio import ConfigurationError
from clova_studio.adapters import wire_function
from llama_index_clova._messages import tool_calls_of

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatResponse

__all__ = ["CUT", "selections", "wire_tool"]

CUT = (
    "the answer was cut at the output cap (finish_reason 'length') in the middle of {what}: give a larger max_tokens. "
    "/ 출력이 최대 토큰 수에서 잘렸습니다. max_tokens를 늘리세요."
)

_NO_OBJECT = (
    "the model called {name} with arguments that are not a JSON object, so the tool must not run: {text!r}. Ask again. "
    "/ 모델이 {name}을(를) JSON 객체가 아닌 인자로 호출했습니다. 다시 요청하세요."
)


def wire_tool(tool: Any) -> dict[str, Any]:
    """Return a tool in the form that the service takes, from a tool, its metadata, or a dict in OpenAI's form."""
    if isinstance(tool, BaseTool):
        tool = tool.metadata
    if isinstance(tool, ToolMetadata):
        # Not its own conversion, which replaces letters of the name and drops most of a schema that is no object.
        tool = {"name": tool.name, "description": tool.description, "parameters": _parameters(tool)}
    function = tool.get("function", tool) if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping) or not function.get("name"):
        raise ConfigurationError(f"a tool must be LlamaIndex's or a dict in OpenAI's form, got {type(tool).__name__}")
    return wire_function(function)


def _parameters(metadata: ToolMetadata) -> dict[str, Any]:
    """Return a tool's whole schema."""
    is_cores = type(metadata).get_parameters_dict is ToolMetadata.get_parameters_dict
    if metadata.fn_schema is None or not is_cores:
        return dict(metadata.get_parameters_dict())
    return dict(metadata.fn_schema.model_json_schema())


def selections(response: ChatResponse, *, error_on_no_tool_call: bool) -> list[ToolSelection]:
    """Return the tool calls of a response; a tool must not run with half of its arguments."""
    calls = tool_calls_of(response.message)
    if not calls and error_on_no_tool_call:
        raise ValueError(f"expected at least one tool call, but the answer is text: {response.message.content!r}")
    if calls and response.additional_kwargs.get("finish_reason") == "length":
        # Truncated arguments may look complete.
        raise ValueError(CUT.format(what=f"a call of {calls[-1][1]}"))
    if any(not name for _, name, _ in calls):
        raise ValueError(
            "the model called a tool without its name: ask again. / "
            "모델이 이름 없이 도구를 호출했습니다. 다시 요청하세요."
        )
    return [
        ToolSelection(tool_id=call_id, tool_name=name, tool_kwargs=_arguments(name, arguments))
        for call_id, name, arguments in calls
    ]


def _arguments(name: str, arguments: Any) -> dict[str, Any]:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments) if arguments.strip() else {}
        except (ValueError, RecursionError) as exc:
            raise ValueError(_NO_OBJECT.format(name=name, text=arguments[:500])) from exc
    if not isinstance(arguments, Mapping):
        raise ValueError(_NO_OBJECT.format(name=name, text=str(arguments)[:500]))  # noqa: TRY004  the text is wrong
    return dict(arguments)

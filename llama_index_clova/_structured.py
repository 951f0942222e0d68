"""Structured prediction: the response format, and objects of complete and partial answers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.llms.utils import parse_partial_json
from llama_index.core.program.utils import create_flexible_model
from pydantic import BaseModel, ValidationError

from clova_studio.adapters import response_schema
from llama_index_clova._tools import CUT, selections

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatResponse
    from llama_index.core.types import Model

__all__ = ["PartialObjects", "object_of", "response_format"]


def response_format(output_cls: type[BaseModel]) -> dict[str, Any]:
    """Return the response format for a pydantic class. Source: the structured outputs page of the API guide."""
    return {"type": "json", "schema": response_schema(output_cls.model_json_schema())}


def object_of(response: ChatResponse, output_cls: type[Model], *, native: bool) -> Model:
    """Return the object of a complete answer: of its text (``native``), else of its first tool call.

    Raises:
        ValueError: The answer was cut at the output cap, has no tool call, or does not fit the class.
    """
    if not native:
        return output_cls.model_validate(selections(response, error_on_no_tool_call=True)[0].tool_kwargs)
    if response.additional_kwargs.get("finish_reason") == "length":
        raise ValueError(CUT.format(what=f"the JSON of a {output_cls.__name__}"))
    return output_cls.model_validate_json(response.message.content or "")


class PartialObjects:
    """The objects of a streamed answer, as far as they have arrived."""

    def __init__(self, output_cls: type[Model], *, native: bool) -> None:
        self._output_cls = output_cls
        self._flexible = create_flexible_model(output_cls)
        self._native = native
        self._last: ChatResponse | None = None
        self._seen: dict[str, Any] = {}
        self._arguments = ""

    def take(self, response: ChatResponse) -> BaseModel | None:
        """Return the object so far, None if it is not new. While it does not fit the class, fields may be missing."""
        self._last = response
        if response.additional_kwargs.get("finish_reason") is not None:
            return None  # the last response, which ``whole`` reads
        held = self._held(response)
        if not held or held == self._seen:
            return None
        self._seen = held
        try:
            return self._output_cls.model_validate(held)
        except ValidationError:
            return self._flexible.model_validate(held)

    def whole(self) -> BaseModel:
        """Return the object of the complete answer."""
        if self._last is None:
            raise ValueError("the stream had no response")
        return object_of(self._last, self._output_cls, native=self._native)

    def _held(self, response: ChatResponse) -> dict[str, Any]:
        if not self._native:
            # Of the fragments of the first call: they need not be certain for an object that is in the making.
            for fragment in getattr(response.raw, "tool_call_fragments", None) or ():
                if fragment.index == 0:
                    self._arguments += fragment.function.partial_json or ""
        try:
            held = parse_partial_json((response.message.content or "") if self._native else self._arguments)
        except (ValueError, RecursionError):
            return {}
        return held if isinstance(held, dict) else {}

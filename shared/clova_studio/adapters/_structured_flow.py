"""The ways to ask for a structured answer, and what follows when one fails. Pure.

Source: the structured outputs page (HCX-007 alone, no tools, no tool messages) and the function calling page of the API
guide. Observed: HCX-DASH-002 answers 40009 to function calling, HCX-005 puts its JSON into a fence or behind prose, and
a list comes for a string. So a way that fails is followed by the next:

* the service's structured outputs, where the model has them and the conversation allows them;
* a call of a tool that carries the answer;
* JSON by instruction, with the schema; what does not fit is asked for once more, with the validator's words.

Each is another request. A way that the caller has chosen is the only one.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from clova_studio._catalogue import is_tuned, model_info
from clova_studio._errors import BadRequestError, ConfigurationError, ContextLengthError, UnsupportedFunctionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clova_studio.adapters._json_answers import UnfitAnswerError

__all__ = [
    "Correction",
    "StructuredFlow",
    "StructuredMethod",
    "correction_of",
    "json_instruction",
    "refuses_method",
    "structured_methods",
]

StructuredMethod: TypeAlias = Literal["json_schema", "function_calling", "json_mode"]
"""A way to ask: structured outputs of the service, a tool call that carries the answer, JSON by instruction."""

logger = logging.getLogger("clova_studio")

_INSTRUCTION = (
    "Answer with one JSON object and nothing else: no other text, no code fence. / "
    "다른 글이나 코드 블록 없이 JSON 객체 하나로만 답하세요."
)
_SCHEMA = "The object must fit this JSON Schema / JSON 객체는 다음 JSON 스키마에 맞아야 합니다:\n{schema}"
_CORRECT = (
    "This is not the answer that was asked for. {words}\nCorrect it and answer again. / "
    "요청한 형식에 맞지 않는 답입니다. 위 오류를 고쳐서 다시 답하세요."
)
# Codes of refusals that may be of the way: 40001 and its like name the field.
_SCHEMA_REFUSED = "40055"
_PARAMETER_CODES = frozenset({"40000", "40001", "40002"})
_FIELDS = ("responseformat", "response_format", "tools", "toolchoice", "tool_choice", "schema")
_REASONS = {
    "no_call": "no tool call",
    "not_json": "not JSON",
    "invalid": "does not fit the schema",
    "cut": "cut at the output cap",
}


class Correction(NamedTuple):
    """Two turns that go behind the conversation: an answer that does not fit, and the request to correct it.

    Attributes:
        said: What the model said, as text; empty if it said nothing.
        request: What the user says to that, with the validator's words.
    """

    said: str
    request: str


def structured_methods(
    model: str, *, task_id: str | None = None, after_tools: bool = False, with_images: bool = False
) -> tuple[StructuredMethod, ...]:
    """Return the ways that a model and a conversation allow, the default first.

    Args:
        model: The model's name.
        task_id: The task of a tuned model.
        after_tools: Whether the conversation has tool calls or results: structured outputs take none as they are.
        with_images: Whether it has images that the model is to see: neither tools nor structured outputs take any.
    """
    info = model_info(model)
    if is_tuned(model, task_id) or not info.tools or (with_images and info.images):
        return ("json_mode",)
    if not (info.known and info.structured_output):
        return ("function_calling", "json_mode")
    if after_tools:
        return ("function_calling", "json_schema", "json_mode")
    return ("json_schema", "function_calling", "json_mode")


def json_instruction(schema: Mapping[str, Any] | None = None) -> str:
    """Return the words that ask for JSON, in English and Korean.

    Args:
        schema: The JSON Schema that the object has to fit, None if the prompt says what it holds.
    """
    if schema is None:
        return _INSTRUCTION
    return f"{_INSTRUCTION}\n{_SCHEMA.format(schema=json.dumps(schema, ensure_ascii=False))}"


def refuses_method(error: BaseException) -> bool:
    """Return whether an error says that the service does not take this way of asking, so that another one may help.

    That is 40009, 40055, and parameter errors that name the field of the schema or of the tools. Failures of the key,
    the quota, the connection, the service or the context's length are none.

    Args:
        error: What a request has failed with.
    """
    if isinstance(error, UnsupportedFunctionError):
        return True
    if not isinstance(error, BadRequestError) or isinstance(error, ContextLengthError):
        return False
    if error.code == _SCHEMA_REFUSED:
        return True
    message = error.message.lower()
    return error.code in _PARAMETER_CODES and any(field in message for field in _FIELDS)


class StructuredFlow:
    """One structured answer: the way of its next request, and what to do with what comes back.

    Args:
        methods: The ways to ask, in order; see ``structured_methods``.
        model: The model's name, for the log.
        is_pinned: Whether the caller chose the way: there is one request then, and no other follows.

    Attributes:
        model: The model's name.
        method: The way of the next request.
        correction: What goes behind the conversation in the next request, None for nothing.
        failures: Why earlier requests gave no answer, each with its way.
    """

    def __init__(self, methods: Sequence[StructuredMethod], *, model: str, is_pinned: bool = False) -> None:
        self._left = list(methods)
        self.model = model
        self._is_pinned = is_pinned
        self._asked_again = False
        self._last_error: Exception | None = None
        self.method: StructuredMethod = self._left.pop(0)
        self.correction: Correction | None = None
        self.failures: list[str] = []

    @property
    def reads_text(self) -> bool:
        """Whether an answer in text may stand for a tool call: where the way is not pinned, JSON is JSON."""
        return not self._is_pinned or self.method != "function_calling"

    @property
    def marks(self) -> dict[str, Any]:
        """Marks to put on the answer: its way, and the failures before it if there were any."""
        marks: dict[str, Any] = {"structured_output_method": self.method}
        if self.failures:
            marks["structured_output_fallback"] = list(self.failures)
        return marks

    @property
    def option(self) -> dict[str, Any]:
        """What the next request is to do: the marks of its answer, and whether JSON in text is as good as a call."""
        return {"marks": self.marks, "reads_text": self.reads_text}

    def refused(self, error: Exception) -> None:
        """Take the failure of a request: prepare another one, or raise the error.

        Args:
            error: The failure.

        Raises:
            Exception: The same error, if no other way can help; the one before it, if only the request of the other way
                was wrong and not sent.
        """
        if isinstance(error, ConfigurationError):
            # What the caller gave excludes this way. For the first one that is the caller's to resolve.
            if self._last_error is None:
                raise error
            if not self._left:
                raise self._last_error
            self.method = self._left.pop(0)
            return
        if self._is_pinned or not self._left or not refuses_method(error):
            raise error
        code = getattr(error, "code", None)
        self._go_on(f"{code} {getattr(error, 'message', '')}".strip(), f"answered {code}", error)
        self.method = self._left.pop(0)

    def unfit(self, error: UnfitAnswerError) -> None:
        """Take an answer that is not the object that was asked for: prepare another request, or raise the error.

        Args:
            error: What is wrong with it.

        Raises:
            UnfitAnswerError: The same error, if the way is pinned, no way is left, or the answer was cut: the cap
                would cut the next one too.
        """
        if self._is_pinned or error.fault == "cut":
            raise error
        if self._left:
            self._go_on(error.words, _REASONS[error.fault], error)
            self.method = self._left.pop(0)
            if error.fault == "invalid":
                self.correction = correction_of(error)
        elif not self._asked_again and self.method == "json_mode":
            self._asked_again = True
            self._go_on(error.words, _REASONS[error.fault], error)
            self.correction = correction_of(error)
        else:
            raise error

    def _go_on(self, words: str, reason: str, error: Exception) -> None:
        # One warning a call; no text of a conversation goes into a log.
        logger.log(
            logging.INFO if self.failures else logging.WARNING,
            "structured output of %s by %s failed (%s): asking again, which is another request%s",
            self.model,
            self.method,
            reason,
            f" (request id {found})" if (found := getattr(error, "request_id", None)) else "",
        )
        self.failures.append(f"{self.method}: {words}")
        self._last_error = error


def correction_of(error: UnfitAnswerError) -> Correction:
    """Return the turns that ask to correct an answer.

    Args:
        error: What is wrong with it.
    """
    return Correction(error.said, _CORRECT.format(words=error.words))

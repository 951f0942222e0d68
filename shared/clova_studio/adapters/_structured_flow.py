"""The methods of structured output, and what follows when one fails. Pure.

Source: the structured outputs page (HCX-007 only, without tools and tool messages) and the function calling page of the
API guide. Observed: HCX-DASH-002 answers 40009 to function calling, HCX-005 puts JSON into a code fence or after other
text, and a model returns a list for a string. So a method that fails is followed by the next one:

* the service's structured outputs, if the model has them and the conversation allows them;
* a call of a tool that carries the answer;
* an instruction that asks for JSON and contains the schema. If the answer does not fit, the model is asked once more,
  with the validation errors.

Each of these is another request. If the caller chooses a method, it is the only one.
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
"""The service's structured outputs, a tool call that carries the answer, or an instruction that asks for JSON."""

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
# Codes of refusals that may concern the method. The parameter codes do if the message names one of the fields.
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
    """Two messages to append to the conversation: an answer that does not fit, and the request to correct it.

    Attributes:
        said: The answer of the model as text; empty if it had none.
        request: The message of the user, with the validation errors.
    """

    said: str
    request: str


def structured_methods(
    model: str, *, task_id: str | None = None, after_tools: bool = False, with_images: bool = False
) -> tuple[StructuredMethod, ...]:
    """Return the methods that a model and a conversation allow, the default first.

    Args:
        model: The model's name.
        task_id: The task of a tuned model.
        after_tools: Whether the conversation has tool calls or tool results, which structured outputs take only as
            text.
        with_images: Whether the last turn of the user has images, which neither tools nor structured outputs can be
            combined with.
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
    """Return the instruction that asks for JSON, in English and Korean.

    Args:
        schema: The JSON Schema that the object has to fit, None if the prompt describes the object.
    """
    if schema is None:
        return _INSTRUCTION
    return f"{_INSTRUCTION}\n{_SCHEMA.format(schema=json.dumps(schema, ensure_ascii=False))}"


def refuses_method(error: BaseException) -> bool:
    """Return whether an error means that the service refuses the method, so that another one may help.

    That holds for 40009, 40055, and parameter errors that name the field of the schema or of the tools. It does not
    hold for failures of key, quota, connection or service, or for a context that is too long.

    Args:
        error: The error of a request.
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
    """Decides which requests one structured answer needs.

    Args:
        methods: The methods, in order; see ``structured_methods``.
        model: The model's name, for the log.
        is_pinned: Whether the caller chose the method. Then there is one answer, and no other request follows.

    Attributes:
        model: The model's name.
        method: The method of the next request.
        correction: The messages to append to the conversation in the next request, None for none.
        failures: The reason why each earlier request failed, with its method.
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
        """Whether JSON in a text is accepted. Only a pinned ``function_calling`` insists on a call."""
        return not self._is_pinned or self.method != "function_calling"

    @property
    def marks(self) -> dict[str, Any]:
        """Marks to put on the answer: its method, and the failures before it if there were any."""
        marks: dict[str, Any] = {"structured_output_method": self.method}
        if self.failures:
            marks["structured_output_fallback"] = list(self.failures)
        return marks

    @property
    def option(self) -> dict[str, Any]:
        """The adapters' own option for the next request: the marks of its answer, and ``reads_text``."""
        return {"marks": self.marks, "reads_text": self.reads_text}

    def refused(self, error: Exception) -> None:
        """Handle the failure of a request: prepare another one, or raise the error.

        Args:
            error: The failure.

        Raises:
            Exception: The same error, if no other method can help. If that is a ``ConfigurationError`` of a later
                method, the error of the method before it.
        """
        if isinstance(error, ConfigurationError):
            # The caller's options rule this method out. If it is the first one, the caller has to decide.
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
        """Handle an answer that is not the object that was asked for: prepare another request, or raise the error.

        Args:
            error: What is wrong with the answer.

        Raises:
            UnfitAnswerError: The same error, if the method is pinned, no method is left, or the answer was cut: the
                same output cap would cut the next one too.
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
        # One warning per call. The log contains no text of a conversation.
        logger.log(
            logging.INFO if self.failures else logging.WARNING,
            "structured output of %s with %s failed (%s): sending another request%s",
            self.model,
            self.method,
            reason,
            f" (request id {found})" if (found := getattr(error, "request_id", None)) else "",
        )
        self.failures.append(f"{self.method}: {words}")
        self._last_error = error


def correction_of(error: UnfitAnswerError) -> Correction:
    """Return the messages that ask to correct an answer.

    Args:
        error: What is wrong with the answer.
    """
    return Correction(error.said, _CORRECT.format(words=error.words))

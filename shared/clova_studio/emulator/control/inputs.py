"""What control takes: bodies and queries, the form of a script file included."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    ValidationError,
    model_validator,
)

from clova_studio.emulator.console.tuning_tasks import LONGEST_ADVANCE
from clova_studio.emulator.server.faults import FIRST_STATUS, KINDS, LAST_STATUS, LONGEST_WAIT, Fault
from clova_studio.emulator.server.request_log import MOST_REQUESTS
from clova_studio.emulator.server.scripted import Scripted
from clova_studio.emulator.server.sections import Section, describe, read_file
from clova_studio.emulator.server.windows import LARGEST_LIMIT, Counting, check_quota_name

_PAGE = 100


def _check_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"must be one of {', '.join(sorted(KINDS))}, not {kind!r}")
    return kind


_Kind = Annotated[str, AfterValidator(_check_kind), Field(json_schema_extra={"enum": list[JsonValue](sorted(KINDS))})]
_Count = Annotated[int, Field(strict=True, ge=1)]
_Wait = Annotated[float, Field(strict=True, ge=0, le=LONGEST_WAIT)]


class FaultFields(Section):
    """A failure and the requests that it hits."""

    kind: _Kind = Field(description="What goes wrong, as in the documentation of Fault.")
    times: _Count | None = Field(None, description="How many matching requests it hits; all of them by default.")
    every: _Count | None = Field(None, description="Hits every n-th matching request.")
    path: str | None = Field(None, description="Hits only requests whose path contains this.")
    status: Annotated[int, Field(strict=True, ge=FIRST_STATUS, le=LAST_STATUS)] | None = Field(
        None, description="HTTP status; the default follows the code."
    )
    code: str | None = Field(None, description="Five-digit code; 42901 by default, or what follows from the status.")
    message: str | None = Field(None, description="Message; the documented one of the code by default.")
    headers: dict[str, str] = Field({}, description="Headers of the answer.")
    after: Annotated[int, Field(strict=True, ge=0)] = Field(
        0, description="Number of token events before a stream fails."
    )
    seconds: _Wait | None = Field(None, description="Length of a delay in seconds.")
    delay: _Wait | None = Field(None, description="Seconds between two bytes of a trickle.")

    @model_validator(mode="after")
    def _check_together(self) -> "FaultFields":
        self.fault()
        return self

    def fault(self) -> Fault:
        """The fault itself."""
        return Fault(**self.model_dump())


class CallFields(Section):
    """A call of a tool."""

    name: str = Field(min_length=1)
    arguments: dict[str, Any] = {}


class AnswerFields(Section):
    """An answer by its parts."""

    content: str | None = Field(None, description="Text of the answer.")
    thinking: str | None = Field(None, description="Text of the thinking before it.")
    tool_calls: list[CallFields] | None = Field(None, description="Calls of tools.")
    finish_reason: str | None = Field(None, description="stop, length or tool_calls; by default what fits.")


class FaultAnswer(Section):
    """A fault in the place of an answer."""

    fault: FaultFields


def _branch(value: Any) -> str | None:
    if isinstance(value, str):
        return "<text>"
    if isinstance(value, FaultAnswer) or (isinstance(value, dict) and "fault" in value):
        return "<fault>"
    return "<answer>" if isinstance(value, dict | AnswerFields) else None


ScriptedAnswer = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[FaultAnswer, Tag("<fault>")] | Annotated[AnswerFields, Tag("<answer>")],
    Discriminator(_branch, custom_error_type="scripted_answer", custom_error_message="must be a text or a mapping"),
]


class ScriptFields(Section):
    """Answers for the next chats, in order."""

    answers: list[ScriptedAnswer] = Field(description="Texts, answers by their parts, and faults.")

    def scripted(self) -> list[Scripted]:
        """The answers as the emulator takes them."""
        return [
            answer.fault.fault()
            if isinstance(answer, FaultAnswer)
            else answer.model_dump(exclude_none=True)
            if isinstance(answer, BaseModel)
            else answer
            for answer in self.answers
        ]


class LimitFields(Section):
    """The limits of one quota per window; null or a missing one is no limit."""

    requests: Annotated[int, Field(strict=True, ge=0, le=LARGEST_LIMIT)] | None = None
    tokens: Annotated[int, Field(strict=True, ge=0, le=LARGEST_LIMIT)] | None = Field(
        None, description="Those of the input and the requested maximum output."
    )


class QuotaFields(Section):
    """Quotas; what is missing stays as it is. What they have used is forgotten."""

    limits: dict[Annotated[str, AfterValidator(check_quota_name)], LimitFields] | None = Field(
        None, description="Every quota by the name of its model or tool; * is all others."
    )
    window: float | None = Field(
        None, strict=True, gt=0, allow_inf_nan=False, description="Length of a window in seconds."
    )
    counting: Counting | None = Field(None, description="How a window counts.")


class TuningFields(Section):
    """Training tasks."""

    seconds: float = Field(
        strict=True,
        ge=0,
        allow_inf_nan=False,
        description="How long training takes, for tasks from now on.",
    )


class AdvanceFields(Section):
    """Time that passes for the training tasks."""

    seconds: float = Field(strict=True, ge=0, le=LONGEST_ADVANCE, description="How much time passes at once.")


class RequestQuery(Section):
    """Which requests are wanted."""

    since: int | None = Field(None, ge=0, description="Only those after this number, oldest first: `next`.")
    limit: int = Field(_PAGE, ge=1, le=MOST_REQUESTS, description="At most so many; without `since`, the newest.")
    method: str | None = Field(None, description="Only those of this method.")
    path: str | None = Field(None, description="Only those whose path contains this.")
    status: int | None = Field(None, description="Only those whose answer has this HTTP status.")
    code: str | None = Field(None, description="Only those whose answer has this code.")
    body: bool = Field(default=True, description="false leaves the bodies out.")


def load_script(path: str | os.PathLike[str]) -> list[Scripted]:
    """Read the answers of a YAML or JSON file: a list, or a mapping with the list ``answers``.

    Raises:
        OSError: The file cannot be read.
        ValueError: It has something else; the message names the file and each wrong field.
    """
    value = read_file(Path(path))
    try:
        return ScriptFields.model_validate({"answers": value} if isinstance(value, list) else value).scripted()
    except ValidationError as error:
        raise ValueError(f"{path}: {describe(error, 'The script')}") from error


Order = Literal["GET", "POST", "PUT", "DELETE"]

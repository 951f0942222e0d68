"""What control answers."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from clova_studio.emulator.control.inputs import FaultFields, LimitFields, ScriptedAnswer
from clova_studio.emulator.server.recorded_answer import RecordedAnswer
from clova_studio.emulator.server.request_log import RecordedRequest
from clova_studio.emulator.server.windows import Counting

# Keys of the object storage, in the body that creates a training task.
_SECRET_FIELDS = ("trainingDatasetAccessKey", "trainingDatasetSecretKey")


class RequestCounts(BaseModel):
    """How many requests there were."""

    received: int = Field(description="All since the start; the number of the last one.")
    kept: int = Field(description="Those that can be read.")
    dropped: int = Field(description="Older ones that can no longer be read, as only the newest are kept.")
    in_flight: int = Field(description="Those that have no whole answer yet.")
    peak_in_flight: int = Field(description="The most at once.")


class Health(BaseModel):
    """The emulator runs."""

    status: str = "ok"
    version: str
    behaviour: str
    uptime_seconds: float
    requests: RequestCounts
    scripted: int = Field(description="Scripted answers that are still to come.")
    faults: int = Field(description="Faults that can still hit a request.")


class EventView(BaseModel):
    """An event of a stream."""

    event: str = Field(description="Its name; empty on the OpenAI-compatible paths.")
    data: str
    seconds: float | None = Field(None, description="From the arrival of the request until it had gone out.")


class AnswerView(BaseModel):
    """What was sent, as far as it has gone out."""

    headers: dict[str, str] = Field(description="With lower-case names.")
    size: int = Field(description="Bytes of the body.")
    cut: bool = Field(description="Whether more was sent than is kept, which is 128 KiB.")
    body: Any = Field(None, description="The JSON body; null of a stream and of what is not valid JSON.")
    text: str | None = Field(None, description="A body that is neither valid JSON nor a stream.")
    events: list[EventView] = Field(description="The events of a stream.")
    input_tokens: int | None = Field(None, description="Tokens of the input, if the answer counts them.")
    output_tokens: int | None = Field(None, description="Tokens of the output, if the answer counts them.")


class RequestView(BaseModel):
    """A request that arrived, and how it was answered."""

    number: int = Field(description="In the order of arrival, from 1.")
    received: str = Field(description="When it arrived, in ISO 8601.")
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = Field(description="With lower-case names; keys are ***.")
    size: int = Field(description="Bytes of the body.")
    body: Any = Field(None, description="The JSON body; null when it is not valid JSON, or left out.")
    text: str | None = Field(None, description="A body that is not valid JSON.")
    status: int | None = Field(None, description="HTTP status of the answer; null before it, and without one.")
    code: str = Field(description="Five-digit code of the answer, 20000 of a good one.")
    message: str = Field(description="The service's words of a refusal.")
    fault: str = Field(description="Kind of the fault that hit it.")
    hint: str = Field(description="What helps against a refusal, or which fields are ignored.")
    seconds: float | None = Field(None, description="Until the end of the answer; null before that.")
    answer: AnswerView | None = Field(None, description="What was sent; left out of lists.")


class RequestList(BaseModel):
    """Requests in the order of arrival."""

    requests: list[RequestView]
    next: int = Field(description="What to send as `since` to read on.")
    more: bool = Field(description="Whether more wait after `next`.")
    dropped: int = Field(description="Older ones that can no longer be read.")


class Cleared(BaseModel):
    """How many things were taken away."""

    cleared: int


class Script(BaseModel):
    """Scripted answers that are still to come."""

    answers: list[ScriptedAnswer]


class FaultView(BaseModel):
    """A fault that can still hit a request."""

    number: int
    seen: int = Field(description="Requests that matched it.")
    hit: int = Field(description="Requests that it hit.")
    fault: FaultFields


class FaultList(BaseModel):
    """The faults in the order in which they are tried."""

    faults: list[FaultView]


class Usage(BaseModel):
    """What is used of a limit."""

    limit: int
    used: int
    remaining: int
    reset_seconds: float = Field(description="Until there is more, or the window ends.")


class AccountUsage(BaseModel):
    """What one key has used of one quota."""

    account: str = Field(description="A digest of the key.")
    name: str = Field(description="Model or tool.")
    requests: Usage | None = None
    tokens: Usage | None = None


class Quotas(BaseModel):
    """The quotas, and what was used of them."""

    limits: dict[str, LimitFields]
    window: float
    counting: Counting
    usage: list[AccountUsage]


class TaskView(BaseModel):
    """A training task."""

    id: str
    account: str = Field(description="A digest of the key that created it.")
    model: str
    status: str


class Tuning(BaseModel):
    """The training tasks and their time."""

    seconds: float = Field(description="How long the training of a new task takes.")
    ahead: float = Field(description="Seconds by which the time of the tasks was advanced.")
    tasks: list[TaskView] = Field(description="Newest first.")


class BrokenRule(BaseModel):
    """A field that is wrong."""

    field: str = Field(description="Its full name, such as answers[0].content.")
    rule: str = Field(description="What it must be.")


class ErrorDetail(BaseModel):
    """What is wrong with a request."""

    message: str
    fields: list[BrokenRule]


class ErrorAnswer(BaseModel):
    """Why a request was refused."""

    error: ErrorDetail


def view_of(request: RecordedRequest, *, with_body: bool, with_answer: bool = False) -> RequestView:
    """A recorded request as control shows it."""
    body = request.body if with_body else None
    text = request.raw.decode(errors="replace") if with_body and body is None and request.raw else None
    if isinstance(body, dict):
        body |= {name: "***" for name in _SECRET_FIELDS if name in body}
    elif text is not None and any(name in text for name in _SECRET_FIELDS):
        text = "***"
    return RequestView(
        number=request.number,
        received=datetime.fromtimestamp(request.received, UTC).isoformat(timespec="milliseconds"),
        method=request.method,
        path=request.path,
        query=request.query,
        headers=request.headers,
        size=len(request.raw),
        body=body,
        text=text,
        status=request.status,
        code=request.code,
        message=request.message,
        fault=request.fault,
        hint=request.hint,
        seconds=None if request.seconds is None else round(request.seconds, 6),
        answer=_answer_of(request.answer) if with_answer else None,
    )


def _answer_of(sent: RecordedAnswer) -> AnswerView:
    body = sent.body
    tokens = sent.tokens
    return AnswerView(
        headers=sent.headers,
        size=sent.size,
        cut=sent.is_cut,
        body=body,
        text=sent.text if body is None and sent.raw and not sent.streamed else None,
        events=[EventView(**asdict(event)) for event in sent.events],
        input_tokens=tokens[0],
        output_tokens=tokens[1],
    )

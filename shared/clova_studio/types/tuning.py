"""Tuning tasks. Source: the pages of the tuning API (create, get, list, delete) of the API guide."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from clova_studio.types._base import Result, WireModel

__all__ = ["TuningStatusInfo", "TuningTask", "TuningTaskPage"]


def _number(value: Any) -> Any:
    """Read the numbers that the guide's samples print as broken strings (``"7,"``)."""
    return value.strip().rstrip(",") if isinstance(value, str) else value


class TuningStatusInfo(WireModel):
    """The progress of a task; all fields are None at first.

    Attributes:
        label: As the service sends it; the guide does not say what it is.
        failure_reason: Why it failed, such as ``file.format`` or ``resource.timeout``.
        message: The reason in words.
        curr_step: Training steps done.
        total_train_steps: Training steps in all.
        curr_epoch: The current epoch.
        total_train_epochs: Epochs in all.
        estimated_time: Seconds left, as the service estimates.
        train_loss: The loss so far.
        num_of_tokens: Tokens of the dataset.
        data_rows: Rows of the dataset.
        send_weight_success: As the service sends it; the guide does not say what it is.
        end_datetime: When it ended, as ``2026-03-02T09:15:00+0900``.
    """

    label: Any = None
    data_rows: int | None = None
    num_of_tokens: int | None = None
    curr_step: int | None = None
    total_train_steps: int | None = None
    curr_epoch: float | None = None
    total_train_epochs: int | None = None
    estimated_time: Any = None
    train_loss: float | None = None
    send_weight_success: Any = None
    failure_reason: str | None = None
    message: str | None = None
    end_datetime: str | None = None


class TuningTask(Result):
    """A tuning task. Source: the tuning task pages (create, get) of the API guide.

    Attributes:
        id: Its id; ``task_id=`` of ``chat`` calls the tuned model.
        name: Its name.
        model: The base model.
        status: ``WAIT``, ``RUNNING``, ``SUCCEEDED`` or ``FAILED``.
        status_info: Its progress, and why it failed.
        train_epochs: Epochs asked for.
        learning_rate: Learning rate asked for.
        method: ``LoRA``; in lists only.
        task_type: ``GENERATION`` or ``CLASSIFICATION``.
        created_client_type: ``API`` or ``WEB``.
        created_date: As ``2026-03-02T09:15:00+0900``.
        updated_date: As ``2026-03-02T09:15:00+0900``.
    """

    id: str
    name: str | None = None
    model: str | None = None
    method: str | None = None
    task_type: str | None = None
    train_epochs: int | None = None
    learning_rate: float | None = None
    status: str
    status_info: TuningStatusInfo = Field(default_factory=TuningStatusInfo)
    created_client_type: str | None = None
    created_date: str | None = None
    updated_date: str | None = None

    @field_validator("status_info", mode="before")
    @classmethod
    def _one_object(cls, value: Any) -> Any:
        # The guide's table calls it an array, its samples show an object.
        if value is None:
            return {}
        if isinstance(value, list):
            return value[0] if value else {}
        return value

    _numbers = field_validator("train_epochs", "learning_rate", mode="before")(_number)


class TuningTaskPage(Result):
    """One page of the tasks. Source: the tuning task list page of the API guide.

    Attributes:
        content: The tasks of the page.
        total_pages: Pages in all.
        total_elements: Tasks in all.
        size: Tasks per page.
        number: The page's number, from 0.
    """

    content: list[TuningTask] = Field(default_factory=list)
    total_pages: int = 0
    total_elements: int = 0
    size: int = 0
    number: int = 0

    _numbers = field_validator("total_pages", "total_elements", "size", "number", mode="before")(_number)

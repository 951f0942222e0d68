"""Tuning tasks: create, get, list, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clova_studio._catalogue import model_info
from clova_studio._errors import ConfigurationError
from clova_studio._requests.call import Call, Nothing, fresh_or_given, post, present
from clova_studio._requests.names import check_task_id, tell_of_model
from clova_studio._requests.validation import check_text, integer, number, path_segment
from clova_studio._secrets import Secrets
from clova_studio.types.tuning import TuningTask, TuningTaskPage

if TYPE_CHECKING:
    from pydantic import SecretStr

__all__ = ["create_task", "delete_task", "get_task", "list_tasks"]

_PATH = "/tuning/v2/tasks"
_QUOTA = "tuning"
_IN_DOUBT = (
    "the request is not sent again, because the task may have been created, and it costs money: look for it with "
    "tuning.list() before you create it again"
)


def create_task(
    *,
    model: str,
    training_dataset_file_path: str,
    training_dataset_bucket: str,
    training_dataset_access_key: str | SecretStr,
    training_dataset_secret_key: str | SecretStr,
    name: str | None = None,
    tuning_type: str | None = None,
    train_epochs: int | None = None,
    learning_rate: float | None = None,
    validation_split_ratio: float | None = None,
    lora_r: int | None = None,
    lora_alpha: int | None = None,
    request_id: str | None = None,
    timeout: Any = None,
) -> Call[TuningTask]:
    """Return a request for a new tuning task. It is retried only if no task was created: a task costs money."""
    # Made before the checks, whose messages it masks; the call then holds it.
    secrets = Secrets(map(_revealed, (training_dataset_access_key, training_dataset_secret_key)))
    if not isinstance(learning_rate, (int, float, type(None))) or isinstance(learning_rate, bool):
        raise ConfigurationError(f"learning_rate must be a number, got {learning_rate!r}")
    if learning_rate is not None and not 0 < learning_rate <= 1:
        raise ConfigurationError(f"learning_rate must be above 0 up to 1, got {learning_rate!r}")
    body = present(
        {
            "name": None if name is None else check_text("name", name),
            "model": check_text("model", model),
            "tuningType": None if tuning_type is None else check_text("tuning_type", tuning_type),
            "trainEpochs": integer("train_epochs", train_epochs, 1, 20),
            "learningRate": learning_rate,
            "trainingDatasetFilePath": check_text("training_dataset_file_path", training_dataset_file_path),
            "trainingDatasetBucket": check_text("training_dataset_bucket", training_dataset_bucket),
            "trainingDatasetAccessKey": _secret("training_dataset_access_key", training_dataset_access_key),
            "trainingDatasetSecretKey": _secret("training_dataset_secret_key", training_dataset_secret_key),
            "validationSplitRatio": number("validation_split_ratio", validation_split_ratio, 0, 0.1),
            "loraR": integer("lora_r", lora_r, 2, 64),
            "loraAlpha": integer("lora_alpha", lora_alpha, 2, 512),
        }
    )
    return post(
        _PATH,
        body,
        TuningTask,
        quota=_QUOTA,
        request_id=request_id,
        timeout=timeout,
        in_doubt=_IN_DOUBT,
        secrets=secrets,
        model_hint="" if model_info(model).known else tell_of_model(model),
    )


def get_task(task_id: str, *, request_id: str | None = None, timeout: Any = None) -> Call[TuningTask]:
    """Return a request for one task."""
    return Call(
        "GET", _path(task_id), None, TuningTask, quota=_QUOTA, request_id=fresh_or_given(request_id), timeout=timeout
    )


def list_tasks(
    *, page: int = 0, size: int = 20, request_id: str | None = None, timeout: Any = None
) -> Call[TuningTaskPage]:
    """Return a request for a page of tasks."""
    integer("page", page, 0, 2**31 - 1)
    integer("size", size, 1, 100)
    return Call(
        "GET",
        f"{_PATH}?page={page}&size={size}",
        None,
        TuningTaskPage,
        quota=_QUOTA,
        request_id=fresh_or_given(request_id),
        timeout=timeout,
    )


def delete_task(task_id: str, *, request_id: str | None = None, timeout: Any = None) -> Call[Nothing]:
    """Return a request to delete a task. The guide has two paths; this is the one in its runnable sample."""
    return Call(
        "DELETE",
        _path(task_id),
        None,
        Nothing,
        quota=_QUOTA,
        gone_is_done=True,
        request_id=fresh_or_given(request_id),
        timeout=timeout,
    )


def _path(task_id: Any) -> str:
    return f"{_PATH}/{path_segment('task_id', check_task_id(task_id))}"


def _secret(name: str, value: Any) -> str:
    text = _revealed(value)
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(f"{name} is missing: give the key of the Object Storage bucket")
    return text


def _revealed(value: Any) -> Any:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value

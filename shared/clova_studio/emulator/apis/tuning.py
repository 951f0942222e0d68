"""Training tasks: create, get, list and delete (the four pages on training).

Datasets are not read: the path alone decides whether training fails, see `failure_of`. The model of a finished task
answers on the tuned chat paths like its base model.
"""

from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.console.tuning_tasks import NewTask, Task
from clova_studio.emulator.rules.catalogue import MODELS
from clova_studio.emulator.rules.checks import integer, is_one_of, number, optional_text
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.server.body import parse
from clova_studio.emulator.server.delivery import JsonAnswer

_TASK_TYPES = frozenset({"GENERATION", "CLASSIFICATION"})
_DATASET = tuple(f"trainingDataset{part}" for part in ("FilePath", "Bucket", "AccessKey", "SecretKey"))
_DEFAULT_EPOCHS = 8
_DEFAULT_RATE = 1e-4
_LOWEST_RATE = 1e-6
_MOST_DIGITS = 32
_PAGE = 20


def create_task(call: ApiCall) -> JsonAnswer:
    """Create a task."""
    body = call.body
    model = optional_text(body, "model")
    if model is None:
        raise invalid("model")
    if model not in MODELS:
        raise Refusal("40080")
    if not MODELS[model].tunable:
        raise Refusal("40084")
    if body.get("tuningType") is not None and body["tuningType"] != "PEFT":
        raise Refusal("40009", "Unsupported function")  # the description of the code names tuningType
    task_type = "GENERATION" if body.get("taskType") is None else body["taskType"]
    if not is_one_of(task_type, _TASK_TYPES):
        raise invalid("taskType")
    # In the page's table these are strings; every sample and client sends numbers.
    numbers = {name: _as_number(body, name) for name in ("trainEpochs", "learningRate")}
    epochs = integer(numbers, "trainEpochs", 1, 20)
    # The page prints "1 <= x <= 1.0E-6", with the bounds swapped.
    rate = number(numbers, "learningRate", _LOWEST_RATE, 1, with_low=True)
    number(body, "validationSplitRatio", 0, 0.1, with_low=True)
    integer(body, "loraR", 2, 64)
    integer(body, "loraAlpha", 2, 512)
    for name in _DATASET:
        if not optional_text(body, name):
            raise invalid(name)
    task = NewTask(
        name=optional_text(body, "name"),
        model=model,
        task_type=task_type,
        epochs=_DEFAULT_EPOCHS if epochs is None else epochs,
        learning_rate=_DEFAULT_RATE if rate is None else rate,
        path=body["trainingDatasetFilePath"],
    )
    headers = call.charge("tuning")
    return JsonAnswer.success(call.state.tuning.create(call.key, task), headers)


def get_task(call: ApiCall) -> JsonAnswer:
    """Get a task."""
    task = _find(call)
    return JsonAnswer.success(task.view(call.state.tuning.elapsed(task)), call.charge("tuning"))


def list_tasks(call: ApiCall) -> JsonAnswer:
    """List one page of the caller's tasks."""
    query = {name: _as_number(call.body, name) for name in ("page", "size")}
    page = integer(query, "page", 0) or 0
    size = integer(query, "size", 1, 100) or _PAGE
    headers = call.charge("tuning")
    tasks = call.state.tuning.owned(call.key)
    shown = tasks[page * size : (page + 1) * size]
    result = {
        "totalPages": -(-len(tasks) // size),
        "totalElements": len(tasks),
        "size": size,
        "number": page,
        "content": [task.view(call.state.tuning.elapsed(task), listed=True) for task in shown],
    }
    return JsonAnswer.success(result, headers)


def delete_task(call: ApiCall) -> JsonAnswer:
    """Delete a task in any status; the answer has no result."""
    task = _find(call)
    headers = call.charge("tuning")
    call.state.tuning.delete(task.id)
    return JsonAnswer.success(None, headers)


def delete_task_short(call: ApiCall) -> JsonAnswer:
    """Delete a task by the path of the URI table, which no known client uses: documented behaviour only."""
    if call.observed:
        raise Refusal("40400")
    return delete_task(call)


def _find(call: ApiCall) -> Task:
    task = call.state.tuning.find(call.route.task)
    if task is None:
        raise Refusal("40400")
    if task.owner != call.key:
        raise Refusal("40301")
    return task


def _as_number(body: dict[str, Any], name: str) -> Any:
    """A number that may be written as a string."""
    value = body.get(name)
    if not isinstance(value, str):
        return value
    # Not float(), which accepts "nan" and "1_000".
    found = parse(value.encode()) if len(value) <= _MOST_DIGITS else None
    if not isinstance(found, int | float):
        raise invalid(name)
    return found

"""``clova-studio tuning list|get|create|delete``: tuning tasks."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Self

from clova_studio._cli._parsing import EXIT_CODES, add_connection_options, connect, refuse_secret
from clova_studio._cli._terminal import hide, is_terminal, note, say, say_json, table
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from clova_studio import ClovaStudio, TuningTask

__all__ = ["add_arguments", "run"]

_ACCESS_VARIABLE, _SECRET_VARIABLE = "NCLOUD_ACCESS_KEY", "NCLOUD_SECRET_KEY"
_NUMBERS = ("train_epochs", "learning_rate", "validation_split_ratio", "lora_r", "lora_alpha")
_STORAGE = f"""\
environment:
  {_ACCESS_VARIABLE}     access key of the Object Storage bucket; asked for on a terminal
  {_SECRET_VARIABLE}     its secret key; asked for on a terminal"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clova-studio tuning``."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_list(_action(actions, "list", "list the tasks of the account"))
    _add_get(_action(actions, "get", "show a task, or wait for its end"))
    _add_create(_action(actions, "create", "start a task for a dataset in Object Storage"))
    _add_delete(_action(actions, "delete", "delete tasks (a running one can be stopped in the console only)"))


def run(arguments: argparse.Namespace) -> int:
    """Run ``clova-studio tuning``."""
    return int(_ACTIONS[arguments.action](arguments))


def _action(actions: Any, name: str, help_line: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = actions.add_parser(
        name, help=help_line, description=f"{help_line[0].upper()}{help_line[1:]}."
    )
    command.set_defaults(action=name)
    return command


def _finish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_connection_options(parser)
    parser.epilog = f"{parser.epilog}\n\n{EXIT_CODES}"


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="wait until the task ends; exit code 1 if it failed")
    parser.add_argument(
        "--poll-interval", type=float, default=30.0, metavar="SECONDS", help="between two polls (default: 30)"
    )
    parser.add_argument("--max-wait", type=float, metavar="SECONDS", help="give up after this time, with exit code 1")


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--page", type=int, default=0, metavar="N", help="the page, from 0")
    parser.add_argument("--size", type=int, default=20, metavar="N", help="tasks per page, 1 to 100 (default: 20)")
    parser.add_argument("--all", action="store_true", help="all pages")
    _finish(parser)


def _add_get(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task_id", metavar="ID", help="the task")
    _add_wait(parser)
    _finish(parser)


def _add_create(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"""\
example:
  clova-studio tuning create train/data.csv --bucket my-bucket --model HCX-005 --check data.csv --wait

{_STORAGE}"""
    parser.add_argument("dataset", metavar="PATH", help="path of the dataset in the bucket (csv or jsonl)")
    parser.add_argument("--bucket", required=True, help="the Object Storage bucket")
    parser.add_argument("--model", required=True, help="HCX-005, HCX-DASH-002, HCX-003 or HCX-DASH-001")
    parser.add_argument("--check", metavar="FILE", help="a local copy of the dataset, checked before anything is sent")
    parser.add_argument("--name", help="a name (default: made by the service from the date)")
    parser.add_argument("--train-epochs", type=int, metavar="N", help="1 to 20 (service default: 8)")
    parser.add_argument("--learning-rate", type=float, metavar="X", help="up to 1 (service default: 1e-4)")
    parser.add_argument("--validation-split-ratio", type=float, metavar="X", help="0 to 0.1 (service default: 0)")
    parser.add_argument("--lora-r", type=int, metavar="N", help="2 to 64 (service default: 8)")
    parser.add_argument("--lora-alpha", type=int, metavar="N", help="2 to 512 (service default: 64)")
    names = ("--access-key", "--secret-key", "--training-dataset-access-key", "--training-dataset-secret-key")
    refuse_secret(parser, *names, instead=f"Set {_ACCESS_VARIABLE} and {_SECRET_VARIABLE}, or type them when asked.")
    _add_wait(parser)
    _finish(parser)


def _add_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task_ids", nargs="+", metavar="ID", help="the tasks")
    parser.add_argument("--yes", action="store_true", help="do not ask first; required without a terminal")
    _finish(parser)


def _list(arguments: argparse.Namespace) -> int:
    if arguments.all and arguments.page:
        raise ConfigurationError("--all and --page contradict each other: leave one of them out")
    with connect(arguments) as client:
        page = None if arguments.all else client.tuning.list(page=arguments.page, size=arguments.size)
        tasks = list(client.tuning.iter()) if page is None else page.content
    if arguments.json:
        # A list in both cases, so that a script reads one shape.
        say_json([_dump(task) for task in tasks])
        return 0
    if tasks:
        head = ["ID", "STATUS", "MODEL", "CREATED", "NAME"]
        say(table(head, [[t.id, t.status, t.model or "-", t.created_date or "-", t.name or "-"] for t in tasks]))
    else:
        note("no tasks")
    if page is not None and page.total_pages > 1:
        note(f"page {page.number} of 0 to {page.total_pages - 1}, {page.total_elements} tasks in all", colour="dim")
    return 0


def _get(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        _show(client.tuning.get(arguments.task_id) if not arguments.wait else _wait(client, arguments), arguments)
    return 0


def _create(arguments: argparse.Namespace) -> int:
    if arguments.check is not None:
        _check(arguments.check)
    # The client first: without its key there is no point in asking for the keys of the bucket.
    with connect(arguments) as client:
        task = client.tuning.create(
            model=arguments.model,
            training_dataset_file_path=arguments.dataset,
            training_dataset_bucket=arguments.bucket,
            training_dataset_access_key=_storage_key(_ACCESS_VARIABLE, "Object Storage access key"),
            training_dataset_secret_key=_storage_key(_SECRET_VARIABLE, "Object Storage secret key"),
            name=arguments.name,
            **{name: getattr(arguments, name) for name in _NUMBERS},
        )
        if arguments.wait:
            note(f"task {task.id} was created")
            arguments.task_id = task.id
            task = _wait(client, arguments)
        _show(task, arguments)
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    if not arguments.yes:
        if not is_terminal(sys.stdin):
            raise ConfigurationError("deleting asks for confirmation, and there is no terminal: give --yes")
        note(f"delete {', '.join(arguments.task_ids)}? [y/N] ", end="")
        if input().strip().lower() not in {"y", "yes"}:
            note("nothing was deleted")
            return 0
    with connect(arguments) as client:
        for task_id in arguments.task_ids:
            client.tuning.delete(task_id)
            if not arguments.json:
                say(f"deleted {task_id}")
    if arguments.json:
        say_json({"deleted": arguments.task_ids})
    return 0


_ACTIONS = {"list": _list, "get": _get, "create": _create, "delete": _delete}


def _check(path: str) -> None:
    """Check a dataset and print advice; raise if something is wrong."""
    from clova_studio import validate_dataset

    report = validate_dataset(path)
    report.raise_for_problems()
    for problem in report.problems:
        note(f"advice: {problem.message}", colour="yellow")
    note(f"{path}: {report.rows:,} rows in {report.conversations:,} conversations, nothing wrong")


def _storage_key(variable: str, called: str) -> str:
    value = os.environ.get(variable, "").strip()
    if value:
        return value
    if not is_terminal(sys.stdin):
        raise ConfigurationError(f"no {called}: set the environment variable {variable}")
    from getpass import getpass

    value = getpass(f"{called} (not shown): ").strip()
    if not value:
        raise ConfigurationError(f"no {called} was typed: type it, or set the environment variable {variable}")
    return hide(value)


def _wait(client: ClovaStudio, arguments: argparse.Namespace) -> TuningTask:
    try:
        with _Progress() as progress:
            return client.tuning.wait(
                arguments.task_id,
                poll_interval=arguments.poll_interval,
                max_wait=arguments.max_wait,
                on_progress=progress.show,
            )
    except KeyboardInterrupt:
        note(f"\nthe task goes on; clova-studio tuning get {arguments.task_id} --wait waits for it again")
        raise


class _Progress:
    """Shows the progress of a task on stderr: a bar on a terminal with tqdm, else a line for each new status."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._status: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, task: TuningTask) -> None:
        """Show the progress of a task."""
        info = task.status_info
        if info.total_train_steps and self._bar is None and is_terminal(sys.stderr):
            self._bar = _bar(info.total_train_steps)
        if self._bar is not None:
            self._bar.set_description(task.status, refresh=False)
            done = info.total_train_steps if task.status == "SUCCEEDED" else info.curr_step
            self._bar.n = max(self._bar.n, done or 0)
            self._bar.refresh()
        elif task.status != self._status:
            note(f"{task.id}: {task.status}")
        self._status = task.status


def _bar(steps: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=steps, unit="step", file=sys.stderr)


def _show(task: TuningTask, arguments: argparse.Namespace) -> None:
    if arguments.json:
        say_json(_dump(task))
        return
    info = task.status_info
    steps = f"{info.curr_step:,} of {info.total_train_steps:,}" if info.total_train_steps and info.curr_step else None
    facts = {
        "id": task.id,
        "name": task.name,
        "model": task.model,
        "status": task.status,
        "reason": info.failure_reason,
        "message": info.message,
        "steps": steps,
        "loss": info.train_loss,
        "rows": info.data_rows,
        "tokens": info.num_of_tokens,
        "epochs": task.train_epochs,
        "learning rate": task.learning_rate,
        "created": task.created_date,
        "ended": info.end_datetime,
    }
    for name, value in facts.items():
        if value is not None:
            say(f"{name:<14}{value}")


def _dump(task: TuningTask) -> dict[str, Any]:
    return task.model_dump(mode="json", exclude_none=True)

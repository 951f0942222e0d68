"""The tuning resource: ``client.tuning``. Both twins side by side: they differ in what is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clova_studio import _requests
from clova_studio._errors import APITimeoutError, ConfigurationError, TuningTaskError
from clova_studio._requests.validation import number

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from pydantic import SecretStr

    from clova_studio._resources._sender import AsyncSender, Sender
    from clova_studio.types.tuning import TuningTask, TuningTaskPage

__all__ = ["AsyncTuning", "Tuning"]

_DAY = 86_400.0


class Waiting:
    """Decides how long to wait for a task, and what its final status means. Pure."""

    def __init__(self, poll_interval: float, max_wait: float | None) -> None:
        number("poll_interval", poll_interval, 0, _DAY, above=True)
        if max_wait is not None and not max_wait >= 0:
            raise ConfigurationError(f"max_wait must be seconds from 0, or None for no bound; got {max_wait!r}")
        self._interval = poll_interval
        self._max_wait = max_wait
        self._waited = 0.0

    def pause(self, task: TuningTask) -> float | None:
        """Return the seconds to wait before the next poll, None if the task has succeeded.

        Raises:
            TuningTaskError: The task has failed.
            APITimeoutError: The task has not ended within ``max_wait``.
        """
        if task.status == "SUCCEEDED":
            return None
        if task.status == "FAILED":
            info = task.status_info
            raise TuningTaskError(
                f"tuning task {task.id} failed: {info.failure_reason or 'no reason given'}"
                f"{f' ({info.message})' if info.message else ''}",
                reason=info.failure_reason,
                request_id=task.request_id,
                partial=task,
            )
        pause = self._interval
        if self._max_wait is not None:
            pause = min(pause, self._max_wait - self._waited)
            if pause <= 0:
                raise APITimeoutError(
                    f"tuning task {task.id} is {task.status} after {self._waited:g} s",
                    request_id=task.request_id,
                    partial=task,
                )
        self._waited += pause
        return pause


class Tuning:
    """Tuning tasks; ``client.tuning``."""

    def __init__(self, client: Sender) -> None:
        self._client = client

    def create(
        self,
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
    ) -> TuningTask:
        """Start a tuning task and return it. Source: the tuning task creation page of the API guide.

        A task costs money, so the request is retried only after a 429 or if no connection was made. After any other
        failure the task may exist: look with ``list``. ``validate_dataset`` checks a dataset before its upload.

        Args:
            model: HCX-005, HCX-DASH-002, HCX-003 or HCX-DASH-001.
            training_dataset_file_path: The path of the dataset in the Object Storage bucket.
            training_dataset_bucket: The bucket.
            training_dataset_access_key: The access key of the bucket.
            training_dataset_secret_key: The secret key of the bucket.
            name: A name; None lets the service make one from the date.
            tuning_type: ``"PEFT"``, the service's default.
            train_epochs: 1 to 20; service default 8.
            learning_rate: Above 0, up to 1; service default 1e-4.
            validation_split_ratio: 0 to 0.1; service default 0.
            lora_r: 2 to 64; service default 8.
            lora_alpha: 2 to 512; service default 64.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            The task, with status ``WAIT``.

        Raises:
            ConfigurationError: An argument is missing or out of range; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._client._send(
            _requests.tuning.create_task(
                model=model,
                training_dataset_file_path=training_dataset_file_path,
                training_dataset_bucket=training_dataset_bucket,
                training_dataset_access_key=training_dataset_access_key,
                training_dataset_secret_key=training_dataset_secret_key,
                name=name,
                tuning_type=tuning_type,
                train_epochs=train_epochs,
                learning_rate=learning_rate,
                validation_split_ratio=validation_split_ratio,
                lora_r=lora_r,
                lora_alpha=lora_alpha,
                request_id=request_id,
                timeout=timeout,
            )
        )

    def get(self, task_id: str, *, request_id: str | None = None, timeout: Any = None) -> TuningTask:
        """Return a task. Source: the tuning task page of the API guide.

        Args:
            task_id: Its id.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Raises:
            NotFoundError: There is no such task.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._client._send(_requests.tuning.get_task(task_id, request_id=request_id, timeout=timeout))

    def list(
        self, *, page: int = 0, size: int = 20, request_id: str | None = None, timeout: Any = None
    ) -> TuningTaskPage:
        """Return a page of the tasks. Source: the tuning task list page of the API guide.

        Args:
            page: The page, from 0.
            size: Tasks per page, 1 to 100.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Raises:
            ConfigurationError: An argument is out of range; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._client._send(
            _requests.tuning.list_tasks(page=page, size=size, request_id=request_id, timeout=timeout)
        )

    def iter(self, *, size: int = 100, timeout: Any = None) -> Iterator[TuningTask]:
        """Yield all tasks, page by page. Source: the tuning task list page of the API guide.

        Args:
            size: Tasks per request, 1 to 100.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for each request; None for the client's.

        Raises:
            ConfigurationError: While iterating: ``size`` is out of range; nothing was sent.
            APIStatusError: While iterating: the service refused the request; see the subclasses.
            APIConnectionError: While iterating: no complete answer arrived.
        """
        number, pages = 0, 1
        while number < pages:
            page = self.list(page=number, size=size, timeout=timeout)
            yield from page.content
            number, pages = number + 1, page.total_pages

    def wait(
        self,
        task_id: str,
        *,
        poll_interval: float = 30.0,
        max_wait: float | None = None,
        on_progress: Callable[[TuningTask], object] | None = None,
    ) -> TuningTask:
        """Poll a task until it ends, and return it. Source: the tuning task page of the API guide.

        Args:
            task_id: Its id.
            poll_interval: Seconds between two polls, above 0, up to a day.
            max_wait: Seconds to wait at most, from 0; None for no bound.
            on_progress: Called with the task after every poll.

        Returns:
            The task, with status ``SUCCEEDED``.

        Raises:
            ConfigurationError: ``poll_interval`` or ``max_wait`` is out of range; nothing was sent.
            TuningTaskError: The task failed, with the service's reason on ``reason``; the task is on ``partial``.
            APITimeoutError: The task has not ended within ``max_wait``; it is on ``partial``.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        waiting = Waiting(poll_interval, max_wait)
        while True:
            task = self.get(task_id)
            if on_progress is not None:
                on_progress(task)
            pause = waiting.pause(task)
            if pause is None:
                return task
            self._client._waiter.pause(pause, self._client._closing)

    def delete(self, task_id: str, *, request_id: str | None = None, timeout: Any = None) -> None:
        """Delete a task. Source: the tuning task deletion page of the API guide.

        Args:
            task_id: Its id. A running task can be stopped only in the console.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Raises:
            NotFoundError: There is no such task. Not raised on a retry: the attempt before has then deleted it.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        self._client._send(_requests.tuning.delete_task(task_id, request_id=request_id, timeout=timeout))


class AsyncTuning:
    """Async variant of ``Tuning``."""

    def __init__(self, client: AsyncSender) -> None:
        self._client = client

    async def create(
        self,
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
    ) -> TuningTask:
        """Async variant of ``create``."""
        return await self._client._send(
            _requests.tuning.create_task(
                model=model,
                training_dataset_file_path=training_dataset_file_path,
                training_dataset_bucket=training_dataset_bucket,
                training_dataset_access_key=training_dataset_access_key,
                training_dataset_secret_key=training_dataset_secret_key,
                name=name,
                tuning_type=tuning_type,
                train_epochs=train_epochs,
                learning_rate=learning_rate,
                validation_split_ratio=validation_split_ratio,
                lora_r=lora_r,
                lora_alpha=lora_alpha,
                request_id=request_id,
                timeout=timeout,
            )
        )

    async def get(self, task_id: str, *, request_id: str | None = None, timeout: Any = None) -> TuningTask:
        """Async variant of ``get``."""
        return await self._client._send(_requests.tuning.get_task(task_id, request_id=request_id, timeout=timeout))

    async def list(
        self, *, page: int = 0, size: int = 20, request_id: str | None = None, timeout: Any = None
    ) -> TuningTaskPage:
        """Async variant of ``list``."""
        return await self._client._send(
            _requests.tuning.list_tasks(page=page, size=size, request_id=request_id, timeout=timeout)
        )

    async def iter(self, *, size: int = 100, timeout: Any = None) -> AsyncIterator[TuningTask]:
        """Async variant of ``iter``."""
        number, pages = 0, 1
        while number < pages:
            page = await self.list(page=number, size=size, timeout=timeout)
            for task in page.content:
                yield task
            number, pages = number + 1, page.total_pages

    async def wait(
        self,
        task_id: str,
        *,
        poll_interval: float = 30.0,
        max_wait: float | None = None,
        on_progress: Callable[[TuningTask], object] | None = None,
    ) -> TuningTask:
        """Async variant of ``wait``."""
        waiting = Waiting(poll_interval, max_wait)
        while True:
            task = await self.get(task_id)
            if on_progress is not None:
                on_progress(task)
            pause = waiting.pause(task)
            if pause is None:
                return task
            await self._client._waiter.pause(pause, self._client._closing)

    async def delete(self, task_id: str, *, request_id: str | None = None, timeout: Any = None) -> None:
        """Async variant of ``delete``."""
        await self._client._send(_requests.tuning.delete_task(task_id, request_id=request_id, timeout=timeout))

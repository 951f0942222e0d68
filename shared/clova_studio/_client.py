"""The synchronous client: a thin shell that sends, waits and closes. What is decided is decided elsewhere."""

from __future__ import annotations

import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack

from tenacity import Retrying

from clova_studio import _calls
from clova_studio._base_client import BaseClient
from clova_studio._batch import EmbedBatch
from clova_studio._errors import ClovaStudioError
from clova_studio._responses import judge
from clova_studio._streams import ChatStream, Opened
from clova_studio._transport import build_request, make_client
from clova_studio.types._base import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from types import EllipsisType, TracebackType

    from clova_studio._attempts import Attempts
    from clova_studio._calls import Call
    from clova_studio._chat_body import ChatOptions
    from clova_studio._events import EventReader
    from clova_studio.types.chat import ChatChunk, ChatResult
    from clova_studio.types.embeddings import Embedding
    from clova_studio.types.segmentation import Segmentation
    from clova_studio.types.tokens import TokenCount

__all__ = ["ClovaStudio"]

T = TypeVar("T")
ResultT = TypeVar("ResultT", bound=Result)


class ClovaStudio(BaseClient):
    """Client of NAVER CLOVA Studio. Safe to share between threads; connections are made at the first call.

    Args:
        api_key: A test or service key (``nv-...``); else ``CLOVASTUDIO_API_KEY``, else ``NCP_CLOVASTUDIO_API_KEY``.
        region: ``"public"`` or ``"gov"``.
        base_url: Another address (or ``CLOVASTUDIO_BASE_URL``); goes before ``region``.
        path_prefix: ``"testapp"`` or ``"serviceapp"`` for apps that still have it in their paths.
        apigw_api_key: The second key of the old pair; the ``X-NCP-*`` headers then replace ``Authorization``.
        timeout: Seconds, ``Timeouts`` or an httpx timeout. Default: connect 5 s, read 300 s, 60 s between two events of
            a stream.
        max_retries: Retries after the first request; goes before ``retry.attempts``. Default 5.
        retry: How failed requests are repeated.
        rate_limits: What is known of the account's limits.
        max_wait: Seconds a call may wait at its quota's gate before an attempt, None for no bound. A longer wait is a
            ``RateLimitError`` at once.
        quota_group: A name shared by the keys of one main account, whose quota is one.
        http_client: An httpx client of yours, for proxies or transports. It stays yours: it is not closed.
        headers: Headers to send with every request, besides the client's own.

    Raises:
        ConfigurationError: A setting is missing or wrong.

    Pickling keeps the settings, the key among them, and leaves the connections behind.
    """

    def _reset(self) -> None:
        self._http: Any = self._given_http
        self._http_lock = threading.Lock()
        self._sleep: Callable[[float], None] = time.sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that this client opened. A call after it is a ``ConfigurationError``."""
        self._closed = True
        with self._http_lock:
            http, self._http = self._http, None
        if http is not None and http is not self._given_http:
            http.close()

    def chat(
        self,
        messages: Sequence[Any],
        *,
        model: str = "HCX-005",
        task_id: str | None = None,
        base_model: str | None = None,
        api_version: Literal["v1", "v2", "v3"] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
        **options: Unpack[ChatOptions],
    ) -> ChatResult:
        """Answer a conversation. Source: the Chat Completions v1 and v3 pages of the API guide.

        Args:
            messages: ``{"role": "system" | "user" | "assistant" | "tool", "content": ...}`` in order, or the
                ``message`` of an earlier result. Content is a string or, on v3, a list of text and image parts.
            model: HCX-005, HCX-007 and HCX-DASH-002 go to v3, HCX-003 and HCX-DASH-001 to v1; an unknown name to v3.
            task_id: The task of a tuned model, whose base is ``model``.
            base_model: The model on whose quota a tuned one counts; else it has a quota of its own.
            api_version: Overrides the API that the model's name implies, for names that this package does not know and
                for tuned models on ``/v2/tasks``.
            request_id: Your id for this request, printable ASCII; else a fresh UUID.
            timeout: Time limits of this call.
            **options: See ``ChatOptions``.

        Returns:
            The whole answer.

        Raises:
            ConfigurationError: A rule of the API is broken; nothing was sent.
            APIStatusError: The service refused, in its subclasses.
            APIConnectionError: No whole answer came.
        """
        return self._send(
            _calls.chat(
                messages,
                model=model,
                task_id=task_id,
                base_model=base_model,
                api_version=api_version,
                request_id=request_id,
                timeout=timeout,
                options=options,
            )
        )

    def stream_chat(
        self,
        messages: Sequence[Any],
        *,
        model: str = "HCX-005",
        task_id: str | None = None,
        base_model: str | None = None,
        api_version: Literal["v1", "v2", "v3"] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
        **options: Unpack[ChatOptions],
    ) -> ChatStream:
        """Answer a conversation piece by piece. Source: the Chat Completions v1 and v3 pages of the API guide.

        The request is sent when the stream is entered or first iterated, and repeated like any call until the first
        chunk is there, never after.

        Args:
            messages: As in ``chat``.
            model: As in ``chat``.
            task_id: As in ``chat``.
            base_model: As in ``chat``.
            api_version: As in ``chat``.
            request_id: As in ``chat``.
            timeout: Time limits of this call.
            **options: See ``ChatOptions``.

        Returns:
            An iterator of ``ChatChunk`` and context manager; its ``result()`` is the final ``ChatResult``.

        Raises:
            ConfigurationError: A rule of the API is broken; nothing was sent.
            StreamInterruptedError: While iterating: the stream broke after its first chunk; what had arrived is on
                ``partial``. Before the first chunk the errors are those of ``chat``.
        """
        call = _calls.chat(
            messages,
            model=model,
            task_id=task_id,
            base_model=base_model,
            api_version=api_version,
            request_id=request_id,
            timeout=timeout,
            options=options,
        )
        return ChatStream(lambda: self._open(call), call.request_id)

    def embed(
        self, text: str, *, model: str = "bge-m3", request_id: str | None = None, timeout: Any = None
    ) -> Embedding:
        """Return the vector of a text. Source: the embedding and embedding v2 pages of the API guide.

        Args:
            text: Not empty; up to 8,192 tokens for ``bge-m3`` (v2), 500 for the v1 models.
            model: ``bge-m3``, or ``clir-emb-dolphin`` or ``clir-sts-dolphin`` of v1.
            request_id: Your id for this request.
            timeout: Time limits of this call.

        Returns:
            1,024 floats, not of unit length.

        Raises:
            ConfigurationError: The text is empty; nothing was sent.
            ContextLengthError: The text is too long.
            APIStatusError: The service refused, in its subclasses.
            APIConnectionError: No whole answer came.
        """
        return self._send(_calls.embed(text, model=model, request_id=request_id, timeout=timeout))

    def embed_many(
        self,
        texts: Sequence[str],
        *,
        model: str = "bge-m3",
        max_concurrency: int = 32,
        show_progress: bool = False,
        on_error: Literal["raise", "return"] = "raise",
        on_too_long: Literal["error", "truncate"] = "error",
        max_wait: float | None = None,
        timeout: Any = None,
    ) -> list[Embedding]:
        """Return the vectors of many texts in their order, several requests at a time.

        The API takes one text a request. A text that is refused for the quota goes back to the queue as long as others
        get through, so a full quota costs time, not vectors.

        Args:
            texts: Not empty ones; an empty one is named by its index before anything is sent. No texts give no vectors.
            model: As in ``embed``.
            max_concurrency: Requests under way at once, at most.
            show_progress: Whether to draw a progress bar (needs ``tqdm``).
            on_error: ``"raise"`` stops at the first error and raises it, with what succeeded on ``partial`` (None where
                nothing came); ``"return"`` goes on and puts each error in its text's place.
            on_too_long: ``"truncate"`` shortens a text that the service finds too long until it fits.
            max_wait: Seconds a request may wait at the quota's gate; None, the default for batches, for no bound.
            timeout: Time limits of each request.

        Returns:
            One ``Embedding`` a text, in input order.

        Raises:
            ConfigurationError: A text is empty or an argument wrong; nothing was sent.
            ClovaStudioError: The first error, with the vectors that succeeded on ``partial``.
        """
        batch = EmbedBatch(
            texts,
            model=model,
            max_concurrency=max_concurrency,
            show_progress=show_progress,
            on_error=on_error,
            on_too_long=on_too_long,
            max_wait=max_wait,
            timeout=timeout,
        )

        def work() -> None:
            for job in batch.jobs():
                try:
                    job.done(self._send(job.call(), max_wait=max_wait))
                except ClovaStudioError as error:
                    job.failed(error)

        with batch:
            if batch.workers <= 1:
                work()
            else:
                with ThreadPoolExecutor(batch.workers, "clova-embed") as pool:
                    futures = [pool.submit(work) for _ in range(batch.workers)]
                    try:
                        for future in futures:
                            future.result()
                    except BaseException:
                        # On an interrupt the pool waits for its threads: they must find nothing more to do.
                        batch.stop()
                        raise
        return batch.results()

    def segment(
        self,
        text: str,
        *,
        alpha: float = -100.0,
        seg_cnt: int = -1,
        post_process: bool = False,
        post_process_max_size: int = 1_000,
        post_process_min_size: int = 300,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> Segmentation:
        """Split a text into topic paragraphs. Source: the segmentation page of the API guide.

        Args:
            text: 1 to 120,000 characters.
            alpha: Threshold from -1.5 to 1.5, larger gives more paragraphs; -100 lets the model choose.
            seg_cnt: Wanted number of paragraphs from 1; -1 is automatic.
            post_process: Whether to merge and split afterwards towards the two sizes.
            post_process_max_size: Characters of a paragraph from 1, a soft bound: sentences are never cut.
            post_process_min_size: Characters of a paragraph from 0 to ``post_process_max_size``; -1 is automatic.
            request_id: Your id for this request.
            timeout: Time limits of this call.

        Returns:
            The paragraphs as lists of sentences. ``align_segments`` finds them in the source again.

        Raises:
            ConfigurationError: An argument is out of its range; nothing was sent.
            APIStatusError: The service refused, in its subclasses.
            APIConnectionError: No whole answer came.
        """
        return self._send(
            _calls.segment(
                text,
                alpha=alpha,
                seg_cnt=seg_cnt,
                post_process=post_process,
                post_process_max_size=post_process_max_size,
                post_process_min_size=post_process_min_size,
                request_id=request_id,
                timeout=timeout,
            )
        )

    def count_chat_tokens(
        self,
        messages: Sequence[Any],
        *,
        model: str = "HCX-005",
        tools: Sequence[Mapping[str, Any]] | None = None,
        response_format: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> TokenCount:
        """Count the tokens of a conversation. Source: the chat v1 and v3 token calculator pages of the API guide.

        Args:
            messages: As in ``chat``.
            model: As in ``chat``; the calculators of v1 and v3 differ.
            tools: Tools to count too (v3).
            response_format: A response format to count too (v3).
            request_id: Your id for this request.
            timeout: Time limits of this call.

        Returns:
            The count of each message, of tools and response format, and their ``total``.

        Raises:
            ConfigurationError: A rule of the API is broken; nothing was sent.
            APIStatusError: The service refused, in its subclasses.
            APIConnectionError: No whole answer came.
        """
        return self._send(
            _calls.count_chat_tokens(
                messages,
                model=model,
                tools=tools,
                response_format=response_format,
                request_id=request_id,
                timeout=timeout,
            )
        )

    def _send(self, call: Call[ResultT], max_wait: float | EllipsisType | None = ...) -> ResultT:
        content = call.content()
        attempts = self._attempts(call, self._max_wait if max_wait is ... else max_wait)

        def exchange() -> ResultT:
            http = self._connections()
            request = build_request(http, call, content, self._config, stream=False)
            response = http.send(request, auth=self._config.authorize)
            return judge(response.status_code, response.headers, response.content, call.result_type, call.request_id)

        return self._try(call, attempts, exchange)

    def _open(self, call: Call[ChatResult]) -> Opened[ChatChunk, ChatResult]:
        content = call.content()

        def open_once() -> Opened[ChatChunk, ChatResult]:
            reader = self._reader(call)
            chunks = self._chunks(call, content, reader)
            return Opened(next(chunks), chunks, reader)

        return self._try(call, self._attempts(call, self._max_wait), open_once)

    def _chunks(
        self, call: Call[ChatResult], content: bytes | None, reader: EventReader[ChatChunk, ChatResult]
    ) -> Generator[ChatChunk, None, None]:
        http = self._connections()
        request = build_request(http, call, content, self._config, stream=True)
        response = None
        try:
            response = http.send(request, auth=self._config.authorize, stream=True)
            if not reader.is_stream(response.status_code, response.headers):
                yield reader.whole(response.status_code, response.headers, response.read())
                return
            for piece in response.iter_bytes():
                yield from reader.feed(piece)
                if reader.result is not None:
                    return
            yield from reader.end()
        except Exception as exc:
            error = reader.failure(exc)
            if error is None or error is exc:
                raise
            raise error from (error.__cause__ or exc)
        finally:
            if response is not None:
                response.close()

    def _try(self, call: Call[Any], attempts: Attempts, exchange: Callable[[], T]) -> T:
        """Pass the gate, exchange, and do both again where that can help."""

        def attempt() -> T:
            waited = 0.0
            while wait := attempts.gate_wait(waited):
                self._sleep(wait)
                waited += wait
            try:
                return exchange()
            except Exception as exc:
                error = self._error_of(exc, call)
                if error is None:
                    raise
                attempts.failed(error)
                if error is exc:
                    raise
                raise error from exc

        try:
            return attempt()
        except ClovaStudioError as error:
            if not attempts.may_retry(error):
                raise
            failure: ClovaStudioError | None = error

        def again() -> T:
            nonlocal failure
            if failure is not None:
                first, failure = failure, None
                raise first
            return attempt()

        return Retrying(sleep=self._sleep, **attempts.settings())(again)

    def _connections(self) -> Any:
        http = self._http
        if http is None:
            with self._http_lock:
                if self._http is None:
                    self._http = make_client()
                    # A client that is dropped without close() takes its connections with it, also at exit.
                    weakref.finalize(self, self._http.close)
                http = self._http
        return http

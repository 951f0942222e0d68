# mypy: disable-error-code="attr-defined"
"""Errors: the same classes from every way of asking, both the client's and LangChain's, with all their facts."""

from __future__ import annotations

import asyncio
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import langchain_core.exceptions as core
import pytest

import clova_studio
from clova_studio.emulator import Fault
from langchain_clova._errors import _BRIDGES, langchain_errors, translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX, ClovaEmbeddings

WAYS = ["invoke", "ainvoke", "stream", "astream"]


def run(model: Any, way: str, question: Any = "안녕") -> list[Any]:
    """Ask in one of four ways."""
    if way == "invoke":
        return [model.invoke(question)]
    if way == "ainvoke":
        return [asyncio.run(model.ainvoke(question))]
    if way == "stream":
        return list(model.stream(question))

    async def gather() -> list[Any]:
        return [chunk async for chunk in model.astream(question)]

    return asyncio.run(gather())


ANSWERS = [
    (400, "40001", clova_studio.BadRequestError, core.ModelInvalidRequestError),
    (400, "40003", clova_studio.ContextLengthError, core.ContextOverflowError),
    (400, "40009", clova_studio.UnsupportedFunctionError, core.ModelInvalidRequestError),
    (401, "40104", clova_studio.AuthenticationError, core.ModelAuthenticationError),
    (403, "40300", clova_studio.PermissionDeniedError, core.ModelPermissionDeniedError),
    (404, "40400", clova_studio.NotFoundError, core.ModelNotFoundError),
    (429, "42901", clova_studio.RateLimitError, core.ModelRateLimitError),
    (500, "50000", clova_studio.ServerError, core.ModelAPIError),
]


@pytest.mark.slow
@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "code", "ours", "theirs"), ANSWERS)
def test_refusals_are_both_kinds_of_error(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str, status: int, code: str, ours: type, theirs: type
) -> None:
    """A refusal is the client's class and LangChain's, with code, status and request id, however it was asked."""
    server.add_fault(Fault("status", status=status, code=code))
    with pytest.raises(ours) as caught:
        run(chat(max_retries=0), way)
    error = caught.value
    assert isinstance(error, theirs)
    assert (error.status_code, error.code) == (status, code)
    assert error.request_id == server.requests[-1].headers["x-ncp-clovastudio-request-id"]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("fault", "ours", "theirs"),
    [
        (Fault("html"), clova_studio.ServerError, core.ModelAPIError),
        (Fault("html", status=200), clova_studio.InvalidResponseError, core.ModelConnectionError),
        (Fault("reset"), clova_studio.APIConnectionError, core.ModelConnectionError),
        (Fault("hang"), clova_studio.APITimeoutError, core.ModelTimeoutError),
        (Fault("ok_error", code="40003"), clova_studio.ContextLengthError, core.ContextOverflowError),
    ],
    ids=["html-503", "html-200", "reset", "hang", "error-in-200"],
)
def test_broken_answers_are_both_kinds_of_error(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str, fault: Fault, ours: type, theirs: type
) -> None:
    """A gateway's page, a reset, silence and an error in a 200 have their classes in all four ways."""
    server.add_fault(fault)
    with pytest.raises(ours) as caught:
        run(chat(max_retries=0, timeout=0.3), way)
    assert isinstance(caught.value, theirs)


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize("kind", ["cut", "cut_abrupt", "error_event"])
def test_interrupted_streams_keep_what_had_arrived(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str, kind: str
) -> None:
    """A stream that breaks is never repeated and never looks whole: what had arrived is on the error."""
    server.add_fault(Fault(kind, after=2, code="50000"))
    with pytest.raises(clova_studio.StreamInterruptedError) as caught:
        run(chat(), way, "대한민국의 수도는 어디인가요?")
    error = caught.value
    assert isinstance(error, core.ModelAPIError)
    assert error.is_retryable
    assert error.partial.message.content
    assert isinstance(error.__cause__, Exception)
    assert len(server.requests) == 1


@pytest.mark.parametrize("way", WAYS)
def test_full_quota_is_waited_for(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """429, 429, 200 is an answer in all four ways."""
    server.add_fault(
        Fault("status", status=429, code="42901", headers={"x-ratelimit-reset-requests": "0.05s"}, times=2)
    )
    assert run(chat(), way)
    assert [request.status for request in server.requests] == [429, 429, 200]


def test_retries_can_be_set_per_call(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """max_retries of a call goes before the constructor's; there is no second layer of retries."""
    server.add_fault(Fault("status", status=500, code="50000"))
    model = chat(max_retries=0)
    with pytest.raises(clova_studio.ServerError):
        model.invoke("안녕")
    with pytest.raises(clova_studio.ServerError):
        model.invoke("안녕", max_retries=1)
    assert len(server.requests) == 3


def test_embeddings_wait_for_the_quota_too(embeddings: Callable[..., ClovaEmbeddings], server: EmulatorServer) -> None:
    """429s while many texts are embedded cost time, not vectors."""
    server.add_fault(
        Fault("status", status=429, code="42901", headers={"x-ratelimit-reset-requests": "0.05s"}, times=2)
    )
    assert len(embeddings().embed_documents(["가", "나", "다"])) == 3
    assert sorted(request.status for request in server.requests) == [200, 200, 200, 429, 429]


@pytest.mark.each_behaviour
def test_embedding_errors_are_both_kinds(embeddings: Callable[..., ClovaEmbeddings], server: EmulatorServer) -> None:
    """Embeddings raise the same classes, and say which text and what had succeeded."""
    with pytest.raises(clova_studio.ContextLengthError, match=r"texts\[1\]") as caught:
        embeddings(max_concurrency=1).embed_documents(["가", "나" * 60_000])
    assert isinstance(caught.value, core.ContextOverflowError)
    assert len(caught.value.partial[0].embedding) == 1024
    server.add_fault(Fault("status", status=401, code="40104"))
    for way in (embeddings().embed_query, lambda text: asyncio.run(embeddings().aembed_query(text))):
        with pytest.raises(core.ModelAuthenticationError):
            way("가")


def test_every_class_has_its_twin() -> None:
    """No error that the adapters can meet is without one that is LangChain's too."""
    roots = [clova_studio.ClovaStudioError]
    for root in roots:
        roots += root.__subclasses__()
    ours = {cls for cls in roots if cls.__module__.startswith("clova_studio") and not cls.__name__.startswith("_")}
    # No adapter starts or waits for tuning tasks, and what ends a batch's waiting never leaves the batch.
    met = {cls for cls in ours if cls.__name__ not in {"TuningTaskError", "BatchCancelledError"}}
    assert met == set(_BRIDGES)
    for plain, twin in _BRIDGES.items():
        assert issubclass(twin, plain)
        assert issubclass(twin, core.ModelError)


def test_translation_loses_nothing() -> None:
    """Message, facts, partial result, cause, traceback and pickling survive."""
    original = clova_studio.StreamInterruptedError("cut", code="50000", request_id="r", partial=["a"])
    cause = TimeoutError("slow")
    with pytest.raises(clova_studio.StreamInterruptedError) as caught, langchain_errors:
        _raise(original, cause)
    twin = caught.value
    assert twin.__dict__ == original.__dict__
    assert twin.__cause__ is cause
    assert str(twin) == str(original)
    assert "_raise" in "".join(traceback.format_tb(twin.__traceback__))
    back = pickle.loads(pickle.dumps(twin))  # noqa: S301
    assert type(back) is type(twin)
    assert back.__dict__ == original.__dict__
    assert translated(twin) is twin


def _raise(error: Exception, cause: Exception) -> None:
    raise error from cause

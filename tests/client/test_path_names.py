"""Names that go into a path: one segment each, or a ConfigurationError before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from client_support import MESSAGES, Both, answer, sample

import clova_studio as cs

KINDS = ["sync", "async"]
# Each call that puts a name of the caller's into its path, with the argument that holds it.
CALLS: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = [
    ("chat", "model", (MESSAGES,), {}),
    ("chat", "task_id", (MESSAGES,), {"model": "HCX-005"}),
    ("stream_chat", "task_id", (MESSAGES,), {"model": "HCX-005"}),
    ("count_chat_tokens", "model", (MESSAGES,), {}),
    ("complete", "model", ("글",), {}),
    ("complete", "task_id", ("글",), {"model": "LK-D2"}),
    ("count_completion_tokens", "model", ("글",), {}),
    ("embed", "model", ("글",), {}),
    ("slide", "model", (MESSAGES,), {"max_tokens": 5}),
    ("route", "router_id", (), {"version": 1, "query": "글"}),
    ("run_skillset", "skillset_id", (), {"version": 1, "query": "글"}),
    ("stream_skillset", "skillset_id", (), {"version": 1, "query": "글"}),
    ("tuning.get", "task_id", (), {}),
    ("tuning.delete", "task_id", (), {}),
    ("tuning.wait", "task_id", (), {}),
]
WRONG = [".", "..", "", " ", "\ud800", "a\udfffb", 5, 1.5, True, b"id", ["id"], {"id": 1}]


@pytest.mark.filterwarnings("ignore:the Completions API")
@pytest.mark.parametrize("call", CALLS, ids=[f"{verb}({name})" for verb, name, _, _ in CALLS])
@pytest.mark.parametrize("kind", KINDS)
def test_names_that_are_no_segment_are_refused(kind: str, call: tuple[Any, ...]) -> None:
    """Dots, half surrogates, blanks and what is not text are refused by name, and nothing is sent."""
    verb, name, args, rest = call
    both = Both(kind, lambda: answer(sample("v3_chat.json")), max_retries=0)
    for wrong in WRONG:
        with pytest.raises(cs.ConfigurationError, match=name):
            both.call(verb, *args, **{**rest, name: wrong})
    assert not both.requests


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_stays_one_segment(kind: str) -> None:
    """Slashes, dots among letters, percent signs and question marks do not leave their segment."""
    for name in ("../..", "..%2f", "%2e%2e", "a/b?c#d", "...", "과제"):
        both = Both(kind, lambda: answer(sample("v3_chat.json")), max_retries=0)
        with pytest.raises(cs.ClovaStudioError):
            both.call("tuning.get", name)
        assert both.requests[0].url.raw_path.count(b"/") == 4
        assert both.requests[0].url.path == f"/tuning/v2/tasks/{name}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("verb", "kwargs"),
    [
        ("route", {"router_id": "id", "version": 10**5000, "query": "글"}),
        ("run_skillset", {"skillset_id": "id", "version": 10**5000, "query": "글"}),
        ("tuning.list", {"page": 10**5000}),
        ("slide", {"messages": MESSAGES, "model": "HCX-003", "max_tokens": 10**5000}),
        ("chat", {"messages": MESSAGES, "temperature": 10**5000}),
        ("chat", {"messages": MESSAGES, "seed": 10**5000}),
    ],
)
def test_numbers_beyond_all_bounds_are_refused(kind: str, verb: str, kwargs: Any) -> None:
    """A number that Python cannot even write is a ConfigurationError like any other wrong number."""
    both = Both(kind, lambda: answer(sample("v3_chat.json")))
    with pytest.raises(cs.ConfigurationError):
        both.call(verb, **kwargs)
    assert not both.requests

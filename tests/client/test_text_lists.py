"""Several texts in whatever a program holds them in: a list, a tuple, a generator, an array, a column of a table."""

from __future__ import annotations

import enum
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from client_support import OK, Both, answer, embedded

from clova_studio import ClovaStudio, ConfigurationError
from clova_studio.adapters import segment_texts, summarize_texts
from clova_studio.emulator import serve


class Word(enum.StrEnum):
    """Strings whose class has a name of its own for them."""

    ONE = "하나"
    TWO = "둘"


class Loud(str):
    """A string that prints as another one."""

    __slots__ = ()

    def __str__(self) -> str:
        return "크게"


ONE_TWO = ["하나", "둘"]
HOLDERS = {
    "tuple": lambda: ("하나", "둘"),
    "generator": lambda: (text for text in ONE_TWO),
    "keys": lambda: dict.fromkeys(ONE_TWO).keys(),
    "array": lambda: np.array(ONE_TWO),
    "array of objects": lambda: np.array(ONE_TWO, dtype=object),
    "column": lambda: pd.Series(ONE_TWO, index=[7, 3]),
    "index": lambda: pd.Index(ONE_TWO),
    "enum": lambda: list(Word),
    "subclass": lambda: [Loud("하나"), Loud("둘")],
}
NO_LISTS = {
    "string": (lambda: "하나", "got str"),
    "bytes": ("하나".encode, "got bytes"),
    "dict": (lambda: {"하나": 1}, "got dict"),
    "set": (lambda: {"하나", "둘"}, "got set"),
    "number": (lambda: 3, "got int"),
    "none": (lambda: None, "got NoneType"),
    "table": (lambda: pd.DataFrame({"글": ONE_TWO}), "got DataFrame"),
    "matrix": (lambda: np.array([ONE_TWO]), "got ndarray"),
    "array of nothing": (lambda: np.array("하나"), "got ndarray"),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_texts_come_in_any_holder_with_an_order(name: str, both: Any) -> None:
    """Embedding, summary and reranker take them from any iterable with an order, and send plain text."""
    hold = HOLDERS[name]
    peer: Both = both(lambda: answer(embedded()))
    assert len(peer.call("embed_many", hold(), max_concurrency=1)) == 2
    assert [json.loads(request.content)["text"] for request in peer.requests] == ONE_TWO
    peer = both(lambda: answer(OK + b'{"text":"- \xea\xb8\x80","inputTokens":3}}'))
    peer.call("summarize", hold())
    assert json.loads(peer.requests[-1].content)["texts"] == ONE_TWO
    peer = both(
        lambda: answer(
            OK
            + '{"result":"글","citedDocuments":[],"suggestedQueries":[],"usage":{"promptTokens":1,'
            '"completionTokens":1,"totalTokens":2}}}'.encode()
        )
    )
    peer.call("rerank", "질문", hold())
    assert [document["doc"] for document in json.loads(peer.requests[-1].content)["documents"]] == ONE_TWO


@pytest.mark.parametrize("name", NO_LISTS)
def test_what_is_no_list_of_texts_is_refused_by_name(name: str, both: Any) -> None:
    """One thing alone, what has no order, and tables are refused with the parameter and what was given, unsent."""
    make, named = NO_LISTS[name]
    peer: Both = both(lambda: answer(embedded()))
    with pytest.raises(ConfigurationError, match=f"texts must be a list of strings, {named}"):
        peer.call("embed_many", make())
    with pytest.raises(ConfigurationError, match=f"documents must be a list of strings or documents, {named}"):
        peer.call("rerank", "질문", make())
    if name != "string":
        with pytest.raises(ConfigurationError, match=f"texts must be a list of strings, {named}"):
            peer.call("summarize", make())
    assert not peer.requests


def test_a_gap_in_a_column_is_named_by_its_index(both: Any) -> None:
    """A missing value of a table is refused by its index before anything is sent."""
    peer: Both = both(lambda: answer(embedded()))
    for gap in (None, float("nan"), pd.NA, 3):
        with pytest.raises(ConfigurationError, match=r"texts\[1\] must be a string"):
            peer.call("embed_many", pd.Series(["하나", gap], dtype=object))
    assert not peer.requests


def test_blank_texts_have_their_error_in_their_place(both: Any) -> None:
    """With ``on_error="return"`` blank texts and gaps lose nothing of the others; each error names its index."""
    peer: Both = both(lambda: answer(embedded()))
    found = peer.call("embed_many", ["하나", "", None, "둘", " \n"], on_error="return")
    assert [isinstance(result, ConfigurationError) for result in found] == [False, True, True, False, True]
    assert [str(found[i]).split(":")[0] for i in (1, 2, 4)] == ["texts[1]", "texts[2]", "texts[4]"]
    assert sorted(json.loads(request.content)["text"] for request in peer.requests) == ["둘", "하나"]


def test_blank_texts_can_have_a_vector(both: Any) -> None:
    """With ``on_blank="placeholder"`` a full stop is embedded in place of each blank text; by default none is."""
    peer: Both = both(lambda: answer(embedded()))
    assert len(peer.call("embed_many", ["하나", "", "\t"], on_blank="placeholder", max_concurrency=1)) == 3
    assert [json.loads(request.content)["text"] for request in peer.requests] == ["하나", ".", "."]
    with pytest.raises(ConfigurationError, match=r"texts\[1\] is empty.*on_blank='placeholder'"):
        peer.call("embed_many", ["하나", ""])
    with pytest.raises(ConfigurationError, match=r"texts\[1\] must be a string"):
        peer.call("embed_many", ["하나", None], on_blank="placeholder")
    with pytest.raises(ConfigurationError, match="on_blank must be one of error, placeholder"):
        peer.call("embed_many", ["하나"], on_blank="zeros")


def test_texts_of_the_adapters_come_in_any_holder() -> None:
    """Segmentation and summaries of many texts take the same, and refuse the same by index."""
    with serve() as server, ClovaStudio(server.api_key, base_url=server.base_url) as client:
        for hold in HOLDERS.values():
            spans = segment_texts(client, hold(), max_chunk_size=None, max_concurrency=2)
            assert [len(chunks) for chunks in spans] == [1, 1]
            assert summarize_texts(client, hold(), max_characters=1_000, max_concurrency=2)
        with pytest.raises(ConfigurationError, match=r"texts\[1\] must be a string, got float"):
            segment_texts(client, ["하나", float("nan")], max_chunk_size=None, max_concurrency=2)
        with pytest.raises(ConfigurationError, match="texts must be a list of strings, got str"):
            summarize_texts(client, "하나", max_characters=1_000, max_concurrency=2)

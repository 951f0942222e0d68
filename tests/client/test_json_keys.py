"""Keys of JSON text that are replaced while it arrives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clova_studio.adapters._json_keys import KeyReplacer

NAMES = {"dosi": "도시", "a": '한 "글" \\ 자', "name": "full name"}
KEYS = st.sampled_from([*NAMES, "b", "도시", 'a"', "dosi\\", "가"])
VALUES = st.recursive(
    st.none() | st.integers() | st.text('dosi"{}[]:,\\ 가', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def replaced(text: str, size: int) -> str:
    """Return what comes out of a text in pieces of a size."""
    replacer = KeyReplacer(NAMES)
    return "".join(replacer.feed(text[at : at + size]) for at in range(0, len(text), size)) + replacer.rest()


def renamed(value: Any) -> Any:
    """Return a value with its keys replaced, as pairs, since two may be equal then."""
    if isinstance(value, dict):
        return [(NAMES.get(key, key), renamed(held)) for key, held in value.items()]
    return [renamed(held) for held in value] if isinstance(value, list) else value


@pytest.mark.slow
@settings(max_examples=200, deadline=None, derandomize=True)
@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_keys_of_any_value(value: Any, ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001
    """Keys at any depth are replaced, strings that look like keys are not, in pieces of any size."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    found = replaced(text, 1)
    pairs = json.loads(found, object_pairs_hook=lambda held: [(key, part) for key, part in held])
    assert pairs == renamed(value)
    assert {replaced(text, size) for size in (2, 3, 7, len(text) + 1)} == {found}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"dosi": "서', '{"도시": "서'),
        ('{"dosi": {"dosi": [1, {"dosi"', '{"도시": {"도시": [1, {"도시"'),
        ('{"dos', '{"dos'),
        ('{"\\u0064osi": 1}', '{"도시": 1}'),
        ('{"\\u00zz": 1, "dosi": 2}', '{"\\u00zz": 1, "도시": 2}'),
        ('답: "dosi"입니다. {"dosi": 1} 끝', '답: "dosi"입니다. {"도시": 1} 끝'),
        ('}]{"dosi": 1', '}]{"도시": 1'),
        ("dosi", "dosi"),
        ("", ""),
    ],
)
def test_broken_text_and_text_around_it(text: str, found: str) -> None:
    """Text that is cut, broken or among other text loses nothing."""
    assert replaced(text, 1) == replaced(text, 99) == found


def test_beginning_of_a_key_waits_for_its_end() -> None:
    """Nothing of a key is passed on before it is known, and everything else at once."""
    replacer = KeyReplacer(NAMES)
    assert [replacer.feed(piece) for piece in ('{"do', "si", '": "부', '산"}')] == ["{", "", '"도시": "부', '산"}']

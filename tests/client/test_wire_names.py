"""Names of tools and parameters that are sent in place of the caller's."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clova_studio.adapters._wire_names import wire_names

ASCII = re.compile(r"[A-Za-z0-9_-]{1,64}")
NAMES = st.lists(st.text("ab_- [].가나힣é東ㄱ\u1100\ud800", max_size=70), unique=True, max_size=8)


@pytest.mark.parametrize("name", ["get_weather", "get-weather", "7", "환율", "도시_이름", "날씨2", "ㄱㅏ", "a" * 64])
def test_names_that_stay(name: str) -> None:
    """Up to 64 letters, digits, _, - and Hangul are sent as they are."""
    assert wire_names([name], ascii_only=False) == {name: name}


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("Box[int]", "Box_int"),
        ("Dict[str, list[int]]", "Dict_str_list_int"),
        ("full name", "full_name"),
        ("weather.get/now", "weather_get_now"),
        ("날씨 조회", "nalssi_johoe"),
        ("상자[int]", "sangja_int"),
        (unicodedata.normalize("NFD", "환율"), "hwanyul"),
        ("café", "cafe"),
        ("東", "u6771"),
        ("@type", "type"),
        ("$", "name"),
        ("", "name"),
    ],
)
def test_names_of_ours_can_be_read(name: str, sent: str) -> None:
    """Anything else gets a readable ASCII name: Hangul as it sounds, _ for what cannot be written."""
    assert wire_names([name], ascii_only=False) == {name: sent}


def test_hangul_as_it_sounds() -> None:
    """Where only ASCII is taken, Hangul is written in Latin letters."""
    found = wire_names(["환율", "날씨", "도시_이름", "닭", "get_weather"], ascii_only=True)
    assert found == {
        "환율": "hwanyul",
        "날씨": "nalssi",
        "도시_이름": "dosi_ireum",
        "닭": "dak",
        "get_weather": "get_weather",
    }


def test_names_that_would_be_equal_are_marked() -> None:
    """A name of ours that somebody else has, or wants too, gets a mark; the caller's own stays."""
    found = wire_names(["Box_int", "Box[int]", "a b", "a  b", "닭", "닥", "dak"], ascii_only=True)
    assert found["Box_int"] == "Box_int"
    assert found["dak"] == "dak"
    assert len(set(found.values())) == len(found)
    for name, begin in [("Box[int]", "Box_int_"), ("a b", "a_b_"), ("a  b", "a_b_"), ("닭", "dak_"), ("닥", "dak_")]:
        assert re.fullmatch(rf"{begin}[0-9a-f]{{6}}", found[name])


def test_long_names_are_cut_and_told_apart() -> None:
    """Of names with more than 64 characters the beginning is sent, with a mark."""
    first, second = "a" * 70, "a" * 71
    found = wire_names([first, second], ascii_only=False)
    assert found[first] != found[second]
    assert all(len(sent) == 64 and sent.startswith("a" * 57 + "_") for sent in found.values())


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(NAMES, st.booleans(), st.randoms(use_true_random=False))
def test_names_are_unique_and_the_same_in_any_order(names: list[str], ascii_only: bool, chance: object) -> None:  # noqa: FBT001
    """Whatever the names are, no two are sent alike, all are acceptable, and their order does not matter."""
    found = wire_names(names, ascii_only=ascii_only)
    assert [*sorted(found)] == sorted(names)
    assert len(set(found.values())) == len(names)
    for name, sent in found.items():
        assert ASCII.fullmatch(sent) or (sent == name and not ascii_only)
    shuffled = list(names)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    assert wire_names(shuffled, ascii_only=ascii_only) == found

"""Behaviours as files of facts."""

from __future__ import annotations

import base64
import json
import struct
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from clova_studio.emulator import serve
from clova_studio.emulator.rules.facts import FACTS, Facts, load_facts
from clova_studio.emulator.server.state import Settings

if TYPE_CHECKING:
    from pathlib import Path

LISTED = {"model": "bge-m3", "input": ["서울", "부산"], "encoding_format": "base64"}


def embed(base_url: str, body: dict[str, Any] = LISTED) -> httpx.Response:
    """The answer to a request for OpenAI-compatible embeddings."""
    return httpx.post(f"{base_url}/v1/openai/embeddings", json=body, headers={"authorization": "Bearer nv-any"})


def test_a_file_makes_a_behaviour(tmp_path: Path) -> None:
    """A file and a mapping of facts do the same: lists and base64 are taken, and the list counts as one request."""
    facts = {"list-input": "one-request", "compatible-field.encoding_format": "taken"}
    value = {"about": "a test", "behaviour": "documented", "facts": facts}
    file = tmp_path / "seen.json"
    file.write_text(json.dumps(value), encoding="utf-8")
    for source in (file, str(file), value):
        with serve(behaviour=source, rate_limits={"bge-m3": (5, None)}, rate_limit_headers=True) as server:
            got = embed(server.base_url)
            assert "documented, 3 facts changed" in repr(server)  # the headers are the third
        assert got.headers["x-ratelimit-remaining-requests"] == "4"
        first, second = (base64.b64decode(item["embedding"]) for item in got.json()["data"])
        assert len(struct.unpack("<1024f", first)) == 1024
        assert first != second
    with serve() as server:
        assert embed(server.base_url).status_code == 400


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("seen", "documented"),
        ({"behaviour": "seen"}, "documented"),
        ({"facts": {"colour": "blue"}}, "colour"),
        ({"facts": {"list-input": "blue"}}, "one-request"),
        ({"facts": {"list-input": ["refused"]}}, "one-request"),
        ({"facts": ["list-input"]}, "object"),
        ({"fact": {}}, "'fact'"),
    ],
)
def test_wrong_facts_are_named(value: Any, what: str) -> None:
    """An unknown behaviour, fact, value or field is refused by name, with what there is."""
    with pytest.raises(ValueError, match=what):
        Settings(behaviour=value)


def test_settings_take_precedence() -> None:
    """A setting that says something of a fact takes precedence over the file; without it the file counts."""
    value = {"facts": {"hangul-names": "taken", "limit-headers": "refusals", "counting": "bucket"}}
    plain = Settings(behaviour=value).facts
    assert (plain["hangul-names"], plain["limit-headers"], plain["counting"]) == ("taken", "refusals", "bucket")
    given = Settings(behaviour=value, ascii_names=True, rate_limit_headers=False, counting="sliding").facts
    assert (given["hangul-names"], given["limit-headers"], given["counting"]) == ("refused", "never", "sliding")


def test_the_two_behaviours() -> None:
    """A behaviour's name gives its own value of every fact, one of the possible ones, and nothing is changed."""
    for name in ("documented", "observed"):
        facts = load_facts(name)
        assert dict(facts) == {fact: getattr(row, name) for fact, row in FACTS.items()}
        assert all(facts[fact] in row.choices for fact, row in FACTS.items())
        assert (str(facts), facts.changed) == (name, 0)
    assert Facts("observed", {"event-space": "none"}).changed == 0

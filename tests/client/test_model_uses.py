"""Which model for what: the table says nothing that the catalogue or the presets of limits contradict."""

from __future__ import annotations

import re

import pytest

from clova_studio import EMBEDDING_MODELS, MODEL_USE_SOURCES, MODEL_USES, MODELS, ModelUse, RateLimits

HANGUL = re.compile("[가-힣]")


def use_for(task: str) -> ModelUse:
    """Return the row for a task."""
    (found,) = [use for use in MODEL_USES if task in use.task]
    return found


@pytest.mark.parametrize("use", MODEL_USES, ids=lambda use: use.task)
def test_rows_are_whole(use: ModelUse) -> None:
    """Each names known models, a known source, and says the same numbers and models in both languages."""
    assert use.models
    assert all(name in MODELS or name in EMBEDDING_MODELS for name in use.models)
    assert use.source in MODEL_USE_SOURCES
    facts = re.compile(r"HCX-(?:DASH-)?\d+|\d[\d,.]*\d|\d")
    assert sorted(facts.findall(use.why)) == sorted(facts.findall(use.why_ko))
    assert HANGUL.search(use.task_ko)
    assert HANGUL.search(use.why_ko)
    assert not HANGUL.search(use.task + use.why)


@pytest.mark.parametrize(
    ("task", "ability"), [("reasoning", "thinking"), ("images", "images"), ("structured", "structured_output")]
)
def test_the_only_one(task: str, ability: str) -> None:
    """What only one model can do is said of that model."""
    assert use_for(task).models == tuple(info.name for info in MODELS.values() if getattr(info, ability))
    assert "the only one" in use_for(task).why


def test_numbers_are_the_catalogue_s() -> None:
    """Limits in the reasons are those that requests are checked against, and those of the preset for test keys."""
    assert f"{MODELS['HCX-007'].max_output_tokens:,}" in use_for("reasoning").why
    assert MODELS[use_for("v1").models[0]].api == "v1"
    assert all(MODELS[name].tools for name in use_for("tools and agents").models)
    best = use_for("search").models[0]
    assert f"{EMBEDDING_MODELS[best].max_tokens:,}" in use_for("search").why
    others = {info.max_tokens for name, info in EMBEDDING_MODELS.items() if name != best}
    assert [f"{number}" for number in others] == ["500"]
    assert "500" in use_for("search").why
    preset = RateLimits.preset("test")
    tokens = {name: preset.of(name)[1] or 0 for name in MODELS}
    (most,) = use_for("short questions").models
    assert tokens[most] == max(tokens.values())
    assert f"{tokens[most]:,}" in use_for("short questions").why

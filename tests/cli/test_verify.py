"""``clova-studio verify`` against the emulator in each of its behaviours, and in mutations of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio._cli.verify.plan import CHECKS
from clova_studio._cli.verify.quota import COUNTING_ID
from clova_studio.emulator import serve
from clova_studio.emulator.rules.facts import FACTS, load_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

KEY = "nv-cli-test-key"
KEYS = {KEY: "test", "nv-cli-service-key": "service"}
PLENTY = {"*": (100_000, 10**9)}
BY_ID = {check.id: check for check in CHECKS}
MUTATIONS = [
    (base, name, value)
    for name, fact in FACTS.items()
    if name in BY_ID
    for value in fact.choices
    for base in ("documented", "observed")
    if value != getattr(fact, base)
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorServer]:
    """One emulator for all behaviours, since it takes longer to stop one than to ask it everything."""
    with serve(api_keys=KEYS) as server:
        yield server


@pytest.fixture
def verify(
    emulator: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]
) -> Callable[..., dict[str, Any]]:
    """The command against the emulator with a behaviour and limits, and its report."""
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", emulator.base_url)
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", KEY)

    def run(behaviour: Any, *arguments: str, limits: Any = PLENTY) -> dict[str, Any]:
        emulator._settings.facts = load_facts(behaviour)
        emulator.reset()
        emulator.set_quotas(limits, window=0.2 if limits is not PLENTY else 60.0)
        ran = cli("verify", "--yes", "--json", *arguments)
        assert ran.code == 0, ran.err
        report: dict[str, Any] = json.loads(ran.out)
        return report

    return run


def answers(report: Mapping[str, Any]) -> dict[str, str]:
    """The answer of each check."""
    return {check["id"]: check["answer"] for check in report["checks"]}


def differing(report: Mapping[str, Any], base: str) -> dict[str, str]:
    """The answers that are not as a behaviour has them."""
    return {
        name: answer
        for name, answer in answers(report).items()
        if answer is None or not BY_ID[name].agrees(answer, getattr(BY_ID[name], base))
    }


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["documented", "observed"])
def test_it_recognises_each_behaviour(behaviour: str, verify: Callable[..., Any]) -> None:
    """Against the emulator every check is settled, and all answers together are exactly its behaviour."""
    report = verify(behaviour)
    assert [check["id"] for check in report["checks"]] == [check.id for check in CHECKS]
    assert differing(report, behaviour) == {}
    assert report["behaviour"] == behaviour
    assert differing(report, "observed" if behaviour == "documented" else "documented")


@pytest.mark.parametrize(("base", "name", "value"), MUTATIONS, ids=str)
def test_it_names_each_mutation(base: str, name: str, value: str, verify: Callable[..., Any]) -> None:
    """One fact of the emulator that is otherwise: the check of that fact says so, with its value."""
    facts, only, limits = {name: value}, name.partition(".")[0], PLENTY
    if name == "limit-headers":  # only a refusal shows whether refusals have headers
        only, limits = f"{name},filter-result", {"HCX-005": (1, None)}
    elif name == "list-input":  # only the headers show how it counts
        facts["limit-headers"] = "always"
    report = verify({"behaviour": base, "facts": facts}, "--only", only, "--patience", "0.3", limits=limits)
    assert differing(report, base) == {name: value}


@pytest.mark.slow
def test_two_dozen_mutations_at_once_survive_the_file(tmp_path: Path, verify: Callable[..., Any]) -> None:
    """``--write-behaviour`` makes the emulator answer in the way that was seen, all facts together."""
    odd = {name: next(value for value in fact.choices if value != fact.observed) for name, fact in FACTS.items()}
    del odd["limit-headers"], odd[COUNTING_ID]
    odd["testapp-bearer"] = "taken"
    file = tmp_path / "seen.json"
    first = verify({"behaviour": "observed", "facts": odd}, "--write-behaviour", str(file))
    assert not first["not_in_the_emulator"]
    second = verify(str(file))
    assert answers(second) == answers(first)
    found = {name: value for name, value in answers(first).items() if name in odd}
    assert found == {name: value for name, value in odd.items() if name in found}
    assert len(found) >= 24


def test_every_fact_of_the_emulator_has_a_check() -> None:
    """The emulator can be set to each answer of a check, and each of its facts is checked, with equal expectations."""
    checked = {name: check for name, check in BY_ID.items() if check.is_emulated}
    assert set(checked) == set(FACTS) - {COUNTING_ID}
    for name, check in checked.items():
        fact = FACTS[name]
        written = {check.stands_for.get(answer, answer) for answer in check.answers if answer not in check.not_emulated}
        assert written <= set(fact.choices), name
        assert check.agrees(fact.documented, check.documented), name
        assert check.agrees(fact.observed, check.observed), name

"""Skillset final answer: chooses a skill, "calls" its API and answers, as JSON or as events ("Skillset" page).

No API is really called: the configuration has its responses.
"""

from collections.abc import Iterator
from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.console.console_apps import MAX_INPUT, QUOTA, check_history, check_query, find_item
from clova_studio.emulator.console.skill_runs import SkillRun, run_skill
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.text import words
from clova_studio.emulator.language.topics import provoke
from clova_studio.emulator.rules.checks import boolean
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.server.delivery import Answer, JsonAnswer, StreamAnswer
from clova_studio.emulator.server.wire import Frames, dumps, fingerprint

_ROLES = frozenset({"user", "assistant"})
_PARTS = ("header", "query", "requestBody")
_INSTRUCTIONS = 320


def final_answer(call: ApiCall) -> Answer:
    """Answer a query with a skill."""
    body = call.body
    skillset = find_item(call.state.config.skillsets, call.route)
    query = check_query(body)
    if not words(query):
        raise Refusal("62001")
    by_token = boolean(body, "tokenStream")
    history = check_history(body, _ROLES)
    override = check_override(body)
    described = "\n".join(f"{skill.name}: {skill.description} {dumps(skill.parameters)}" for skill in skillset.skills)
    said = "\n".join([*(message["content"] for message in history), query])
    size = tokens.count(said, MAX_INPUT) + tokens.count(described) + _INSTRUCTIONS
    if size > MAX_INPUT:
        raise Refusal("64400")
    headers = call.charge(QUOTA, size)
    provoke(query, skillset.errors)
    run = run_skill(skillset, query, history, override)
    observed = call.observed
    if not call.streamed:
        result: dict[str, Any] = {"finalAnswer": run.answer, "tokenCount": size + tokens.count(run.answer)}
        if not observed:
            result["useTask"] = False  # in the page's table, not in its sample
        return JsonAnswer.success({**result, "apiResult": run.api_results}, headers)
    frames = Frames(fingerprint("skillset", call.route.item, dumps(body)), call.facts)
    return StreamAnswer(
        frames,
        tokens=(frames.frame(name, data) for name, data in _events(run, size, by_token=by_token, observed=observed)),
        results=(frames.frame("finalAnswer", data) for data in [_final(run)]),
        headers=headers,
    )


def _events(run: SkillRun, size: int, *, by_token: bool, observed: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events before the final answer: the plan, the calls, and the answer's tokens if requested."""
    # The page prints {["nameForHuman":"..."]}, which is not valid JSON and can be read in two ways.
    names = [run.skill] if run.skill else []
    selected: Any = {"nameForHuman": names} if observed else [{"nameForHuman": name} for name in names]
    yield "planning", {"selectedSkill": selected, "tokenCount": size}
    yield "cot", {"apiResult": run.api_results, "tokenCount": size + tokens.count_json(run.api_results)}
    if by_token:
        pieces = tokens.pieces(run.answer)
        for number, piece in enumerate(pieces, 1):
            yield "token", {"probs": [], "stopReason": "stop_before" if number == len(pieces) else None, "text": piece}


def _final(run: SkillRun) -> dict[str, Any]:
    return {"finalAnswer": run.answer, "apiResult": run.api_results, "tokenCount": tokens.count(run.answer)}


def check_override(body: dict[str, Any]) -> dict[str, Any]:
    """Check the options for the calls of the skills' APIs."""
    override = body.get("requestOverride")
    if override is None:
        return {}
    if not isinstance(override, dict):
        raise invalid("requestOverride")
    base, operations = override.get("baseOperation"), override.get("operations")
    if base is not None:
        _check_operation(base, "requestOverride.baseOperation")
    if operations is not None and not isinstance(operations, list):
        raise invalid("requestOverride.operations")
    for index, operation in enumerate(operations or []):
        where = f"requestOverride.operations[{index}]"
        _check_operation(operation, where)
        if not isinstance(operation.get("operationId"), str) or not operation["operationId"]:
            raise invalid(f"{where}.operationId")
    return override


def _check_operation(operation: Any, where: str) -> None:
    if not isinstance(operation, dict):
        raise invalid(where)
    for part in _PARTS:
        if operation.get(part) is not None and not isinstance(operation[part], dict):
            raise invalid(f"{where}.{part}")

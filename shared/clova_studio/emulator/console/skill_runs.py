"""One run of a skillset: chooses a skill, fills its arguments and phrases the answer."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from clova_studio.emulator.language.readable import flatten
from clova_studio.emulator.language.schema_fill import fill, has_evidence
from clova_studio.emulator.language.source import Source
from clova_studio.emulator.language.text import is_korean
from clova_studio.emulator.language.topics import find_topic
from clova_studio.emulator.server.wire import dumps

if TYPE_CHECKING:
    from clova_studio.emulator.console.config import Skill, Skillset

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class SkillRun:
    """The outcome of a run."""

    answer: str
    skill: str = ""  # name of the chosen skill, empty when none fits
    api_results: list[dict[str, Any]] = field(default_factory=list)  # the calls of the skill's API, in the page's form


def run_skill(skillset: "Skillset", query: str, history: list[dict[str, str]], override: dict[str, Any]) -> SkillRun:
    """Choose a skill and run it; the history gives a query such as "주말에는 어때?" its topic."""
    before = "\n".join(message["content"] for message in reversed(history) if message["role"] == "user")
    index = find_topic(query, skillset.skills)
    if index is None and before:
        index = find_topic(f"{query}\n{before}", skillset.skills)
    if index is None:
        names = ", ".join(skill.name for skill in skillset.skills)
        if is_korean(query):
            return SkillRun(f"이 질문에 쓸 수 있는 스킬이 없습니다. 사용할 수 있는 스킬: {names}")
        return SkillRun(f"No skill fits this question. Skills: {names}")
    skill = skillset.skills[index]
    arguments = _arguments(skill, query, before)
    body = _respond(skill, query, arguments)
    url, request_body = _request(skill, arguments, override)
    result = {
        "url": url,
        "requestBody": request_body,
        "responseBody": dumps(body),
        "apiOrder": 1,
        "operationId": skill.operation_id,
        "nameForHuman": skill.name,
    }
    return SkillRun(_say(skill, query, arguments, body), skill.name, [result])


def _arguments(skill: "Skill", query: str, before: str) -> dict[str, Any]:
    """Fill the skill's parameters from the query, and from earlier messages where the query has no value."""
    together = Source(f"{query}\n{before}" if before else query, skill.keywords)
    alone = Source(query, skill.keywords)
    filled = {}
    for name, schema in skill.parameters.get("properties", {}).items():
        said = has_evidence(schema, alone, name)
        filled[name] = fill(schema, alone if said else together, name)
    return filled


def _respond(skill: "Skill", query: str, arguments: dict[str, Any]) -> Any:
    # The arguments take precedence over the query, as a real API would get only them.
    values = " ".join(str(value) for value in arguments.values())
    for text in filter(None, (values, query)):
        for response in skill.responses:
            if response.when and all(word in text for word in response.when):
                return response.body
    return next((response.body for response in skill.responses if not response.when), {})


def _request(skill: "Skill", arguments: dict[str, Any], override: dict[str, Any]) -> tuple[str, str]:
    """The URL and the body of the call that would be made."""
    options = [override.get("baseOperation") or {}]
    options += [item for item in override.get("operations") or [] if item["operationId"] == skill.operation_id]
    query: dict[str, Any] = {}
    body: dict[str, Any] = dict(arguments) if skill.method == "POST" else {}
    for option in options:
        query |= option.get("query") or {}
        if skill.method == "POST":  # "ignored for GET"
            body |= option.get("requestBody") or {}
    url = _fill_in(skill.url, arguments)
    if query:
        pairs = urlencode({name: value if isinstance(value, str) else dumps(value) for name, value in query.items()})
        url += ("&" if "?" in url else "?") + pairs
    return url, dumps(body) if body else ""


def _say(skill: "Skill", query: str, arguments: dict[str, Any], body: Any) -> str:
    fields = {**arguments, **(body if isinstance(body, dict) else {})}
    if skill.answer:
        return _fill_in(skill.answer, fields)
    found = flatten(body)
    if is_korean(query):
        return f"확인한 결과입니다: {found}" if found else "스킬이 결과를 주지 않았습니다."
    return f"Here is what I found: {found}" if found else "The skill returned nothing."


def _fill_in(template: str, fields: dict[str, Any]) -> str:
    """Fill the ``{names}`` of a template; names without a value are kept."""
    return _PLACEHOLDER.sub(lambda found: flatten(fields[found[1]]) if found[1] in fields else found[0], template)

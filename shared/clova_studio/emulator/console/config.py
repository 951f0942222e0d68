"""The emulator's configuration: its routers, its skillsets, and how training goes.

The service keeps these in its console; here they come from a YAML or JSON file or a mapping:

    routers:
      - id: travel01                  # as in /v1/routers/travel01/versions/1/route
        versions: 2                   # versions 1 and 2 exist; default 1
        domains:
          - name: 여행
            description: 국내 여행지와 숙소를 묻는 말
            keywords: [여행, 숙소]     # without them the words of name and description decide
            content_filters:
              - {name: OverseasTravel, description: 해외 여행, keywords: [해외, 일본]}
            safety_filters: [Unethical, Contentious]
        errors:
          - {keyword: 오류, code: "65001"}      # a query with this word is refused with this code
    skillsets:
      - id: weather1
        skills:
          - name: 날씨
            description: 도시의 날씨를 알려 준다
            operation_id: getWeather
            url: "https://weather.example.com/v1/now?city={city}"
            method: GET               # or POST: then the arguments are the request body
            parameters: {type: object, properties: {city: {type: string}}, required: [city]}
            responses:                # the first one of which every word is said; no API is really called
              - {when: [부산], body: {sky: 흐림}}
              - {body: {sky: 맑음}}
            answer: "{city}의 하늘은 {sky}입니다."
    tuning:
      seconds: 1.0                    # from creation to the end
      failures: {broken: train.unknown}   # word in the dataset's path -> failure reason

What is not given keeps its default: a travel router ``travel01`` and a weather skillset ``weather1``. Limits of names
and descriptions are those of the console (user guide, router and domain pages).
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clova_studio.emulator.console.config_fields import Section
from clova_studio.emulator.console.defaults import DEFAULTS
from clova_studio.emulator.console.tuning_reasons import REASONS
from clova_studio.emulator.rules.refusals import CODES

SAFETY_FILTERS = ("Unethical", "Contentious")

_TOPIC = ("name", "description", "keywords")
_ID = (r"[A-Za-z0-9_-]+", "have letters, digits, '-' and '_' only")
_NAME = (r"[A-Za-z0-9가-힣 ]+", "have English or Korean letters, digits and blanks only")
_FILTER_NAME = (r"[A-Za-z_ ]+", "have English letters only")
_MOST_FILTERS = 7


@dataclass(frozen=True)
class Topic:
    """Something that a query may be about."""

    name: str
    description: str
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class Domain(Topic):
    """A domain of a router, with its filters."""

    content_filters: tuple[Topic, ...] = ()
    safety_filters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provoked:
    """A refusal that a word in the query provokes."""

    keyword: str
    code: str
    message: str | None


@dataclass(frozen=True)
class Router:
    """A router."""

    versions: int
    domains: tuple[Domain, ...]
    errors: tuple[Provoked, ...] = ()


@dataclass(frozen=True)
class CannedResponse:
    """What a skill's API answers when all of some words are said."""

    when: tuple[str, ...]
    body: Any


@dataclass(frozen=True)
class Skill(Topic):
    """A skill and its API."""

    operation_id: str = ""
    url: str = ""
    method: str = "GET"
    parameters: dict[str, Any] = field(default_factory=dict)
    responses: tuple[CannedResponse, ...] = ()
    answer: str = ""


@dataclass(frozen=True)
class Skillset:
    """A skillset."""

    versions: int
    skills: tuple[Skill, ...]
    errors: tuple[Provoked, ...] = ()


@dataclass(frozen=True)
class Tuning:
    """How training goes."""

    seconds: float
    failures: dict[str, str]


@dataclass(frozen=True)
class Config:
    """The whole configuration; routers and skillsets by their ids."""

    routers: dict[str, Router]
    skillsets: dict[str, Skillset]
    tuning: Tuning


def load_config(source: Mapping[str, Any] | str | os.PathLike[str] | None) -> Config:
    """Read a configuration.

    Args:
        source: A mapping, or the path of a YAML or JSON file; None for the defaults.

    Raises:
        OSError: The file cannot be read.
        ValueError: A field is wrong; the message begins with its name.
        ImportError: A YAML file without PyYAML.
    """
    given: Any = _read(Path(source)) if isinstance(source, str | os.PathLike) else source
    whole = Section({} if given is None else given, "", ("routers", "skillsets", "tuning"))
    defaults = Section(DEFAULTS, "", ("routers", "skillsets", "tuning"))
    routers = (whole if whole.has("routers") else defaults).sections(
        "routers", ("id", "versions", "domains", "errors"), least=1
    )
    skillsets = (whole if whole.has("skillsets") else defaults).sections(
        "skillsets", ("id", "versions", "skills", "errors"), least=1
    )
    return Config(
        routers={_id(section, routers[:index]): _router(section) for index, section in enumerate(routers)},
        skillsets={_id(section, skillsets[:index]): _skillset(section) for index, section in enumerate(skillsets)},
        tuning=_tuning(whole),
    )


def _read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8-sig")
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text)
        import yaml

        return yaml.safe_load(text)
    except ImportError:
        raise
    except Exception as error:  # PyYAML has a tree of its own, and values such as dates raise plain ValueErrors
        raise ValueError(f"{path}: {error}") from error


def _id(section: Section, before: list[Section]) -> str:
    value = section.text("id", form=_ID)
    if value in {other.text("id") for other in before}:
        raise section.wrong("id", f"{value!r} is given twice")
    return value


def _router(section: Section) -> Router:
    domains: list[Domain] = []
    for item in section.sections("domains", (*_TOPIC, "content_filters", "safety_filters"), least=1):
        domain = _domain(item)
        if domain.name in {other.name for other in domains}:
            raise item.wrong("name", f"{domain.name!r} is given twice")
        domains.append(domain)
    return Router(section.whole("versions", 1, least=1), tuple(domains), _errors(section))


def _domain(section: Section) -> Domain:
    filters = section.sections("content_filters", _TOPIC)
    if len(filters) > _MOST_FILTERS:
        raise section.wrong("content_filters", f"may have at most {_MOST_FILTERS} entries, not {len(filters)}")
    safety = tuple(name.capitalize() for name in section.texts("safety_filters"))
    if not set(safety) <= set(SAFETY_FILTERS):
        raise section.wrong("safety_filters", f"can only be {' and '.join(SAFETY_FILTERS)}, not {list(safety)}")
    return Domain(
        name=section.text("name", most=30, form=_NAME),
        description=section.text("description", "", most=400),
        keywords=section.texts("keywords"),
        content_filters=tuple(
            Topic(
                name=item.text("name", most=30, form=_FILTER_NAME),
                description=item.text("description", "", most=200),
                keywords=item.texts("keywords"),
            )
            for item in filters
        ),
        safety_filters=safety,
    )


def _skillset(section: Section) -> Skillset:
    known = (*_TOPIC, "operation_id", "url", "method", "parameters", "responses", "answer")
    skills = tuple(_skill(item) for item in section.sections("skills", known, least=1))
    return Skillset(section.whole("versions", 1, least=1), skills, _errors(section))


def _skill(section: Section) -> Skill:
    parameters = section.mapping("parameters")
    properties = parameters.get("properties", {})
    if not isinstance(properties, dict) or not all(isinstance(item, dict) for item in properties.values()):
        raise section.wrong("parameters", "must be a JSON schema whose properties are schemas")
    return Skill(
        name=section.text("name", most=30),
        description=section.text("description", ""),
        keywords=section.texts("keywords"),
        operation_id=section.text("operation_id"),
        url=section.text("url", form=(r"https?://\S+", "be a URL")),
        method=section.text("method", "GET", form=("GET|POST", "be GET or POST")),
        parameters=parameters,
        responses=tuple(
            CannedResponse(item.texts("when"), item.anything("body", {}))
            for item in section.sections("responses", ("when", "body"))
        ),
        answer=section.text("answer", ""),
    )


def _errors(section: Section) -> tuple[Provoked, ...]:
    found = []
    for item in section.sections("errors", ("keyword", "code", "message")):
        code = item.text("code")
        if code not in CODES:
            raise item.wrong("code", f"is no documented code: {code!r}")
        message = item.text("message") if item.has("message") else None
        found.append(Provoked(item.text("keyword"), code, message))
    return tuple(found)


def _tuning(whole: Section) -> Tuning:
    section = Section(whole.anything("tuning", {}) or {}, "tuning", ("seconds", "failures"))
    failures = section.mapping("failures")
    for word, reason in failures.items():
        if not isinstance(reason, str) or reason not in REASONS:
            raise section.wrong(f"failures.{word}", f"must be one of {', '.join(REASONS)}, not {reason!r}")
    return Tuning(section.seconds("seconds", 1.0), failures)

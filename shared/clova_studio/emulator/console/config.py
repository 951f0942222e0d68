"""The emulator's configuration: routers, skillsets and training.

Users of the service define these in its console; the emulator reads them from a YAML or JSON file or a mapping:

    routers:
      - id: travel01                  # as in /v1/routers/travel01/versions/1/route
        versions: 2                   # versions 1 and 2 exist; default 1
        domains:
          - name: 여행
            description: 국내 여행지와 숙소를 묻는 말
            keywords: [여행, 숙소]     # by default the words of name and description
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
            responses:                # the first one whose words are all in the query; no API is really called
              - {when: [부산], body: {sky: 흐림}}
              - {body: {sky: 맑음}}
            answer: "{city}의 하늘은 {sky}입니다."
    tuning:
      seconds: 1.0                    # duration of training
      failures: {broken: train.unknown}   # word in the dataset's path -> failure reason

The defaults are a travel router ``travel01`` and a weather skillset ``weather1``. Limits of names and descriptions are
those of the console (user guide, router and domain pages).
"""

import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
)

from clova_studio.emulator.console.defaults import DEFAULTS
from clova_studio.emulator.console.tuning_reasons import REASONS
from clova_studio.emulator.console.tuning_tasks import SECONDS
from clova_studio.emulator.rules.refusals import CODES
from clova_studio.emulator.server.sections import Section, describe, read_file

_T = TypeVar("_T")


def _unique(field: str) -> AfterValidator:
    def check(items: list[_T]) -> list[_T]:
        values = [getattr(item, field) for item in items]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise ValueError(f"has the {field} {twice!r} twice")
        return items

    return AfterValidator(check)


def _known(values: Container[str], rule: str) -> AfterValidator:
    def check(value: str) -> str:
        if value not in values:
            raise ValueError(f"must be {rule}")
        return value

    return AfterValidator(check)


def _check_not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


def _check_parameters(value: dict[str, Any]) -> dict[str, Any]:
    properties = value.get("properties", {})
    if not isinstance(properties, dict) or not all(isinstance(item, dict) for item in properties.values()):
        raise ValueError("must be a JSON schema whose properties are schemas")
    return value


_Text = Annotated[str, AfterValidator(_check_not_blank)]
_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
_Versions = Annotated[int, Field(strict=True, ge=1)]


class Topic(Section):
    """A possible topic of a query."""

    name: _Text = Field(max_length=30)
    description: _Text = Field(default="", max_length=400)
    keywords: list[_Text] = []


class ContentFilter(Topic):
    """A topic that a domain blocks."""

    name: _Text = Field(max_length=30, pattern="^[A-Za-z_ ]+$")
    description: _Text = Field(default="", max_length=200)


class Domain(Topic):
    """A domain of a router, with its filters."""

    name: _Text = Field(max_length=30, pattern="^[A-Za-z0-9가-힣 ]+$")
    content_filters: list[ContentFilter] = Field(default=[], max_length=7)
    safety_filters: list[
        Annotated[
            Literal["Unethical", "Contentious"],
            BeforeValidator(lambda name: name.capitalize() if isinstance(name, str) else name),
        ]
    ] = []


class Provoked(Section):
    """A refusal of queries that have a certain word."""

    keyword: _Text
    code: Annotated[str, _known(CODES, "a code of the API guide")]
    message: _Text | None = None


class Router(Section):
    """A router."""

    id: _Id
    versions: _Versions = 1
    domains: Annotated[list[Domain], _unique("name")] = Field(min_length=1)
    errors: list[Provoked] = []


class CannedResponse(Section):
    """The response of a skill's API to queries that have all of some words."""

    when: list[_Text] = []
    body: Any = {}


class Skill(Topic):
    """A skill and its API."""

    description: _Text = ""
    operation_id: _Text
    url: str = Field(pattern=r"^https?://\S+$")
    method: Literal["GET", "POST"] = "GET"
    parameters: Annotated[dict[str, Any], AfterValidator(_check_parameters)] = {}
    responses: list[CannedResponse] = []
    answer: _Text = ""


class Skillset(Section):
    """A skillset."""

    id: _Id
    versions: _Versions = 1
    skills: list[Skill] = Field(min_length=1)
    errors: list[Provoked] = []


class Tuning(Section):
    """The duration of training, and which training fails."""

    seconds: float = Field(default=SECONDS, strict=True, ge=0, allow_inf_nan=False)
    failures: dict[str, Annotated[str, _known(REASONS, f"one of {', '.join(REASONS)}")]] = {}


class Config(Section):
    """The whole configuration."""

    routers: Annotated[list[Router], _unique("id")] = Field(
        default=DEFAULTS["routers"], min_length=1, validate_default=True
    )
    skillsets: Annotated[list[Skillset], _unique("id")] = Field(
        DEFAULTS["skillsets"], min_length=1, validate_default=True
    )
    tuning: Tuning = Tuning()


def load_config(source: Mapping[str, Any] | str | os.PathLike[str] | None) -> Config:
    """Read a configuration from a mapping or a YAML or JSON file; a ValueError names each wrong field in full."""
    given: Any = read_file(Path(source)) if isinstance(source, str | os.PathLike) else source
    try:
        return Config.model_validate({} if given is None else given)
    except ValidationError as error:
        raise ValueError(describe(error, "The configuration")) from error

"""Tools and classes with names of every kind, and what an emulator was sent for them."""

# ruff: noqa: N801, N802, N803, PLC2401  these names are what is tested

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

from pydantic import BaseModel, Field

from clova_studio.adapters._wire_names import wire_names

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

T = TypeVar("T")
WEATHER = "부산 날씨를 알려 주세요."
TRAIN = "부산 가는 기차표를 찾아 주세요."
TRAINS = "trains.find [KTX]"
TRAIN_SCHEMA = {"type": "object", "properties": {"to city": {"type": "string"}}, "required": ["to city"]}
CALLS = [(WEATHER, "날씨", {"도시": "부산"}), (TRAIN, TRAINS, {"to city": "부산"})]

_ASCII = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WITH_HANGUL = re.compile(r"[A-Za-z0-9_\-가-힣]{1,64}")


def 날씨(도시: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{도시}: 맑음"


def 환율(통화: str) -> str:
    """통화의 환율을 알려 줍니다."""
    return f"{통화}: 1300원"


def find_trains(**given: Any) -> str:
    """기차표를 찾습니다."""
    return f"{given['to city']} 09:00"


class Box(BaseModel, Generic[T]):
    """상자와 그 값."""

    값: T
    name: str


class 보고서(BaseModel):
    """사람의 보고서."""

    이름: str
    full_name: str = Field(alias="full name")


# To be imported by ASCII names.
weather, rates, Report = 날씨, 환율, 보고서

Person = TypedDict("Person", {"이름": str, "full name": str})


def is_strict(server: EmulatorServer) -> bool:
    """Return whether an emulator takes ASCII names only."""
    return server._settings.ascii_names


def as_sent(server: EmulatorServer, name: str) -> str:
    """Return the name that an emulator knows for a tool or a parameter of the caller's, alone in its request."""
    return wire_names([name], ascii_only=is_strict(server))[name]


def check_sent(server: EmulatorServer) -> None:
    """Check that all names that were accepted have the form that they should, and that names were refused once at most.

    An emulator that takes any name is sent names with Hangul; one that does not is sent them once.
    """
    accepted = [request.body for request in server.requests if request.status == 200]
    form = _ASCII if is_strict(server) else _WITH_HANGUL
    found = {name for body in accepted for name in _names_of(body)}
    assert found
    assert [name for name in found if not form.fullmatch(name)] == []
    assert any(not name.isascii() for name in found) != is_strict(server)
    assert sum("ascii_names" in request.hint for request in server.requests) == is_strict(server)


def _names_of(body: Any) -> set[str]:
    functions = [tool["function"] for tool in body.get("tools", ())]
    calls = [call["function"] for turn in body["messages"] for call in turn.get("toolCalls", ())]
    found = {function["name"] for function in [*functions, *calls]}
    return found.union(*(function["parameters"]["properties"] for function in functions))

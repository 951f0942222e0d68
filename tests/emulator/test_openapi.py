"""The OpenAPI description of control: valid, complete, and true of what the server takes and answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema
import pytest
from emulator_support import NO_TLS, connect, user

from clova_studio.emulator import Fault, serve
from clova_studio.emulator.control.endpoints import ENDPOINTS
from clova_studio.emulator.control.inputs import FaultFields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

# The parts of OpenAPI 3.1 that a description like this one uses, as its specification requires them.
SCHEMA = {"type": ["object", "boolean"]}
CONTENT = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"type": "object", "properties": {"schema": SCHEMA}, "additionalProperties": False},
}
PARAMETER = {
    "type": "object",
    "required": ["name", "in", "schema"],
    "properties": {
        "name": {"type": "string"},
        "in": {"enum": ["query", "path", "header", "cookie"]},
        "required": {"type": "boolean"},
        "description": {"type": "string"},
        "schema": SCHEMA,
    },
    "additionalProperties": False,
    "if": {"properties": {"in": {"const": "path"}}},
    "then": {"properties": {"required": {"const": True}}, "required": ["required"]},
}
RESPONSE = {
    "type": "object",
    "required": ["description"],
    "properties": {"description": {"type": "string"}, "content": CONTENT},
    "additionalProperties": False,
}
OPERATION = {
    "type": "object",
    "required": ["operationId", "summary", "responses"],
    "properties": {
        "operationId": {"type": "string"},
        "summary": {"type": "string"},
        "parameters": {"type": "array", "items": PARAMETER},
        "requestBody": {
            "type": "object",
            "required": ["content"],
            "properties": {"content": CONTENT, "required": {"type": "boolean"}},
            "additionalProperties": False,
        },
        "responses": {
            "type": "object",
            "minProperties": 1,
            "patternProperties": {"^[1-5][0-9][0-9]$": RESPONSE},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
DOCUMENT = {
    "type": "object",
    "required": ["openapi", "info", "paths"],
    "properties": {
        "openapi": {"type": "string", "pattern": r"^3\.1\.\d+$"},
        "info": {
            "type": "object",
            "required": ["title", "version"],
            "properties": {name: {"type": "string"} for name in ("title", "version", "description", "summary")},
            "additionalProperties": False,
        },
        "servers": {"type": "array", "items": {"type": "object", "required": ["url"]}},
        "paths": {
            "type": "object",
            "patternProperties": {
                "^/": {
                    "type": "object",
                    "properties": dict.fromkeys(("get", "put", "post", "delete"), OPERATION),
                    "additionalProperties": False,
                }
            },
            "additionalProperties": False,
        },
        "components": {
            "type": "object",
            "properties": {
                "schemas": {
                    "type": "object",
                    "propertyNames": {"pattern": "^[a-zA-Z0-9._-]+$"},
                    "additionalProperties": SCHEMA,
                }
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    """A server with something of everything."""
    with serve(rate_limits={"HCX-005": (9, 100_000)}) as running, connect(running) as client:
        client.post("/v3/chat-completions/HCX-005", json=user("a"))
        client.post("/v3/chat-completions/HCX-005", content=b"{")
        training = {f"trainingDataset{part}": "a.csv" for part in ("FilePath", "Bucket", "AccessKey", "SecretKey")}
        client.post("/tuning/v2/tasks", json={"model": "HCX-005", **training})
        running.script(["하나", {"content": "둘"}, Fault("hang")])
        running.add_fault(Fault("status", headers={"a": "b"}, path="/nothing"))
        yield running


@pytest.fixture(scope="module")
def control(server: EmulatorServer) -> Iterator[httpx.Client]:
    """A client of the control."""
    with httpx.Client(base_url=server.base_url, verify=NO_TLS) as client:
        yield client


@pytest.fixture(scope="module")
def document(control: httpx.Client) -> dict[str, Any]:
    """The description."""
    answer = control.get("/_emulator/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def references(value: Any) -> Iterator[str]:
    """Every reference in a value."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_the_description_is_valid(document: dict[str, Any]) -> None:
    """It has the form of OpenAPI 3.1, its schemas are JSON schemas, and its references lead to them."""
    jsonschema.Draft202012Validator(DOCUMENT).validate(document)
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert {reference.removeprefix("#/components/schemas/") for reference in references(document)} <= schemas.keys()
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names)) == len(ENDPOINTS)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            declared = {item["name"] for item in operation["parameters"] if item["in"] == "path"}
            assert declared == set(re.findall(r"\{(\w+)\}", path))


@pytest.mark.parametrize("endpoint", [item for item in ENDPOINTS if item.method == "GET"], ids=lambda item: item.name)
def test_answers_are_as_described(control: httpx.Client, document: dict[str, Any], endpoint: Any) -> None:
    """What the server answers is what the description says, each field declared."""
    answer = control.get(f"/_emulator{endpoint.path}".replace("{number}", "1"))
    assert answer.status_code == 200
    described = document["paths"][f"/_emulator{endpoint.path}"]["get"]["responses"]["200"]
    schema = {**described["content"]["application/json"]["schema"], "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.json())
    (name,) = (reference.rpartition("/")[2] for reference in references(described))
    assert answer.json().keys() == document["components"]["schemas"][name]["properties"].keys()


def test_refusals_are_as_described(control: httpx.Client, document: dict[str, Any]) -> None:
    """Refusals have the form that the description gives them."""
    schema = {"$ref": "#/components/schemas/ErrorAnswer", "components": document["components"]}
    for answer in (
        control.post("/_emulator/script", json={"answers": 5}),
        control.get("/_emulator/requests/9999"),
        control.get("/_emulator/health", headers={"host": "a.example.com"}),
        control.get("/_emulator/nothing"),
    ):
        assert answer.status_code >= 400
        jsonschema.Draft202012Validator(schema).validate(answer.json())


def test_what_a_fault_takes() -> None:
    """A fault over HTTP has the fields of Python's, with the same defaults."""
    import dataclasses

    fields = {item.name: item for item in dataclasses.fields(Fault)}
    assert fields.keys() == FaultFields.model_fields.keys()
    assert FaultFields(kind="status").fault() == Fault("status")

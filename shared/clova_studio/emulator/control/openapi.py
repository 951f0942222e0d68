"""The OpenAPI 3.1 description of control, from the models that check it."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from clova_studio.emulator.control.endpoints import Endpoint, package_version
from clova_studio.emulator.control.outputs import ErrorAnswer
from clova_studio.emulator.server.local_routes import CONTROL_ROOT

if TYPE_CHECKING:
    from pydantic import BaseModel

_ABOUT = (
    "Steers a running emulator of CLOVA Studio from a test in any language: what arrived, what the next answers are, "
    "faults, quotas and training time. No key is needed. It is there on loopback, elsewhere only with `--control`."
)
_NUMBER = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
_JSON = "application/json"


@cache
def describe_api(endpoints: tuple[Endpoint, ...]) -> dict[str, Any]:
    """The description of some endpoints."""
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ErrorAnswer, "serialization"): None}
    for endpoint in endpoints:
        wanted[endpoint.returns, "serialization"] = None
        if endpoint.body is not None:
            wanted[endpoint.body, "validation"] = None
    references, definitions = models_json_schema(list(wanted), ref_template="#/components/schemas/{model}")
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation: dict[str, Any] = {
            "operationId": endpoint.name,
            "summary": endpoint.summary,
            "parameters": list(_parameters(endpoint)),
            "responses": _responses(endpoint, references),
        }
        if endpoint.body is not None:
            content = {_JSON: {"schema": references[endpoint.body, "validation"]}}
            operation["requestBody"] = {"required": True, "content": content}
        paths.setdefault(CONTROL_ROOT + endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "CLOVA Studio emulator: control", "version": package_version(), "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": definitions["$defs"]},
    }


def _parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    if "{number}" in endpoint.path:
        yield _NUMBER
    if endpoint.query is None:
        return
    for name, schema in endpoint.query.model_json_schema()["properties"].items():
        said = {"description": schema.pop("description")} if "description" in schema else {}
        yield {"name": name, "in": "query", "required": False, "schema": schema, **said}


def _responses(endpoint: Endpoint, references: Mapping[Any, Any]) -> dict[str, Any]:
    content = {_JSON: {"schema": references[endpoint.returns, "serialization"]}}
    good: dict[str, Any] = {"description": endpoint.summary, "content": content}
    bad = {"content": {_JSON: {"schema": references[ErrorAnswer, "serialization"]}}}
    found = {str(endpoint.status): good}
    if endpoint.body is not None or endpoint.query is not None:
        found["400"] = {"description": "A field is wrong; the error names it", **bad}
    found["403"] = {"description": "The request comes from a web page that is not allowed", **bad}
    if "{number}" in endpoint.path:
        found["404"] = {"description": "Nothing has this number", **bad}
    if endpoint.body is not None:
        found["409"] = {"description": "The server records or replays, so it computes no answers", **bad}
    return found

"""What routers and skillsets share: ids and versions, the query, the history and the quota.

Source: the "Router" and "Skillset" pages and the troubleshooting pages on their codes.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from clova_studio.emulator.rules.checks import is_one_of, optional_text
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.server.routes import Route

if TYPE_CHECKING:
    from clova_studio.emulator.console.config import Router, Skillset

QUOTA = "skill-trainer"
"""All routers and skillsets, in all versions, share one quota (rate-limit page of the user guide)."""

MAX_INPUT = 4_096
"""Tokens of a query with its history and the descriptions; the real limit is not published."""

_VERSION = re.compile(r"[0-9]{1,9}\Z")


_Item = TypeVar("_Item", "Router", "Skillset")


def find_item(items: Iterable[_Item], route: Route) -> _Item:
    """The router or skillset that a path names."""
    version = int(route.edition) if _VERSION.match(route.edition) else 0
    if version < 1:
        raise invalid("version")
    item = next((item for item in items if item.id == route.item), None)
    if item is None or version > item.versions:
        raise Refusal("40400")
    return item


def check_query(body: Mapping[str, Any]) -> str:
    """Read the query."""
    query = optional_text(body, "query")
    if query is None or not query.strip():
        raise Refusal("61002")
    return query


def check_history(body: Mapping[str, Any], roles: Collection[str]) -> list[dict[str, str]]:
    """Read the earlier messages; the field may be missing or an empty list."""
    history = body.get("chatHistory")
    if history is None:
        return []
    if not isinstance(history, list):
        raise invalid("chatHistory")
    for index, message in enumerate(history):
        if not isinstance(message, dict):
            raise invalid(f"chatHistory[{index}]")
        if not is_one_of(message.get("role"), roles):
            raise invalid(f"chatHistory[{index}].role")
        if not isinstance(message.get("content"), str):
            raise invalid(f"chatHistory[{index}].content")
    return history

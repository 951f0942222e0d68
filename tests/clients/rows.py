"""What the programs of the foreign clients share; it needs the standard library alone."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

WEATHER = "부산 날씨 알려줘"
PERSON = "이름은 김철수입니다"


@dataclass(frozen=True)
class Row:
    """A field that a client sends by default, the call that sends it, and the one with the switch that helps."""

    sends: str
    default: Callable[[], Any]
    switched: Callable[[], Any] | None = None


def run(rows: list[Row]) -> None:
    """Try each row: the default is refused with 400, the switch brings an answer. One line of JSON a row."""
    for row in rows:
        try:
            row.default()
        except Exception as error:
            refused = "400" in str(error) or "BadRequest" in type(error).__name__
            if not refused:
                raise
        else:
            sys.exit(f"{row.sends} was accepted")
        answered = None
        if row.switched is not None:
            answered = bool(row.switched())
        print(json.dumps({"sends": row.sends, "answered": answered}))


def place() -> dict[str, str]:
    """Where the emulator is: URL of the OpenAI-compatible path and key, from the command line."""
    return {"base_url": sys.argv[1], "api_key": sys.argv[2]}

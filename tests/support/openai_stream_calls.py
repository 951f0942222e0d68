"""Streams of the OpenAI-compatible API with tool calls, in forms that it may have, and the calls that they mean.

There is no result event: fragments are all there is.
"""

from __future__ import annotations

from typing import Any

from stream_calls import text_of

Call = tuple[str | None, str, dict[str, Any]]


def delta(*calls: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a chunk."""
    return {"choices": [{"index": 0, "delta": {"tool_calls": list(calls), **more}, "finish_reason": finish}]}


def at_end(*calls: Any, **more: Any) -> dict[str, Any]:
    """Return a chunk that has a whole message, as the native API's last event."""
    return {"choices": [{"index": 0, "message": {"tool_calls": list(calls), **more}, "finish_reason": "tool_calls"}]}


def piece(text: Any, call_id: str | None = None, name: str | None = None, index: int | None = None) -> dict[str, Any]:
    """Return a fragment of a call."""
    place = {"id": call_id, "index": index}
    held = {key: value for key, value in place.items() if value is not None}
    return {**held, "function": {"name": name, "arguments": text}}


def body_of(chunks: list[Any]) -> bytes:
    """Return a stream."""
    return "".join(f"data: {text_of(item)}\n\n" for item in chunks).encode() + b"data: [DONE]\n\n"


F, G = ("a", "f", {"x": 1}), ("b", "g", {"y": 2})
F_PARTS = [delta(piece('{"x"', "a", "f", 0)), delta(piece(": 1}", index=0))]
END = delta(finish="tool_calls")
CHUNKS: dict[str, tuple[list[Any], list[Call]]] = {
    "as documented": ([delta(piece("", "a", "f", 0)), delta(piece('{"x"', index=0)), F_PARTS[1], END], [F]),
    "without index": ([delta(piece('{"x"', "a", "f")), delta(piece(": 1}")), END], [F]),
    "id each time": ([delta(piece('{"x"', "a", "f")), delta(piece(": 1}", "a")), END], [F]),
    "id each time, another index": ([F_PARTS[0], delta(piece(": 1}", "a", None, 1)), END], [F]),
    "name each time": ([F_PARTS[0], delta(piece(": 1}", "a", "f", 0)), END], [F]),
    "name each time, no id": (
        [delta(piece('{"x"', None, "f")), delta(piece(": 1}", None, "f")), END], [(None, *F[1:])]
    ),
    "an empty id each time": ([F_PARTS[0], delta(piece(": 1}", "", "", 0)), END], [F]),
    "an object": ([delta(piece({"x": 1}, "a", "f", 0)), END], [F]),
    "one index for two calls": (
        [*F_PARTS, delta(piece('{"y"', "b", "g", 0)), delta(piece(": 2}", None, None, 0)), END], [F, G]
    ),
    "two calls without ids": (
        [delta(piece('{"x": 1}', None, "f")), delta(piece('{"y": 2}', None, "g")), END],
        [(None, *F[1:]), (None, *G[1:])],
    ),
    "two calls of one tool without ids": (
        [delta(piece('{"x": 1}', None, "f", 0)), delta(piece('{"x": 2}', None, "f", 0)), END],
        [(None, "f", {"x": 1}), (None, "f", {"x": 2})],
    ),
    "in turns": (
        [
            delta(piece("", "a", "f", 0), piece("", "b", "g", 1)),
            delta(piece('{"y"', index=1), piece('{"x"', index=0)),
            delta(piece(": 1}", index=0), piece(": 2}", index=1)),
            END,
        ],
        [F, G],
    ),
    "each fragment with all before it": (
        [F_PARTS[0], delta(piece('{"x": 1', index=0)), delta(piece('{"x": 1}', index=0)), END], [F]
    ),
    "the whole call once more": ([*F_PARTS, delta(piece('{"x": 1}', "a", "f", 0), finish="tool_calls")], [F]),
    "a finish reason each time": (
        [delta(piece('{"x"', "a", "f", 0), finish="tool_calls"), delta(piece(": 1}", index=0), finish="tool_calls")],
        [F],
    ),
    "no finish reason": (F_PARTS, [F]),
    "a message at the end": (
        [delta(piece('{"x": ', "z", "f", 0)), at_end(piece('{"x": 1}', "a", "f"), content="네")], [F]
    ),
    "with words between": ([F_PARTS[0], delta(content="네"), F_PARTS[1], END], [F]),
}  # fmt: skip

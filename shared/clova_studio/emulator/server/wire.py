"""Bytes on the wire: envelopes and event frames, in the documented or the observed form."""

import hashlib
import json
import uuid
from typing import Any

from clova_studio.emulator.rules.facts import Facts


def dumps(value: Any) -> str:
    """Compact JSON with real characters, as the service writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def success(result: Any) -> bytes:
    """The envelope of an answer; None gives the status alone."""
    envelope: dict[str, Any] = {"status": {"code": "20000", "message": "OK"}}
    if result is not None:
        envelope["result"] = result
    return dumps(envelope).encode()


def usage(prompt: int, completion: int) -> dict[str, Any]:
    """The token counts of a native answer."""
    return {"promptTokens": prompt, "completionTokens": completion, "totalTokens": prompt + completion}


def failure(code: str, message: str, facts: Facts) -> bytes:
    """The envelope of a refusal: recorded ones have ``"result":null``, those in the guide have no result."""
    envelope: dict[str, Any] = {"status": {"code": code, "message": message}}
    if facts["error-result"] == "null":
        envelope["result"] = None
    return dumps(envelope).encode()


def openai_failure(code: str, message: str) -> bytes:
    """The envelope of a refusal on the OpenAI-compatible paths, as the overview page prints it."""
    return dumps({"error": {"message": message, "type": None, "param": None, "code": code}}).encode()


def fingerprint(*parts: object) -> bytes:
    """A stable digest of a request, from which ids and seeds are derived."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.digest()


def random_seed(mark: bytes) -> int:
    """The seed of an answer to a request without one: 1 to 4294967295."""
    return int.from_bytes(mark[:4], "big") or 1


def call_id(mark: bytes, index: int) -> str:
    """The id of a tool call: ``call_`` and 24 letters or digits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    digest = hashlib.blake2b(mark + index.to_bytes(2, "big"), digest_size=24).digest()
    return "call_" + "".join(alphabet[byte % len(alphabet)] for byte in digest)


class Frames:
    """Writes the events of one stream.

    Recorded streams have no space after the colon; the guide's examples have one. Every event has its own id, which
    differs from the request's.
    """

    def __init__(self, mark: bytes, facts: Facts) -> None:
        self._mark = mark
        self._blank = "" if facts["event-space"] == "none" else " "
        self._count = 0

    def frame(self, event: str, data: Any) -> bytes:
        """One event: ``id``, ``event`` and ``data`` lines and the blank line that ends it."""
        self._count += 1
        digest = hashlib.blake2b(self._mark + self._count.to_bytes(4, "big"), digest_size=16).digest()
        name = uuid.UUID(bytes=digest, version=4)
        blank = self._blank
        return f"id:{blank}{name}\nevent:{blank}{event}\ndata:{blank}{dumps(data)}\n\n".encode()

    def signal(self) -> bytes:
        """The event that follows the result in recorded streams; it is JSON, not OpenAI's bare ``[DONE]``."""
        return self.frame("signal", {"data": "[DONE]"})

    def error(self, code: str, message: str) -> bytes:
        """A failure inside a stream whose HTTP status was already 200."""
        return self.frame("error", {"status": {"code": code, "message": message}})


class OpenAIFrames:
    """Writes the chunks of an OpenAI-compatible stream ("same structure as OpenAI", compatibility page)."""

    def chunk(self, data: Any) -> bytes:
        """One chunk."""
        return f"data: {dumps(data)}\n\n".encode()

    def signal(self) -> bytes:
        """The end of the stream, which is not JSON here."""
        return b"data: [DONE]\n\n"

    def error(self, code: str, message: str) -> bytes:
        """A failure inside a stream whose HTTP status was already 200."""
        return b"data: " + openai_failure(code, message) + b"\n\n"

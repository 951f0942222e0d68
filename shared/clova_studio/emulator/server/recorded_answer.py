"""What an emulator answered: the first part of the body, and when each event of a stream went out."""

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from clova_studio.emulator.server.body import parse

MOST_ANSWER_BYTES = 128 * 1024
_MOST_MARKS = 4_096
_TAIL = 4_096
_OVERHEAD = 512  # of a record beside its bytes
# Inside a text of the answer the closing quotation mark would have a backslash before it.
_TOKENS = re.compile(
    rb'"(promptTokens|prompt_tokens|inputTokens|inputLength|completionTokens|completion_tokens|outputLength)": ?'
    rb"([0-9]{1,12})"
)
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE_END = re.compile(r"\r\n|\n|\r")
_INPUT = frozenset({b"promptTokens", b"prompt_tokens", b"inputTokens", b"inputLength"})


@dataclass(frozen=True)
class SentEvent:
    """An event of a stream.

    Attributes:
        event: Its name; empty on the OpenAI-compatible paths, whose events have none.
        data: Its data.
        seconds: From the arrival of the request until its last byte went out; None where that was not kept.
    """

    event: str
    data: str
    seconds: float | None


@dataclass
class RecordedAnswer:
    """The answer to a request, while it goes out and afterwards.

    Attributes:
        headers: Its headers with lower-case names.
        raw: The body's bytes, the first 128 KiB of them.
        size: How many bytes the whole body has.
        since: Arrival of the request on the monotonic clock, from which times are counted.
    """

    headers: dict[str, str] = field(default_factory=dict)
    raw: bytearray = field(default_factory=bytearray, repr=False)
    size: int = 0
    since: float = field(default_factory=monotonic)
    _tail: bytes = field(default=b"", repr=False)
    # Where each part of the body ends, and when it went out.
    _ends: "array[int]" = field(default_factory=lambda: array("L"), repr=False)
    _times: "array[float]" = field(default_factory=lambda: array("d"), repr=False)

    def add(self, data: bytes) -> None:
        """Record a part of the body that goes out now.

        Args:
            data: Its bytes.
        """
        self._add(data, monotonic() - self.since)

    def keep(self, headers: dict[str, str], parts: Iterable[bytes], seconds: Sequence[float]) -> None:
        """Record an answer that has gone out.

        Args:
            headers: Its headers with lower-case names.
            parts: The body in parts, such as the events of a stream.
            seconds: When each part was complete, from the arrival of the request; some may be missing at the end.
        """
        self.headers = headers
        for index, part in enumerate(parts):
            self._add(part, seconds[index] if index < len(seconds) else math.inf)

    def _add(self, data: bytes, moment: float) -> None:
        if not data:
            return
        self.size += len(data)
        room = MOST_ANSWER_BYTES - len(self.raw)
        if room > 0:
            self.raw += data[:room]
            if len(self._ends) < _MOST_MARKS:
                self._ends.append(len(self.raw))
                self._times.append(moment)
        if self.is_cut:  # the count of tokens is at the end
            self._tail = (self._tail + data)[-_TAIL:]

    @property
    def is_cut(self) -> bool:
        """Whether the body goes on after the bytes that are kept."""
        return self.size > len(self.raw)

    @property
    def streamed(self) -> bool:
        """Whether the answer is a stream of events."""
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def memory(self) -> int:
        """About how many bytes of memory it takes."""
        texts = sum(len(name) + len(value) for name, value in self.headers.items())
        return _OVERHEAD + len(self.raw) + 16 * len(self._ends) + texts

    @property
    def body(self) -> Any:
        """The parsed body; None when it is a stream, no valid JSON, or cut."""
        return None if self.streamed or self.is_cut else parse(bytes(self.raw))

    @property
    def text(self) -> str:
        """The kept part of the body as a text."""
        return self.raw.decode(errors="replace")

    @property
    def tokens(self) -> tuple[int | None, int | None]:
        """Tokens of the input and of the output, as the answer counts them; None where it does not."""
        found: dict[bool, int] = {}
        for name, count in _TOKENS.findall(self._tail or bytes(self.raw[-_TAIL:])):
            found[name in _INPUT] = int(count)
        return found.get(True), found.get(False)

    @property
    def events(self) -> list[SentEvent]:
        """The whole events of a stream, in the kept part of it."""
        if not self.streamed:
            return []
        found = []
        raw = bytes(self.raw)
        start = 0
        for blank in _BLANK_LINE.finditer(raw):
            name, data = "", []
            for line in _LINE_END.split(raw[start : blank.start()].decode(errors="replace")):
                key, _, value = line.partition(":")
                if key == "event":
                    name = value.strip()
                elif key == "data":
                    data.append(value.removeprefix(" "))
            found.append(SentEvent(name, "\n".join(data), self._sent(blank.end())))
            start = blank.end()
        return found

    def _sent(self, end: int) -> float | None:
        """When the byte before an offset went out."""
        index = bisect_left(self._ends, end)
        moment = self._times[index] if index < len(self._times) else math.inf
        return moment if math.isfinite(moment) else None

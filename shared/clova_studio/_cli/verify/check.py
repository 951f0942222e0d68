"""What a check is: one fact, what is sent, which answers are possible, and how the one that came is recognised."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clova_studio._cli.verify.wire import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clova_studio._cli.verify.wire import Sender

__all__ = [
    "HELLO",
    "Check",
    "UnsettledError",
    "compatible",
    "failed",
    "is_refused",
    "native",
    "post",
    "refused_or",
    "success",
    "takes",
]

HELLO = [{"role": "user", "content": "안녕"}]
THINKS = "HCX-007"
# Refusals of what a request says. Those of keys, models, quotas and lengths settle nothing.
_ABOUT_THE_REQUEST = frozenset({"40000", "40001", "40002", "40004", "40005", "40009", "40055", "40060", "40063"})


class UnsettledError(Exception):
    """What came is none of the possible answers; the text says what it was."""


@dataclass(frozen=True)
class Check:
    """One fact of the reference."""

    id: str
    about: tuple[str, str]  # the question, in English and Korean
    answers: tuple[str, ...]
    documented: str
    observed: str
    requests: tuple[Request, ...]
    decide: Callable[..., str]  # (sender, *requests) -> one of the answers, or an UnsettledError
    open: bool = False  # no recording settles it: only the service can
    # An answer that leaves open which of the emulator's values it is -> the one to write.
    stands_for: Mapping[str, str] = field(default_factory=dict)
    late: bool = False  # whether it looks at what came of the others
    repeats: int = 0  # how often the first request may be sent once more
    is_emulated: bool = True  # whether the emulator can be set to answer in one way or another
    not_emulated: frozenset[str] = frozenset()  # the answers that it cannot be set to

    @property
    def tokens(self) -> int:
        """About how many tokens it can use by itself."""
        return sum(request.tokens for request in self.requests) + self.repeated_tokens

    @property
    def repeated_tokens(self) -> int:
        """Those of them that no other check can share."""
        return self.repeats * self.requests[0].tokens

    def settle(self, sender: Sender) -> str:
        """Send what is needed and return the answer."""
        answer = self.decide(sender, *self.requests)
        if answer not in self.answers:
            raise UnsettledError(answer)
        return answer

    def agrees(self, answer: str, expected: str) -> bool:
        """Return whether an answer is what was expected, as far as it tells."""
        return self.stands_for.get(answer, answer) == self.stands_for.get(expected, expected)


def post(path: str, body: Mapping[str, Any], **settings: Any) -> Request:
    """Return a request with a JSON body."""
    return Request(path, json.dumps(body, ensure_ascii=False), **settings)


def native(model: str, *, output: int | None = 1, stream: bool = False, images: int = 0, **fields: Any) -> Request:
    """Return a request of native v3 chat; with ``output`` None it sends no limit of the answer."""
    body: dict[str, Any] = {"messages": HELLO, **fields}
    if output is not None:
        body["maxCompletionTokens" if model == THINKS else "maxTokens"] = output
    if model == THINKS:
        body.setdefault("thinking", {"effort": "none"})
    return post(f"/v3/chat-completions/{model}", body, stream=stream, output=output or 512, images=images)


def compatible(model: str, *, output: int = 1, **fields: Any) -> Request:
    """Return a request of OpenAI-compatible chat."""
    body = {"model": model, "messages": HELLO, "max_completion_tokens" if model == THINKS else "max_tokens": output}
    if model == THINKS:
        body["reasoning_effort"] = "none"
    return post("/v1/openai/chat/completions", {**body, **fields}, output=output)


def is_refused(reply: Reply) -> bool:
    """Return whether what a request says was refused; an UnsettledError where something else failed."""
    if reply.ok:
        return False
    if reply.status == 400 and reply.code in _ABOUT_THE_REQUEST:  # noqa: PLR2004  the HTTP status
        return True
    raise UnsettledError(failed(reply))


def failed(reply: Reply) -> str:
    """Return what failed, without texts of the answer."""
    return f"HTTP {reply.status}, {reply.code}" if reply.code else f"HTTP {reply.status}"


def refused_or(word: str) -> Callable[..., str]:
    """Return a decision: the word for a request that is taken, ``refused`` for one that is not."""

    def decide(sender: Sender, request: Request) -> str:
        return "refused" if is_refused(sender.ask(request)) else word

    return decide


takes = refused_or("taken")


def success(sender: Sender, request: Request) -> Reply:
    """Return the answer to a request that has to succeed for a check."""
    reply = sender.ask(request)
    if not reply.ok:
        raise UnsettledError(failed(reply))
    return reply

"""Understands how programs of several agents hand over: whom a tool can hand over to, and what its result means.

A result that only says that another agent goes on answers nothing: the question of the user is still open, and what was
found so far is in the answers of the agents before.
"""

import re
from collections.abc import Mapping
from typing import Any

from clova_studio.emulator.language.passages import text_of

_LONGEST = 400  # characters; a longer text tells more than who goes on
_HANDOVER = re.compile(
    r"\b(?:transferred|handed off|handed over|delegated)(?: back)? to\b"  # LangGraph
    r"|\bis now handling the request\b"  # LlamaIndex
    r'|^\{"assistant": "[^"]+"\}$'  # OpenAI Agents
    r"|(?:에게|(?:으)?로)\s(?:넘겼|넘깁|이관|전달했|연결했)",
    re.IGNORECASE,
)

_AGENTS = re.compile(r"\bavailable agents\b[^{]{0,40}(\{[^{}]*\})", re.IGNORECASE)  # LlamaIndex
_AGENT = re.compile(r"""(['"])(.{1,100}?)\1: (['"])(.{0,1000}?)\3(?=[,}])""", re.DOTALL)
# A text with its author in it, as LangGraph writes it where names of messages are not sent.
_NAMED = re.compile(r"\A<name>[^<]*</name>\s*<content>(.*)</content>\Z", re.DOTALL)


def listed_agents(description: str) -> dict[str, str]:
    """The agents that the description of a tool for handing over lists: name -> what it can do."""
    found = _AGENTS.search(description)
    return {name: known for _, name, _, known in _AGENT.findall(found.group(1))} if found else {}


def is_handover(message: Mapping[str, Any]) -> bool:
    """Whether a message is a tool result that only names the agent that goes on."""
    if message["role"] != "tool":
        return False
    text = text_of(message).strip()
    return len(text) <= _LONGEST and _HANDOVER.search(text) is not None


def said_before(messages: list[dict[str, Any]]) -> str:
    """What agents have answered since the user's last message, without the texts that come with tool calls."""
    last_user = max((at for at, message in enumerate(messages) if message["role"] == "user"), default=-1)
    said = [
        _NAMED.sub(r"\1", text_of(message).strip())
        for message in messages[last_user + 1 :]
        if message["role"] == "assistant" and not message.get("toolCalls")
    ]
    return "\n".join(text for text in dict.fromkeys(said) if text)

"""What tests of the adapters share: texts, ways of asking, and the wire as the judge of the answers."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

MODELS = ["HCX-005", "HCX-007", "HCX-DASH-002"]
CHAT = ["chat", "achat", "stream_chat", "astream_chat"]
COMPLETE = ["complete", "acomplete", "stream_complete", "astream_complete"]
STREAMS = ["stream_chat", "astream_chat", "stream_complete", "astream_complete"]
WITH_TOOLS = [f"{way}_with_tools" for way in CHAT]
STRUCTURED = ["structured_predict", "astructured_predict", "stream_structured_predict", "astream_structured_predict"]
QUESTION = "대한민국의 수도는 어디인가요?"
TEXTS = [f"{i}번째 문장" for i in range(40)]
LONG = "나" * 60_000

# Without it httpx loads all certificates for each request, which takes its time.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def run(component: Any, way: str, *args: Any, **kwargs: Any) -> list[Any]:
    """Call a method by its name, async ones in a loop of their own, and return all that it gives."""
    method = getattr(component, way)
    if not way.startswith("a"):
        given = method(*args, **kwargs)
        return list(given) if "stream" in way else [given]

    async def main() -> list[Any]:
        given = await method(*args, **kwargs)
        return [item async for item in given] if "stream" in way else [given]

    return asyncio.run(main())


def asked(way: str, text: str = QUESTION) -> Any:
    """Return a question as the method takes it: a text to complete, or messages."""
    from llama_index.core.llms import ChatMessage

    return text if "complete" in way else [ChatMessage(text)]


def replay(server: EmulatorServer, number: int = -1, **changes: Any) -> dict[str, Any]:
    """Send a recorded request once more, whole and without our client, and return the result on the wire.

    The emulator answers the same request with the same text, so this is what the adapter has to give out.
    """
    request = server.requests[number]
    body = {name: value for name, value in {**request.body, **changes}.items() if value is not None}
    headers = {"Authorization": f"Bearer {server.api_key}"}
    answer = httpx.post(f"{server.base_url}{request.path}", json=body, headers=headers, verify=NO_TLS)
    result: dict[str, Any] = answer.json()["result"]
    return result


def kinds(message: Any) -> list[str]:
    """Return the types of a message's blocks in order."""
    return [block.block_type for block in message.blocks]


def calls_of(message: Any) -> list[tuple[str, Any]]:
    """Return name and arguments of the tool calls in a message's blocks."""
    return [(block.tool_name, block.tool_kwargs) for block in message.blocks if block.block_type == "tool_call"]

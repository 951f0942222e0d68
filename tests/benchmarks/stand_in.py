"""A server in its own process that answers fixed bytes, so that its cost does not count.

Prints its port. The first parts of a path say how to answer:

* ``/sse/N/...`` a stream of N tokens where one is asked for,
* ``/hold/...`` a stream that stays open after its first tokens until the client leaves,
* ``/wait/MS/...`` whatever follows, after so many milliseconds.

The rest of the path says what: a native chat unless it names embeddings or the OpenAI-compatible API.
"""

from __future__ import annotations

import asyncio
import functools
import json
import resource

WORDS = [f"낱말{i} " for i in range(10)]
TEXT = "서울특별시입니다."
VECTOR = [round(((i * 7919) % 1_000) / 1_000 - 0.5, 7) + 0.00031 for i in range(1_024)]
HELD = 3


def chat(text: str, reason: str | None, usage: dict[str, int] | None) -> dict[str, object]:
    """Return a native answer, or an event of one."""
    message = {"role": "assistant", "content": text}
    return {"message": message, "finishReason": reason, "created": 1755269271, "seed": 77, "usage": usage}


def openai_chat(kind: str, place: str, text: str, reason: str | None, usage: object) -> dict[str, object]:
    """Return an answer of the OpenAI-compatible API, or an event of one."""
    choice = {"index": 0, place: {"role": "assistant", "content": text}, "finish_reason": reason}
    return {
        "id": "f0a1",
        "object": kind,
        "created": 1755269271,
        "model": "HCX-005",
        "choices": [choice],
        "usage": usage,
    }


USAGE = {"promptTokens": 24, "completionTokens": 9, "totalTokens": 33}
OPENAI_USAGE = {"prompt_tokens": 24, "completion_tokens": 9, "total_tokens": 33}
STATUS = {"code": "20000", "message": "OK"}
BODIES = {
    (False, False): {"status": STATUS, "result": chat(TEXT, "stop", USAGE)},
    (False, True): {"status": STATUS, "result": {"embedding": VECTOR, "inputTokens": 9}},
    (True, False): openai_chat("chat.completion", "message", TEXT, "stop", OPENAI_USAGE),
    (True, True): {
        "object": "list",
        "model": "bge-m3",
        "data": [{"object": "embedding", "index": 0, "embedding": VECTOR}],
        "usage": {"prompt_tokens": 9, "total_tokens": 9},
    },
}


def dumped(value: object) -> bytes:
    """Return JSON as the service writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@functools.cache
def whole(openai: bool, embedding: bool) -> bytes:  # noqa: FBT001
    """Return an answer that is not streamed."""
    body = dumped(BODIES[openai, embedding])
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def events(tokens: int, *, openai: bool) -> list[bytes]:
    """Return the events of a stream."""
    words = [WORDS[i % 10] for i in range(tokens)]
    if openai:
        kind = "chat.completion.chunk"
        chunks = [dumped(openai_chat(kind, "delta", word, None, None)) for word in words]
        last = dumped(openai_chat(kind, "delta", "", "stop", None))
        return [b"data: %s\n\n" % data for data in (*chunks, last, b"[DONE]")]
    native = [(b"token", dumped(chat(word, None, None))) for word in words]
    native.append((b"result", dumped(chat("".join(words), "stop", USAGE))))
    return [b"id:%032x\nevent:%s\ndata:%s\n\n" % (i, name, data) for i, (name, data) in enumerate(native)]


@functools.cache
def stream(tokens: int, openai: bool, held: bool) -> bytes:  # noqa: FBT001
    """Return a streamed answer, each event in an HTTP chunk of its own; without its end if it is held."""
    made = events(tokens, openai=openai)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%s\r\n" % (len(event), event) for event in (made[:HELD] if held else made)]
    return head + b"".join(chunks) + (b"" if held else b"0\r\n\r\n")


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests on one connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            parts = head.split(b" ", 2)[1].decode().strip("/").split("/")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
            )
            body = await reader.readexactly(length)
            if parts[0] == "wait":
                await asyncio.sleep(int(parts[1]) / 1_000)
                parts = parts[2:]
            openai = "openai" in parts
            if b"text/event-stream" in head or b'"stream":true' in body:
                held = parts[0] == "hold"
                writer.write(stream(HELD if held else int(parts[1]), openai, held))
                if held:
                    await reader.read()
                    return
            else:
                writer.write(whole(openai, "embedding" in parts or "embeddings" in parts))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serve until the process is ended."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8_192), most))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=2_048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

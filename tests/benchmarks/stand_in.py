"""A server in its own process that answers fixed bytes, so that its cost does not count.

Prints its port. ``/sse/N`` answers a stream of N tokens, anything else a whole chat answer.
"""

from __future__ import annotations

import asyncio

WHOLE = (
    '{"status":{"code":"20000","message":"OK"},"result":{"message":{"role":"assistant","content":"서울특별시입니다."},'
    '"finishReason":"stop","created":1755269271,"seed":77,'
    '"usage":{"promptTokens":24,"completionTokens":9,"totalTokens":33}}}'
).encode()
TOKEN = (
    "id:{0:032x}\nevent:token\n"
    'data:{{"message":{{"role":"assistant","content":"{1}"}},"finishReason":null,"created":1755269271,"seed":77,'
    '"usage":null}}\n\n'
)
RESULT = (
    "id:{0:032x}\nevent:result\n"
    'data:{{"message":{{"role":"assistant","content":"{1}"}},"finishReason":"stop","created":1755269271,"seed":77,'
    '"usage":{{"promptTokens":24,"completionTokens":9,"totalTokens":33}}}}\n\n'
)


def stream(tokens: int) -> list[bytes]:
    """Return the events of a stream."""
    words = [f"낱말{i % 10} " for i in range(tokens)]
    events = [TOKEN.format(i, word).encode() for i, word in enumerate(words)]
    return [*events, RESULT.format(tokens, "".join(words)).encode()]


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests on one connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ", 2)[1].decode()
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
            )
            await reader.readexactly(length)
            if b"text/event-stream" in head:
                tokens = int(path.split("/")[2])
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                for event in stream(tokens):
                    writer.write(b"%x\r\n%s\r\n" % (len(event), event))
                writer.write(b"0\r\n\r\n")
            else:
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WHOLE)
                )
                writer.write(WHOLE)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serve until the process is ended."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

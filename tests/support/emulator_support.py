"""What the emulator's tests share: plain HTTP clients and small builders of requests."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

# Without it each client loads all certificates, which takes its time.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONSTITUTION = Path(__file__).parents[2] / "langchain_clova" / "_demo" / "constitution-ko.txt"


def connect(server: EmulatorServer, **options: Any) -> httpx.Client:
    """A plain client with the server's key."""
    headers = {"authorization": f"Bearer {server.api_key}", **options.pop("headers", {})}
    settings = {"timeout": 10, "verify": NO_TLS, **options, "headers": headers}
    return httpx.Client(base_url=server.base_url, **settings)


def user(text: str, **more: Any) -> dict[str, Any]:
    """A request body with one user message."""
    return {"messages": [{"role": "user", "content": text}], **more}


def tool(name: str, description: str, /, **properties: Any) -> dict[str, Any]:
    """A tool whose properties are all required."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def events(body: str) -> list[tuple[str, str]]:
    """The events of a stream as (name, data), whatever the spacing after the colon."""
    return re.findall(r"^id: ?\S+\nevent: ?(\w+)\ndata: ?(.*)\n\n", body, re.MULTILINE)

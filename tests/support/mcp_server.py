"""An MCP server over stdio, to be run as a program: tools in the shapes that FastMCP makes of functions."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from mcp.server.fastmcp import FastMCP
from mcp.types import ImageContent, TextContent
from pydantic import BaseModel, Field

server = FastMCP("travel", log_level="ERROR")


class Stop(BaseModel):
    """A place to stop at."""

    name: str
    minutes: int | None = None


@server.tool()
def get_weather(
    location: Annotated[str, Field(description="도시", min_length=1)], unit: Literal["C", "F"] = "C"
) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location}: 맑음, 21 {unit}"


@server.tool()
def plan_trip(start: str, stops: list[Stop], by: str | None = None) -> dict[str, int]:
    """여행 계획을 세웁니다."""
    return {"stops": len(stops), "by": len(by or ""), "start": len(start)}


@server.tool()
def now() -> str:
    """지금 시각을 알려 줍니다."""
    return "12:00"


@server.tool()
def take_picture(place: str) -> list[TextContent | ImageContent]:
    """장소의 사진을 찍습니다."""
    data = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(3_000)).decode()
    return [TextContent(type="text", text=f"{place} 사진"), ImageContent(type="image", data=data, mimeType="image/png")]


if __name__ == "__main__":
    server.run()

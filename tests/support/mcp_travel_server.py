"""An MCP server over stdio, as the tutorials write them: the programs that are tested start it as a process."""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.server.fastmcp import FastMCP
from pydantic import BaseModel, Field

mcp = FastMCP("travel", log_level="ERROR")


class Passenger(BaseModel):
    """탑승객."""

    name: str = Field(description="탑승객 이름")
    seats: int = Field(default=1, ge=1, description="좌석 수")


@mcp.tool()
def get_weather(
    city: Annotated[str, Field(description="도시")],
    unit: Annotated[Literal["celsius", "fahrenheit"] | None, Field(description="온도 단위")] = None,
) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{city}: 맑음, 21도 ({unit or 'celsius'})"


@mcp.tool()
def book_train(destination: str, passenger: Passenger) -> dict[str, str | int]:
    """기차표를 예매합니다."""
    return {"예매": destination, "승객": passenger.name, "좌석": passenger.seats}


@mcp.tool()
def list_festivals() -> list[str]:
    """이번 달에 열리는 축제의 목록입니다."""
    return ["진주 남강 유등축제", "강릉 커피축제"]


@mcp.tool()
def refund(ticket: str) -> str:  # noqa: D103 - many tools of MCP servers have no description
    raise ValueError(f"환불할 수 없는 표입니다: {ticket}")


if __name__ == "__main__":
    mcp.run("stdio")

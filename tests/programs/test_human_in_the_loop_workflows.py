"""LlamaIndex agents whose tools wait for a person: what is rejected does not happen, and the conversation goes on."""

# Without annotations as texts: a tool's parameter is known for the context of its workflow by its class.
import asyncio
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.workflow import Context, HumanResponseEvent, InputRequiredEvent
from program_support import MODELS, WORKFLOW_WARNINGS, AgentRun, bodies, statuses

from clova_studio.emulator import EmulatorServer
from llama_index_clova import ClovaX

pytestmark = [pytest.mark.filterwarnings(f"ignore:{message}:DeprecationWarning") for message in WORKFLOW_WARNINGS]

QUESTION = "haneul@example.com 주소로 메일을 보내 주세요."
TO = "haneul@example.com"


@pytest.mark.slow
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("model", MODELS)
def test_llamaindex_agent_asks(server: EmulatorServer, account: dict[str, Any], model: str, *, streaming: bool) -> None:
    """A tool of a LlamaIndex agent waits for the person's event: "no" leaves the mail unsent, and is answered from."""
    sent: list[str] = []

    async def send_mail(ctx: Context, to: str) -> str:
        """메일을 보냅니다."""
        question = InputRequiredEvent(prefix=f"{to} 주소로 보낼까요?", user_name="하늘")
        answer = await ctx.wait_for_event(
            HumanResponseEvent, waiter_id=to, waiter_event=question, requirements={"user_name": "하늘"}
        )
        if answer.response != "예":
            return f"{to}: 사용자가 거절했습니다."
        sent.append(to)
        return f"{to}: 보냈습니다."

    agent = FunctionAgent(tools=[send_mail], llm=ClovaX(model=model, **account), streaming=streaming)

    async def main(response: str) -> AgentRun:
        handler = agent.run(QUESTION, max_iterations=5)
        events = []
        async for event in handler.stream_events():
            events.append(event)
            if isinstance(event, InputRequiredEvent):
                assert event.prefix == f"{TO} 주소로 보낼까요?"
                handler.ctx.send_event(HumanResponseEvent(response=response, user_name=event.user_name))
        return AgentRun(events, await handler)

    run = asyncio.run(main("아니요"))
    assert sent == []
    assert [made[:2] for made in run.results] == [("send_mail", {"to": TO})]
    assert "거절했습니다" in run.answer
    run.check_streamed(streaming=streaming)
    run = asyncio.run(main("예"))
    assert sent == [TO]
    assert "보냈습니다" in run.answer
    assert statuses(server) == [200] * 4
    assert bodies(server)[0]["tools"][0]["function"]["parameters"]["properties"].keys() == {"to"}

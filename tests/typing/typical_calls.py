"""Calls as users write them; never run, only type-checked."""

from typing import assert_type

from clova_studio import (
    AsyncClovaStudio,
    ChatChunk,
    ChatResult,
    ClovaStudio,
    Embedding,
    Message,
    OpenAIChatResult,
    RateLimits,
    ReasoningResult,
    RerankResult,
    RetryPolicy,
    Segmentation,
    SkillsetChunk,
    SkillsetResult,
    Summary,
    Timeouts,
    TokenCount,
    TuningTask,
)


def sync_calls(client: ClovaStudio) -> None:
    """Every verb has a result type of its own."""
    messages = [{"role": "user", "content": "안녕하세요?"}]
    result = client.chat(messages, model="HCX-005", temperature=0.5, stop=["끝"])
    assert_type(result, ChatResult)
    with client.stream_chat([*messages, result.message], model="HCX-007", thinking="low") as stream:
        for chunk in stream:
            assert_type(chunk, ChatChunk)
        assert_type(stream.result(), ChatResult)
    assert_type(client.embed("하나"), Embedding)
    assert_type(client.embed_many(["하나", "둘"], max_concurrency=4, on_error="return"), list[Embedding])
    assert_type(client.segment("하나. 둘.", alpha=-100), Segmentation)
    assert_type(client.count_chat_tokens(messages, model="HCX-003"), TokenCount)
    assert_type(client.summarize(["하나", "둘"], seg_max_size=500), Summary)
    assert_type(client.slide(messages, max_tokens=200), list[Message])
    assert_type(client.rerank("질문", ["글", {"id": "a", "doc": "글"}]), RerankResult)
    tools = [{"type": "function", "function": {"name": "search", "description": "찾기", "parameters": {}}}]
    assert_type(client.reason(messages, tools=tools, tool_choice="auto"), ReasoningResult)
    assert_type(client.route("travel01", 1, "질문").domain.result, str)
    assert_type(client.run_skillset("weather1", "latest", "질문"), SkillsetResult)
    with client.stream_skillset("weather1", 1, "질문") as steps:
        for step in steps:
            assert_type(step, SkillsetChunk)
    assert_type(client.tuning.wait("k3m9x2qa"), TuningTask)
    assert_type(client.openai.chat(messages, reasoning_effort="low"), OpenAIChatResult)


async def async_calls() -> None:
    """The async client has the same verbs, awaited; its streams are not awaited."""
    client = AsyncClovaStudio(
        "key", region="gov", timeout=Timeouts(read=30), retry=RetryPolicy(attempts=2), rate_limits=RateLimits(window=60)
    )
    async with client:
        messages = [{"role": "user", "content": "안녕하세요?"}]
        assert_type(await client.chat(messages, max_tokens=100), ChatResult)
        async with client.stream_chat(messages) as stream:
            async for chunk in stream:
                assert_type(chunk, ChatChunk)
            assert_type(stream.result(), ChatResult)
        assert_type(await client.embed("하나"), Embedding)
        assert_type(await client.embed_many(["하나"]), list[Embedding])

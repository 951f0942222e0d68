"""Calls as users write them; never run, only type-checked."""

from typing import assert_type

from clova_studio import (
    AsyncClovaStudio,
    ChatChunk,
    ChatResult,
    ClovaStudio,
    Embedding,
    RateLimits,
    RetryPolicy,
    Segmentation,
    Timeouts,
    TokenCount,
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

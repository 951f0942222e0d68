"""Token counts: the service's own for chats and embeddings, and the estimate as a tokenizer."""

from __future__ import annotations

import asyncio
import pickle
import random
import socket
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document, MockEmbedding, Settings
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, TokenCountingHandler
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.node_parser import SentenceSplitter, TokenTextSplitter
from llama_index.core.tools import FunctionTool

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError
from clova_studio.adapters import estimate_tokens
from llama_index_clova import ClovaEmbedding, ClovaX, clova_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

TEXT = "대한민국의 수도는 어디인가요?"
MESSAGES = [
    ChatMessage(role="system", content="짧게 답하세요."),
    ChatMessage(role="user", content=TEXT),
    ChatMessage(role="assistant", content="서울입니다."),
    ChatMessage(role="user", content="인구는?"),
]
SENTENCES = " ".join(f"{i}번째 문장은 서울과 부산의 날씨, 그리고 숙소에 관한 이야기입니다." for i in range(400))


def look(what: str) -> str:
    """무엇을 찾아봅니다."""
    return what


LOOK = FunctionTool.from_defaults(look)


@pytest.fixture(params=["sync", "async"])
def count(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Count in each of the two ways."""

    def run(component: Any, name: str, *given: Any, **options: Any) -> Any:
        if request.param == "sync":
            return getattr(component, name)(*given, **options)
        return asyncio.run(getattr(component, f"a{name}")(*given, **options))

    return run


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", ["HCX-005", "HCX-007", "HCX-003"])
def test_chats_are_counted_by_the_service(
    account: dict[str, Any], count: Callable[..., Any], server: EmulatorServer, model: str
) -> None:
    """The calculator of the model counts each message, and one prompt as one message."""
    llm = ClovaX(model=model, **account)
    found = count(llm, "count_chat_tokens", MESSAGES)
    assert [message.role for message in found.messages] == ["system", "user", "assistant", "user"]
    assert found.total == sum(message.count for message in found.messages) > 0
    assert found.tools == 0
    assert count(llm, "count_chat_tokens", TEXT).total == found.messages[1].count
    assert server.requests[0].path == f"/{'v1' if model == 'HCX-003' else 'v3'}/api-tools/chat-tokenize/{model}"


def test_tools_are_counted_too(account: dict[str, Any], count: Callable[..., Any], server: EmulatorServer) -> None:
    """Tools are sent as a chat sends them, and are part of the total."""
    llm = ClovaX(**account)
    plain, found = (count(llm, "count_chat_tokens", MESSAGES, tools=tools) for tools in (None, [LOOK]))
    assert found.tools > 0
    assert found.total == plain.total + found.tools
    llm.chat_with_tools([LOOK], chat_history=MESSAGES)
    assert server.requests[-1].body["tools"] == server.requests[-2].body["tools"]


def test_a_tuned_model_counts_as_its_base(
    account: dict[str, Any], count: Callable[..., Any], server: EmulatorServer
) -> None:
    """The calculator has no tuned models: their base is counted, if it is named."""
    count(ClovaX(model="ft:bjlkpn9s", base_model="HCX-DASH-002", **account), "count_chat_tokens", TEXT)
    assert server.requests[0].path.endswith("/HCX-DASH-002")


@pytest.mark.each_behaviour
def test_texts_are_counted_by_the_service(
    account: dict[str, Any], count: Callable[..., Any], server: EmulatorServer
) -> None:
    """The calculator of embedding v2 gives a number of tokens; the models of v1, which it has not, are refused."""
    assert count(ClovaEmbedding(**account), "count_tokens", TEXT) > 3
    assert [request.path for request in server.requests] == ["/v1/api-tools/embedding/v2/tokenize"]
    for model in ("clir-emb-dolphin", "clir-sts-dolphin"):
        with pytest.raises(ConfigurationError, match=f"not of {model}"):
            count(ClovaEmbedding(model=model, **account), "count_tokens", TEXT)
    for text, rule in ((" ", "text"), ("가" * 10_001, "10,001 characters")):
        with pytest.raises(ConfigurationError, match=rule):
            count(ClovaEmbedding(**account), "count_tokens", text)
    assert len(server.requests) == 1


def test_given_clients_count(server: EmulatorServer) -> None:
    """client= counts in asynchronous calls too, and async_client= alone counts in no synchronous one."""
    with ClovaStudio(server.api_key, base_url=server.base_url) as client:
        assert asyncio.run(ClovaX(client=client).acount_chat_tokens(TEXT)).total
        assert asyncio.run(ClovaEmbedding(client=client).acount_tokens(TEXT))

    async def main() -> None:
        async with AsyncClovaStudio(server.api_key, base_url=server.base_url) as client:
            assert (await ClovaX(async_client=client).acount_chat_tokens(TEXT)).total
            assert await ClovaEmbedding(async_client=client).acount_tokens(TEXT)
            with pytest.raises(ConfigurationError, match="client="):
                ClovaX(async_client=client).count_chat_tokens(TEXT)

    asyncio.run(main())


def test_the_tokenizer_is_as_long_as_the_estimate() -> None:
    """The list is as long as the estimate, the same each time, and so is that of a copy from another process."""
    back = pickle.loads(pickle.dumps(clova_tokenizer))  # noqa: S301
    for text in ("", "가" * 100, "word " * 40, "北京" * 50, "가나 abc 北京 🙂\n"):
        assert isinstance(clova_tokenizer(text), list)
        assert len(clova_tokenizer(text)) == len(back(text)) == estimate_tokens(text)
    assert [len(clova_tokenizer(text)) for text in ("", "가" * 100, "word " * 40, "北京" * 50)] == [0, 45, 40, 125]


def test_parts_have_no_fewer_tokens_than_the_whole() -> None:
    """However a text is cut, its parts have at least its tokens, and at most one more for each part."""
    chosen = random.Random(7)  # noqa: S311  no secret
    for _ in range(300):
        text = "".join(chosen.choices("가나다라ab 1.北京かな\n🙂", k=chosen.randint(1, 60)))
        cuts = sorted(chosen.sample(range(len(text) + 1), k=min(4, len(text))))
        parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        whole, apart = len(clova_tokenizer(text)), sum(len(clova_tokenizer(part)) for part in parts)
        assert whole <= apart <= whole + len(parts)


def test_a_megabyte_is_a_list_too() -> None:
    """A long text is counted whole, without a network, a tokenizer of another vendor, or a limit."""
    assert len(clova_tokenizer("가나다라마 " * 70_000)) == 70_000 * 245 // 100


@pytest.mark.parametrize(
    "splitter",
    [
        SentenceSplitter(chunk_size=200, chunk_overlap=0, tokenizer=clova_tokenizer),
        TokenTextSplitter(chunk_size=200, chunk_overlap=0, tokenizer=clova_tokenizer),
    ],
    ids=["sentences", "words"],
)
def test_splitters_size_korean_by_it(splitter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are no larger than asked for, mostly full, and lose no word, without a network."""
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was opened"))
    chunks = splitter.split_text(SENTENCES)
    sizes = [len(clova_tokenizer(chunk)) for chunk in chunks]
    assert max(sizes) <= 200
    assert min(sizes[:-1]) >= 100
    assert " ".join(chunks).split() == SENTENCES.split()


def test_settings_and_counting_take_it(account: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As Settings.tokenizer it sizes what has no tokenizer of its own; handler and memory count with it."""
    monkeypatch.setattr("llama_index.core.global_tokenizer", None)
    Settings.tokenizer = clova_tokenizer
    nodes = IngestionPipeline(transformations=[SentenceSplitter(chunk_size=200, chunk_overlap=0)]).run(
        documents=[Document(text=SENTENCES)]
    )
    assert max(len(clova_tokenizer(node.get_content())) for node in nodes) <= 200
    handler = TokenCountingHandler()
    manager = CallbackManager([handler])
    MockEmbedding(4, callback_manager=manager).get_text_embedding(TEXT)
    assert handler.total_embedding_token_count == len(clova_tokenizer(TEXT))
    with manager.event(CBEventType.LLM, payload={EventPayload.PROMPT: TEXT}) as event:
        event.on_end(payload={EventPayload.PROMPT: TEXT, EventPayload.COMPLETION: ""})
    assert handler.prompt_llm_token_count == len(clova_tokenizer(TEXT))
    memory = ChatMemoryBuffer.from_defaults(token_limit=40)  # counts with that of Settings
    memory.put_messages([ChatMessage(role=role, content=TEXT) for role in ("user", "assistant") * 20])
    assert 0 < len(memory.get()) < 10
    assert ClovaX(**account).complete(TEXT).text

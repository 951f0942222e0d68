"""Who shares a quota, and what a request is estimated to cost until the service says so."""

from __future__ import annotations

import math
import uuid
from typing import Any

import httpx
import pytest
from client_support import KEY, MESSAGES, OK, Clock, answer, embedded, envelope, sample

from clova_studio import AsyncClovaStudio, ClovaStudio, RateLimitError, RateLimits
from clova_studio._rate_limits.estimates import estimate_body_tokens, estimate_message_tokens, estimate_tokens
from clova_studio._requests import chat, completions, openai, retrieval

ROUTED = OK + (
    b'{"domain":{"result":"x","called":true},"blockedContent":{"result":[],"called":false},'
    b'"safety":{"result":[],"called":false}}}'
)
KOREAN = "네이버 클라우드 플랫폼에서 제공하는 인공지능 서비스의 사용법을 알려 주세요. "
ENGLISH = "The quick brown fox jumps over the lazy dog while the river runs past the mill. "
CHINESE = "今天天气很好我们一起去公园散步然后回家吃饭"


def client(make: Any = ClovaStudio, body: bytes = embedded(), **settings: Any) -> Any:
    """Return a client that gets the same answer to everything."""
    kind = httpx.Client if make is ClovaStudio else httpx.AsyncClient
    http = kind(transport=httpx.MockTransport(lambda _: answer(body)))
    return make(settings.pop("key", KEY), http_client=http, **settings)


async def test_every_client_of_an_account_shares_its_quota() -> None:
    """Sync, async and other clients with the same key count together; other keys, models and addresses apart."""
    key, limits = f"nv-{uuid.uuid4()}", RateLimits({"bge-m3": (10, None), "clir-emb-dolphin": (10, None)})
    one, two = (client(key=key, rate_limits=limits) for _ in range(2))
    three = client(AsyncClovaStudio, key=key)
    one.embed("글")
    two.embed("글")
    await three.embed("글")
    assert [made.quota("bge-m3").remaining_requests for made in (one, two, three)] == [7, 7, 7]
    one.embed("글", model="clir-emb-dolphin")
    assert one.quota("bge-m3").remaining_requests == 7
    for apart in (
        client(key=f"nv-{uuid.uuid4()}", rate_limits=limits),  # a test key and a service key are two keys
        client(key=key, rate_limits=limits, base_url="http://127.0.0.1:1"),
        client(key=key, rate_limits=limits, quota_group=str(uuid.uuid4())),
    ):
        assert apart.quota("bge-m3").remaining_requests == 10


def test_keys_of_one_main_account_can_be_joined() -> None:
    """Two keys in one quota_group have one quota, and one refusal holds both back."""
    group, clock = str(uuid.uuid4()), Clock()
    first, second = (client(key=f"nv-{i}", quota_group=group) for i in range(2))
    refused = answer(envelope("42901", "no"), 429, x_ratelimit_reset_requests="30s")
    first._given_http._transport = httpx.MockTransport(lambda _: refused)
    for made in (first, second):
        clock.on(made)
    first._http, first._policy = first._given_http, first._policy.with_attempts(0)
    with pytest.raises(RateLimitError):
        first.embed("글")
    second.embed("글")
    assert sum(clock.sleeps) == pytest.approx(30)


def test_tuned_models_count_on_their_base() -> None:
    """A tuned model whose base is named counts on the base's quota, any other on one of its own."""
    made = client(body=sample("v3_chat.json"), quota_group=str(uuid.uuid4()), rate_limits="test")
    made.chat(MESSAGES, task_id="abc", base_model="HCX-005")
    assert made.quota("HCX-005").remaining_requests == 59
    made.chat(MESSAGES, task_id="abc")
    made.chat(MESSAGES, model="hcx-005")
    assert made.quota("hcx-005") == made.quota("HCX-005")
    assert made.quota("HCX-005").remaining_requests == 58


def test_routers_and_skillsets_share_one_quota() -> None:
    """All routers and skillsets of an account, in every version, count together."""
    limits = RateLimits({"router": (10, None)})
    made = client(body=ROUTED, quota_group=str(uuid.uuid4()), rate_limits=limits)
    made.route("travel01", 1, "내일 날씨")
    made.route("other", 2, "내일 날씨")
    made._given_http._transport = made._http._transport = httpx.MockTransport(
        lambda _: answer(OK + b'{"finalAnswer":"x","tokenCount":3}}')
    )
    made.run_skillset("weather1", 1, "내일 날씨")
    assert made.quota("router").remaining_requests == 7


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [(KOREAN * 10, 0.428, 0.444), (ENGLISH * 10, 0.188, 0.198), (CHINESE * 10, 1.24, 1.29)],
    ids=["Korean", "English", "Chinese"],
)
def test_estimates_are_near_the_measured_figures(text: str, low: float, high: float) -> None:
    """Tokens a character are within 15 % of what was measured with HCX-005, and never less than 0.8 of it."""
    ratio = estimate_tokens(text) / len(text)
    assert 0.85 * low <= ratio <= 1.15 * high


def test_estimates_add_up() -> None:
    """Mixed text is the sum of its scripts, an image is about 1,600, and tools and messages are counted."""
    parts = estimate_tokens(KOREAN) + estimate_tokens(ENGLISH) + estimate_tokens(CHINESE)
    assert abs(estimate_tokens(KOREAN + ENGLISH + CHINESE) - parts) <= 3
    assert estimate_tokens("") == 0
    image = [{"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": "무엇이 보이나요?"}]}]
    assert 1_478 * 0.9 <= estimate_message_tokens(image) <= 1_694 * 1.1
    tool = {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "날씨 조회",
            "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
        },
    }
    plain = estimate_body_tokens({"messages": MESSAGES})
    # The guide's sample says 118 for such a tool; a script's ratio alone gives less for so much punctuation.
    assert 0.25 * 118 <= estimate_body_tokens({"messages": MESSAGES, "tools": [tool]}) - plain <= 1.5 * 118
    assert estimate_body_tokens({"messages": MESSAGES * 2}) == 2 * plain
    documents = [{"id": "1", "doc": KOREAN}, {"id": "2", "doc": KOREAN}]
    assert estimate_body_tokens({"query": KOREAN, "documents": documents}) == 3 * estimate_tokens(KOREAN)
    assert estimate_body_tokens({"texts": [KOREAN, ENGLISH]}) == estimate_tokens(KOREAN) + estimate_tokens(ENGLISH)


@pytest.mark.parametrize(
    ("options", "output"),
    [
        ({"model": "HCX-005", "max_tokens": 700}, 700),
        ({"model": "HCX-007", "max_completion_tokens": 900, "thinking": {"effort": "none"}}, 900),
        ({"model": "HCX-007"}, 5_120),
        ({"model": "HCX-007", "thinking": {"effort": "none"}}, 512),
        ({"model": "HCX-007", "thinking": {"effort": "medium"}}, 10_240),
        ({"model": "HCX-007", "thinking": {"effort": "high"}}, 20_480),
        ({"model": "HCX-003"}, 100),
    ],
)
def test_the_requested_maximum_output_is_charged(options: dict[str, Any], output: int) -> None:
    """The cap counts whatever the answer has; without one the documented default of the model does."""
    made = client(body=sample("v3_chat.json"), quota_group=str(uuid.uuid4()), rate_limits="test")
    model = options["model"]
    before = made.quota(model).limit_tokens
    result = made.chat(MESSAGES, **options)
    prompt = result.usage.prompt_tokens if result.usage else 0
    assert made.quota(model).remaining_tokens == before - output - prompt


def test_other_apis_have_their_documented_defaults() -> None:
    """The OpenAI-compatible chat asks for 512 by default, reranker and RAG reasoning for 1,024, completions for 100."""
    assert openai.chat(messages=MESSAGES, model="HCX-005", stream=False, options={}).output_tokens() == 512
    assert retrieval.rerank("질문", ["글"]).output_tokens() == 1_024
    assert retrieval.rerank("질문", ["글"], max_tokens=300).output_tokens() == 300
    assert completions.complete("글", model="LK-D2", options={}).output_tokens() == 100
    assert chat.chat(MESSAGES, model="HCX-005", options={}).output_tokens() >= 100


def test_estimates_follow_what_the_service_counts() -> None:
    """The answer's count replaces the estimate, and later requests are estimated by it."""
    text = "가" * 100
    low, high = math.ceil(45 * 0.9), math.ceil(45 * 1.5)
    limits = RateLimits({"bge-m3": (None, 10_000)})
    made = client(body=embedded(tokens=90), quota_group=str(uuid.uuid4()), rate_limits=limits)
    left = []

    def respond(_: httpx.Request) -> httpx.Response:
        left.append(made.quota("bge-m3").remaining_tokens)
        return answer(embedded(tokens=90))

    made._given_http._transport = made._http._transport = httpx.MockTransport(respond)
    for _ in range(6):
        made.embed(text)
    charged = [
        before - now for before, now in zip([10_000, *(10_000 - 90 * i for i in range(1, 6))], left, strict=True)
    ]
    assert low <= charged[0] <= high
    assert all(80 <= tokens <= 100 for tokens in charged[1:])
    assert made.quota("bge-m3").remaining_tokens == 10_000 - 6 * 90

"""Answers: from the context, from tools, and by schema; general rules, the same every time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import tool, user

if TYPE_CHECKING:
    import httpx

H5 = "/v3/chat-completions/HCX-005"
H7 = "/v3/chat-completions/HCX-007"
TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
PASSAGES = (
    "제41조 ① 국회는 국민의 보통·평등·직접·비밀선거에 의하여 선출된 국회의원으로 구성한다.\n"
    "제42조 국회의원의 임기는 4년으로 한다.\n"
    "제43조 국회의원은 법률이 정하는 직을 겸할 수 없다.\n"
    "제70조 대통령의 임기는 5년으로 하며, 중임할 수 없다."
)
QUESTION = "국회의원의 임기는 몇 년인가?"
CITIES = ["서울", "대전", "부산"]


def message(client: httpx.Client, path: str = H5, **body: Any) -> dict[str, Any]:
    """The message of a successful answer."""
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["result"]["message"]
    return found


def said(*turns: tuple[str, str]) -> list[dict[str, str]]:
    """A conversation."""
    return [{"role": role, "content": content} for role, content in turns]


def call(client: httpx.Client, text: str, *tools: dict[str, Any], **more: Any) -> tuple[str, Any] | None:
    """The one tool call of an answer, if it has one."""
    calls = message(client, **user(text, tools=list(tools), **more)).get("toolCalls")
    if not calls:
        return None
    assert len(calls) == 1
    return calls[0]["function"]["name"], calls[0]["function"]["arguments"]


@pytest.mark.parametrize(
    "messages",
    [
        said(("system", f"다음 자료만 보고 답하세요.\n\n{PASSAGES}"), ("user", QUESTION)),
        said(("user", f"자료:\n{PASSAGES}\n\n질문: {QUESTION}")),
        said(("user", f"{QUESTION}\n\n{PASSAGES}")),
        said(("user", PASSAGES), ("assistant", "네."), ("user", QUESTION)),
    ],
)
def test_context(either: httpx.Client, messages: list[dict[str, str]]) -> None:
    """A question is answered with the sentence of the conversation that fits it."""
    assert message(either, messages=messages)["content"] == "국회의원의 임기는 4년으로 한다."


def test_labels(observed: httpx.Client) -> None:
    """The label of a numbered passage goes with the sentence."""
    numbered = "\n".join(f"[{number}] {line}" for number, line in enumerate(PASSAGES.split("\n"), 1))
    messages = said(("system", numbered), ("user", QUESTION))
    assert message(observed, messages=messages)["content"] == "국회의원의 임기는 4년으로 한다. [2]"


def test_no_answer_in_passages(observed: httpx.Client) -> None:
    """When the numbered passages do not answer, the answer says so."""
    messages = said(
        ("system", "[1] 물은 100도에서 끓는다.\n[2] 얼음은 0도에서 녹는다."), ("user", "세종대왕은 언제 태어났나요?")
    )
    assert "찾지 못했습니다" in message(observed, messages=messages)["content"]


def test_english_context(observed: httpx.Client) -> None:
    """English works the same."""
    prompt = (
        "Context:\nThe tower is 330 metres tall. It was completed in 1889.\n\nQuestion: How tall is the tower?\nAnswer:"
    )
    assert message(observed, **user(prompt))["content"] == "The tower is 330 metres tall."


@pytest.mark.parametrize(("text", "word"), [("안녕하세요", "안녕하세요"), ("Hello", "Hello")])
def test_small_talk(either: httpx.Client, text: str, word: str) -> None:
    """Without context the answer is short, polite and in the language of the question."""
    content = message(either, **user(text))["content"]
    assert word in content
    assert ("습니다" in content) == (text == "안녕하세요")


TOOL_CASES: list[tuple[str, list[dict[str, Any]], tuple[str, Any] | None]] = [
    (
        "서울 날씨 알려줘",
        [tool("get_weather", "Get the weather.", location=TEXT)],
        ("get_weather", {"location": "서울"}),
    ),
    (
        "What is the weather in Los Angeles, CA?",
        [
            tool("search_news", "Search the news.", query=TEXT),
            tool("get_weather", "Weather at a place.", location=TEXT),
        ],
        ("get_weather", {"location": "Los Angeles, CA"}),
    ),
    ("Please run double_it(21).", [tool("double_it", "Doubles.", value=WHOLE)], ("double_it", {"value": 21})),
    ("Call ping() now.", [tool("ping", "Pings.")], ("ping", {})),
    ("12 곱하기 7은?", [tool("multiply", "두 수를 곱한다.", a=WHOLE, b=WHOLE)], ("multiply", {"a": 12, "b": 7})),
    (
        "Add a client called '株式会社さくら'.",
        [tool("add_client", "Adds a client.", name=TEXT)],
        ("add_client", {"name": "株式会社さくら"}),
    ),
    (
        "감사원의 직무를 검색해 줘",
        [tool("search", "헌법 조문을 검색한다.", query=TEXT)],
        ("search", {"query": "감사원의 직무를 검색해 줘"}),
    ),
    (
        "부산 날씨를 화씨로",
        [tool("weather", "날씨", city=TEXT, unit={"type": "string", "enum": ["celsius", "fahrenheit"]})],
        ("weather", {"city": "부산", "unit": "fahrenheit"}),
    ),
    (
        "서울에서 부산 가는 기차를 찾아 줘",
        [tool("find_train", "기차를 찾는다.", start={"type": "string", "enum": CITIES}, end={"enum": CITIES})],
        ("find_train", {"start": "서울", "end": "부산"}),
    ),
    (
        "Book a table for 4 people on 2026-03-01",
        [tool("book_table", "Books a table.", people=WHOLE, date={"type": "string", "format": "date"})],
        ("book_table", {"people": 4, "date": "2026-03-01"}),
    ),
    ("오늘 기분이 어때?", [tool("get_weather", "Get the weather.", location=TEXT)], None),
    ("Hello!", [tool("get_weather", "Get the weather.", location=TEXT)], None),
]


@pytest.mark.parametrize(("text", "tools", "expected"), TOOL_CASES)
def test_tools(either: httpx.Client, text: str, tools: list[dict[str, Any]], expected: tuple[str, Any] | None) -> None:
    """A tool is called when the request shares its words, with arguments taken from the request."""
    assert call(either, text, *tools) == expected


def test_tool_choice_none(either: httpx.Client) -> None:
    """With the choice none no tool is called."""
    assert call(either, "서울 날씨 알려줘", TOOL_CASES[0][1][0], toolChoice="none") is None


def test_demanded_tool(either: httpx.Client) -> None:
    """An instruction that demands a call is obeyed, one that forbids it is none."""
    tools = [tool("get_weather", "Get the weather.", location=TEXT)]
    for text, called in [
        ("You must call one of the given tools.", True),
        ("반드시 도구를 호출하세요.", True),
        ("Never call a tool.", False),
    ]:
        messages = said(("system", text), ("user", "Hello!"))
        assert ("toolCalls" in message(either, messages=messages, tools=tools)) == called


@pytest.mark.parametrize("instruction", ["도구를 쓸 수 있다.", "You must call one of the given tools."])
def test_tool_loop_ends(either: httpx.Client, instruction: str) -> None:
    """A tool result is answered in text that holds it, so that no loop goes on for ever."""
    tools = [tool("get_weather", "Get the weather.", location=TEXT)]
    messages: list[dict[str, Any]] = [*said(("system", instruction), ("user", "서울 날씨 알려줘"))]
    first = message(either, messages=messages, tools=tools)
    calls = first["toolCalls"]
    messages += [
        {"role": "assistant", "content": first["content"], "toolCalls": calls},
        {"role": "tool", "toolCallId": calls[0]["id"], "content": '{"sky": "맑음", "high": 32}'},
    ]
    for extra in ({"tools": tools}, {}):
        answer = message(either, messages=messages, **extra)
        assert "toolCalls" not in answer
        assert "맑음" in answer["content"]
        assert "32" in answer["content"]


def test_demanded_tools_in_turn(observed: httpx.Client) -> None:
    """Where calls are demanded, a second tool is called once after the first, as an agent's last step needs it."""
    tools = [
        tool("get_weather", "Get the weather.", location=TEXT),
        tool("final_report", "The last step.", summary=TEXT),
    ]
    messages: list[dict[str, Any]] = [*said(("system", "You must always call a tool."), ("user", "서울 날씨 알려줘"))]
    names = []
    for _ in range(3):
        answer = message(observed, messages=messages, tools=tools)
        if "toolCalls" not in answer:
            break
        names.append(answer["toolCalls"][0]["function"]["name"])
        messages += [answer, {"role": "tool", "toolCallId": answer["toolCalls"][0]["id"], "content": "맑음"}]
    assert names == ["get_weather", "final_report"]


SCHEMAS: list[tuple[str, dict[str, Any], Any]] = [
    (
        "High 32, low 15, rain 30%.",
        {"high": {"type": "number"}, "rain": {"type": "number", "maximum": 100}},
        {"high": 32, "rain": 30},
    ),
    (
        "최저 기온은 15도, 최고 기온은 32도입니다.",
        {
            "max": {"type": "integer", "description": "최고 기온"},
            "min": {"type": "integer", "description": "최저 기온"},
        },
        {"max": 32, "min": 15},
    ),
    (
        "The review is positive, 4.5 stars.",
        {"mood": {"type": "string", "enum": ["negative", "positive"]}, "stars": {"type": "number"}},
        {"mood": "positive", "stars": 4.5},
    ),
    ("Numbers: 1, 2 and 3.", {"all": {"type": "array", "items": {"type": "integer"}}}, {"all": [1, 2, 3]}),
    ("'사과'와 '배'를 산다.", {"fruits": {"type": "array", "items": TEXT, "minItems": 2}}, {"fruits": ["사과", "배"]}),
    (
        "name: 홍길동",
        {"person": {"type": "object", "properties": {"name": TEXT}, "required": ["name"]}},
        {"person": {"name": "홍길동"}},
    ),
    ("Send it to kim@example.com.", {"to": {"type": "string", "format": "email"}}, {"to": "kim@example.com"}),
    ("2026년 3월 1일에 만나자", {"day": {"type": "string", "format": "date"}}, {"day": "2026-03-01"}),
]


@pytest.mark.parametrize(("text", "properties", "expected"), SCHEMAS)
def test_structured(either: httpx.Client, text: str, properties: dict[str, Any], expected: Any) -> None:
    """A response format is filled from the text, as pretty-printed JSON."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    content = message(
        either, H7, **user(text, thinking={"effort": "none"}, responseFormat={"type": "json", "schema": schema})
    )["content"]
    assert content == json.dumps(expected, ensure_ascii=False, indent=2)


def test_structured_without_evidence(either: httpx.Client) -> None:
    """Where the text says nothing, the values still fit the schema."""
    properties = {
        "i": {"type": "integer", "minimum": 3, "maximum": 5},
        "n": {"type": "number", "maximum": -1},
        "s": TEXT,
        "b": {"type": "boolean"},
        "l": {
            "type": "array",
            "items": {"type": "object", "properties": {"x": WHOLE}, "required": ["x"]},
            "minItems": 2,
        },
        "e": {"enum": ["가", "나"]},
        "o": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "u": {"type": "string", "format": "uuid"},
    }
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    content = message(
        either, H7, **user("음", thinking={"effort": "none"}, responseFormat={"type": "json", "schema": schema})
    )["content"]
    value = json.loads(content)
    assert list(value) == list(properties)
    assert 3 <= value["i"] <= 5
    assert value["n"] <= -1
    assert value["s"]
    assert value["b"] is False
    assert len(value["l"]) >= 2
    assert value["e"] in {"가", "나"}


def test_image(either: httpx.Client) -> None:
    """An image is accepted and acknowledged."""
    image = {"type": "image_url", "imageUrl": {"url": "https://img.example.com/a.png"}}
    content = [image, {"type": "text", "text": "무엇이 보이나요?"}]
    assert "이미지" in message(either, messages=[{"role": "user", "content": content}])["content"]


def test_odd_contents(either: httpx.Client) -> None:
    """Odd but legal conversations are answered."""
    for text in ("?", "😀", "   .", "ㅋ", "a" * 5_000, '{"a": [1, {"b": null}]}', "<html>&amp;</html>"):
        assert message(either, **user(text))["content"]
    assert message(either, messages=said(("assistant", "네.")))["content"]
    assert message(either, messages=said(("system", "안내")))["content"]


def test_summary(observed: httpx.Client) -> None:
    """A request for a summary is answered with sentences of the text, in their order."""
    text = (
        "다음 글을 요약해줘.\n\n커피는 원두를 볶아 내린 음료이다. 원두는 아프리카에서 왔다. 커피에는 카페인이 있다. "
        "카페인은 잠을 쫓는다. 커피를 많이 마시면 잠이 오지 않는다."
    )
    content = message(observed, **user(text))["content"]
    parts = [part + "." for part in content.rstrip(".").split(". ")]
    assert len(parts) == 3
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_json_by_prompt(observed: httpx.Client) -> None:
    """A prompt that asks for JSON with named keys gets an object with just these."""
    content = message(observed, **user("Describe a cat. Answer in JSON with the keys `title` and `text`."))["content"]
    assert set(json.loads(content)) == {"title", "text"}

"""Answers that do not look broken: no sum of a date, no city called "What's", JSON where JSON is asked for."""

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
NUMBER = {"type": "number"}
SUMS = [tool("add", "Adds two numbers.", a=NUMBER, b=NUMBER), tool("subtract", "Subtracts.", a=NUMBER, b=NUMBER)]
CALCULATOR = tool("calculator", "Evaluates an arithmetic expression.", expression=TEXT)
WEATHER = tool("get_weather", "Get the weather.", city=TEXT)
MAIL = tool("send_email", "Sends an e-mail.", to=TEXT, subject=TEXT)
PAGE = tool("fetch_page", "웹 페이지를 가져온다.", url=TEXT)
SCHEDULE = tool("get_schedule", "일정을 조회한다.", date=TEXT)
ITEMS = {"type": "array", "items": {"type": "object", "properties": {"name": TEXT, "quantity": WHOLE}}}


def calls(client: httpx.Client, text: str, *tools: dict[str, Any]) -> list[tuple[str, Any]]:
    """The tool calls of an answer."""
    answer = client.post(H5, json=user(text, tools=list(tools))).json()["result"]["message"]
    return [(call["function"]["name"], call["function"]["arguments"]) for call in answer.get("toolCalls", [])]


def content(client: httpx.Client, *turns: tuple[str, str]) -> str:
    """The text that answers a conversation."""
    body = {"messages": [{"role": role, "content": said} for role, said in turns], "maxTokens": 500}
    found: str = client.post(H5, json=body).json()["result"]["message"]["content"]
    return found


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01에 회의가 있어?",
        "What happened on 2026/3/1?",
        "전화번호는 010-1234-5678입니다",
        "한국이 3-2로 이겼어",
        "kim-1@example.com",
        "https://example.com/2-1/3-2",
    ],
)
def test_no_sum(either: httpx.Client, text: str) -> None:
    """Dates, telephone numbers, scores and addresses are no sums."""
    assert calls(either, text, *SUMS) == []


CALLS: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("What's the weather in Seoul?", WEATHER, [{"city": "Seoul"}]),
    ("What’s the weather like in Busan today?", WEATHER, [{"city": "Busan"}]),  # noqa: RUF001 - the curly apostrophe
    ("Let's check the weather in New York", WEATHER, [{"city": "New York"}]),
    ("How's the weather in seoul?", WEATHER, [{"city": "seoul"}]),
    ("What is the weather in San Francisco, CA?", WEATHER, [{"city": "San Francisco, CA"}]),
    ("서울과 부산 날씨 알려줘", WEATHER, [{"city": "서울"}, {"city": "부산"}]),
    ("서울, 부산, 대구의 날씨는?", WEATHER, [{"city": "서울"}, {"city": "부산"}, {"city": "대구"}]),
    ("What is the weather in Seoul and Tokyo?", WEATHER, [{"city": "Seoul"}, {"city": "Tokyo"}]),
    ("Is it hotter in Los Angeles, CA or New York?", WEATHER, [{"city": "Los Angeles, CA"}, {"city": "New York"}]),
    ("3 * (4 + 5)를 계산해줘", CALCULATOR, [{"expression": "3 * (4 + 5)"}]),
    ("What is 12.5 * 8 + 3?", CALCULATOR, [{"expression": "12.5 * 8 + 3"}]),
    ("1234 곱하기 5678은?", CALCULATOR, [{"expression": "1234 * 5678"}]),
    ("kim@example.com으로 '회의 안내' 메일을 보내줘", MAIL, [{"to": "kim@example.com", "subject": "회의 안내"}]),
    ("https://example.com/a?b=1 페이지를 보여줘", PAGE, [{"url": "https://example.com/a?b=1"}]),
    ("2026년 3월 1일 일정 알려줘", SCHEDULE, [{"date": "2026-03-01"}]),
    ("My schedule on March 1, 2026?", SCHEDULE, [{"date": "2026-03-01"}]),
]


@pytest.mark.parametrize(("text", "offered", "expected"), CALLS)
def test_calls(either: httpx.Client, text: str, offered: dict[str, Any], expected: list[Any]) -> None:
    """A call has the values of the request, and several places are as many calls."""
    assert calls(either, text, offered) == [(offered["function"]["name"], arguments) for arguments in expected]


def test_two_calls_are_answered_together(either: httpx.Client) -> None:
    """The results of two calls are one answer, in the native and the OpenAI-compatible form, streamed too."""
    asked = user("서울과 부산 날씨 알려줘", tools=[WEATHER])
    said = either.post(H5, json=asked).json()["result"]["message"]
    ids = [call["id"] for call in said["toolCalls"]]
    assert len(set(ids)) == 2
    results = [
        {"role": "tool", "toolCallId": name, "content": sky} for name, sky in zip(ids, ("맑음", "흐림"), strict=True)
    ]
    body = {**asked, "messages": [*asked["messages"], said, *results]}
    answer = either.post(H5, json=body).json()["result"]["message"]["content"]
    assert "맑음" in answer
    assert "흐림" in answer
    streamed = either.post("/v1/openai/chat/completions", json={**asked, "model": "HCX-005", "stream": True}).text
    chunks = [json.loads(line.removeprefix("data: ")) for line in streamed.split("\n\n")[:-2]]
    pieces = [piece for chunk in chunks for piece in chunk["choices"][0]["delta"].get("tool_calls", [])]
    joined = ["".join(p["function"]["arguments"] for p in pieces if p["index"] == index) for index in (0, 1)]
    assert [json.loads(text) for text in joined] == [{"city": "서울"}, {"city": "부산"}]


FILLED: list[tuple[str, dict[str, Any], Any]] = [
    (
        "제 이름은 김철수이고 이메일은 chulsoo@example.com 입니다",
        {"name": TEXT, "email": TEXT},
        {"name": "김철수", "email": "chulsoo@example.com"},
    ),
    (
        "My name is John Smith, I'm 32 years old, email john@example.com",
        {"name": TEXT, "age": WHOLE, "email": TEXT},
        {"name": "John Smith", "age": 32, "email": "john@example.com"},
    ),
    (
        "연락처는 010-1234-5678이고 이름은 박영희입니다",
        {"name": TEXT, "phone": TEXT},
        {"name": "박영희", "phone": "010-1234-5678"},
    ),
    (
        "커피 두 잔과 치즈 케이크 한 조각 주문할게요",
        {"items": ITEMS},
        {"items": [{"name": "커피", "quantity": 2}, {"name": "치즈 케이크", "quantity": 1}]},
    ),
    (
        "I'd like two iced lattes and one bagel, please.",
        {"items": ITEMS},
        {"items": [{"name": "iced latte", "quantity": 2}, {"name": "bagel", "quantity": 1}]},
    ),
    (
        "2 pizzas and 3 cokes to 12 Main Street",
        {"items": ITEMS},
        {"items": [{"name": "pizza", "quantity": 2}, {"name": "coke", "quantity": 3}]},
    ),
    (
        "이름은 김철수이고 도시는 부산입니다",
        {"ireum": {**TEXT, "description": "이름"}, "dosi": {**TEXT, "description": "도시: 사는 곳"}},
        {"ireum": "김철수", "dosi": "부산"},
    ),
    ("2026년 3월 1일", {"year": WHOLE, "month": WHOLE, "day": WHOLE}, {"year": 2026, "month": 3, "day": 1}),
    (
        "오늘 배송이 늦어서 화가 나요",
        {"mood": {"type": "string", "enum": ["positive", "negative", "neutral"]}},
        {"mood": "negative"},
    ),
]


@pytest.mark.parametrize(("text", "properties", "expected"), FILLED)
def test_filled(either: httpx.Client, text: str, properties: dict[str, Any], expected: Any) -> None:
    """A schema is filled with the text's addresses, names, dates and items; a description may be the name."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    body = user(text, thinking={"effort": "none"}, responseFormat={"type": "json", "schema": schema})
    assert json.loads(either.post(H7, json=body).json()["result"]["message"]["content"]) == expected


SCHEMA = '{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}'
JSON: list[tuple[str, str, Any]] = [
    (f"Answer with JSON only that matches this schema: {SCHEMA}", "Kim is 20 years old.", {"name": "Kim", "age": 20}),
    (
        '다음 형식의 JSON으로만 답하세요: {"name": "이름", "age": 0}',
        "김철수는 20살이다.",
        {"name": "김철수", "age": 20},
    ),
    ("", "Return a JSON object with the fields name and age for: Kim is 20 years old.", {"name": "Kim", "age": 20}),
    ("", f"```json\n{SCHEMA}\n```\n이 스키마의 JSON으로 출력해. 김철수는 20살이다.", {"name": "김철수", "age": 20}),
]


@pytest.mark.parametrize(("system", "text", "expected"), JSON)
def test_json_by_words(either: httpx.Client, system: str, text: str, expected: Any) -> None:
    """A prompt that asks for JSON by a schema, an example or names gets just that."""
    turns = [("system", system), ("user", text)] if system else [("user", text)]
    assert json.loads(content(either, *turns)) == expected


def test_json_of_any_form(either: httpx.Client) -> None:
    """Asked for JSON of no known form, the answer is JSON; a question about JSON is answered in words."""
    assert set(json.loads(content(either, ("user", "대한민국의 수도를 JSON으로 답해줘")))) == {"answer"}
    assert isinstance(json.loads(content(either, ("user", "Give me three fruits as a JSON array."))), list)
    react = 'Use a valid JSON format for the Action Input, e.g. {"a": 1}. Or say Answer: and your answer.\nHello!'
    for text in ("What is JSON?", "JSON이 뭐야?", "Do not answer in JSON. Hello!", react):
        with pytest.raises(json.JSONDecodeError):
            json.loads(content(either, ("user", text)))


NOT_FOUND = "The given passages do not contain the answer."
ENGLISH: list[tuple[str, str]] = [
    ("Context: Task decomposition splits a task. Agents use memory.\nQuestion: What is task decomposition?", "splits"),
    ("Context information is below.\nThe tower is 330 metres tall.\nQuery: Who is the king of Spain?", NOT_FOUND),
    ("대통령의 임기는 5년으로 한다.\n국회의원의 임기는 4년으로 한다.\n\n질문: What is the term of office?", "emulator"),
    ("[1] 대통령의 임기는 5년이다. (term)\n\nQuestion: What is the term of office?", NOT_FOUND),
]


@pytest.mark.parametrize(("text", "expected"), ENGLISH)
def test_english(either: httpx.Client, text: str, expected: str) -> None:
    """An English question is answered from English passages, or in English that they do not have the answer."""
    assert expected in content(either, ("user", text))


def test_a_summary_in_the_language_of_its_text(either: httpx.Client) -> None:
    """A Korean text is summarised in Korean, whatever language asks; a short name in Latin letters is no English."""
    facts = "커피는 원두를 볶아 내린다. 원두는 아프리카에서 왔다. GDP는 국내총생산이다."
    assert "원두" in content(either, ("user", f"Please summarize this text.\n\n{facts}"))
    assert content(either, ("system", facts), ("user", "GDP?")) == "GDP는 국내총생산이다."


def test_instructions_that_are_passages(either: httpx.Client) -> None:
    """A system message of several statements is something to answer from; a role is not."""
    facts = "대통령의 임기는 5년으로 하며, 중임할 수 없다.\n국회의원의 임기는 4년으로 한다."
    assert content(either, ("system", facts), ("user", "What is the term of the president?")) == NOT_FOUND
    assert "찾지 못했습니다" in content(either, ("system", facts), ("user", "세종대왕은 언제 태어났나요?"))
    assert "emulator" in content(either, ("system", "You are a helpful assistant."), ("user", "Who are you?"))


@pytest.mark.parametrize(
    ("text", "word"), [("한국의 수도는 어디인가요?", "에뮬레이터"), ("What is the capital of Korea?", "emulator")]
)
def test_general_questions(either: httpx.Client, text: str, word: str) -> None:
    """What nothing in the conversation answers is answered by who answers: an emulator."""
    answer = content(either, ("user", text))
    assert text in answer
    assert word in answer

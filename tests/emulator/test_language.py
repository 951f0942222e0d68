# ruff: noqa: RUF001 - full-width marks are what some of these texts are about
"""Sentences, segments, vectors and tokens over real Korean text."""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clova_studio.emulator.language.segments import Options, segment
from clova_studio.emulator.language.sentences import split_sentences
from clova_studio.emulator.language.tokens import count, cut, pieces
from clova_studio.emulator.language.vectors import embed

if TYPE_CHECKING:
    import httpx

SEGMENT = "/v1/api-tools/segmentation"
EMBED = "/v1/api-tools/embedding/v2"
FOR_RETRIEVAL = {"alpha": -100, "postProcess": True, "postProcessMinSize": 100, "postProcessMaxSize": 300}

# Ten questions and the article of the constitution that answers each.
QUESTIONS = [
    ("국회의원의 임기는 몇 년인가?", "제42조"),
    ("대통령의 임기는 몇 년이며 중임할 수 있는가?", "제70조"),
    ("대한민국의 영토는 어디까지인가?", "제3조"),
    ("헌법재판소 재판관은 몇 명인가?", "제111조"),
    ("대법원장은 누가 임명하는가?", "제104조"),
    ("국회의 정기회는 며칠 동안 열 수 있는가?", "제47조"),
    ("대통령이 궐위된 때 누가 권한을 대행하는가?", "제71조"),
    ("법률안은 누가 제출할 수 있는가?", "제52조"),
    ("감사원은 어떤 일을 하는가?", "제97조"),
    ("헌법개정은 누가 제안할 수 있는가?", "제128조"),
]


def vector(client: httpx.Client, text: str, path: str = EMBED) -> list[float]:
    """The embedding of a text."""
    values: list[float] = client.post(path, json={"text": text}).json()["result"]["embedding"]
    return values


def product(left: list[float], right: list[float]) -> float:
    """The inner product."""
    return sum(a * b for a, b in zip(left, right, strict=True))


def cosine(left: list[float], right: list[float]) -> float:
    """The cosine."""
    return product(left, right) / math.sqrt(product(left, left) * product(right, right))


SENTENCES = [
    ("안녕하세요. 반갑습니다! 잘 지내셨나요? 네…", ["안녕하세요.", "반갑습니다!", "잘 지내셨나요?", "네…"]),
    ("원주율은 3.14이다. 다음은 2.71이다.", ["원주율은 3.14이다.", "다음은 2.71이다."]),
    ("1. 첫째 항목이다.\n2. 둘째 항목이다.", ["1. 첫째 항목이다.", "2. 둘째 항목이다."]),
    (
        "이 헌법은 1987. 10. 29. 공포되었다. 시행은 1988.2.25. 부터이다.",
        ["이 헌법은 1987. 10. 29. 공포되었다.", "시행은 1988.2.25. 부터이다."],
    ),
    ("부칙 <헌법 제10호, 1987.10.29.> 다음", ["부칙 <헌법 제10호, 1987.10.29.> 다음"]),
    (
        "Dr. Kim met J. Smith at 3 p.m. today. They left, e.g. by car.",
        ["Dr. Kim met J. Smith at 3 p.m. today.", "They left, e.g. by car."],
    ),
    ("The U.S. economy grew. It did!", ["The U.S. economy grew.", "It did!"]),
    ("것이다.다음은 이렇다.②둘째는 저렇다.", ["것이다.", "다음은 이렇다.", "②둘째는 저렇다."]),
    ("“정말인가?”라고 물었다. 그렇다.", ["“정말인가?”라고 물었다.", "그렇다."]),
    ("A line that is\nwrapped here. Next", ["A line that is\nwrapped here.", "Next"]),
    ("제목\n\n본문이다.", ["제목", "본문이다."]),
    ("这是第一句。这是第二句！", ["这是第一句。", "这是第二句！"]),
    ("   ", []),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_sentences(text: str, expected: list[str]) -> None:
    """Sentences end where they end: not at decimals, list marks, dates, abbreviations or wrapped lines."""
    assert [sentence.text for sentence in split_sentences(text)] == expected


@given(st.text(alphabet='가나다. 1a?!…\n"”)제조①A,', max_size=200))
def test_nothing_is_lost(text: str) -> None:
    """Sentences are stripped slices in order, separated only by white space."""
    at = 0
    for sentence in split_sentences(text):
        assert text[at : sentence.start].strip() == ""
        assert sentence.text == text[sentence.start : sentence.end] == sentence.text.strip() != ""
        at = sentence.end
    assert text[at:].strip() == ""


def check_exact(text: str, result: dict[str, list[list[str]]]) -> None:
    """Check that a segmentation holds each sentence of the text once and in order."""
    at = 0
    for sentence in (sentence for paragraph in result["topicSeg"] for sentence in paragraph):
        found = text.index(sentence, at)
        assert text[at:found].strip() == ""
        at = found + len(sentence)
    assert text[at:].strip() == ""
    numbers = [number for paragraph in result["span"] for number in paragraph]
    assert numbers == list(range(len(numbers)))
    assert [len(span) for span in result["span"]] == [len(paragraph) for paragraph in result["topicSeg"]]


@pytest.mark.parametrize("options", [{}, {"alpha": -100}, {"alpha": 1.5}, {"segCnt": 12}, FOR_RETRIEVAL])
def test_constitution(observed: httpx.Client, constitution: str, options: dict[str, float]) -> None:
    """Every segmentation of the constitution holds each of its sentences once, in order and unchanged."""
    result = observed.post(SEGMENT, json={"text": constitution, **options}).json()["result"]
    check_exact(constitution, result)
    assert result["inputTokens"] == count(constitution)


def test_alpha(observed: httpx.Client, constitution: str) -> None:
    """A larger alpha gives more paragraphs."""
    counts = [
        len(observed.post(SEGMENT, json={"text": constitution, "alpha": alpha}).json()["result"]["topicSeg"])
        for alpha in (-1.5, 0.0, 1.5)
    ]
    assert counts == sorted(set(counts))


@pytest.mark.parametrize(("wanted", "expected"), [(1, 1), (7, 7), (10_000, None)])
def test_seg_cnt(observed: httpx.Client, constitution: str, wanted: int, expected: int | None) -> None:
    """A wanted number gives so many paragraphs, as far as there are sentences."""
    result = observed.post(SEGMENT, json={"text": constitution, "segCnt": wanted}).json()["result"]
    assert len(result["topicSeg"]) == (len(split_sentences(constitution)) if expected is None else expected)


def test_sizes_are_soft(observed: httpx.Client, constitution: str) -> None:
    """Post-processing comes near to the sizes and never cuts a sentence."""
    result = observed.post(SEGMENT, json={"text": constitution, **FOR_RETRIEVAL}).json()["result"]
    sizes = [len(" ".join(paragraph)) for paragraph in result["topicSeg"]]
    assert min(sizes) >= 100
    long = [paragraph for paragraph in result["topicSeg"] if len(" ".join(paragraph)) > 400]
    assert all(sorted(map(len, paragraph))[:-1][-1:] < [100] for paragraph in long)  # a title and one long sentence


def test_blank_lines_part_topics(observed: httpx.Client) -> None:
    """Paragraphs about different things, with empty lines between them, are found again."""
    parts = [
        ["커피는 원두로 내린다.", "원두는 볶아서 쓴다.", "볶은 원두는 밀폐해 둔다."],
        ["기차는 서울에서 출발한다.", "부산까지 기차로 세 시간 걸린다.", "기차 좌석은 미리 예약한다."],
    ]
    text = "\n\n".join(" ".join(part) for part in parts)
    result = observed.post(SEGMENT, json={"text": text, "alpha": -100}).json()["result"]
    assert result["topicSeg"] == parts
    assert result["span"] == [[0, 1, 2], [3, 4, 5]]


def test_segmentation_is_fast(constitution: str) -> None:
    """Twenty thousand characters take far less than the documented patience of any client."""
    begin = time.monotonic()
    segment(constitution, Options(alpha=-100.0, post_process=True))
    assert time.monotonic() - begin < 5


def test_vectors(observed: httpx.Client) -> None:
    """Vectors have 1,024 half-precision numbers, are not of unit length, and repeat for the same text."""
    first, again = vector(observed, "내일 눈이 올까요"), vector(observed, "내일 눈이 올까요")
    assert first == again
    assert len(first) == 1_024
    assert all(isinstance(value, float) for value in first)
    assert abs(math.sqrt(product(first, first)) - 1) > 0.5


def test_models_differ(observed: httpx.Client) -> None:
    """The three models have unrelated vectors for one text."""
    text = "대한민국의 주권은 국민에게 있다"
    found = [
        vector(observed, text),
        *(
            vector(observed, text, f"/v1/api-tools/embedding/{model}")
            for model in ("clir-emb-dolphin", "clir-sts-dolphin")
        ),
    ]
    assert abs(cosine(found[0], found[1])) < 0.3
    assert abs(cosine(found[1], found[2])) < 0.3


@pytest.mark.parametrize("text", ["foo", "!!!", "😀", "1", "ㅋㅋ", "あ", "는"])
def test_any_text_has_a_vector(observed: httpx.Client, text: str) -> None:
    """No text gives the zero vector."""
    assert any(vector(observed, text))


@pytest.mark.parametrize(
    ("query", "near", "far"),
    [
        ("강아지를 산책시키는 법", "강아지와 산책하는 방법입니다.", "주식 시장이 크게 올랐다."),
        ("환불은 어떻게 받나요?", "환불을 받으려면 고객센터에 신청하세요.", "오늘 서울의 날씨는 맑습니다."),
        ("How do I train a dog?", "Dog training needs patience.", "The stock market rose sharply."),
    ],
)
def test_similarity(observed: httpx.Client, query: str, near: str, far: str) -> None:
    """Texts about the same are nearer than others, by cosine and by inner product."""
    asked, good, bad = (vector(observed, text) for text in (query, near, far))
    assert cosine(asked, good) > cosine(asked, bad) + 0.05
    assert product(asked, good) > product(asked, bad)


def test_retrieval(observed: httpx.Client, constitution: str) -> None:
    """Over the segmented constitution, the right article is among the first four for at least nine of ten questions."""
    result = observed.post(SEGMENT, json={"text": constitution, **FOR_RETRIEVAL}).json()["result"]
    chunks = ["\n".join(paragraph) for paragraph in result["topicSeg"]]
    vectors = [vector(observed, chunk) for chunk in chunks]
    found = {}
    for question, article in QUESTIONS:
        asked = vector(observed, question)
        best = sorted(range(len(chunks)), key=lambda index: -cosine(asked, vectors[index]))[:4]
        found[question] = any(re.search(rf"^{article}(?!\d)", chunks[index], re.MULTILINE) for index in best)
    assert found[QUESTIONS[0][0]]
    assert sum(found.values()) >= 9, found


def test_embedding_is_fast(constitution: str) -> None:
    """An ordinary text takes milliseconds at most."""
    texts = [constitution[start : start + 300] for start in range(0, 15_000, 300)]
    begin = time.monotonic()
    for text in texts:
        embed(text, "bge-m3")
    assert (time.monotonic() - begin) / len(texts) < 0.02


@given(st.text(max_size=100))
def test_pieces(text: str) -> None:
    """Token pieces joined are the text, and a cut text is a beginning of it within its limit."""
    assert "".join(pieces(text)) == text
    assert (count(text) == 0) == (text == "")
    short, was_cut = cut(text, 5)
    assert text.startswith(short)
    assert was_cut == (short != text)
    assert count(short) <= 5


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.text(alphabet="가나 aB\n\t1!_é中,", min_size=1, max_size=40), st.integers(400, 20_000), st.integers(0, 30_000)
)
def test_long_texts_are_counted_in_parts(text: str, times: int, most: int) -> None:
    """A long text has as many tokens as its pieces; whether it has more than a limit is known without all of them."""
    long = (text * times)[:40_000]
    found = pieces(long)
    wide = sum("中" in piece for piece in found)
    assert max(map(len, found)) <= 16
    assert count(long) == len(found) + (wide + 2) // 4
    assert (count(long, most) > most) == (count(long) > most)


def test_token_ratios(constitution: str) -> None:
    """Tokens per character are near to what was measured for Korean, English and Chinese."""
    english = "The quick brown fox jumps over the lazy dog, and everything else follows in due time. " * 5
    assert 0.40 < count(constitution) / len(constitution) < 0.48
    assert 0.17 < count(english) / len(english) < 0.23
    assert 1.2 < count("今天天气怎么样我们去公园吧") / 13 < 1.3


def test_token_calculators(either: httpx.Client) -> None:
    """The calculators count each message, each part, the tools and the response format."""
    chat = either.post("/v1/api-tools/chat-tokenize/HCX-003", json={"messages": [{"role": "system", "content": "가"}]})
    assert chat.json()["result"] == {"messages": [{"role": "system", "content": "가", "count": 1}]}
    image = {"type": "image_url", "imageUrl": {"url": "https://img.example.com/a.png"}}
    body = {
        "messages": [
            {"role": "system", "content": "가"},
            {"role": "user", "content": [image, {"type": "text", "text": "무엇인가?"}]},
        ],
    }
    found = either.post("/v3/api-tools/chat-tokenize/HCX-005", json=body).json()["result"]
    assert found["messages"][0] == {"role": "system", "content": [{"type": "text", "text": "가", "count": 1}]}
    assert found["messages"][1]["content"][0] == {**image, "count": 1_478}
    assert set(found) == {"messages"}
    tools = [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}]
    found = either.post("/v3/api-tools/chat-tokenize/HCX-005", json={**body, "tools": tools}).json()["result"]
    assert found["tools"]["count"] > 10
    plain = {"messages": [{"role": "user", "content": "가"}]}
    form = {"type": "json", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    found = either.post("/v3/api-tools/chat-tokenize/HCX-007", json={**plain, "responseFormat": form}).json()["result"]
    assert found["responseFormat"]["count"] > 10
    assert either.post(EMBED + "/tokenize", json={"text": "가나"}).json()["result"] == {"numTokens": 1}
    assert either.post(EMBED, json={"text": "가나"}).json()["result"]["inputTokens"] == 1

"""Finds what a text lists: the items of an order with their quantities, and names that stand side by side."""

import re
from dataclasses import dataclass

from clova_studio.emulator.language.text import HANGUL, listed
from clova_studio.emulator.language.values import find_values, without_values

_KOREAN_NUMBERS = dict(
    zip(
        listed("한 두 세 네 다섯 여섯 일곱 여덟 아홉 열 하나 둘 셋 넷 석 넉"),
        (*range(1, 11), *range(1, 5), 3, 4),
        strict=True,
    )
)
_ENGLISH_NUMBERS = dict(
    zip(
        listed("one two three four five six seven eight nine ten eleven twelve dozen a an"),
        (*range(1, 13), 12, 1, 1),
        strict=True,
    )
)
_COUNTERS = "|".join(
    listed(
        "잔 개 병 그릇 인분 판 권 장 마리 대 켤레 박스 상자 세트 조각 줄 봉지 봉 캔 컵 "
        "매 벌 송이 통 팩 묶음 자루 킬로 명 분 건"
    )
)
_IN_KOREAN = "|".join(sorted(_KOREAN_NUMBERS, key=len, reverse=True))
_KOREAN_QUANTITY = re.compile(rf"(?<![가-힣\d.])(?P<number>\d+|{_IN_KOREAN})\s*(?:{_COUNTERS})(?![가-힣]{{3}})")
_IN_ENGLISH = "|".join(_ENGLISH_NUMBERS)
_NOT_COUNTED = "of|to|in|at|for|more|or|and|times?|years?|days?|hours?|minutes?|am|pm"
_ENDS_NAME = "and|or|to|for|with|from|at|on|in|please|plus|then|that|which|is|are|by"
_WORD = r"[A-Za-z][\w'-]*"
_ENGLISH_QUANTITY = re.compile(
    rf"(?<![\w.$-])(?P<number>\d+|{_IN_ENGLISH})(?:\s*x)?\s+"
    r"(?:(?:cups?|glasses|bottles?|pieces?|slices?|boxes|box|packs?|orders?)\s+of\s+)?"
    rf"(?P<name>(?!(?:{_NOT_COUNTED})\b){_WORD}(?:\s+(?!(?:{_ENDS_NAME})\b){_WORD}){{0,2}})",
    re.IGNORECASE,
)
_STREET = re.compile(r"\b(?:street|road|avenue|st|rd|ave|lane|drive|floor)\Z", re.IGNORECASE)
_JOINT = re.compile(r"^(?:[\s,.]|(?:이랑|그리고|하고|과|와|랑|및|또)(?=\s))+")
_LAST_WORDS = re.compile(r"(?:[가-힣A-Za-z][\w가-힣-]*\s+)?[가-힣A-Za-z][\w가-힣-]*\s*$")
_SENTENCE_PART = re.compile(r"(?:은|는|에|에서|으로|께|님|요|가지|저|제가|저희)$")
_MOST_ITEMS = 20

# Places whose names are told from other words by their name alone.
_PLACES = listed(
    "서울 부산 대구 인천 광주 대전 울산 세종 수원 성남 분당 판교 용인 고양 일산 춘천 "
    "강릉 속초 원주 청주 천안 전주 군산 목포 여수 순천 포항 경주 안동 창원 진주 제주 "
    "제주도 서귀포 독도 강남 홍대 명동 이태원 도쿄 오사카 교토 후쿠오카 삿포로 베이징 상하이 홍콩 타이베이 "
    "방콕 하노이 싱가포르 뉴욕 런던 파리 베를린 로마 마드리드 시드니 모스크바 두바이"
)
_KOREAN_PLACE = re.compile(
    rf"(?<![가-힣])(?:{'|'.join(sorted(_PLACES, key=len, reverse=True))})"
    r"(?=$|[^가-힣]|(?:은|는|이|가|을|를|의|에|와|과|도|하고|이랑|랑|에서|보다|및|시|까지|부터)(?:[^가-힣]|$))"
)
_ENGLISH_NAME = r"[A-Z][\w'’.-]{0,30}(?:\s+[A-Z][\w'’.-]{0,30}){0,3}(?:,\s+[A-Z]{2}\b)?"  # noqa: RUF001 - the curly mark is meant
_ENGLISH_PAIR = re.compile(rf"(?:{_ENGLISH_NAME},\s+){{0,6}}{_ENGLISH_NAME},?\s+(?:and|or|vs\.?|&)\s+{_ENGLISH_NAME}")
_SEPARATOR = re.compile(r",?\s+(?:and|or|vs\.?|&)\s+|,\s+(?![A-Z]{2}\b)")


@dataclass(frozen=True)
class Item:
    """An item of an order: its name and quantity, and the part of the text that is about it."""

    name: str
    quantity: int
    text: str


def order_items(text: str) -> list[Item]:
    """The items of an order: Korean has the quantity behind the name, English before it."""
    bare = without_values(text, find_values(text))
    found = (_korean_items(bare) if HANGUL.search(text) else None) or _english_items(bare)
    return found[:_MOST_ITEMS]


def _korean_items(text: str) -> list[Item]:
    items: list[Item] = []
    start = 0
    for match in _KOREAN_QUANTITY.finditer(text):
        before = _JOINT.sub("", text[start : match.start()].rpartition("\n")[2])
        last = _LAST_WORDS.search(before)
        words = last.group().split() if last else []
        if len(words) > 1 and _SENTENCE_PART.search(words[0]):
            del words[0]
        if words:
            items.append(Item(" ".join(words), _number(match["number"]), text[start : match.end()]))
        start = match.end()
    return items


def _english_items(text: str) -> list[Item]:
    found = list(_ENGLISH_QUANTITY.finditer(text))
    items = []
    for index, match in enumerate(found):
        end = found[index + 1].start() if index + 1 < len(found) else len(text)
        if _STREET.search(match["name"]):
            continue
        *first, last = match["name"].split()
        items.append(Item(" ".join([*first, _singular(last)]), _number(match["number"]), text[match.start() : end]))
    return items


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    if re.search(r"(?:ss|sh|ch|x|z)es\Z", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _number(written: str) -> int:
    if written.isdigit():
        return int(written[:9])
    return int({**_KOREAN_NUMBERS, **_ENGLISH_NUMBERS}[written.lower()])


def places_together(text: str) -> list[str]:
    """The places of a text: known Korean ones, and capitalised names that are joined by "and" or a comma."""
    found = _KOREAN_PLACE.findall(text)
    for match in _ENGLISH_PAIR.finditer(text):
        found.extend(_SEPARATOR.split(match.group()))
    return list(dict.fromkeys(found))

"""A small Korean-English list of words in tool descriptions.

With it, a Korean request finds a tool that is described in English.
"""

import re
from typing import Any

from clova_studio.emulator.language.values import find_expression

_OPERATIONS = {
    "+": ("add", "adder", "sum", "plus", "더하", "합"),
    "-": ("subtract", "minus", "빼"),
    "*": ("multiply", "product", "times", "곱하"),
    "x": ("multiply", "product", "times", "곱하"),
    "/": ("divide", "나누"),
}
_PLAIN_SIGNS = str.maketrans({"×": "*", "÷": "/", "−": "-"})  # noqa: RUF001 - the signs are meant
_ARITHMETIC = ("calculate", "calculator", "arithmetic", "math", "계산")
_SIGN = re.compile(r"[-+*x/]")

_PAIRS = (
    "날씨=weather 기온=temperature 온도=temperature 비=rain 바람=wind 검색=search 찾=search 시간=time "
    "시각=time 날짜=date 오늘=today 내일=tomorrow 계산=calculate 계산=calculator 더하=add 합=sum "
    "곱하=multiply 빼=subtract 나누=divide 번역=translate 요약=summarize 예약=reserve 예약=book "
    "예약=reservation 주문=order 구매=buy 취소=cancel 환불=refund 배송=delivery 배송=shipping 주가=stock "
    "주식=stock 환율=exchange 환율=currency 통화=currency 가격=price 메일=mail 이메일=email 일정=schedule "
    "일정=calendar 회의=meeting 위치=location 지역=region 지역=location 도시=city 장소=place 나라=country "
    "국가=country 고객=customer 회원=member 사용자=user 이름=name 나이=age 전화=phone 주소=address "
    "상품=product 재고=inventory 재고=stock 뉴스=news 기차=train 열차=train 비행기=flight 항공=flight "
    "호텔=hotel 식당=restaurant 맛집=restaurant 음악=music 노래=song 영화=movie 책=book 문서=document "
    "파일=file 사진=image 그림=image 헌법=constitution 법률=law 조항=article 최고=high 최저=low 습도=humidity "
    "인구=population 거리=distance 경로=route 알림=notification 섭씨=celsius 화씨=fahrenheit 출발=departure "
    "더워=weather 더운=weather 덥지=weather 덥나=weather 추워=weather 추운=weather 춥지=weather 춥나=weather "
    "weather=hotter weather=colder weather=warmer weather=forecast weather=umbrella weather=sunny "
    "화가=negative 화나=negative 실망=negative 최악=negative 별로=negative 불만=negative 짜증=negative 늦어=negative "
    "좋아=positive 좋은=positive 좋았=positive 최고=positive 만족=positive 훌륭=positive 감사=positive 맛있=positive "
    "bad=negative terrible=negative awful=negative hate=negative great=positive love=positive excellent=positive "
    "도착=arrival 수량=quantity 제목=title 농담=joke 사원=employee 직원=employee"
)


def _build() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for pair in _PAIRS.split():
        korean, _, english = pair.partition("=")
        table.setdefault(korean, set()).add(english)
        table.setdefault(english, set()).add(korean)
    return {word: frozenset(others) for word, others in table.items()}


_TABLE = _build()


def same_meaning(word: str) -> frozenset[str]:
    """Translations of a word into the other language; empty if the list has none."""
    return _TABLE.get(word, frozenset())


def operation_words(text: str) -> list[str]:
    """Words for the operators of an arithmetic expression in a text, such as "1 + 2"; a date has none."""
    written = (find_expression(text) or "").translate(_PLAIN_SIGNS)
    signs = list(dict.fromkeys(_SIGN.findall(written)))
    return [word for sign in signs for word in (*_OPERATIONS[sign], *_ARITHMETIC)]


def mentions(text: str, value: Any) -> bool:
    """Whether a text contains a word or its translation."""
    if not isinstance(value, str) or not value:
        return False
    lower, said = value.lower().replace("_", " "), text.lower().replace("_", " ")
    if lower.isascii() and lower.isalnum():
        plain = re.search(rf"(?<![a-z0-9]){re.escape(lower)}(?![a-z0-9])", said) is not None
    else:
        plain = lower in said
    return plain or any(other in said for other in same_meaning(lower))

"""Finds values with a form of their own in a text: addresses, dates, telephone numbers, arithmetic expressions.

Their parts are neither numbers nor words of the text: the digits of a date are no operands, and ``kim@example.com`` is
one value.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from clova_studio.emulator.language.text import listed

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?"
_ORDINAL = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"

# Kind -> its forms. The first kind that matches at a place has it.
_FORMS: dict[str, tuple[re.Pattern[str], ...]] = {
    "url": (re.compile(r"\bhttps?://[^\s\"'<>()\[\]{}가-힣]*[^\s\"'<>()\[\]{}가-힣.,;:!?]", re.IGNORECASE),),
    "email": (re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"),),
    "date": (
        re.compile(
            r"(?<![\d.-])(?P<year>\d{4})\s?[년.\-/]\s?(?P<month>\d{1,2})\s?[월.\-/]\s?(?P<day>\d{1,2})(?!\d)일?"
        ),
        re.compile(r"(?<![\d/])(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})(?![\d/])"),
        re.compile(rf"\b{_MONTH}\s+{_ORDINAL}(?:,?\s+(?P<year>\d{{4}}))?\b", re.IGNORECASE),
        re.compile(rf"\b{_ORDINAL}\s+(?:of\s+)?{_MONTH}(?:,?\s+(?P<year>\d{{4}}))?\b", re.IGNORECASE),
        re.compile(r"(?<!\d)(?P<month>\d{1,2})월\s?(?P<day>\d{1,2})일"),
        re.compile(r"(?<!\d)(?P<year>\d{4})년\s?(?P<month>\d{1,2})월"),
    ),
    "phone": (
        re.compile(r"(?<![\w.+-])(?:\+\d{1,3}[-. ]?)?\(?0?\d{1,3}\)?[-. ]\d{3,4}[-. ]\d{4}(?![A-Za-z0-9_-])"),
        re.compile(r"(?<![\w.+-])0\d{9,10}(?![A-Za-z0-9_])"),
    ),
    "time": (re.compile(r"(?<![\d:])\d{1,2}:\d{2}(?::\d{2})?(?![\d:])"),),
}

# Words of a property's name that ask for a kind.
_ASKED = {
    "email": frozenset(listed("email mail emails recipient recipients sender cc bcc 이메일 메일 수신자 받는사람")),
    "url": frozenset(listed("url uri link href website homepage 링크 홈페이지 웹사이트")),
    "phone": frozenset(listed("phone tel telephone mobile cellphone 전화 전화번호 연락처 휴대폰")),
    "date": frozenset(listed("date day birthday deadline when 날짜 일자 생일 마감일")),
    "time": frozenset(listed("time 시간 시각")),
    "expression": frozenset(listed("expression expr equation formula arithmetic 수식 계산식 식")),
}
_ADDRESSED = frozenset(listed("to from"))  # an e-mail address only where the text has one

_OPERAND = r"(?:\(\s?){0,9}\d[\d,]{0,20}(?:\.\d{1,20})?%?(?:\s?\)){0,9}"
_SIGN = r"(?:\*\*|[-+*/x×÷^−])"  # noqa: RUF001 - the signs are meant
_EXPRESSION = re.compile(rf"(?<![\w.])-?{_OPERAND}(?:\s?{_SIGN}\s?-?{_OPERAND})+(?![\d.]*[A-Za-z0-9_])")
_TIGHT = re.compile(r"\d[-/]\d")
_SPOKEN = [
    (re.compile(rf"(?<=\d)\s?(?:{words})\s?(?=\d)", re.IGNORECASE), f" {sign} ")
    for sign, words in (
        ("+", "더하기|plus"),
        ("-", "빼기|minus"),
        ("*", "곱하기|times|multiplied by"),
        ("/", "나누기|divided by"),
    )
]
_ASKS_TO_COMPUTE = re.compile(
    r"what(?:'s|’s| is)\s|how much|calculat|comput|evaluat|solve|subtract|divide|계산|얼마|빼|나누|="  # noqa: RUF001
    r"|^\W*[\d(][^가-힣a-z]*\W*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Value:
    """A value, and where it is in the text."""

    kind: str
    text: str  # a whole date in its ISO form, everything else as written
    start: int
    end: int
    parts: tuple[tuple[str, int], ...] = ()  # of a date: year, month and day, as far as given


def find_values(text: str) -> list[Value]:
    """The values of a text, in order; none overlaps another."""
    found: list[Value] = []
    taken = [False] * len(text)
    for kind, forms in _FORMS.items():
        for form in forms:
            for match in form.finditer(text):
                if any(taken[match.start() : match.end()]):
                    continue
                value = _read(kind, match)
                if value is not None:
                    found.append(value)
                    taken[match.start() : match.end()] = [True] * len(match.group())
    return sorted(found, key=lambda value: value.start)


def _read(kind: str, match: re.Match[str]) -> Value | None:
    if kind != "date":
        return Value(kind, match.group(), match.start(), match.end())
    given = {name: part for name, part in match.groupdict().items() if part}
    month = given["month"]
    number = _MONTHS.index(month[:3].lower()) + 1 if month.isalpha() else int(month)
    parts = {name: number if name == "month" else int(part) for name, part in given.items()}
    if not 1 <= number <= 12 or not 1 <= parts.get("day", 1) <= 31:  # noqa: PLR2004 - a calendar
        return None
    whole = len(parts) == 3  # noqa: PLR2004 - year, month and day
    written = "{year:04d}-{month:02d}-{day:02d}".format(**parts) if whole else match.group()
    return Value(kind, written, match.start(), match.end(), tuple(parts.items()))


def without_values(text: str, values: Iterable[Value]) -> str:
    """A text of the same length with blanks in place of its values."""
    parts, at = [], 0
    for value in values:
        parts += [text[at : value.start], " " * (value.end - value.start)]
        at = value.end
    return "".join([*parts, text[at:]])


def wanted_kind(parts: list[str]) -> str | None:
    """The kind that a property with these words in its name asks for."""
    for kind, words in _ASKED.items():
        if words.intersection(parts):
            return kind
    return "email" if _ADDRESSED.issuperset(parts) and parts else None


def find_expression(text: str) -> str | None:
    """The arithmetic expression of a text, with signs for spoken operators; None without one.

    ``3-2`` and ``1/2`` without blanks may be a score or a share, so they count only where a result is asked for.
    """
    bare = without_values(text, find_values(text))
    for pattern, sign in _SPOKEN:
        bare = pattern.sub(sign, bare)
    for match in _EXPRESSION.finditer(bare):
        written = match.group().strip()
        plain = not _TIGHT.search(written) or len(re.findall(_SIGN, written)) > written.count("-") + written.count("/")
        if plain or _ASKS_TO_COMPUTE.search(bare):
            return _balanced(written)
    return None


def _balanced(written: str) -> str:
    """An expression without the parentheses that the text around it has open or closed."""
    while written.count("(") > written.count(")") and written.startswith("("):
        written = written[1:].strip()
    while written.count(")") > written.count("(") and written.endswith(")"):
        written = written[:-1].strip()
    return written

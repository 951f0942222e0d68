# ruff: noqa: RUF001 - full-width marks and curly quotes are meant here
"""Finds spans of a text that look like values: quoted text, names in another script, proper nouns."""

import re

from clova_studio.emulator.language.text import HANGUL, listed

_QUOTED = re.compile(
    r"\"([^\"\n]+)\"|“([^”\n]+)”|‘([^’\n]+)’|「([^」\n]+)」|『([^』\n]+)』|(?<![A-Za-z0-9])'([^'\n]+)'(?![A-Za-z0-9])|`([^`\n]+)`"
)
_CAPITALISED = re.compile(
    r"(?<![\w'])[A-Z][\w'’.-]*\w"
    r"(?:(?:\s+(?:of|the|de|la|and|&)\s+|,\s+|\s+)[A-Z][\w'’.-]*\w|,\s+[A-Z]{2}\b)*"
    r"|(?<!\w)[A-Z]{2,}(?!\w)"
)
# "What's", "I'm", "Let's", "Don't": no names.
_CONTRACTION = re.compile(
    r"\b(?:i|you|he|she|it|we|they|what|who|where|when|why|how|let|that|this|there|here)['’](?:s|m|re|ve|d|ll)\b"
    r"|\b[a-z]+n['’]t\b",
    re.IGNORECASE,
)
_POSSESSIVE = re.compile(r"['’]s\Z")
_EASTERN = re.compile(r"[぀-ヿ㐀-䶿一-鿿々ー]{2,}")
_PLACE_SUFFIX = re.compile(
    r"(?<![가-힣])[가-힣]{2,20}(?:특별시|광역시|시|도|군|구|동|역|공항|대학교|회사|집단|은행|병원)(?=[\s에의은는이가을를와과,.?]|$)"
)
_SENTENCE_START = re.compile(r"(?:\A|[.?!:\n]\s*)\Z")
_LOOK_BACK = 40
_ORDINARY = frozenset(
    listed(
        "what who when where why how which is are do does did can could would will should please tell give show "
        "find get use using call create make write search look let the this that there it i i'm my you your we he "
        "she they a an yes no ok hello hi hey thanks thank if in on at for from with and or but any also then now "
        "add send set turn check list explain describe translate summarize calculate compute return answer reply "
        "set open play book order compare convert email mail write buy cancel schedule summarise plus minus"
    )
)


def without_contractions(text: str) -> str:
    """A text of the same length with blanks in place of words such as "What's"."""
    return _CONTRACTION.sub(lambda match: " " * len(match.group()), text)


def find_spans(text: str) -> list[str]:
    """Find value-like spans, most certain first: quoted text, names in Han or Kana, capitalised words, place names.

    A capitalised word at the beginning of a sentence counts only when it is not in the list of ordinary words.
    """
    found: list[str] = []
    quoted = [next(filter(None, match.groups())) for match in _QUOTED.finditer(text)]
    found.extend(span.strip() for span in quoted)
    rest = without_contractions(_QUOTED.sub(" ", text))
    if not _mostly_eastern(rest):
        found.extend(_EASTERN.findall(rest))
    for match in _CAPITALISED.finditer(rest):
        span = _POSSESSIVE.sub("", match.group())
        if _SENTENCE_START.search(rest[max(0, match.start() - _LOOK_BACK) : match.start()]):
            first, _, others = span.partition(" ")
            if first.lower().strip(",") in _ORDINARY:
                span = others.strip()
        if span and span.lower() not in _ORDINARY:
            found.append(span)
    found.extend(_PLACE_SUFFIX.findall(rest))
    return list(dict.fromkeys(span for span in found if span))


def _mostly_eastern(text: str) -> bool:
    """Whether the text is Chinese or Japanese, in which case a run of Han or Kana is not a name."""
    runs = _EASTERN.findall(text)
    letters = sum(character.isalpha() for character in text)
    return sum(map(len, runs)) * 2 > letters and len(HANGUL.findall(text)) == 0

"""Words and character n-grams of Korean and other text, which vectors, segments, answers and tool calls compare.

Korean words have particles and endings that say little about the topic, so the common ones are removed; the stems are
compared by n-grams, which tolerates the remaining inflection.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache


def listed(words_in_a_row: str) -> list[str]:
    """The words of a list written as one string."""
    return words_in_a_row.split()


WORD = re.compile(r"[가-힣]+|[A-Za-z]+|[0-9]+|[぀-ヿ㐀-䶿一-鿿]+|[^\W\d_가-힣A-Za-z぀-ヿ㐀-鿿]+")
HANGUL = re.compile(r"[가-힣]")

# Longest first, so that "에서는" is tried before "는".
_SUFFIXES = sorted(
    listed(
        "으로부터 에서부터 에게서 에서는 에서도 으로는 으로도 으로서 으로써 이라고 이라는 이라도 까지는 "
        "까지도 부터는 에게는 에서 에게 으로 로서 로써 부터 까지 마다 처럼 보다 만큼 이나 이며 이고 이란 라는 "
        "라고 하고 와의 과의 에의 에는 에도 은 는 이 가 을 를 의 에 로 와 과 도 만 나 입니까 인가요 인가 "
        "일까요 일까 습니까 습니다 합니까 합니다 하나요 하는가 한가요 되나요 되는가 됩니까 됩니다 하여야 하여 "
        "하는 하며 하고 하지 하면 한다 했다 하다 해야 해요 해서 되는 되며 되고 되어 된다 되다 이다 있다 없다 "
        "있는 없는 나요 까요 어요 아요 세요 주세요 지요 인지 는지"
    ),
    key=lambda suffix: -len(suffix),
)

_STOP_WORDS = frozenset(
    listed(
        "a an and are as at be been but by can could do does did for from had has have he her his how i if in "
        "into is it its just let me may might must my no not of on or our please shall she should so some "
        "tell than that the their them then there these they this those to us was we were what when where "
        "which who whom whose why will with would you your about using use give make get want need know 그 이 "
        "저 것 수 등 및 또는 그리고 그러나 때 중 더 좀 잘 왜 어떤 어떻게 무엇 무슨 누구 누가 언제 어디 어느 "
        "몇 얼마 있 없 하 되 이것 그것 저것 여기 거기 우리 저희 나 너 내 제 해 주 줘 알려줘 알려 말해줘 해줘 "
        "주세요 알려주세요 해주세요 무엇인가 누구인가 어디인가 언제인가 알고 싶 싶어 대해 대하여 대한 관한 "
        "관하여 위한 위하여 의하여 있는가 궁금해 궁금합니다 설명해줘 설명해 설명 부탁 부탁해 질문 답변 뭐 "
        "뭐야 뭔가요 입니까 인가요 인가 오늘 지금 되나요 하나요 있나요 없나요 될까요 할까요 있을까요 돼요 "
        "되는지 가능한가요"
    )
)

# Endings and phrases that are frequent in Korean prose; their n-grams have little weight.
_WEAK_GRAMS = frozenset(
    listed(
        "하는 한다 하여 하고 하며 에서 으로 이다 있다 있는 없다 것은 것을 대한 의하 하여야 야한 정하 하지 "
        "아니 니한 된다 되는 되어 라고 에게 까지 부터 으며 이며 이나 또는 기타 관한 위하 수있 습니 니다 입니 "
        "합니 인가 는가 는지 이는"
    )
)
_MIN_STEM = 2


# What is remembered of words is bounded in number and length: together some 13 MB, several long documents.
_REMEMBERED = 4_096
LONGEST_REMEMBERED = 64


def stem(word: str) -> str:
    """A word without its particle or ending; at least two syllables remain. English words lose a common ending."""
    return _known_stem(word) if len(word) <= LONGEST_REMEMBERED else _stem(word)


def _stem(word: str) -> str:
    if HANGUL.match(word):
        for _ in range(2):  # a particle may follow an ending: 국민으로부터는
            for suffix in _SUFFIXES:
                if word.endswith(suffix) and len(word) - len(suffix) >= _MIN_STEM:
                    word = word[: -len(suffix)]
                    break
            else:
                break
        return word
    if word.isascii():
        for suffix, shortest in (("ing", 4), ("ies", 3), ("ed", 4), ("es", 4), ("s", 3)):
            if word.endswith(suffix) and not word.endswith("ss") and len(word) - len(suffix) >= shortest:
                return word[: -len(suffix)]
    return word


_known_stem = lru_cache(maxsize=_REMEMBERED)(_stem)


def words(text: str) -> list[str]:
    """The words of a text in lower case, in order."""
    return WORD.findall(text.lower())


def content_words(text: str) -> list[str]:
    """Stems of the content words, in order, without repeats."""
    stems = (stem(word) for word in words(text) if word not in _STOP_WORDS)
    return list(dict.fromkeys(word for word in stems if word not in _STOP_WORDS))


def _word_grams(word: str) -> tuple[tuple[str, float], ...]:
    base = stem(word)
    if word in _STOP_WORDS or base in _STOP_WORDS:
        return ((base, 0.15),)
    if HANGUL.match(base):
        found = [("=" + base, 1.0)]
        for size, weight in ((2, 1.0), (3, 1.0)):
            found.extend(
                (base[at : at + size], 0.2 if base[at : at + size] in _WEAK_GRAMS else weight)
                for at in range(len(base) - size + 1)
            )
        return tuple(found)
    if base.isascii() and base.isalpha():
        padded = f"^{base}$"
        grams = [("=" + base, 2.0)]
        grams.extend((padded[at : at + 3], 0.4) for at in range(len(padded) - 2))
        return tuple(grams)
    if base.isdigit():
        return (("=" + base, 0.7),)
    return (("=" + base, 1.0), *((base[at : at + 2], 1.0) for at in range(len(base) - 1)), *((c, 0.5) for c in base))


_known_word_grams = lru_cache(maxsize=_REMEMBERED)(_word_grams)


def grams(text: str) -> dict[str, float]:
    """The n-grams of a text with their weights: logarithm of the frequency, with little weight for common endings."""
    counts = Counter(words(text))
    found: dict[str, float] = {}
    for word, times in counts.items():
        for gram, weight in (_known_word_grams if len(word) <= LONGEST_REMEMBERED else _word_grams)(word):
            found[gram] = found.get(gram, 0.0) + weight * times
    return {gram: math.log1p(weight) for gram, weight in found.items()}


def cosine(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """Cosine of two sparse vectors; 0 when one is empty."""
    if len(left) > len(right):
        left, right = right, left
    product = sum(weight * right[gram] for gram, weight in left.items() if gram in right)
    if not product:
        return 0.0
    return product / math.sqrt(sum(w * w for w in left.values()) * sum(w * w for w in right.values()))


def add(total: dict[str, float], vector: Mapping[str, float], weight: float = 1.0) -> None:
    """Add a weighted sparse vector to a sum."""
    for gram, value in vector.items():
        total[gram] = total.get(gram, 0.0) + value * weight


def most_central(texts: Iterable[str], most: int) -> list[int]:
    """Indexes of the texts that are nearest to the sum of all texts, in ascending order."""
    vectors = [grams(text) for text in texts]
    whole: dict[str, float] = {}
    for vector in vectors:
        add(whole, vector)
    ranked = sorted(range(len(vectors)), key=lambda index: -cosine(vectors[index], whole))
    return sorted(ranked[:most])


def rarity(documents: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Inverse document frequency of each n-gram of some texts."""
    listed = list(documents)
    counts = Counter(gram for document in listed for gram in document)
    return {gram: math.log(1 + len(listed) / times) for gram, times in counts.items()}


def is_korean(text: str) -> bool:
    """Whether at least a third of a text's letters are Hangul."""
    hangul = len(HANGUL.findall(text))
    return hangul > 0 and hangul * 3 >= sum(character.isalpha() for character in text)

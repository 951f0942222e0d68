"""API keys as users have them: in an environment variable, perhaps of a similar name, perhaps in quotes.

No message of this module holds a key.
"""

from __future__ import annotations

import os
import re
import warnings

__all__ = ["KEY_VARIABLES", "clean_key", "key_variable", "no_key_message", "similar_words", "tidied"]

KEY_VARIABLES = ("CLOVASTUDIO_API_KEY", "NCP_CLOVASTUDIO_API_KEY")
"""Where a key is looked for, in this order."""

_AROUND = " \t\r\n\"'`\u201c\u201d\u2018\u2019\ufeff"
# Names that programs for this service use: CLOVA_STUDIO_API_KEY, CLOVA_API_KEY, HCX_API_KEY, CLOVASTUDIO_KEY and so on;
# not those of its sisters, such as CLOVA_OCR_SECRET_KEY.
_SIMILAR = re.compile(
    r"(NCP|NCLOUD|NAVER|MY)?_?(HYPER_?CLOVA(_?X)?|CLOVA(_?X)?|HCX(_?[0-9]{3})?)_?(STUDIO)?_?(API)?_?(KEY|TOKEN)S?",
    re.IGNORECASE,
)
_NEARLY = 0.9


def tidied(text: str) -> str:
    """Return a key without the quotes and blanks around it.

    Args:
        text: The key as it was given.
    """
    return text.strip(_AROUND).strip()


def clean_key(name: str, text: str) -> str:
    """Return a key without the quotes and blanks around it; warn if there were any.

    Args:
        name: The parameter or variable that it comes from.
        text: The key as it was given.
    """
    clean = tidied(text)
    if clean and clean != text:
        warnings.warn(
            f"{name}: quotes and blanks around the key are taken off; give the key alone / "
            "키 앞뒤의 따옴표와 공백을 뺐습니다. 키만 넣으세요.",
            stacklevel=2,
        )
    return clean


def key_variable() -> str | None:
    """Return the name of the variable that holds the key, None if none does."""
    return next((name for name in KEY_VARIABLES if tidied(os.environ.get(name, ""))), None)


def _similar_variables() -> list[str]:
    """Return the names of variables that probably hold a key under a name that is not read."""
    from difflib import get_close_matches

    return sorted(
        name
        for name, value in os.environ.items()
        if name not in KEY_VARIABLES
        and tidied(value)
        and (_SIMILAR.fullmatch(name) or get_close_matches(name.upper(), KEY_VARIABLES, n=1, cutoff=_NEARLY))
    )


def no_key_message(way_out: str, way_out_ko: str) -> str:
    """Return what to say if there is no key: what may have been meant, and the way out.

    Args:
        way_out: How to give the key, in English.
        way_out_ko: The same in Korean.
    """
    english, korean = similar_words()
    if english:
        english, korean = f"{english}: rename the variable, or ", f"{korean}. 변수 이름을 바꾸거나 "
    return f"no API key: {english}{way_out} / API 키가 없습니다. {korean}{way_out_ko}"


def similar_words() -> tuple[str, str]:
    """Return what to say of variables of similar names, in English and Korean; empty texts if there are none."""
    names = _similar_variables()
    if not names:
        return "", ""
    wanted = KEY_VARIABLES[0]
    english = f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} set, {wanted} is not"
    return english, f"{', '.join(names)}은(는) 설정되어 있지만 {wanted}는 없습니다"

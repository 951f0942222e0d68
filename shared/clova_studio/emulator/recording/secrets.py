"""Takes secrets out of what is recorded: by the name of a field, and then by value wherever the value stands.

A secret is learnt where its name gives it away (a header, a field of a body, of a query or of a form, a cookie) and
from then on masked in every text: headers, bodies, events and paths, as it is, escaped or percent-encoded, also when
the events of a stream give it piece by piece. Ids of accounts are treated like secrets.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus

from clova_studio.emulator.server.body import parse

MASK = "***"

# Shorter values are masked where a name stands before them, but not elsewhere: they would mask words.
_SHORTEST = 6
# Of a secret that was cut off this much is masked: of its beginning at the end of a text, of its middle anywhere.
_SHORTEST_CUT = 4
_FRAGMENT = 8
# So many are remembered, the newest ones: cookies and the like may be others in each answer.
_MOST = 200
_NAMES = re.compile(
    r"authorization$|^x?auth$|cookies?$|secret(?!ar)|passw(or)?d|passphrase|^pwd$|credential|signature$|bearer|token$"
    r"|session(id)?$|^jwt$|apigwkey|privatekey"
    r"|(api|access|service|client|auth|subscription|master|license|encryption|signing|shared|storage|app)key"
    # accounts
    r"|^(x|ncp|naver|main|sub|root|ncloud|openai)*(account|member|mbr|user|owner|organi[sz]ation)"
    r"(id|no|number|srl|seq)$|^(account|openai(organi[sz]ation|project))$"
)
# Names that end like a secret's and are the API's own.
_HARMLESS = frozenset({"nexttoken", "pagetoken", "stoptoken", "eostoken", "bostoken"})
# In a schema or a form these are not values.
_WORDS = frozenset({"string", "number", "integer", "boolean", "object", "required", "optional", "bearer", "basic"})
_NCP_HEADER = "x-ncp-"
REQUEST_ID = "x-ncp-clovastudio-request-id"

# What shows that it is a key even if nobody said so: a bearer token, a key of this service, an access key of the cloud.
_PATTERNS = re.compile(
    r"(?<=Bearer )[A-Za-z0-9._~+/=-]{8,}|\bnv-[0-9A-Za-z]{20,}\b|\bncp_iam_[0-9A-Za-z]{8,}\b", re.IGNORECASE
)
_NAMED = re.compile(r"""([A-Za-z][\w-]*)(\\*["']?\s*[:=]\s*\\*["']?)([^\s"'\\&,;<>(){}\[\]]+)""")
_QUERY_FIELD = re.compile(r"""[?&]([\w.-]+)=([^&\s"'#<>\\]+)""")
_PASSWORD = re.compile(r"""://[^/\s:@"']+:([^/\s@"']+)@""")
_SHORTEST_KEY = 16
_FORM_FIELD = re.compile(r"(?:^|&)([^=&\s]+)=([^&\s]*)")
_PART_FIELD = re.compile(
    r'content-disposition:[^\r\n]*?\bname="?([^";\r\n]+)"?[^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\n', re.IGNORECASE
)


def is_secret_name(name: str) -> bool:
    """Whether a field or header with this name holds a secret or the id of an account."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return plain not in _HARMLESS and _NAMES.search(plain) is not None


def is_secret_header(name: str) -> bool:
    """The same for a header; every ``X-NCP-`` header but the request id counts as one."""
    lower = name.lower()
    return lower != REQUEST_ID and (lower.startswith(_NCP_HEADER) or is_secret_name(lower))


class Secrets:
    """The secrets that one server has seen. Shows none of them."""

    def __init__(self) -> None:
        self._values: dict[str, list[str]] = {}  # value -> its forms; the newest last
        self._forms: list[str] = []  # of all values, the longest first
        self._short: set[str] = set()

    def __repr__(self) -> str:
        return f"Secrets({MASK})"

    def learn(self, value: Any) -> None:
        """Mask a value from now on."""
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if text in self._values:
            self._values[text] = self._values.pop(text)
            return
        if not text or text.lower() in _WORDS or MASK in text:
            return
        if len(text) < _SHORTEST:
            self._short.add(text)
            return
        self._values[text] = list(dict.fromkeys(_written(text)))
        while len(self._values) > _MOST:
            del self._values[next(iter(self._values))]
        forms = {form for written in self._values.values() for form in written}
        self._forms = sorted(forms, key=len, reverse=True)

    def learn_headers(self, headers: Iterable[tuple[str, str]]) -> None:
        """Learn the values of secret headers, and each part of them: scheme and token, cookies, user and password."""
        for name, value in headers:
            if not is_secret_header(name):
                continue
            self.learn(value)
            for part in re.split(r"[;,\s]+", value) if "cookie" in name.lower() else value.split():
                self.learn(part)
                if "cookie" in name.lower():
                    self.learn(part.partition("=")[2])
            scheme, _, coded = value.partition(" ")
            if scheme.lower() == "basic":
                try:
                    self.learn(base64.b64decode(coded, validate=True).decode().partition(":")[2])
                except (binascii.Error, UnicodeDecodeError):
                    continue

    def learn_fields(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Learn the values of secret fields of a query."""
        for name, value in pairs:
            if is_secret_name(name):
                self.learn(value)

    def learn_json(self, value: Any) -> None:
        """Learn the values of secret fields, at any depth, in JSON and addresses within texts too."""
        for text in _texts(value):
            self.learn_text(text)
        for name, field in _fields(value):
            if not is_secret_name(name):
                continue
            for item in field if isinstance(field, list) else [field]:
                self.learn(item)

    def learn_text(self, text: str) -> None:
        """Learn what a text gives away: the query and the password of an address in it, or its fields if it is JSON."""
        if "=" in text:
            for name, value in _QUERY_FIELD.findall(text):
                # Only here a field may be called nothing but "key": a key is longer than the word that one looks for.
                if is_secret_name(name) or (name.lower() == "key" and len(value) >= _SHORTEST_KEY):
                    self.learn(value)
                    self.learn(unquote_plus(value))
        if "://" in text:
            for password in _PASSWORD.findall(text):
                self.learn(password)
        if text[:1] in {"{", "["} and (inside := parse(text.encode("utf-8", "replace"))) is not None:
            self.learn_json(inside)

    def learn_form(self, text: str) -> None:
        """Learn the values of secret fields of a form, percent-encoded or in parts."""
        for name, value in _FORM_FIELD.findall(text):
            if is_secret_name(unquote_plus(name)):
                self.learn(value)
                self.learn(unquote_plus(value))
        for found in _PART_FIELD.finditer(text):
            if is_secret_name(found[1]):
                self.learn(re.split(r"\r?\n--", text[found.end() :], maxsplit=1)[0])

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where secrets are in a text."""
        pattern = self._pattern(text)
        found = [match.span() for match in pattern.finditer(text)] if pattern is not None else []
        found += [match.span() for match in _PATTERNS.finditer(text)]
        if self._short:
            found += [match.span(3) for match in _NAMED.finditer(text) if self._is_short_one(match)]
        return found

    def _pattern(self, text: str) -> re.Pattern[str] | None:
        """What finds the secrets in a text; None if it has none, which is quick to see."""
        present = [form for form in self._forms if form in text]
        return re.compile("|".join(map(_bounded, present))) if present else None

    def mask(self, text: str, *, cut: bool = False) -> str:
        """Return a text without them.

        Args:
            text: Any text.
            cut: Whether it was cut off, so that only a part of a secret may be in it.
        """
        pattern = self._pattern(text)
        if pattern is not None:
            text = pattern.sub(MASK, text)
        text = _PATTERNS.sub(MASK, text)
        if self._short:
            text = _NAMED.sub(lambda found: found[1] + found[2] + MASK if self._is_short_one(found) else found[0], text)
        if not cut:
            return text
        for form in self._forms:
            for begin in range(len(form) - _FRAGMENT + 1):
                end = begin + _FRAGMENT
                while end < len(form) and form[begin : end + 1] in text:
                    end += 1
                text = text.replace(form[begin:end], MASK)
        length = self.begun(text)
        return text[: len(text) - length] + MASK if length else text

    def _is_short_one(self, found: re.Match[str]) -> bool:
        return found[3] in self._short and is_secret_name(found[1])

    def begun(self, text: str) -> int:
        """How many characters at the end of a text are the beginning of a secret."""
        for form in self._forms:
            for length in range(min(len(form) - 1, len(text)), _SHORTEST_CUT - 1, -1):
                if text.endswith(form[:length]):
                    return length
        return 0

    def mask_json(self, value: Any) -> Any:
        """Return a JSON value without them: fields with a secret name have no value, all others no secret in it."""
        if isinstance(value, dict):
            return {
                # An object under such a name is a schema that describes the field, or has names of its own.
                self.mask(name): _hide(item)
                if is_secret_name(name) and not isinstance(item, dict)
                else self.mask_json(item)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.mask_json(item) for item in value]
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, int) and not isinstance(value, bool) and str(value) in self._values:
            return MASK
        return value

    def mask_form(self, text: str) -> str:
        """Return a form without the values of secret fields, however short they are."""

        def masked(found: re.Match[str]) -> str:
            return found[0][: len(found[0]) - len(found[2])] + MASK if is_secret_name(found[1]) else found[0]

        text = _FORM_FIELD.sub(masked, text)
        at = 0
        while (part := _PART_FIELD.search(text, at)) is not None:
            at = part.end()
            if is_secret_name(part[1]):
                value = re.split(r"\r?\n--", text[at:], maxsplit=1)[0]
                text = text[:at] + MASK + text[at + len(value) :]
        return self.mask(text)


def _hide(value: Any) -> Any:
    """What stands in place of the value of a secret field."""
    if isinstance(value, list):
        return [_hide(item) for item in value]
    return value if value is None or isinstance(value, bool) else MASK


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field of a JSON value, at any depth."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield name, item
            yield from _fields(item)
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item)


def _texts(value: Any) -> Iterator[str]:
    """Every text of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _written(value: str) -> Iterator[str]:
    """A value as it stands in text, in JSON (once and in a string within JSON) and in a URL."""
    yield value
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", "\\/")
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    for coded in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield coded
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), coded)


def _bounded(form: str) -> str:
    """A pattern for one form; digits alone are not looked for inside longer numbers."""
    return rf"(?<![\d.]){form}(?!\d)" if form.isdigit() else re.escape(form)

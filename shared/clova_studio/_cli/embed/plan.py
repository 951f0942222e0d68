"""What a run has to do: one pass over the input, without a request. It is the whole of ``--dry-run``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clova_studio._catalogue import EMBEDDING_MODELS
from clova_studio._cli._terminal import no_text, table
from clova_studio._cli.embed.rows import BadRow, Row
from clova_studio._errors import ConfigurationError
from clova_studio._rate_limits.estimates import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clova_studio._cli.embed.journal import Journal, Keys
    from clova_studio._cli.embed.outputs import Output
    from clova_studio._rate_limits.settings import Limit

__all__ = ["Plan", "Shard", "make_plan", "rows_of_shard"]

_MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of the texts, by their hash: equal texts are in one part, however the input is ordered or divided.

    Attributes:
        number: Which part, from 1.
        of: How many there are.
    """

    number: int = 1
    of: int = 1

    def has(self, key: bytes) -> bool:
        """Return whether a text is in this part."""
        return int.from_bytes(key[:8], "big") % self.of == self.number - 1


@dataclass(slots=True)
class Plan:
    """What a run has to do.

    Attributes:
        rows: Rows of the input, of the shard alone.
        bad: Rows without a text that can be embedded.
        refused: Rows whose texts the service refused in an earlier run.
        texts: Different texts.
        done: How many of them have their vector.
        to_ask: Texts to ask for: one request each.
        tokens: Their tokens, estimated.
        long: How many of them are longer than the model takes, estimated.
    """

    rows: int = 0
    bad: int = 0
    refused: int = 0
    texts: int = 0
    done: int = 0
    to_ask: int = 0
    tokens: int = 0
    long: int = 0

    def hours(self, limit: Limit) -> float | None:
        """Return the hours that the requests take under a quota per minute, None for a quota without a number."""
        requests, tokens = limit
        needed = [n / each for n, each in ((self.to_ask, requests), (self.tokens, tokens)) if each is not None]
        return max(needed) / 60 if needed else None

    def facts(self, model: str, quotas: dict[str, Limit]) -> dict[str, Any]:
        """Return what ``--dry-run`` tells.

        Args:
            model: The model.
            quotas: Names of quotas, and what each allows per minute.
        """
        return {
            "model": model,
            "rows": self.rows,
            "bad_rows": self.bad,
            "refused_before": self.refused,
            "texts": self.texts,
            "done": self.done,
            "requests": self.to_ask,
            "tokens": self.tokens,
            "too_long": self.long,
            "hours": {
                name: None if (h := self.hours(limit)) is None else round(h, 3) for name, limit in quotas.items()
            },
        }

    def report(self, model: str, quotas: dict[str, Limit]) -> str:
        """Return the same as lines for people."""
        lines = [
            f"{self.rows:,} rows, {self.texts:,} different texts for {model}",
            f"{self.done:,} done, {self.to_ask:,} to ask: as many requests, about {self.tokens:,} tokens",
        ]
        if self.bad or self.refused:
            lines.append(f"{self.bad:,} rows cannot be read, {self.refused:,} were refused before")
        if self.long:
            lines.append(f"about {self.long:,} texts are longer than {model} takes: see --on-too-long")
        rows = [
            [name, *("-" if each is None else f"{each:,}" for each in limit), _time(self.hours(limit))]
            for name, limit in quotas.items()
        ]
        head = ["QUOTA", "REQUESTS PER MINUTE", "TOKENS PER MINUTE", "TIME"]
        return "\n".join([*lines, "", table(head, rows)] if rows else lines)


@dataclass(slots=True)
class _SourceCount:
    """How many rows of a file are wrong in the same way."""

    name: str
    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    first: dict[str, BadRow] = field(default_factory=dict)

    def add(self, row: Row | BadRow) -> None:
        self.rows += 1
        if isinstance(row, BadRow):
            self.kinds[row.kind] += 1
            self.first.setdefault(row.kind, row)

    def check(self) -> None:
        """Refuse a file that is wrong as a whole.

        Raises:
            ConfigurationError: It is in another encoding, or lacks a column.
        """
        if self.kinds["encoding"] > self.rows * _MOSTLY:
            raise ConfigurationError(no_text(self.first["encoding"].sample, self.name))
        if self.rows and self.kinds["column"] == self.rows:
            bad = self.first["column"]
            raise ConfigurationError(
                f"{bad.source}:{bad.line}: {bad.reason} / 열 이름을 --text-column, --id-column으로 지정하세요."
            )


def rows_of_shard(rows: Iterable[Row | BadRow], keys: Keys, shard: Shard) -> Iterator[tuple[Row | BadRow, bytes]]:
    """Give the rows of a shard with their keys. Rows without a text belong to the first shard, and have no key."""
    for row in rows:
        if isinstance(row, BadRow):
            if shard.number == 1:
                yield row, b""
        elif shard.has(key := keys.of(row.text)):
            yield row, key


def make_plan(rows: Iterable[Row | BadRow], keys: Keys, shard: Shard, journal: Journal, form: Output | None) -> Plan:
    """Return what a run has to do.

    Args:
        rows: The input.
        keys: The keys of its texts.
        shard: The part of the texts that is asked for.
        journal: What is done already.
        form: The form of the output, which sees the rows that will be written.

    Raises:
        ConfigurationError: A file is wrong as a whole.
    """
    plan = Plan()
    with journal.together():
        for row, key in rows_of_shard(_checked(rows), keys, shard):
            plan.rows += 1
            if isinstance(row, BadRow):
                plan.bad += 1
                continue
            if form is not None:
                form.see(row)
            if journal.refusal(key) is not None:
                plan.refused += 1
            if not journal.want(key):
                continue
            plan.texts += 1
            if journal.vector(key) is not None:
                plan.done += 1
            elif journal.refusal(key) is None:
                _count(plan, row.text, keys.label.partition("@")[0])
    return plan


def _checked(rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
    count = _SourceCount("")
    for row in rows:
        if row.source != count.name:
            count.check()
            count = _SourceCount(row.source)
        count.add(row)
        yield row
    count.check()


def _count(plan: Plan, text: str, model: str) -> None:
    tokens = estimate_tokens(text)
    plan.to_ask += 1
    plan.tokens += tokens
    info = EMBEDDING_MODELS.get(model)
    if info is not None and tokens > info.max_tokens:
        plan.long += 1


def _time(hours: float | None) -> str:
    if not hours:
        return "-"
    if hours < 1:
        return f"{max(1, round(hours * 60))} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"  # noqa: PLR2004  two days

"""``clova-studio embed``: the vectors of many texts, from files to a file. What is done is never asked for again."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from clova_studio._cli._parsing import add_connection_options
from clova_studio._cli.embed.inputs import FORMATS, Inputs
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from clova_studio._cli.embed.plan import Shard
    from clova_studio._rate_limits.settings import Limit, RateLimits

__all__ = ["add_arguments", "run"]

_KINDS = ("test", "service")
_LIMIT = re.compile(r"(?P<requests>[0-9][0-9_,]*|-)(/(?P<tokens>[0-9][0-9_,]*|-))?")
_SHARD = re.compile(r"([0-9]+)/([0-9]+)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clova-studio embed``."""
    parser.description = (
        "Embed the texts of files, in order. A row of the output is the row of the input, the key of its text, and\n"
        "its vector. Killed at any point, the same command goes on where it was: what has a vector is not asked for\n"
        "again, and equal texts are asked for once. The output appears when it is complete; until then OUTPUT.part\n"
        "has what is done. OUTPUT.refused.jsonl lists the rows without a vector, with line and reason."
    )
    parser.epilog = """\
examples:
  clova-studio embed faq.jsonl -o faq.vectors.jsonl
  clova-studio embed docs/ notes.md -o docs.parquet --dry-run
  clova-studio embed qa.csv -o qa.jsonl --text-column 질문 --id-column 번호 --rate-limits service
  cut -f2 log.tsv | clova-studio embed - --format lines -o log.jsonl
  clova-studio embed big.jsonl -o big.parquet --shard 2/4      # and 1/4, 3/4, 4/4, each in a process of its own;
  clova-studio embed big.jsonl -o big.parquet --merge          # then this, which asks nothing

exit code of its own: 3 some rows have no vector, and the output has all others"""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="JSON lines, CSV or TSV with a row per text; .txt and .md with a text per file; folders of these; '-'",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help=".jsonl or .parquet (needs pyarrow); '-' is stdout"
    )
    parser.add_argument("--model", default="bge-m3", help="the embedding model (default: %(default)s)")
    _add_input_options(parser)
    _add_run_options(parser)
    add_connection_options(parser)


def _add_input_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("input and output")
    group.add_argument(
        "--format",
        choices=FORMATS,
        help="what stdin and the named files are, whatever their suffix; 'lines' has a text per line",
    )
    group.add_argument("--text-column", metavar="NAME", help="column of the text (default: text)")
    group.add_argument(
        "--id-column", metavar="NAME", help="column that identifies a row (default: id, added if missing)"
    )
    group.add_argument("--vector-column", default="embedding", metavar="NAME", help="(default: %(default)s)")
    group.add_argument(
        "--replace", action="store_true", help="drop vectors of the output that the input has no text for"
    )
    group.add_argument("--json", action="store_true", help="print what was done, or the plan, as JSON")
    group.add_argument("--quiet", action="store_true", help="show no progress")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("requests")
    group.add_argument("--dry-run", action="store_true", help="tell requests, tokens and hours; needs no key")
    group.add_argument(
        "--rate-limits",
        metavar="LIMITS",
        help="test, service, or requests/tokens per minute such as 60/40000 (default: learnt from refusals)",
    )
    group.add_argument("--concurrency", type=int, default=32, metavar="N", help="requests in flight (default: 32)")
    group.add_argument(
        "--on-too-long",
        choices=("error", "truncate"),
        default="error",
        help="list a text that the model finds too long, or shorten it (default: error)",
    )
    group.add_argument("--retry-refused", action="store_true", help="ask again for texts that the service refused")
    shards = group.add_mutually_exclusive_group()
    shards.add_argument("--shard", metavar="N/M", help="embed this part of the texts, into FILE's N-of-M")
    shards.add_argument("--merge", action="store_true", help="join the parts of all shards in the order of the input")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clova-studio embed``; return 3 if rows are left out."""
    from clova_studio._cli.embed.outputs import output_of
    from clova_studio._cli.embed.readers import csv_fields
    from clova_studio._cli.embed.rows import Columns
    from clova_studio._cli.embed.runs import Run
    from clova_studio._requests.text import embed

    _check(arguments)
    embed("a", model=arguments.model)  # refuses what is no model's name, and warns of one that is nearly known
    shard = _shard(arguments.shard)
    columns = Columns(arguments.text_column, arguments.id_column, arguments.vector_column)
    whole = None if arguments.output == "-" else Path(arguments.output)
    output = whole if whole is None or shard.of == 1 else _part(whole, shard)
    form = output_of(Path("stdout.jsonl") if whole is None else whole, columns)
    inputs = Inputs(
        arguments.inputs,
        kind=arguments.format,
        columns=columns,
        own=lambda path: whole is not None and _belongs_to(path, whole),
    )
    limits, quotas = _limits(arguments.rate_limits, arguments.model, shard)
    work = Run(arguments, inputs, form, output=output, shard=shard, limits=limits, quotas=quotas)
    with csv_fields():
        if arguments.merge:
            return work.merge()
        return work.plan() if arguments.dry_run else work.embed()


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that contradict each other or have impossible values.

    Raises:
        ConfigurationError: There are such.
    """
    if arguments.concurrency < 1:
        raise ConfigurationError(f"--concurrency must be a whole number from 1, got {arguments.concurrency}")
    if not arguments.vector_column.strip():
        raise ConfigurationError("--vector-column is blank: leave it out for 'embedding'")
    if arguments.merge and arguments.dry_run:
        raise ConfigurationError("--merge asks nothing: leave it or --dry-run out")
    if arguments.output == "-" and (arguments.shard or arguments.merge):
        raise ConfigurationError("--output - cannot be a part of several: name a file")
    if arguments.output == "-" and arguments.json and not arguments.dry_run:
        raise ConfigurationError("--json and --output - both need stdout: leave one of them out")


def _shard(value: str | None) -> Shard:
    from clova_studio._cli.embed.plan import Shard

    if value is None:
        return Shard()
    match = _SHARD.fullmatch(value)
    shard = Shard(int(match[1]), int(match[2])) if match is not None else Shard(0, 0)
    if not 1 <= shard.number <= shard.of:
        raise ConfigurationError(f"--shard must be N/M with N from 1 to M, such as 2/4; got {value!r}")
    return shard


def _part(whole: Path, shard: Shard) -> Path:
    return whole.with_name(f"{whole.stem}.{shard.number}-of-{shard.of}{whole.suffix}")


def _belongs_to(path: Path, whole: Path) -> bool:
    """Return whether a file is the output, one of its parts, or stands beside it for it."""
    if path.exists() and whole.exists() and path.samefile(whole):
        return True
    if path.parent.resolve() != whole.parent.resolve():
        return False
    stem, suffix = re.escape(whole.stem), re.escape(whole.suffix)
    return re.fullmatch(rf"{stem}(\.[0-9]+-of-[0-9]+)?{suffix}(\.refused\.jsonl)?", path.name) is not None


def _limits(value: str | None, model: str, shard: Shard) -> tuple[RateLimits | None, dict[str, Limit]]:
    """Return the limits of the client, and those that a plan is counted with."""
    from clova_studio import RateLimits

    # Without a store that they share, processes do not know of each other: each takes its part, or every
    # one would take all of it.
    parts = 1 if os.environ.get("CLOVASTUDIO_QUOTA_STORE") else shard.of
    if value is None:
        known = {f"{kind} key": _divided(RateLimits.preset(kind).of(model), parts, model) for kind in _KINDS}  # type: ignore[arg-type]  # the two there are
        return None, {name: limit for name, limit in known.items() if limit != (None, None)}
    if value in _KINDS:
        limit = RateLimits.preset(value).of(model)  # type: ignore[arg-type]  # one of the two
        if limit == (None, None):
            raise ConfigurationError(f"--rate-limits {value}: no number is documented for {model}; give it as 60/40000")
    else:
        match = _LIMIT.fullmatch(value)
        numbers = [_number(match[name]) for name in ("requests", "tokens")] if match is not None else [None, None]
        if match is None or numbers == [None, None] or 0 in numbers:
            raise ConfigurationError(
                f"--rate-limits must be test, service, or requests/tokens per minute such as 60/40000; got {value!r}"
            )
        limit = (numbers[0], numbers[1])
    limit = _divided(limit, parts, model)
    return RateLimits({model: limit}), {f"--rate-limits {value}": limit}


def _number(text: str | None) -> int | None:
    return None if text is None or text == "-" else int(text.replace(",", "").replace("_", ""))


def _divided(limit: Limit, parts: int, model: str) -> Limit:
    """Return the part of a limit that one of several processes takes; a single text always fits into it."""
    from clova_studio import EMBEDDING_MODELS

    requests, tokens = limit
    info = EMBEDDING_MODELS.get(model)
    least = min(tokens, info.max_tokens) if info is not None and tokens is not None else 1
    return (
        None if requests is None else max(1, requests // parts),
        None if tokens is None else max(least, tokens // parts),
    )

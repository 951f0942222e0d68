"""Why training fails ("failure reasons" of the pages on training tasks)."""

from itertools import chain

# Reason -> message, or None where the pages have none.
REASONS: dict[str, str | None] = {
    "file.extension": "Unavailable file extension.",
    "file.size": "Exceeded the disk usage limit.",
    "file.encoding": "Unsupported charset",
    "file.format": "Invalid dataset: required field empty. Completion",
    "file.error": None,
    "file.noexist": None,
    "File not found": None,
    "resource.timeout": None,
    "clops.error": None,
    "train.unknown": None,
}

_EXTENSIONS = (".csv", ".jsonl")


def failure_of(path: str, configured: dict[str, str]) -> str | None:
    """The reason why training with a dataset fails, or None when it succeeds.

    A configured word in the path takes precedence over a reason's name in it (``train/file.encoding.csv``), and that
    over the extension, which must be csv or jsonl.
    """
    lower = path.lower()
    by_word = (reason for word, reason in configured.items() if word in path)
    by_name = (reason for reason in REASONS if reason.lower() in lower)
    return next(chain(by_word, by_name), None if lower.endswith(_EXTENSIONS) else "file.extension")

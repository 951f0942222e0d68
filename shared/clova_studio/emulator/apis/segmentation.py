"""Segmentation: splits a text into topic paragraphs (reference page of that name)."""

import itertools
from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.segments import AUTOMATIC_ALPHA, Options, segment
from clova_studio.emulator.rules.checks import boolean, integer, number, text
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.server.delivery import JsonAnswer

_MAX_CHARACTERS = 120_000
_MAX_ALPHA = 1.5


def read_count(body: dict[str, Any], name: str) -> int:
    """Read the number of paragraphs; -1 when the emulator chooses it."""
    count = integer(body, name, -1)
    if count == 0:
        raise invalid(name)
    return -1 if count is None else count


def read_sizes(
    body: dict[str, Any], small: str, large: str, *, lowest: int, highest: int | None = None
) -> tuple[int, int]:
    """Read the smallest and the largest size of a paragraph."""
    largest = integer(body, large, 1, highest) or 1_000
    smallest = integer(body, small, lowest, largest)
    return min(300, largest) if smallest is None else smallest, largest


def segmentation(call: ApiCall) -> JsonAnswer:
    """Split a text into topic paragraphs."""
    body = call.body
    content = text(body)
    if len(content) > _MAX_CHARACTERS:
        raise Refusal("40003")
    alpha = number(body, "alpha", AUTOMATIC_ALPHA, _MAX_ALPHA, with_low=True)
    if alpha is not None and AUTOMATIC_ALPHA < alpha < -_MAX_ALPHA:
        raise invalid("alpha")
    count = read_count(body, "segCnt")
    sizes = read_sizes(body, "postProcessMinSize", "postProcessMaxSize", lowest=-1)
    options = Options(alpha or 0.0, count, boolean(body, "postProcess"), *sizes)
    size = tokens.count(content)
    headers = call.charge("segmentation", size)
    paragraphs = segment(content, options)
    numbers = itertools.count()
    result = {
        "topicSeg": [[sentence.text for sentence in paragraph] for paragraph in paragraphs],
        "span": [[next(numbers) for _ in paragraph] for paragraph in paragraphs],  # indexes of sentences
        "inputTokens": size,
    }
    return JsonAnswer.success(result, headers)

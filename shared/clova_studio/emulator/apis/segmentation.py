"""Segmentation: splits a text into topic paragraphs (reference page of that name)."""

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.segments import AUTOMATIC_ALPHA, Options, segment
from clova_studio.emulator.rules.checks import boolean, integer, number, text
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.server.delivery import JsonAnswer

_MAX_CHARACTERS = 120_000
_MAX_ALPHA = 1.5


def segmentation(call: ApiCall) -> JsonAnswer:
    """Split a text into topic paragraphs."""
    body = call.body
    content = text(body)
    if len(content) > _MAX_CHARACTERS:
        raise Refusal("40003")
    alpha = number(body, "alpha", AUTOMATIC_ALPHA, _MAX_ALPHA, with_low=True)
    if alpha is not None and AUTOMATIC_ALPHA < alpha < -_MAX_ALPHA:
        raise invalid("alpha")
    seg_cnt = integer(body, "segCnt", -1)
    if seg_cnt == 0:
        raise invalid("segCnt")
    largest = integer(body, "postProcessMaxSize", 1)
    largest = 1_000 if largest is None else largest
    smallest = integer(body, "postProcessMinSize", -1, largest)
    options = Options(
        alpha=0.0 if alpha is None else alpha,
        seg_cnt=-1 if seg_cnt is None else seg_cnt,
        post_process=boolean(body, "postProcess"),
        post_process_max_size=largest,
        post_process_min_size=min(300, largest) if smallest is None else smallest,
    )
    size = tokens.count(content)
    headers = call.charge("segmentation", size)
    paragraphs = segment(content, options)
    spans: list[list[int]] = []
    first = 0
    for paragraph in paragraphs:
        spans.append(list(range(first, first + len(paragraph))))
        first += len(paragraph)
    result = {
        "topicSeg": [[sentence.text for sentence in paragraph] for paragraph in paragraphs],
        "span": spans,  # indexes of sentences, not of characters
        "inputTokens": size,
    }
    return JsonAnswer.success(result, headers)

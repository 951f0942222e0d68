"""Summarization: the most central sentence of each paragraph, as lines that begin with ``- ``.

Source: the "Summarization" page and recorded answers.
"""

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.segmentation import read_count, read_sizes
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.segments import Options, segment
from clova_studio.emulator.language.sentences import Sentence, split_sentences
from clova_studio.emulator.language.text import most_central
from clova_studio.emulator.rules.checks import boolean
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.server.delivery import JsonAnswer

_MAX_CHARACTERS = 35_000
_MAX_SEGMENT = 3_000
_MOST_LINES = 12
_LINES_UNSPLIT = 3


def summarization(call: ApiCall) -> JsonAnswer:
    """Summarise texts; the AI filter has no effect, as the page has no field for its results."""
    body = call.body
    texts = body.get("texts")
    if not isinstance(texts, list) or not all(isinstance(item, str) for item in texts):
        raise invalid("texts")
    whole = "\n\n".join(item for item in texts if item.strip())
    if not whole:
        raise Refusal("40004")
    if sum(map(len, texts)) > _MAX_CHARACTERS:
        raise Refusal("40003")
    split = boolean(body, "autoSentenceSplitter", default=True)
    boolean(body, "includeAiFilters")
    count = read_count(body, "segCount")
    sizes = read_sizes(body, "segMinSize", "segMaxSize", lowest=0, highest=_MAX_SEGMENT)
    # Fitting the paragraphs to the sizes would change a requested number of paragraphs.
    options = Options(0.0, count, count < 0, *sizes)
    size = tokens.count(whole)
    headers = call.charge("summarization", size)
    result = {"text": summarise(whole, options if split else None), "inputTokens": size}
    return JsonAnswer.success(result, headers)


def summarise(text: str, options: Options | None) -> str:
    """The most central sentences as lines: one per paragraph, or the best of the whole text without options."""
    if options is None:
        lines = _central(split_sentences(text), _LINES_UNSPLIT)
    else:
        paragraphs = [_central(paragraph, 1) for paragraph in segment(text, options)]
        lines = [line for paragraph in paragraphs for line in paragraph]
        if options.seg_cnt < 0 and len(lines) > _MOST_LINES:
            lines = _central(lines, _MOST_LINES)
    return "\n".join(f"- {' '.join(line.text.split())}" for line in lines)


def _central(sentences: list[Sentence], most: int) -> list[Sentence]:
    """The most central sentences, in their order."""
    return [sentences[index] for index in most_central((sentence.text for sentence in sentences), most)]

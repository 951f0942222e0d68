"""The explorer tools: embeddings, segmentation and the token calculators."""

from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.chat import find_model
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.segments import AUTOMATIC_ALPHA, Options, segment
from clova_studio.emulator.language.vectors import embed
from clova_studio.emulator.rules.catalogue import EMBEDDING_LIMITS
from clova_studio.emulator.rules.checks import boolean, integer, number, text
from clova_studio.emulator.rules.messages import check_messages_v3
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.rules.schema import check_schema
from clova_studio.emulator.rules.tools import check_tool_choice, check_tools
from clova_studio.emulator.rules.v1 import check_messages_v1
from clova_studio.emulator.server.delivery import JsonAnswer
from clova_studio.emulator.server.quota import charge
from clova_studio.emulator.server.state import State
from clova_studio.emulator.server.wire import success

_MAX_SEGMENT_CHARACTERS = 120_000
_MAX_TOKENIZE_CHARACTERS = 10_000
_MAX_ALPHA = 1.5


def embedding(state: State, call: ApiCall) -> JsonAnswer:
    """Embedding v1 and v2 (reference pages "Embedding" and "Embedding v2").

    Raises:
        Refusal: 40001, 40003, 40004 or 40080.
    """
    second = call.route.api == "embedding-v2"
    model = "bge-m3" if second else call.route.model
    if model not in EMBEDDING_LIMITS or (model == "bge-m3") != second:
        raise Refusal("40080")
    vector, size, headers = embed_text(state, call.key, model, text(call.body))
    return JsonAnswer(success({"embedding": vector, "inputTokens": size}), headers=headers)


def embed_text(state: State, key: str, model: str, content: str) -> tuple[list[float], int, dict[str, str]]:
    """Embed a text that is not too long.

    Returns:
        The vector, the text's tokens, and the headers of the answer.

    Raises:
        Refusal: 40003, or 42901 of the quota.
    """
    size = tokens.count(content)
    if size > EMBEDDING_LIMITS[model]:
        raise Refusal("40003")
    headers = charge(state, key, model, size)
    return embed(content, model), size, headers


def segmentation(state: State, call: ApiCall) -> JsonAnswer:
    """Segmentation (reference page of that name).

    Raises:
        Refusal: 40001, 40003 or 40004.
    """
    body = call.body
    content = text(body)
    if len(content) > _MAX_SEGMENT_CHARACTERS:
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
    headers = charge(state, call.key, "segmentation", size)
    paragraphs = segment(content, options)
    spans: list[list[int]] = []
    first = 0
    for paragraph in paragraphs:
        spans.append(list(range(first, first + len(paragraph))))
        first += len(paragraph)
    result = {
        "topicSeg": [[sentence.text for sentence in paragraph] for paragraph in paragraphs],
        "span": spans,  # numbers of sentences, not of characters
        "inputTokens": size,
    }
    return JsonAnswer(success(result), headers=headers)


def chat_tokenize(state: State, call: ApiCall) -> JsonAnswer:
    """Token calculators for chat v1 and v3 (reference pages "Token calculator, HCX" and "... v3").

    Raises:
        Refusal: What the chat API of the same version refuses about a conversation.
    """
    body = call.body
    model = find_model(state, call.route)
    if call.route.version == 1:
        headers = charge(state, call.key, "chat-tokenize", 0)
        counted: list[dict[str, Any]] = [
            {"role": message["role"], "content": message["content"], "count": tokens.count(message["content"])}
            for message in check_messages_v1(body)
        ]
        return JsonAnswer(success({"messages": counted}), headers=headers)
    tools = check_tools(body)
    check_tool_choice(body, tools, observed=False)
    response_format = body.get("responseFormat")
    if response_format is not None:
        if not isinstance(response_format, dict) or response_format.get("type") != "json":
            raise invalid("responseFormat.type")
        check_schema(response_format.get("schema"))
    messages = check_messages_v3(body, model, observed=state.settings.observed)
    headers = charge(state, call.key, "chat-tokenize", 0)
    result: dict[str, Any] = {"messages": [_counted(message) for message in messages]}
    if tools:
        result["tools"] = {"count": tokens.count_json(tools)}
    if response_format is not None:
        result["responseFormat"] = {"count": tokens.count_json(response_format)}
    return JsonAnswer(success(result), headers=headers)


def _counted(message: dict[str, Any]) -> dict[str, Any]:
    """Echo a message with the tokens of its parts; a string comes back as a list of one part."""
    content = message["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    echoed = []
    for part in parts:
        kept = {name: part[name] for name in ("type", "text", "imageUrl", "dataUri") if name in part}
        size = tokens.count_parts([part])
        if message.get("toolCalls"):  # no field of their own is documented for replayed calls
            size += tokens.count_json(message["toolCalls"])
        echoed.append({**kept, "count": size})
    return {"role": message["role"], "content": echoed}


def embedding_tokenize(state: State, call: ApiCall) -> JsonAnswer:
    """Token calculator of Embedding v2 (reference page "Token calculator, embedding v2").

    Raises:
        Refusal: 40001, 40003 or 40004.
    """
    content = text(call.body)
    if len(content) > _MAX_TOKENIZE_CHARACTERS:
        raise Refusal("40003")
    headers = charge(state, call.key, "embedding-tokenize", 0)
    return JsonAnswer(success({"numTokens": tokens.count(content)}), headers=headers)

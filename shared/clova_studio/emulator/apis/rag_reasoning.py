"""RAG Reasoning: calls a search tool, then answers from its results, with tags named after the documents' ids.

Source: the "RAG Reasoning" page. In its samples the content of a tool message is a JSON string: an object with
``search_result``, or an array with such an object; both are accepted.
"""

from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.chat_v3 import tool_calls
from clova_studio.emulator.apis.reranker import check_documents, cite
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.answers import cut_at_stop
from clova_studio.emulator.language.passages import find_question
from clova_studio.emulator.language.sentences import split_sentences
from clova_studio.emulator.language.text import is_korean
from clova_studio.emulator.language.tool_calls import Call, choose_calls, make_call
from clova_studio.emulator.rules.catalogue import RAG_REASONING_MODEL
from clova_studio.emulator.rules.chat_request import ChatRequest
from clova_studio.emulator.rules.checks import MAX_SEED, boolean, check_sampling, integer, strings
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.rules.messages import check_messages_v3
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.rules.tools import check_tool_choice, check_tools
from clova_studio.emulator.server.body import parse
from clova_studio.emulator.server.delivery import JsonAnswer
from clova_studio.emulator.server.wire import dumps, fingerprint, usage

_MIN_OUTPUT, _MAX_OUTPUT = 1_024, 4_095  # "1024 <= x < 4096"
_MOST_CALLS = 3
_QUESTION_MARKS = ("?", "？")  # noqa: RUF001 - the full-width mark is meant


def rag_reasoning(call: ApiCall) -> JsonAnswer:
    """Answer one step of the loop."""
    request = _check(call.body, call.facts)
    call.check_names(request)
    headers = call.charge("rag-reasoning", request.prompt_tokens + request.limit)
    searches = _searches(request)
    if searches:
        question = _question(request)
        thinking = _decision(question, searches)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "",
            "thinkingContent": thinking,
            "toolCalls": tool_calls(fingerprint("rag-reasoning", dumps(call.body)), searches),
        }
        output = tokens.count(thinking) + tokens.count_json(message["toolCalls"])
    else:
        content, _ = tokens.cut(cut_at_stop(_answer(request), request.stop), request.limit)
        message = {"role": "assistant", "content": content}
        output = tokens.count(content)
    result = {"message": message, "usage": usage(request.prompt_tokens, output)}
    return JsonAnswer.success(result, headers)


def _check(body: dict[str, Any], facts: Facts) -> ChatRequest:
    check_sampling(body, "repetitionPenalty", 2)
    limit = integer(body, "maxTokens", _MIN_OUTPUT, _MAX_OUTPUT) or _MIN_OUTPUT
    stop = strings(body, "stop")
    integer(body, "seed", 0, MAX_SEED)
    boolean(body, "includeAiFilters", default=True)
    tools = check_tools(body, facts, complete=True)
    # The page always requires tools; an existing client omits them in the last step.
    if not tools and not (facts.takes("rag-without-tools") and body.get("toolChoice") == "none"):
        raise invalid("tools")
    choice = check_tool_choice(body, tools)  # no refusal of the forced form is recorded here
    messages = check_messages_v3(_without_thinking(body), RAG_REASONING_MODEL, facts, plain="messages")
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            _documents(message, f"messages[{index}].content")
    size = tokens.count_prompt(messages, tools, most=RAG_REASONING_MODEL.max_input)
    if size > RAG_REASONING_MODEL.max_input:
        raise Refusal("40003")
    return ChatRequest(
        RAG_REASONING_MODEL,
        messages,
        limit,
        stop,
        0,
        ai_filters=False,
        prompt_tokens=size,
        tools=tools,
        tool_choice=choice,
    )


def _without_thinking(body: dict[str, Any]) -> dict[str, Any]:
    """The request without the thinking of earlier steps, which callers may send back with the messages."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body
    kept = [
        {name: value for name, value in message.items() if name != "thinkingContent"}
        if isinstance(message, dict)
        else message
        for message in messages
    ]
    return {**body, "messages": kept}


def _documents(message: dict[str, Any], where: str) -> list[dict[str, str]]:
    """The documents of a tool message; a search may find none."""
    value = parse(message["content"].encode())
    holders = value if isinstance(value, list) else [value]
    found: list[dict[str, str]] = []
    for holder in holders:
        results = holder.get("search_result") if isinstance(holder, dict) else None
        if not isinstance(results, list):
            raise invalid(where)
        if results:
            found.extend(check_documents(results, where))
    return found


def _question(request: ChatRequest) -> str:
    users = [message["content"] for message in request.messages if message["role"] == "user"]
    return find_question(users[-1]) if users else ""


def _results(request: ChatRequest) -> list[dict[str, str]] | None:
    """The documents found since the last question; None when there was no search."""
    found: list[dict[str, str]] = []
    searched = False
    for message in reversed(request.messages):
        if message["role"] == "user":
            break
        if message["role"] == "tool":
            searched = True
            found[:0] = _documents(message, "messages")
    return found if searched else None


def _searches(request: ChatRequest) -> list[Call]:
    """The searches to make: one per question of the last user message, and none after a result."""
    if not request.tools or request.tool_choice == "none" or _results(request) is not None:
        return []
    said = next((message["content"] for message in reversed(request.messages) if message["role"] == "user"), "")
    if not said:
        return []
    chosen = choose_calls(request)
    name = chosen[0].name if chosen else request.tools[0]["function"]["name"]
    function = next(tool["function"] for tool in request.tools if tool["function"]["name"] == name)
    questions = [item.text for item in split_sentences(said) if item.text.endswith(_QUESTION_MARKS)]
    searches = questions[:_MOST_CALLS] if len(questions) > 1 else [said]
    return [make_call(function, question) for question in searches]


def _decision(question: str, searches: list[Call]) -> str:
    names = ", ".join(dict.fromkeys(search.name for search in searches))
    if is_korean(question):
        return f"“{question}”에 답하려면 자료가 필요하므로 {names} 도구로 검색한다."
    return f"To answer “{question}” I need documents, so I search with {names}."


def _answer(request: ChatRequest) -> str:
    question = _question(request)
    documents = _results(request) or []
    cited = cite(question, [item["doc"] for item in documents])
    if cited:
        names = [documents[item.index]["id"] for item in cited]
        return " ".join(f"<{name}>{item.sentence}</{name}>" for name, item in zip(names, cited, strict=True))
    if is_korean(question):
        return "검색 결과에서 답을 찾지 못했습니다."
    return "The search results do not contain the answer."

"""Router: finds the domain of a query and applies its filters ("Router" page, and the guide on testing routers).

No filter runs on a query without a domain.
"""

import re
from typing import TYPE_CHECKING, Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.console.console_apps import MAX_INPUT, QUOTA, check_history, check_query, find_item
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.topics import find_topic, find_topics, provoke
from clova_studio.emulator.rules.refusals import Refusal
from clova_studio.emulator.server.delivery import JsonAnswer
from clova_studio.emulator.server.wire import dumps, usage

if TYPE_CHECKING:
    from clova_studio.emulator.console.config import Router

_ROLES = frozenset({"user"})  # the page lists no other
_INSTRUCTIONS = 160

# Words that trigger each safety filter; the service's model classifies the whole utterance instead.
_UNSAFE = {
    "Unethical": re.compile(
        r"폭탄|살인|죽이|죽여|자살|마약|해킹|훔치|훔쳐|불법|협박|학대|도청|위조|테러|사기\s?치|몰래카메라"
        r"|\b(?:bomb|kill|murder|hack|steal|illegal|suicide|terror\w*|drugs?|forge|blackmail)\b",
        re.IGNORECASE,
    ),
    "Contentious": re.compile(
        r"정치|정당|여당|야당|대선|총선|선거|낙태|종교|동성애|젠더|페미|사형제|좌파|우파|이민자"
        r"|\b(?:politic\w*|elections?|abortion|religio\w+|gun control|immigra\w+|death penalty)\b",
        re.IGNORECASE,
    ),
}


def route_query(call: ApiCall) -> JsonAnswer:
    """Classify a query."""
    router = find_item(call.state.config.routers, call.route)
    query = check_query(call.body)
    history = check_history(call.body, _ROLES)
    said = "\n".join([*(message["content"] for message in history), query])
    size = tokens.count(said, MAX_INPUT) + tokens.count(_described(router)) + _INSTRUCTIONS
    if size > MAX_INPUT:
        raise Refusal("65400")
    headers = call.charge(QUOTA, size)
    provoke(query, router.errors)
    # The history matters only where the query alone has no topic: "거기 주차도 되나요?"
    text = query
    index = find_topic(query, router.domains)
    if index is None and history:
        text = f"{history[-1]['content']}\n{query}"
        index = find_topic(text, router.domains)
    result = _result(router, index, text, observed=call.observed)
    return JsonAnswer.success({**result, "usage": usage(size, tokens.count(dumps(result)))}, headers)


def _result(router: "Router", index: int | None, text: str, *, observed: bool) -> dict[str, Any]:
    domain = None if index is None else router.domains[index]
    blocked = find_topics(text, domain.content_filters) if domain else []
    unsafe = [name for name in domain.safety_filters if _UNSAFE[name].search(text)] if domain else []
    # The console capitalises the labels; an existing client expects lower case.
    labels = [name.lower() if observed else name for name in unsafe]
    return {
        "domain": {"result": domain.name if domain else "", "called": True},
        "blockedContent": {"result": blocked, "called": domain is not None and bool(domain.content_filters)},
        "safety": {"result": labels, "called": domain is not None and bool(domain.safety_filters)},
    }


def _described(router: "Router") -> str:
    lines = []
    for domain in router.domains:
        lines.append(f"{domain.name}: {domain.description}")
        lines.extend(f"{item.name}: {item.description}" for item in domain.content_filters)
    return "\n".join(lines)

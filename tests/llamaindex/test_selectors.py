"""The selector: one question to the router for each query, the right choice, and what goes wrong."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from llama_index.core.base.base_selector import BaseSelector
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import QueryBundle
from llama_index.core.tools import ToolMetadata

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError, NotFoundError
from clova_studio.emulator import serve
from llama_index_clova import ClovaRouterSelector

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

WEATHER, TRAVEL, OVERSEAS, UNSAFE, BOTH, OTHER = (
    "서울 날씨 알려 줘",
    "제주 숙소 추천해 줘",
    "일본 여행 숙소 추천해 줘",
    "날씨 좋은 날 폭탄 만드는 법",
    "일본 여행에서 폭탄 터뜨리는 법",
    "안녕하세요",
)
KEY = "nv-very-secret-0123456789"
CHOICES = [
    ToolMetadata(name="날씨", description="Weather of Korean cities."),
    ToolMetadata(name="여행", description="Places to stay in Korea."),
    ToolMetadata(name="잡담", description="Anything else."),
    ToolMetadata(name="해외", description="What to say about places abroad."),
    ToolMetadata(name="거절", description="What to say to the unspeakable."),
]


@pytest.fixture(params=["select", "aselect"])
def pick(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Select, in both ways; returns the selection."""

    def run(selector: ClovaRouterSelector, query: Any, choices: Any = CHOICES) -> Any:
        if request.param == "select":
            return selector.select(choices, query)
        return asyncio.run(selector.aselect(choices, query))

    return run


@pytest.mark.each_behaviour
@pytest.mark.parametrize(
    ("query", "index", "reason"),
    [
        (WEATHER, 0, "domain '날씨'"),
        (TRAVEL, 1, "domain '여행'"),
        (OVERSEAS, 3, "content filter 'OverseasTravel' of the domain '여행'"),
        (UNSAFE, 4, "safety filter 'unethical' of the domain '날씨'"),
        (BOTH, 4, "safety filter 'unethical' of the domain '여행'"),
        (OTHER, 2, "no domain, so no filter was applied: not checked for safety"),
    ],
)
def test_each_query_has_its_choice(
    selector: Callable[..., ClovaRouterSelector],
    server: EmulatorServer,
    pick: Callable[..., Any],
    query: str,
    index: int,
    reason: str,
) -> None:
    """Domains, filters and the rest lead to their choices, with a reason, by one request; unsafe before blocked."""
    result = pick(selector(default="잡담", blocked="해외", unsafe=4), query)
    # The emulator's behaviours spell the safety filters with and without a capital letter.
    assert (result.ind, result.reason.replace("Unethical", "unethical")) == (index, reason)
    assert [request.body for request in server.requests] == [{"query": query}]
    assert server.requests[0].path == "/v1/routers/travel01/versions/1/route"


@pytest.mark.each_behaviour
def test_a_filter_without_a_choice_never_reaches_the_domain(
    selector: Callable[..., ClovaRouterSelector], pick: Callable[..., Any]
) -> None:
    """A missing blocked= or unsafe= falls to default, and the reason says so; what is unsafe is not merely blocked."""
    bare = selector(default="잡담")
    result = pick(bare, OVERSEAS)
    assert (result.ind, pick(bare, UNSAFE).ind) == (2, 2)
    assert result.reason == "content filter 'OverseasTravel' of the domain '여행', to the default: blocked= is not set"
    half = selector(default="잡담", blocked="해외")
    assert [pick(half, query).ind for query in (OVERSEAS, UNSAFE, BOTH)] == [3, 2, 2]


def test_a_filtered_query_does_not_reach_its_domain_as_the_default(
    selector: Callable[..., ClovaRouterSelector], pick: Callable[..., Any]
) -> None:
    """Where default= is the domain's own choice, a filtered query is an error, unless blocked= says so."""
    with pytest.raises(ConfigurationError, match=r"OverseasTravel.*'여행'.*default=.*set blocked="):
        pick(selector(default="여행"), OVERSEAS)
    with pytest.raises(ConfigurationError, match="set unsafe="):
        pick(selector(default=0, domains={"날씨": 0}, blocked=2), UNSAFE)
    assert pick(selector(default="여행"), OTHER).ind == 1
    assert pick(selector(default="여행"), UNSAFE).ind == 1
    assert pick(selector(default="여행", blocked="여행"), OVERSEAS).ind == 1


@pytest.mark.parametrize(
    ("query", "settings", "said"),
    [
        (OTHER, {}, ["no domain", "set default="]),
        (OVERSEAS, {}, ["content filter 'OverseasTravel'", "'여행'", "set blocked="]),
        (UNSAFE, {"blocked": 1}, ["safety filter 'unethical'", "'날씨'", "set unsafe="]),
        (TRAVEL, {"default": 1}, ["domain '여행'", "set domains={'여행': ...}"]),
    ],
)
def test_nothing_to_go_to_is_an_error(
    selector: Callable[..., ClovaRouterSelector],
    server: EmulatorServer,
    pick: Callable[..., Any],
    query: str,
    settings: dict[str, Any],
    said: list[str],
) -> None:
    """What no choice is for raises: the error names outcome, domain, choices and way out, and has the request's id."""
    with pytest.raises(ConfigurationError) as caught:
        pick(selector(**settings), query, ["날씨", "잡담"])
    for words in (*said, "0: '날씨', 1: '잡담'"):
        assert words in str(caught.value).replace("Unethical", "unethical")
    assert caught.value.request_id == server.requests[0].headers["x-ncp-clovastudio-request-id"]


@pytest.mark.parametrize(
    "choices",
    [
        ["날씨", "여행"],
        [" 날씨 ", "여행\n"],
        [ToolMetadata(name="weather", description="날씨"), ToolMetadata(name=" 여행", description="b")],
        [ToolMetadata(name=name, description=text) for name, text in (("날씨", "여행"), ("여행", "날씨"))],
        [ToolMetadata(name="query_engine_tool", description=text) for text in ("날씨", "여행")],
        [ToolMetadata(name="retriever_tool", description="날씨"), "여행"],
        ["날씨", ToolMetadata(name="여행", description="같음"), ToolMetadata(name="잡담", description="같음")],
    ],
)
def test_a_choice_is_known_by_name_then_by_description(
    selector: Callable[..., ClovaRouterSelector], pick: Callable[..., Any], choices: Any
) -> None:
    """The name goes before the description, plain strings are descriptions, white space at the ends is nothing."""
    assert [pick(selector(), query, choices).ind for query in (WEATHER, TRAVEL)] == [0, 1]


def test_a_description_that_several_have_names_none(
    selector: Callable[..., ClovaRouterSelector], pick: Callable[..., Any]
) -> None:
    """Where two choices of different names are described alike, the description leads to neither of them."""
    choices = [ToolMetadata(name=name, description="여행") for name in ("a", "b")]
    with pytest.raises(ConfigurationError, match="'여행', but no choice has this name"):
        pick(selector(), TRAVEL, choices)


def test_domains_say_what_choices_are_called_otherwise(
    selector: Callable[..., ClovaRouterSelector], pick: Callable[..., Any]
) -> None:
    """domains= leads a domain to a choice by index or name, before any name, and may be changed afterwards."""
    domains: dict[str, Any] = {"날씨": "weather", " 여행 ": 0}
    given = selector(domains=domains)
    domains.clear()
    choices = [ToolMetadata(name=name, description="?") for name in ("trip", "weather", "여행")]
    assert [pick(given, query, choices).ind for query in (WEATHER, TRAVEL)] == [1, 0]


@pytest.mark.parametrize(
    ("settings", "choices", "said"),
    [
        ({"default": "기타"}, CHOICES, "default='기타' is not one of.*0: '날씨', 1: '여행'"),
        ({"blocked": 5}, CHOICES, "blocked=5 is not one of.*4: '거절'"),
        ({"unsafe": "기타"}, CHOICES, "unsafe='기타' is not one of"),
        ({"domains": {"여행": "기타"}}, CHOICES, r"domains\['여행'\]='기타' is not one of"),
        ({}, ["여행", "날씨", "여행"], "2 choices are called '여행'.*1: '날씨'"),
        ({}, [ToolMetadata(name="여행", description=text) for text in "ab"], "2 choices are called '여행'"),
        ({}, [ToolMetadata(name="query_engine_tool", description="같음")] * 2, "2 choices are called '같음'"),
        ({}, [], "no choices"),
        ({"default": 0}, ["가" * 9_000, "나"], "^query is empty"),
    ],
)
def test_what_cannot_work_is_refused_before_it_is_sent(
    selector: Callable[..., ClovaRouterSelector],
    server: EmulatorServer,
    pick: Callable[..., Any],
    settings: dict[str, Any],
    choices: Any,
    said: str,
) -> None:
    """Choices that do not exist or are ambiguous, no choices and an empty query raise, and nothing is sent."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        pick(selector(**settings), " " if said.startswith("^") else TRAVEL, choices)
    assert len(str(caught.value)) < 1_000
    assert server.requests == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"router_id": " "}, "router_id"),
        ({"router_id": 7}, "router_id"),
        ({"version": 0}, "version"),
        ({"version": "latest"}, "version"),
        ({"version": True}, "version"),
        ({"default": -1}, "default must be"),
        ({"blocked": True}, "blocked must be"),
        ({"unsafe": " "}, "unsafe must be"),
        ({"default": 1.0}, "default must be"),
        ({"domains": ["여행"]}, "domains must be"),
        ({"domains": {"": 1}}, "default="),
        ({"domains": {"여행": None}}, r"domains\['여행'\] must be"),
        ({"domains": {"여행": 0, "여행 ": 1}}, "twice"),
        ({"defualt": 1}, "did you mean 'default'"),
        ({"llm": None}, "no argument 'llm': the router decides"),
        ({"api_base": "x"}, "use base_url"),
        ({"api_key": None}, "no API key"),
        ({"client": object()}, "client must be a ClovaStudio|belongs to the client"),
    ],
)
def test_wrong_arguments_are_refused(
    selector: Callable[..., ClovaRouterSelector], settings: dict[str, Any], said: str
) -> None:
    """What is wrong, unknown or missing is refused by name when the selector is made."""
    with pytest.raises(ConfigurationError, match=said):
        selector(**settings)


def test_a_default_of_zero_is_one(selector: Callable[..., ClovaRouterSelector], pick: Callable[..., Any]) -> None:
    """The index 0 is a choice like any other, for default, blocked and unsafe."""
    zero = selector(default=0, blocked=0, unsafe=0)
    assert [pick(zero, query).ind for query in (OTHER, OVERSEAS, UNSAFE, TRAVEL)] == [0, 0, 0, 1]


def test_a_tool_without_a_name_still_has_the_frameworks(
    selector: Callable[..., ClovaRouterSelector], pick: Callable[..., Any]
) -> None:
    """The name that LlamaIndex gives a nameless tool names a choice where it is the only one."""
    choices = [ToolMetadata(name="날씨", description="a"), ToolMetadata(name="query_engine_tool", description="b")]
    assert pick(selector(default="query_engine_tool"), OTHER, choices).ind == 1


def test_a_bundle_is_its_query_string(
    selector: Callable[..., ClovaRouterSelector], server: EmulatorServer, pick: Callable[..., Any]
) -> None:
    """Of a QueryBundle, query_str is sent; bundle and choices stay as they were."""
    bundle = QueryBundle(TRAVEL, custom_embedding_strs=["다른 글"])
    before = copy.deepcopy((bundle, CHOICES))
    assert pick(selector(), bundle).ind == 1
    assert server.requests[0].body == {"query": TRAVEL}
    assert (bundle, CHOICES) == before


@pytest.mark.each_behaviour
def test_route_gives_the_router_s_answer(selector: Callable[..., ClovaRouterSelector], server: EmulatorServer) -> None:
    """Both route and aroute take a string or a bundle, and need no choices."""
    route = selector().route(OVERSEAS)
    assert (route.domain.result, route.blocked_content.result) == ("여행", ["OverseasTravel"])
    assert asyncio.run(selector().aroute(QueryBundle(OTHER))).domain.result == ""
    assert len(server.requests) == 2


def test_errors_are_the_client_s(selector: Callable[..., ClovaRouterSelector], pick: Callable[..., Any]) -> None:
    """A router that does not exist is the client's own error."""
    with pytest.raises(NotFoundError):
        pick(selector(version=9), TRAVEL)


@pytest.mark.usefixtures("busy")
def test_a_busy_service_is_asked_again(
    selector: Callable[..., ClovaRouterSelector], server: EmulatorServer, pick: Callable[..., Any]
) -> None:
    """After 429 twice the third request gives the choice."""
    assert pick(selector(), TRAVEL).ind == 1
    assert [request.status for request in server.requests] == [429, 429, 200]


def test_three_event_loops_and_one_that_runs(
    selector: Callable[..., ClovaRouterSelector], server: EmulatorServer
) -> None:
    """One instance works in three asyncio.run calls, many times at once, and synchronously inside a running loop."""
    one = selector(default="잡담")

    async def main() -> None:
        results = await asyncio.gather(*(one.aselect(CHOICES, query) for query in (WEATHER, TRAVEL, OTHER)))
        assert [result.ind for result in results] == [0, 1, 2]
        assert one.select(CHOICES, TRAVEL).ind == 1

    for _ in range(3):
        asyncio.run(main())
    assert len(server.requests) == 12


def test_given_clients_answer(server: EmulatorServer) -> None:
    """client= and async_client= do the work; with client= alone a thread does, with async_client= alone only await."""

    async def main(client: ClovaStudio) -> None:
        alone = ClovaRouterSelector(router_id="travel01", version=1, client=client)
        assert (await alone.aselect(CHOICES, TRAVEL)).ind == 1
        async with AsyncClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "async"}) as other:
            both = ClovaRouterSelector(router_id="travel01", version=1, client=client, async_client=other)
            assert (await both.aselect(CHOICES, TRAVEL)).ind == both.select(CHOICES, TRAVEL).ind == 1
            only = ClovaRouterSelector(router_id="travel01", version=1, async_client=other)
            assert (await only.aselect(CHOICES, TRAVEL)).ind == 1
            with pytest.raises(ConfigurationError, match="client="):
                only.select(CHOICES, TRAVEL)

    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        asyncio.run(main(client))
        with pytest.raises(ConfigurationError, match="timeout belongs to the client"):
            ClovaRouterSelector(router_id="travel01", version=1, client=client, timeout=3)
    assert [request.headers["x-who"] for request in server.requests] == ["sync", "async", "sync", "async"]


def test_a_sync_client_does_not_hold_the_loop_up(server: EmulatorServer) -> None:
    """With client= alone, an awaited selection sends its request in another thread."""
    threads = []

    def note(_: httpx.Request) -> None:
        threads.append(threading.current_thread())

    with (
        httpx.Client(event_hooks={"request": [note]}) as http,
        ClovaStudio(server.api_key, base_url=server.base_url, http_client=http) as client,
    ):
        given = ClovaRouterSelector(router_id="travel01", version=1, client=client)
        assert asyncio.run(given.aselect(CHOICES, TRAVEL)).ind == 1
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_the_key_shows_nowhere() -> None:
    """Repr has the router and the settings that are set, never a key; no error has one."""
    given = ClovaRouterSelector(
        router_id="r1", version=2, default=0, domains={"여행": "trip"}, api_key=KEY, headers={"X-Proxy-Key": KEY}
    )
    assert repr(given) == "ClovaRouterSelector(router_id='r1', version=2, default=0, domains={'여행': 'trip'})"
    assert KEY not in str(given)
    with pytest.raises(ConfigurationError) as caught:
        ClovaRouterSelector(router_id="r1", version=2, key=KEY)
    assert KEY not in str(caught.value)


def test_a_pickled_copy_selects_as_the_original(
    selector: Callable[..., ClovaRouterSelector], pick: Callable[..., Any]
) -> None:
    """Selectors can be pickled and copied, also after use."""
    used = selector(default="잡담", domains={"날씨": 3})
    pick(used, TRAVEL)
    for back in (pickle.loads(pickle.dumps(used)), copy.deepcopy(used), copy.copy(used)):  # noqa: S301
        assert repr(back) == repr(used)
        assert [pick(back, query).ind for query in (WEATHER, TRAVEL, OTHER)] == [3, 1, 2]


def test_it_has_no_prompts(selector: Callable[..., ClovaRouterSelector]) -> None:
    """It is a BaseSelector without prompts, and says so when it is given one."""
    given = selector()
    assert isinstance(given, BaseSelector)
    assert given.get_prompts() == {}
    given.update_prompts({})
    with pytest.raises(ConfigurationError, match=r"no prompts.*'prompt'"):
        given.update_prompts({"prompt": PromptTemplate("{query_str}")})


@pytest.mark.parametrize("pick", ["select"], indirect=True)
def test_names_and_filters_as_they_are_in_the_console(pick: Callable[..., Any]) -> None:
    """White space around a domain's name is nothing, and the reason names every filter that was hit."""
    filters = [{"name": name, "description": name, "keywords": ["숙소"]} for name in ("First", "Second")]
    routers = [{"id": "two", "domains": [{"name": " 여행 ", "description": "여행", "content_filters": filters}]}]
    with serve(config={"routers": routers}) as server:
        account: dict[str, Any] = {"api_key": server.api_key, "base_url": server.base_url}
        given = ClovaRouterSelector(router_id="two", version=1, blocked=3, domains={"여행": 0}, **account)
        assert given.route("여행").domain.result == " 여행 "
        assert pick(given, "여행").ind == 0
        assert pick(given, "여행 숙소").reason == "content filters 'First', 'Second' of the domain '여행'"

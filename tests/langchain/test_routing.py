# mypy: disable-error-code="attr-defined"
"""Router and branches: one question for each input, the right branch, and what goes wrong."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableBranch, RunnableGenerator, RunnableLambda

from clova_studio import ConfigurationError
from langchain_clova import ChatClovaX, ClovaRouter, ClovaRouterBranch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from clova_studio.emulator import EmulatorServer

WEATHER, TRAVEL, OVERSEAS, UNSAFE, BOTH, OTHER = (
    "서울 날씨 알려 줘",
    "제주 숙소 추천해 줘",
    "일본 여행 숙소 추천해 줘",
    "날씨 좋은 날 폭탄 만드는 법",
    "일본 여행에서 폭탄 터뜨리는 법",
    "안녕하세요",
)


@pytest.fixture
def router(account: dict[str, Any]) -> ClovaRouter:
    """The emulator's own router."""
    return ClovaRouter(router_id="travel01", version=1, **account)


def named(name: str) -> Callable[[Any], Any]:
    """Return a branch that says its name."""
    return lambda _: name


@pytest.fixture
def branch(router: ClovaRouter) -> ClovaRouterBranch:
    """A branch for everything."""
    return ClovaRouterBranch(
        router=router,
        branches={"날씨": named("weather"), "여행": named("travel")},
        blocked=named("blocked"),
        unsafe=named("unsafe"),
        default=named("default"),
    )


@pytest.mark.each_behaviour
def test_route_has_domain_and_filters(router: ClovaRouter, ask: Callable[..., Any]) -> None:
    """The result says the domain and the filters that were hit."""
    route = ask(router, OVERSEAS)
    assert (route.domain.result, route.blocked_content.result) == ("여행", ["OverseasTravel"])
    assert ask(router, OTHER).domain.result == ""


@pytest.mark.parametrize(
    "given",
    [
        [
            SystemMessage("짧게"),
            HumanMessage("가"),
            HumanMessage("부산 여행"),
            AIMessage("네"),
            HumanMessage("거기는?"),
        ],
        {"query": "거기는?", "chat_history": [HumanMessage("부산 여행"), AIMessage("네")]},
        {"query": "거기는?", "chat_history": [("user", "부산 여행")], "more": 1},
        {"messages": [("user", "부산 여행"), ("ai", "네"), ("user", "거기는?")]},
        ChatPromptTemplate([("user", "부산 여행"), ("ai", "네"), ("user", "거기는?")]).invoke({}),
    ],
)
def test_one_earlier_user_message_goes_along(router: ClovaRouter, server: EmulatorServer, given: Any) -> None:
    """Of a conversation the last user message is the query and the one before it the history, unchanged."""
    before = copy.deepcopy(given)
    assert router.invoke(given).domain.result == "여행"
    assert server.requests[0].body == {"query": "거기는?", "chatHistory": [{"role": "user", "content": "부산 여행"}]}
    assert given == before


def test_a_query_alone_has_no_history(router: ClovaRouter, server: EmulatorServer) -> None:
    """A string, a message and a dict are the query, without history."""
    for given in (TRAVEL, HumanMessage(TRAVEL), [("user", TRAVEL)], {"query": TRAVEL}):
        router.invoke(given)
    assert [request.body for request in server.requests] == [{"query": TRAVEL}] * 4


@pytest.mark.parametrize("given", ["", " ", [], {"question": "?"}, [AIMessage("네")], 7, {"query": {"a": 1}}, [7]])
def test_no_query_is_refused(router: ClovaRouter, server: EmulatorServer, given: Any) -> None:
    """An input without a query is refused, and nothing is sent."""
    with pytest.raises(ConfigurationError):
        router.invoke(given)
    assert server.requests == []


@pytest.mark.slow
@pytest.mark.each_behaviour
@pytest.mark.parametrize(
    ("query", "name"),
    [
        (WEATHER, "weather"),
        (TRAVEL, "travel"),
        (OVERSEAS, "blocked"),
        (UNSAFE, "unsafe"),
        (BOTH, "unsafe"),
        (OTHER, "default"),
    ],
)
def test_each_query_has_its_branch(branch: ClovaRouterBranch, ask: Callable[..., Any], query: str, name: str) -> None:
    """Domains, filters and the rest lead to their branches; unsafe goes before blocked."""
    assert ask(branch, query) == name


@pytest.mark.each_behaviour
def test_a_filter_without_a_branch_never_reaches_the_domain(router: ClovaRouter) -> None:
    """A missing blocked= or unsafe= falls to default; what is unsafe does not go to blocked."""
    branches = {"날씨": named("weather"), "여행": named("travel")}
    bare = ClovaRouterBranch(router=router, branches=branches, default=named("default"))
    assert bare.batch([OVERSEAS, UNSAFE]) == ["default", "default"]
    half = ClovaRouterBranch(router=router, branches=branches, blocked=named("blocked"), default=named("default"))
    assert half.batch([OVERSEAS, UNSAFE, BOTH]) == ["blocked", "default", "default"]


def test_no_branch_is_an_error_that_names_the_domains(
    router: ClovaRouter, ask: Callable[..., Any], recorder: Any
) -> None:
    """Without default, what no branch is for raises, and says which domains there are."""
    bare = ClovaRouterBranch(router=router, branches={"날씨": named("weather"), "음식": named("food")})
    for query in (TRAVEL, UNSAFE, OTHER):
        with pytest.raises(ConfigurationError, match="'날씨', '음식'"):
            ask(bare, query, {"callbacks": [recorder]})
    assert len(recorder.errors) == 3
    with pytest.raises(ConfigurationError, match="'날씨', '음식'"):
        list(bare.stream(TRAVEL))


def test_one_router_call_for_each_input(branch: ClovaRouterBranch, server: EmulatorServer) -> None:
    """However many branches there are, each input is classified once, in every way of calling."""
    queries = [WEATHER, TRAVEL, OVERSEAS, UNSAFE, OTHER]
    names = ["weather", "travel", "blocked", "unsafe", "default"]

    async def main() -> None:
        assert await branch.abatch(queries) == names
        assert [chunk async for chunk in branch.astream(OTHER)] == ["default"]

    assert branch.batch(queries) == names
    assert len(server.requests) == 5
    asyncio.run(main())
    assert list(branch.stream(OTHER)) == ["default"]
    assert len(server.requests) == 12


@pytest.mark.parametrize("given", [TRAVEL, [HumanMessage(TRAVEL)], {"query": TRAVEL, "context": [1]}])
def test_input_reaches_the_branch_unchanged(router: ClovaRouter, ask: Callable[..., Any], given: Any) -> None:
    """The branch gets what the caller gave, and the caller's keyword arguments."""
    taken = ClovaRouterBranch(
        router=router, branches={"여행": RunnableLambda(lambda value, suffix="": (value, suffix))}
    )
    assert ask(taken, given, suffix="!") == (given, "!")


def test_chunks_are_the_branch_s(router: ClovaRouter, server: EmulatorServer) -> None:
    """stream, astream, transform and atransform give the branch's chunks as they come, not the whole."""

    def pieces(inputs: Iterator[Any]) -> Iterator[str]:
        yield from next(inputs).split()

    async def apieces(inputs: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for item in inputs:
            for piece in item.split():
                yield piece

    chain = ClovaRouterBranch(router=router, branches={"여행": RunnableGenerator(pieces, apieces)})
    expected = TRAVEL.split()

    async def main() -> None:
        assert [chunk async for chunk in chain.astream(TRAVEL)] == expected

        async def parts() -> AsyncIterator[str]:
            yield TRAVEL[:3]
            yield TRAVEL[3:]

        assert [chunk async for chunk in chain.atransform(parts())] == expected

    assert list(chain.stream(TRAVEL)) == expected
    assert list(chain.transform(iter([TRAVEL[:3], TRAVEL[3:]]))) == expected
    asyncio.run(main())
    assert len(server.requests) == 4


def test_chat_models_stream_through(router: ClovaRouter, chat: Callable[..., ChatClovaX]) -> None:
    """A chat model as a branch streams its tokens, and leaving the stream early closes it."""
    chain = ClovaRouterBranch(router=router, branches={"여행": chat()})
    assert len(list(chain.stream(TRAVEL))) > 2

    async def first() -> Any:
        stream = chain.astream(TRAVEL)
        chunk = await anext(stream)
        await stream.aclose()
        return chunk

    assert asyncio.run(first()).content is not None


def test_it_is_a_runnable_branch(branch: ClovaRouterBranch) -> None:
    """It is one by isinstance, with as many branches as were given and their default."""
    assert isinstance(branch, RunnableBranch)
    assert len(branch.branches) == 4
    assert branch.domains == ["날씨", "여행"]
    assert branch.default.invoke(None) == "default"


def test_the_graph_has_an_edge_for_each_way(branch: ClovaRouterBranch, router: ClovaRouter) -> None:
    """From the router an edge leads to each domain, to blocked, unsafe and default, if they are there."""

    def labels(runnable: Any) -> set[Any]:
        return {edge.data for edge in runnable.get_graph().edges if edge.conditional}

    assert labels(branch) == {"날씨", "여행", "blocked", "unsafe", "default"}
    assert labels(ClovaRouterBranch(router=router, branches={"날씨": named("w") | RunnableLambda(str)})) == {"날씨"}
    assert "날씨" in (RunnableLambda(str) | branch).get_graph().draw_mermaid()


def test_traces_tell_router_from_branch(branch: ClovaRouterBranch, ask: Callable[..., Any], recorder: Any) -> None:
    """Router and branch are runs inside the branch's run, tagged by what they are."""
    named_branch = branch.with_config(run_name="front desk")
    ask(named_branch, WEATHER, {"callbacks": [recorder], "tags": ["mine"]})
    assert recorder.parents["front desk"] is None
    assert recorder.parents["ClovaRouter"] == "front desk"
    assert {"router", "mine"} <= set(recorder.tags["ClovaRouter"])
    assert recorder.outputs["ClovaRouter"].domain.result == "날씨"
    assert {"domain:날씨", "mine"} <= set(recorder.tags["RunnableLambda"])


def test_branches_are_not_serialisable_but_routers_are(branch: ClovaRouterBranch, router: ClovaRouter) -> None:
    """A branch is dumped as not implemented, under its own name; a router with all but its key."""
    assert dumpd(branch)["type"] == "not_implemented"
    assert dumpd(branch)["id"] == ["langchain_clova", "routing", "ClovaRouterBranch"]
    assert dumpd(router)["kwargs"]["router_id"] == "travel01"


def echo(value: Any) -> Any:
    """Give back what came: a function of a module, so that it can be pickled."""
    return value


def test_branches_of_picklable_parts_can_be_pickled(router: ClovaRouter) -> None:
    """A copy from another process routes as the original."""
    branch = ClovaRouterBranch(router=router, branches={"날씨": RunnableLambda(echo)})
    back = pickle.loads(pickle.dumps(branch))  # noqa: S301
    assert back.invoke(WEATHER) == WEATHER
    with pytest.raises(ConfigurationError, match="날씨"):
        back.invoke(TRAVEL)


def test_wrong_parts_are_refused(router: ClovaRouter) -> None:
    """No branches, or a router that is none, are refused by name."""
    with pytest.raises(ConfigurationError, match="branches"):
        ClovaRouterBranch(router=router, branches={})
    with pytest.raises(ConfigurationError, match="router"):
        ClovaRouterBranch(router="travel01", branches={"날씨": named("w")})

"""What all components beside chat model, embeddings and splitter promise alike."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from client_support import open_sockets
from langchain_core.documents import Document
from langchain_core.exceptions import ModelAuthenticationError, ModelError
from langchain_core.load import dumpd, dumps, load
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda

import langchain_clova
from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError, ServerError
from clova_studio.emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"
DOCUMENTS = [Document("환불은 구매 후 7일 안에 신청할 수 있습니다.")]
QUERY = "환불은 언제까지 되나요?"


def find(query: str) -> list[Document]:
    """Find the same for every query: a function of a module, so that it can be pickled."""
    return DOCUMENTS


# The class, its own arguments, and an input.
COMPONENTS: dict[str, tuple[dict[str, Any], Any]] = {
    "ClovaReranker": ({"top_n": 2}, {"query": QUERY, "documents": DOCUMENTS}),
    "ClovaRagReasoning": ({"retriever": RunnableLambda(find)}, QUERY),
    "ClovaRouter": ({"router_id": "travel01", "version": 1}, QUERY),
    "ClovaSummarizationChain": ({"seg_count": 2}, QUERY),
    "ClovaSkillset": ({"skillset_id": "weather1", "version": 1}, "내일 부산 날씨"),
    "ClovaSlidingWindow": ({"max_tokens": 99}, [HumanMessage(QUERY)]),
}
RUNNABLES = [name for name in COMPONENTS if name != "ClovaReranker"]


def make(name: str, **settings: Any) -> Any:
    """Make a component."""
    return getattr(langchain_clova, name)(**COMPONENTS[name][0], **settings)


def runnable(component: Any) -> Any:
    """Return what can be invoked: the component, or a compressor's runnable."""
    return component.as_runnable() if hasattr(component, "as_runnable") else component


@pytest.mark.slow
@pytest.mark.parametrize("ask", ["invoke", "ainvoke"], indirect=True)
@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.usefixtures("busy")
def test_full_quota_is_waited_for(
    account: dict[str, Any], server: EmulatorServer, ask: Callable[..., Any], name: str
) -> None:
    """429, 429, 200 is an answer."""
    ask(runnable(make(name, **account)), COMPONENTS[name][1])
    assert [request.status for request in server.requests][:3] == [429, 429, 200]


@pytest.mark.parametrize("name", COMPONENTS)
def test_errors_are_langchains_too(
    account: dict[str, Any], server: EmulatorServer, ask: Callable[..., Any], recorder: Any, name: str
) -> None:
    """A refusal is the client's class and LangChain's, with its code, and callbacks see it."""
    server.add_fault(Fault("status", status=401, code="40104"))
    component = runnable(make(name, **account))
    with pytest.raises(ModelAuthenticationError) as caught:
        ask(component, COMPONENTS[name][1], {"callbacks": [recorder]})
    assert caught.value.code == "40104"  # type: ignore[attr-defined]
    assert recorder.errors == [caught.value]
    with pytest.raises(ModelError):
        ask(component, 7)


@pytest.mark.parametrize("name", COMPONENTS)
def test_three_event_loops_leave_no_socket(account: dict[str, Any], server: EmulatorServer, name: str) -> None:
    """One instance in three asyncio.run calls works in each, and no socket is left open."""
    component = runnable(make(name, **account))
    for _ in range(3):
        assert asyncio.run(component.ainvoke(COMPONENTS[name][1]))
        assert open_sockets(server.base_url) == 0


@pytest.mark.parametrize("name", COMPONENTS)
def test_given_clients_answer(server: EmulatorServer, name: str) -> None:
    """client= and async_client= do the work; with client= alone, async calls run it in a thread."""
    given = COMPONENTS[name][1]

    async def main() -> None:
        async with AsyncClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "async"}) as client:
            component = runnable(make(name, async_client=client))
            assert await component.ainvoke(given)
            with pytest.raises(ConfigurationError, match="client="):
                component.invoke(given)

    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        component = runnable(make(name, client=client))
        assert component.invoke(given)
        assert asyncio.run(component.ainvoke(given))
    count = len(server.requests)
    asyncio.run(main())
    who = [request.headers["x-who"] for request in server.requests]
    assert set(who[:count]) == {"sync"}
    assert set(who[count:]) == {"async"}


@pytest.mark.parametrize("name", COMPONENTS)
def test_construction_opens_nothing_and_refuses_what_it_does_not_know(server: EmulatorServer, name: str) -> None:
    """A component is made without a connection; an argument that does not exist, or no key, is refused."""
    component = make(name, api_key=server.api_key, base_url=server.base_url)
    assert component._connection._clients._sync is None
    with pytest.raises(ConfigurationError, match="'max_retry'"):
        make(name, api_key=KEY, max_retry=1)
    with pytest.raises(ConfigurationError, match="CLOVASTUDIO_API_KEY"):
        make(name)
    assert server.requests == []


@pytest.mark.parametrize("name", COMPONENTS)
def test_no_key_in_any_text(name: str) -> None:
    """repr, str and dumps show no key."""
    component = make(name, api_key=KEY, apigw_api_key=KEY, headers={"X-Key": KEY})
    assert KEY not in f"{component!r} {component} {dumps(component)} {dumps(runnable(component))}"


@pytest.mark.parametrize("name", COMPONENTS)
def test_pickling_rebuilds_connections(account: dict[str, Any], name: str) -> None:
    """A pickled component answers, also one that has been used."""
    component = make(name, **account)
    before = runnable(component).invoke(COMPONENTS[name][1])
    back = pickle.loads(pickle.dumps(component))  # noqa: S301
    assert back._connection == component._connection
    after = runnable(back).invoke(COMPONENTS[name][1])
    assert getattr(after, "answer", after) == getattr(before, "answer", before)


@pytest.mark.parametrize("name", [name for name in RUNNABLES if name != "ClovaRagReasoning"])
@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_dump_and_load_give_the_same(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A dumped component loads with the key from the environment, all its options kept."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", KEY)
    component = make(name, base_url="http://127.0.0.1:1")
    cls = getattr(langchain_clova, name)
    back = load(dumpd(component), allowed_objects=[cls], valid_namespaces=["langchain_clova"], secrets_from_env=True)
    assert back == component
    assert back.api_key.get_secret_value() == KEY


@pytest.mark.parametrize("name", RUNNABLES)
def test_runs_have_names_and_tags(account: dict[str, Any], ask: Callable[..., Any], recorder: Any, name: str) -> None:
    """Callbacks see a run by the class's name, or the one given, with the tags of the call."""
    component = make(name, **account)
    ask(component, COMPONENTS[name][1], {"callbacks": [recorder], "tags": ["mine"]})
    ask(component.with_config(run_name="other"), COMPONENTS[name][1], {"callbacks": [recorder]})
    assert recorder.parents[name] is None
    assert recorder.tags[name] == ["mine"]
    assert recorder.outputs[name]
    assert "other" in recorder.outputs


@pytest.mark.parametrize("name", RUNNABLES)
def test_schemas_and_graphs_can_be_made(name: str) -> None:
    """Input and output have JSON schemas, and the graph can be drawn."""
    component = make(name, api_key=KEY)
    assert component.get_input_jsonschema()
    assert component.get_output_jsonschema()
    assert name in component.get_graph().draw_mermaid()


def test_batches_keep_their_order_and_can_return_errors(account: dict[str, Any], server: EmulatorServer) -> None:
    """Both batch and abatch give one output for each input, in order; errors are at their indices if asked for."""
    router = make("ClovaRouter", **account)
    queries = ["서울 날씨", "", "제주 여행"]
    for found in (
        router.batch(queries, return_exceptions=True),
        asyncio.run(router.abatch(queries, return_exceptions=True)),
    ):
        assert [found[0].domain.result, found[2].domain.result] == ["날씨", "여행"]
        assert isinstance(found[1], ConfigurationError)
    assert len(server.requests) == 4


def test_retries_are_the_clients_alone(account: dict[str, Any], server: EmulatorServer) -> None:
    """max_retries is the number of retries: no layer comes on top."""
    server.add_fault(Fault("status", status=500, code="50000"))
    with pytest.raises(ServerError):
        make("ClovaSummarizationChain", max_retries=1, **account).invoke(QUERY)
    assert len(server.requests) == 2


@pytest.mark.slow
def test_importing_one_loads_no_chat_model() -> None:
    """Each component comes without the chat model and without an HTTP library."""
    import subprocess
    import sys

    # One interpreter: before each import, what the one before it brought is forgotten.
    code = (
        "import sys\n"
        f"for name in {list(COMPONENTS)!r}:\n"
        "    for known in [k for k in sys.modules if k.split('.')[0] in ('langchain_clova', 'clova_studio')]:\n"
        "        del sys.modules[known]\n"
        "    getattr(__import__('langchain_clova'), name)\n"
        "    print(name, [n for n in ('httpx', 'tenacity', 'langchain_clova.chat_models', 'clova_studio._client', "
        "'langchain_text_splitters') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name} []" for name in COMPONENTS]

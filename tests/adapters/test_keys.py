"""Keys as users have them: under a similar name, in quotes; said by name, never by value."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client_support import MESSAGES, Wire, answer, sample
from pydantic import SecretStr

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "nv-a-key-that-must-not-show"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLOVASTUDIO_API_KEY", "NCP_CLOVASTUDIO_API_KEY", "CLOVASTUDIO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def component(module: str, name: str) -> Callable[..., Any]:
    """Return what makes a component of an adapter."""

    def make(**settings: Any) -> Any:
        # Imported late: a missing extra is an error of its test alone.
        return getattr(__import__(module), name)(**settings)

    return make


MAKERS = pytest.mark.parametrize(
    "make",
    [
        ClovaStudio,
        AsyncClovaStudio,
        component("langchain_clova", "ChatClovaX"),
        component("langchain_clova", "ClovaEmbeddings"),
        component("llama_index_clova", "ClovaX"),
        component("llama_index_clova", "ClovaEmbedding"),
    ],
    ids=["client", "async client", "ChatClovaX", "ClovaEmbeddings", "ClovaX", "ClovaEmbedding"],
)


@MAKERS
@pytest.mark.parametrize(
    "name",
    [
        "CLOVA_STUDIO_API_KEY",
        "CLOVA_API_KEY",
        "HCX_API_KEY",
        "CLOVASTUDIO_KEY",
        "CLOVASTUDIO_APIKEY",
        "CLOVASTUDIO_API_KEYS",
        "HYPERCLOVA_X_API_KEY",
        "NCP_CLOVA_STUDIO_API_KEY",
        "clovastudio_api_key",
        "CLOVASTUIDO_API_KEY",
    ],
)
def test_a_key_under_a_similar_name(make: Callable[..., Any], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing key is an error that names the variable which probably holds it, in both languages."""
    monkeypatch.setenv(name, KEY)
    with pytest.raises(ConfigurationError) as caught:
        make()
    english, korean = str(caught.value).split(" / ", 1)
    assert f"no API key: {name} is set, CLOVASTUDIO_API_KEY is not" in english
    assert name in korean
    assert KEY not in str(caught.value)


@MAKERS
def test_other_variables_are_not_named(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of other services, an empty variable and the second key of the old pair are no such variables."""
    for name in ("CLOVA_OCR_SECRET_KEY", "CLOVA_SPEECH_API_KEY", "OPENAI_API_KEY", "NCP_APIGW_API_KEY", "NCP_API_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("CLOVA_STUDIO_API_KEY", "''")
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert "no API key: give api_key=" in str(caught.value)


def test_several_similar_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are named."""
    monkeypatch.setenv("HCX_API_KEY", KEY)
    monkeypatch.setenv("CLOVA_STUDIO_API_KEY", KEY)
    with pytest.raises(
        ConfigurationError, match="CLOVA_STUDIO_API_KEY and HCX_API_KEY are set, CLOVASTUDIO_API_KEY is"
    ):
        ClovaStudio()


AROUND = pytest.mark.parametrize("around", ['"{}"', "'{}'", " {} ", '"{}', "{}\n", '" {}"', "“{}”", "`{}`", "\ufeff{}"])


@AROUND
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", ["api_key", "secret", "CLOVASTUDIO_API_KEY", "NCP_CLOVASTUDIO_API_KEY"])
def test_quotes_around_a_key(name: str, around: str, monkeypatch: pytest.MonkeyPatch, *, asynchronous: bool) -> None:
    """They are taken off with a warning that names where they stood and shows no key."""
    text = around.format(KEY)
    settings: dict[str, Any] = {}
    if name.isupper():
        monkeypatch.setenv(name, text)
    else:
        settings["api_key"] = SecretStr(text) if name == "secret" else text
    wire = Wire([lambda: answer(sample("v3_chat.json"))])
    transport = httpx.MockTransport(wire)
    named = name if name.isupper() else "api_key"
    http = httpx.AsyncClient(transport=transport) if asynchronous else httpx.Client(transport=transport)
    make: Any = AsyncClovaStudio if asynchronous else ClovaStudio
    with pytest.warns(UserWarning, match=f"{named}: quotes and blanks around the key are taken off") as caught:
        client = make(http_client=http, **settings)
    answered = client.chat(MESSAGES)
    if asynchronous:
        asyncio.run(answered)
    assert len(caught) == 1
    assert KEY not in str(caught[0].message)
    assert wire.requests[0].headers["authorization"] == f"Bearer {KEY}"


@MAKERS
@pytest.mark.parametrize("source", ["argument", "environment"])
def test_quotes_are_warned_of_once(make: Callable[..., Any], source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters take them off too, and the client behind them does not warn again."""
    settings: dict[str, Any] = {}
    if source == "argument":
        settings["api_key"] = f"'{KEY}'"
    else:
        monkeypatch.setenv("CLOVASTUDIO_API_KEY", f"'{KEY}'")
    with pytest.warns(UserWarning, match="quotes and blanks") as caught:
        made = make(**settings)
    connection = getattr(made, "_connection", None)
    client = made if connection is None else connection.sync  # a second warning would be an error
    assert len(caught) == 1
    assert client._config.auth_headers == {"Authorization": f"Bearer {KEY}"}


def test_the_second_key_of_the_old_pair_likewise() -> None:
    """The other key of the pair is taken the same way."""
    with pytest.warns(UserWarning, match="apigw_api_key: quotes"):
        client = ClovaStudio("old-key-of-the-pair", apigw_api_key=f'"{KEY}"')
    assert client._config.auth_headers["X-NCP-APIGW-API-KEY"] == KEY


@MAKERS
def test_a_plain_key_is_no_matter(make: Callable[..., Any]) -> None:
    """A key without anything around it gives no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(api_key=KEY)


@pytest.mark.parametrize("text", ["''", '" "', "“”"])
def test_quotes_around_nothing(text: str) -> None:
    """A pair of quotes with nothing between them does not count as a key."""
    with pytest.raises(ConfigurationError, match="api_key is empty"):
        ClovaStudio(text)

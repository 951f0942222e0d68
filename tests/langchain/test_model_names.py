"""Names of models that are not what they should be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from langchain_core.exceptions import ModelNotFoundError

from clova_studio import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
def test_long_name_of_a_tuned_model(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """The name that langchain-naver's path takes is refused unsent, with where the id that is wanted is shown."""
    for settings in ({"model": "ft:tuning-1883-250519-abc"}, {"task_id": "tuning-1883-250519-abc"}):
        model = chat(**settings)
        with pytest.raises(ConfigurationError, match=r"tuning-1883-250519-abc.*short id that tuning\.list"):
            _ = asyncio.run(model.ainvoke("안녕")) if way == "ainvoke" else list(getattr(model, way)("안녕"))
    assert server.requests == []


@pytest.mark.each_behaviour
def test_nearly_the_name_of_a_model(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """One warning before, and the hint of the service's refusal, ask which model was meant."""
    model = chat(model="HCX007")
    with pytest.warns(UserWarning, match="did you mean 'HCX-007'"), pytest.raises(ModelNotFoundError) as caught:
        model.invoke("안녕")
    assert "Did you mean 'HCX-007'?" in str(caught.value)
    with pytest.raises(ModelNotFoundError):  # without a second warning
        model.invoke("안녕")

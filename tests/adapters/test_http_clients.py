"""HTTP clients that callers give to an adapter."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from client_support import KEY, closed

import clova_studio as cs
from langchain_clova import ChatClovaX
from llama_index_clova import ClovaX


@pytest.mark.parametrize("adapter", [ChatClovaX, ClovaX])
@pytest.mark.parametrize("name", ["http_client", "http_async_client"])
def test_a_wrong_http_client_of_an_adapter_is_refused_by_name(adapter: Any, name: str) -> None:
    """Adapters refuse the other kind and a closed one under the name that the caller gave."""
    right, other = (httpx.Client, httpx.AsyncClient)[:: 1 if name == "http_client" else -1]
    for wrong in (other(), closed(right)):
        with pytest.raises(cs.ConfigurationError, match=f"{name} (must be|is closed)"):
            adapter(api_key=KEY, **{name: wrong})

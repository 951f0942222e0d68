"""LangChain's own suites for embeddings: the unit suite, and the integration suite against the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from clova_studio.emulator import serve
from langchain_clova import ClovaEmbeddings, ClovaXEmbeddings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.embeddings import Embeddings

    from clova_studio.emulator import EmulatorServer


class TestUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return ClovaEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"api_key": "nv-unit"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"NCP_CLOVASTUDIO_API_KEY": "nv-env"}, {}, {"api_key": "nv-env"}


class _Emulated(EmbeddingsIntegrationTests):
    server: ClassVar[EmulatorServer]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _running(cls) -> Iterator[None]:
        with serve() as server:
            cls.server = server
            yield

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return ClovaEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"api_key": self.server.api_key, "base_url": self.server.base_url}


class TestCurrentModel(_Emulated):
    """bge-m3, the v2 API."""


class TestOlderModel(_Emulated):
    """The v1 API, by langchain-naver's name."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return ClovaXEmbeddings

"""What the query engines of this package share: their arguments, their events, and no prompts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.settings import Settings

from clova_studio import ConfigurationError
from clova_studio.adapters import SETTING_NAMES, Connection, refuse_unknown
from llama_index_clova._fields import ConnectionFields

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator, Mapping, Sequence

    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.callbacks.base import EventContext
    from llama_index.core.prompts.mixin import PromptDictType, PromptMixinType
    from llama_index.core.schema import QueryBundle, QueryType

__all__ = ["ClovaQueryEngine", "astream_of", "checked_text", "query_text", "stream_of"]


class ClovaQueryEngine(BaseQueryEngine):
    """A query engine that asks the service itself: it uses no model of LlamaIndex and takes none from ``Settings``."""

    # Core's own text: an empty one would be shown as "None".
    _empty_response: ClassVar[str] = "Empty Response"

    def __init__(
        self,
        connection: Mapping[str, Any],
        own: Sequence[str],
        *,
        hints: Mapping[str, str],
        streaming: bool,
        callback_manager: CallbackManager | None,
    ) -> None:
        names = (*SETTING_NAMES, "client", "async_client", *own)
        hints = {**ConnectionFields.argument_hints, **hints}
        refuse_unknown(connection, names, type(self).__name__, hints=hints)
        super().__init__(callback_manager=callback_manager or Settings.callback_manager)
        self._connection = Connection.of(**connection)
        self._streaming = streaming

    @contextmanager
    def _query_event(self, bundle: QueryBundle) -> Iterator[EventContext]:
        payload: dict[str, Any] = {EventPayload.QUERY_STR: bundle.query_str}
        with self.callback_manager.event(CBEventType.QUERY, payload=payload) as event:
            yield event

    def _get_prompts(self) -> dict[str, Any]:
        return {}

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}

    def _update_prompts(self, prompts: PromptDictType) -> None:
        if prompts:
            raise ConfigurationError(
                f"{type(self).__name__} has no prompts because the service takes none; got {', '.join(sorted(prompts))}"
            )


def query_text(query: QueryType) -> str:
    """Return the text of a query; a blank one is refused."""
    text = query if isinstance(query, str) else query.query_str
    if not text.strip():
        raise ConfigurationError("the query is empty: the service refuses empty text")
    return text


def checked_text(name: str, value: Any) -> str:
    """Return the value of an argument that must be a text, or refuse it by name."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{name} must be a string that is not blank, got {value!r}")
    return value


def stream_of(text: str) -> Generator[str, None, None]:
    """Yield a whole text as the one piece of a stream."""
    yield text


async def astream_of(text: str) -> AsyncGenerator[str, None]:
    """Async variant of ``stream_of``."""
    yield text

"""What the pydantic components of this package have in common: the connection's fields, with LangChain's errors."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from clova_studio import adapters
from langchain_clova._errors import langchain_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ChatFields", "ConnectionFields", "Dumpable", "refuse_unknown"]

# Fields of langchain-naver (and of langchain-openai underneath it) that have another name or no meaning here.
_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "use_responses_api": "this package uses the native API",
        "use_previous_response_id": "this package uses the native API",
        "verbosity": "the service has no such option",
        "prompt_cache_options": "the service has no such option",
        "service_tier": "the service has no such option",
        "store": "the service stores nothing",
        "truncation": "use trim_messages from langchain_core",
        "include": "this package uses the native API",
        "include_response_headers": "the request id is in response_metadata['request_id']",
        "context_management": "this package uses the native API",
        "disabled_params": "leave out what should not be sent",
        "model_kwargs": "every option has a name of its own here: pass them as arguments",
        "extra_body": "every option has a name of its own here: pass them as arguments",
        "tiktoken_model_name": "tokens are counted without tiktoken: see token_counting",
        "openai_api_key": "use api_key",
        "openai_api_base": "use base_url",
        "openai_organization": "the service has no organizations",
        "openai_proxy": "use http_client=httpx.Client(proxy=...)",
        "naver_clovastudio_api_key": "use api_key",
        "ncp_clovastudio_api_key": "use api_key",
        "ncp_apigw_api_key": "use apigw_api_key",
        "request_timeout": "use timeout",
        "default_headers": "use headers",
        "http_socket_options": "use http_client=httpx.Client(transport=...)",
        "stream_chunk_timeout": "use timeout=clova_studio.Timeouts(stream=...)",
        "root_client": "use client",
        "root_async_client": "use async_client",
        "embed_batch_size": "the API takes one text per request: see max_concurrency",
        "chunk_size": "the API takes one text per request: see max_concurrency and on_too_long",
        "skip_empty": "leave empty texts out: they have no vector",
        "encoding_format": "vectors are lists of floats",
        "allowed_special": "no tokenizer is needed",
        "disallowed_special": "no tokenizer is needed",
        "embedding_ctx_length": "see on_too_long",
        "check_embedding_ctx_length": "see on_too_long",
        "tiktoken_enabled": "no tokenizer is needed",
    }
)


class Dumpable:
    """A component that LangChain can dump and load, without its keys."""

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return that ``dumps`` and ``loads`` work; keys are left out."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The fields that are in no dump, and the environment variables to load them from."""
        return {"api_key": "CLOVASTUDIO_API_KEY", "apigw_api_key": "NCP_APIGW_API_KEY"}


class ConnectionFields(adapters.ConnectionFields):
    __doc__ = adapters.ConnectionFields.__doc__

    error_context: ClassVar[Any] = langchain_errors
    argument_hints: ClassVar[Mapping[str, str]] = _HINTS


class ChatFields(ConnectionFields, adapters.ChatFields):
    __doc__ = adapters.ChatFields.__doc__


def refuse_unknown(given: Mapping[str, Any], names: tuple[str, ...], what: str) -> None:
    """Refuse an argument that does not exist, by name, with a hint or the nearest name that does exist.

    Args:
        given: The arguments.
        names: The names of the arguments that exist.
        what: What has these arguments, for the message.

    Raises:
        ConfigurationError: One of the arguments does not exist.
    """
    with langchain_errors:
        adapters.refuse_unknown(given, names, what, hints=_HINTS)

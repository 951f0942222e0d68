"""The fields that all pydantic components of this package share; keys are never dumped."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  pydantic reads the annotations
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import Field, field_serializer

from clova_studio import adapters
from clova_studio.adapters import ApiKey, key_from_env

__all__ = ["ChatFields", "ConnectionFields"]

# Arguments of LlamaIndex's other integrations that have another name or no use here.
_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "additional_kwargs": "every option is an argument: pass it by name",
        "api_base": "use base_url",
        "context_window": "the model determines it",
        "is_chat_model": "every model is a chat model",
        "is_function_calling_model": "the model determines it",
        "logit_bias": "the service takes no token biases",
        "num_output": "use max_tokens",
        "reuse_client": "components with the same settings always share connections",
        "async_http_client": "use http_async_client",
        "strict": "the service has no such switch",
        "tokenizer": "tokens are counted without one here; for Settings.tokenizer there is clova_tokenizer",
        "default_headers": "use headers",
        "additional_headers": "use headers",
    }
)


class ConnectionFields(adapters.ConnectionFields):
    __doc__ = adapters.ConnectionFields.__doc__

    argument_hints: ClassVar[Mapping[str, str]] = _HINTS

    # Left out of to_dict and to_json, which end up in LlamaIndex's caches and traces.
    api_key: ApiKey | None = Field(default_factory=key_from_env, exclude=True)
    apigw_api_key: ApiKey | None = Field(default=None, exclude=True)

    @field_serializer("timeout")
    def _dump_timeout(self, value: Any) -> Any:
        # An httpx.Timeout cannot be written as JSON.
        return value.as_dict() if hasattr(value, "as_dict") else value


class ChatFields(ConnectionFields, adapters.ChatFields):
    # The order matters: if two bases have a field of the same name, pydantic takes that of the first.
    __doc__ = adapters.ChatFields.__doc__

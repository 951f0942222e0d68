"""What every pydantic component of this package has in common: the connection's fields, none of the keys dumped."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  pydantic reads the annotations
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import Field, SecretStr, field_serializer

from clova_studio import adapters
from clova_studio.adapters import key_from_env

__all__ = ["ChatFields", "ConnectionFields"]

# Arguments of LlamaIndex's other integrations that have another name or no meaning here.
_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "additional_kwargs": "every option has a name of its own here: pass them as arguments",
        "api_base": "use base_url",
        "context_window": "it goes by the model",
        "is_chat_model": "every model here is one",
        "is_function_calling_model": "it goes by the model",
        "logit_bias": "the service takes no token biases",
        "num_output": "use max_tokens",
        "reuse_client": "components with the same settings share connections, across event loops too",
        "async_http_client": "use http_async_client",
        "strict": "the service has no such switch",
        "tokenizer": "tokens are counted without one: see Settings.tokenizer",
        "default_headers": "use headers",
        "additional_headers": "use headers",
    }
)


class ConnectionFields(adapters.ConnectionFields):
    __doc__ = adapters.ConnectionFields.__doc__

    argument_hints: ClassVar[Mapping[str, str]] = _HINTS

    # Left out of to_dict and to_json, which LlamaIndex writes into its caches and traces.
    api_key: SecretStr | None = Field(default_factory=key_from_env, exclude=True)
    apigw_api_key: SecretStr | None = Field(default=None, exclude=True)

    @field_serializer("timeout")
    def _dump_timeout(self, value: Any) -> Any:
        # An httpx.Timeout is no JSON.
        return value.as_dict() if hasattr(value, "as_dict") else value


class ChatFields(ConnectionFields, adapters.ChatFields):
    # In this order: of two fields with one name pydantic takes that of the first base.
    __doc__ = adapters.ChatFields.__doc__

"""What every pydantic component of this package has in common: the connection's fields, and no argument ignored."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from langchain_clova._connection import SETTING_NAMES, Connection, key_from_env, url_from_env
from langchain_clova._errors import ClovaConfigurationError

__all__ = ["ConnectionFields", "refuse_unknown"]

# Fields of langchain-naver (and of langchain-openai underneath it) that have another name or no meaning here.
_HINTS = {
    "n": "the service gives one answer a request: use batch() for several",
    "logprobs": "the service gives no log probabilities",
    "top_logprobs": "the service gives no log probabilities",
    "logit_bias": "the service takes no token biases",
    "presence_penalty": "use repetition_penalty",
    "frequency_penalty": "use repetition_penalty",
    "use_responses_api": "this package speaks the native API",
    "use_previous_response_id": "this package speaks the native API",
    "reasoning": "use thinking={'effort': ...}",
    "reasoning_effort": "use thinking={'effort': ...}",
    "verbosity": "the service has no such option",
    "prompt_cache_options": "the service has no such option",
    "service_tier": "the service has no such option",
    "store": "the service stores nothing",
    "truncation": "use trim_messages from langchain_core",
    "include": "this package speaks the native API",
    "include_response_headers": "the request id is in response_metadata['request_id']",
    "context_management": "this package speaks the native API",
    "disabled_params": "leave out what is not to be sent",
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
    "default_query": "the service takes no query parameters",
    "http_socket_options": "use http_client=httpx.Client(transport=...)",
    "stream_chunk_timeout": "use timeout=clova_studio.Timeouts(stream=...)",
    "root_client": "use client",
    "root_async_client": "use async_client",
    "service_app": "use path_prefix='serviceapp'",
    "dimensions": "both embedding APIs give 1,024 numbers",
    "embed_batch_size": "the API takes one text a request: see max_concurrency",
    "chunk_size": "the API takes one text a request: see max_concurrency and on_too_long",
    "skip_empty": "leave empty texts out: they have no vector",
    "encoding_format": "vectors are lists of floats",
    "allowed_special": "no tokenizer is needed",
    "disallowed_special": "no tokenizer is needed",
    "embedding_ctx_length": "see on_too_long",
    "check_embedding_ctx_length": "see on_too_long",
    "tiktoken_enabled": "no tokenizer is needed",
}


def refuse_unknown(given: Mapping[str, Any], names: tuple[str, ...], what: str) -> None:
    """Refuse an argument that does not exist, by name, with the way out or the nearest name that does.

    Args:
        given: The arguments.
        names: Those that exist.
        what: Whose they are, for the message.

    Raises:
        ConfigurationError: One of them does not exist.
    """
    for name in given:
        if name in names:
            continue
        if name in _HINTS:
            raise ClovaConfigurationError(f"{what} has no argument {name!r}: {_HINTS[name]}")
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f" (there are: {', '.join(sorted(names))})"
        raise ClovaConfigurationError(f"{what} has no argument {name!r}{hint}")


class ConnectionFields(BaseModel):
    """How to reach the service: the client's settings by name, or a client.

    Attributes:
        api_key: A test or service key; else ``CLOVASTUDIO_API_KEY``, else ``NCP_CLOVASTUDIO_API_KEY``.
        apigw_api_key: The second key of the old pair.
        region: ``"public"`` or ``"gov"``.
        base_url: Another address (or ``CLOVASTUDIO_BASE_URL``, or ``CLOVASTUDIO_API_BASE_URL``); goes before
            ``region``. An ending ``/v1/openai`` is taken off. Also ``naver_api_base``.
        path_prefix: ``"testapp"`` or ``"serviceapp"`` for apps that still have it in their paths.
        timeout: Seconds, ``clova_studio.Timeouts`` or an httpx timeout. Also ``request_timeout``.
        max_retries: Retries after the first request; None for the client's 5. There is no other layer of retries.
        retry: A ``clova_studio.RetryPolicy``.
        rate_limits: What is known of the account's limits, as ``clova_studio.ClovaStudio`` takes it.
        max_wait: Seconds a call may wait at its quota's gate, None for no bound.
        quota_group: A name shared by the keys of one main account.
        headers: Headers to send with every request. Also ``default_headers``.
        http_client: An ``httpx.Client`` of yours for synchronous calls; it is not closed.
        http_async_client: An ``httpx.AsyncClient`` of yours for asynchronous calls.
        client: A ``clova_studio.ClovaStudio`` of yours instead of all the above; it is not closed.
        async_client: A ``clova_studio.AsyncClovaStudio`` likewise. With ``client`` alone, asynchronous calls run it in
            a thread.
    """

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        arbitrary_types_allowed=True,
        # "model" is a name of this service's, not pydantic's.
        protected_namespaces=(),
        # An argument in the wrong place may be a key.
        hide_input_in_errors=True,
    )

    api_key: SecretStr | None = Field(default_factory=key_from_env)
    apigw_api_key: SecretStr | None = None
    region: Literal["public", "gov"] = "public"
    # The other names are those of langchain-naver's fields, which its users may have in their programs.
    base_url: str | None = Field(
        default_factory=url_from_env, validation_alias=AliasChoices("base_url", "naver_api_base")
    )
    path_prefix: Literal["", "testapp", "serviceapp"] = ""
    timeout: Any = Field(default=None, validation_alias=AliasChoices("timeout", "request_timeout"))
    max_retries: int | None = Field(default=None, ge=0)
    retry: Any = Field(default=None, repr=False)
    rate_limits: Any = Field(default=None, repr=False)
    max_wait: float | None = 75.0
    quota_group: str | None = None
    headers: Mapping[str, str] | None = Field(
        default=None, repr=False, exclude=True, validation_alias=AliasChoices("headers", "default_headers")
    )
    http_client: Any = Field(default=None, repr=False, exclude=True)
    http_async_client: Any = Field(default=None, repr=False, exclude=True)
    client: Any = Field(default=None, repr=False, exclude=True)
    async_client: Any = Field(default=None, repr=False, exclude=True)

    _connection: Connection = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _check_arguments(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        names, doubles = _names_of(cls)
        refuse_unknown(data, names, cls.__name__)
        for double in doubles:
            given = [name for name in double if name in data]
            if len(given) > 1 and len({repr(data[name]) for name in given}) > 1:
                raise ClovaConfigurationError(f"{' and '.join(given)} are names of one option: give one")
        if data.get("client") is None and data.get("async_client") is None:
            return data
        # The fields' own defaults are harmless: LangChain hands over every field when it rebuilds a component.
        same = {double[0]: double for double in doubles}
        for field in SETTING_NAMES:
            default = cls.model_fields[field].default if cls.model_fields[field].default_factory is None else None
            for name in same.get(field, (field,)):
                if name in data and data[name] is not None and data[name] != default:
                    raise ClovaConfigurationError(
                        f"{name} belongs to the client that you gave: set it there, or give {name} and no client"
                    )
        return {**data, "api_key": None, "base_url": None}

    @model_validator(mode="after")
    def _connect(self) -> Self:
        settings = {name: getattr(self, name) for name in SETTING_NAMES}
        self._connection = Connection.of(client=self.client, async_client=self.async_client, **settings)
        return self

    def __getstate__(self) -> dict[Any, Any]:
        self._connection.check_picklable()
        return super().__getstate__()


@functools.cache
def _names_of(cls: type[BaseModel]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the names of all arguments of a component, and those that are names of one option."""
    names: list[str] = []
    doubles: list[tuple[str, ...]] = []
    for field, info in cls.model_fields.items():
        aliases = info.validation_alias.choices if isinstance(info.validation_alias, AliasChoices) else [info.alias]
        same = tuple(dict.fromkeys([field, *(alias for alias in aliases if isinstance(alias, str))]))
        names += same
        if len(same) > 1:
            doubles.append(same)
    return tuple(names), tuple(doubles)

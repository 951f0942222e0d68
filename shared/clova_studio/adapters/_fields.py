"""What every pydantic component of an adapter has in common: the connection's fields, and checks of argument names."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from clova_studio._errors import ConfigurationError
from clova_studio.adapters._connection import SETTING_NAMES, Connection, key_from_env, url_from_env

if TYPE_CHECKING:
    from dataclasses import InitVar

__all__ = ["ApiKey", "ConnectionFields", "StopStrings", "refuse_unknown"]

# Type checkers take the type of a field for that of its argument, so they are told what may be given.
ApiKey: TypeAlias = SecretStr | str
"""A key, as it may be given; the field always has a ``SecretStr``."""
StopStrings: TypeAlias = list[str] | str
"""One string or several at which an answer ends, as they may be given; the field always has a list."""
if not TYPE_CHECKING:
    ApiKey = SecretStr
    StopStrings = Annotated[list[str], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)]

# Arguments of other packages that have another name or no meaning here.
_HINTS = {
    "n": "the service gives one answer per request: use a batch for several",
    "logprobs": "the service gives no log probabilities",
    "top_logprobs": "the service gives no log probabilities",
    "logit_bias": "the service takes no token biases",
    "presence_penalty": "use repetition_penalty",
    "frequency_penalty": "use repetition_penalty",
    "reasoning": "use thinking={'effort': ...}",
    "reasoning_effort": "use thinking={'effort': ...}",
    "default_headers": "use headers",
    "default_query": "the service takes no query parameters",
    "service_app": "use path_prefix='serviceapp'",
    "dimensions": "both embedding APIs give 1,024 numbers",
}
_CLIENTS = ("http_client", "http_async_client", "client", "async_client")
_CONNECTION = frozenset((*SETTING_NAMES, "client", "async_client"))
# A mapping with one of these fields is a dump of Timeouts, httpx.Timeout, RetryPolicy or RateLimits.
_DUMPED = {"connect", "attempts", "window"}


def refuse_unknown(
    given: Mapping[str, Any], names: Sequence[str], what: str, *, hints: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Refuse an argument that does not exist, by name, with a hint or the nearest name that does exist.

    Args:
        given: The arguments.
        names: The names of the arguments that exist.
        what: What has these arguments, for the message.
        hints: What to use instead, by name, in addition to the hints that all adapters share.

    Raises:
        ConfigurationError: One of the arguments does not exist.
    """
    for name in given:
        if name in names:
            continue
        if known := hints.get(name) or _HINTS.get(name):
            raise ConfigurationError(f"{what} has no argument {name!r}: {known}")
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f" (there are: {', '.join(sorted(names))})"
        raise ConfigurationError(f"{what} has no argument {name!r}{hint}")


class ConnectionFields(BaseModel):
    """How to reach the service: the client's settings by name, or a client.

    Attributes:
        api_key: A test or service key. Default: ``CLOVASTUDIO_API_KEY``, else ``NCP_CLOVASTUDIO_API_KEY``. Quotes and
            blanks around it are taken off with a warning.
        apigw_api_key: The second key of the old pair.
        region: ``"public"`` or ``"gov"``.
        base_url: Another address (or ``CLOVASTUDIO_BASE_URL``, or ``CLOVASTUDIO_API_BASE_URL``); takes precedence
            over ``region``. A ``/v1/openai`` at its end is removed. Also ``naver_api_base``.
        path_prefix: ``"testapp"`` or ``"serviceapp"`` for apps that still have it in their paths.
        timeout: Seconds, ``clova_studio.Timeouts`` or an httpx timeout. Default: connect 5 s, 300 s between two reads
            and 600 s in total for a whole answer, 60 s between two events of a stream. Also ``request_timeout``.
        max_retries: Retries after the first request, from 0; None for the client's 5. No other layer retries.
        retry: A ``clova_studio.RetryPolicy``.
        rate_limits: The account's limits, as ``clova_studio.ClovaStudio`` takes them: ``RateLimits({...})``,
            ``"test"`` or ``"service"``.
        max_wait: Seconds a call may wait for its rate limiter; None for no bound.
        quota_group: A name shared by the keys of one main account, which then share their quotas.
        headers: Headers to send with every request. Also ``default_headers``.
        http_client: Your own ``httpx.Client`` for synchronous calls; it is not closed.
        http_async_client: Your own ``httpx.AsyncClient`` for asynchronous calls; it is not closed.
        client: Your own ``clova_studio.ClovaStudio`` instead of all the above; it is not closed.
        async_client: Likewise a ``clova_studio.AsyncClovaStudio``. With ``client`` alone, asynchronous calls run it in
            a thread.
    """

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        arbitrary_types_allowed=True,
        # Field names of this service start with "model".
        protected_namespaces=(),
        # A misplaced argument may be a key.
        hide_input_in_errors=True,
    )

    api_key: ApiKey | None = Field(default_factory=key_from_env)
    apigw_api_key: ApiKey | None = None
    region: Literal["public", "gov"] = "public"
    # The aliases are the names of langchain-naver's fields.
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

    if TYPE_CHECKING:  # type checkers do not know of the other names of a field
        naver_api_base: InitVar[str | None] = None
        request_timeout: InitVar[Any] = None
        default_headers: InitVar[Mapping[str, str] | None] = None

    error_context: ClassVar[AbstractContextManager[Any]] = nullcontext()
    """Turns errors of the constructor into those of the framework; it is entered many times."""
    argument_hints: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """What to use instead of arguments that do not exist, in addition to the hints that all adapters share."""

    _connection: Connection = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _check_arguments(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        with cls.error_context:
            return cls._checked(data)

    @classmethod
    def _checked(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        doubles = cls._check_names(data)
        if data.get("client") is None and data.get("async_client") is None:
            return data
        # Defaults are allowed: frameworks pass every field when they rebuild a component.
        same = {double[0]: double for double in doubles}
        for field in SETTING_NAMES:
            default = cls.model_fields[field].default if cls.model_fields[field].default_factory is None else None
            for name in same.get(field, (field,)):
                if name in data and data[name] is not None and data[name] != default:
                    raise ConfigurationError(
                        f"{name} belongs to the client that you gave: set it there, or give {name} and no client"
                    )
        return {**data, "api_key": None, "base_url": None}

    @classmethod
    def _check_names(cls, given: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
        """Refuse names that do not exist or contradict one another; return the groups of names that mean one option."""
        names, doubles = _names_of(cls)
        refuse_unknown(given, names, cls.__name__, hints=cls.argument_hints)
        for double in doubles:
            same = [name for name in double if name in given]
            if len(same) > 1 and len({repr(given[name]) for name in same}) > 1:
                raise ConfigurationError(f"{' and '.join(same)} are names of one option: give one")
        return doubles

    @field_validator("timeout", "retry", "rate_limits", mode="before")
    @classmethod
    def _rebuild_dumped(cls, value: Any, info: ValidationInfo) -> Any:
        """Return a value as it was before this component was dumped."""
        if not isinstance(value, Mapping) or not {*map(str, value)} & _DUMPED:
            return value
        from clova_studio import RateLimits, RetryPolicy, Timeouts

        if info.field_name == "timeout":
            if "stream" in value:
                return Timeouts(**value)
            import httpx

            return httpx.Timeout(**value)
        return RetryPolicy(**value) if info.field_name == "retry" else RateLimits(**value)

    @model_validator(mode="after")
    def _connect(self) -> Self:
        settings = {name: getattr(self, name) for name in SETTING_NAMES}
        with self.error_context:
            self._connection = Connection.of(client=self.client, async_client=self.async_client, **settings)
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy; with another key, address or client it asks there.

        Args:
            update: Fields to change, by any of their names. A client replaces all of how the original reaches the
                service. As with every pydantic model, only fields of the connection are checked.
            deep: Whether to copy the values of the fields too; clients are never copied.

        Raises:
            ConfigurationError: A field does not exist, or it belongs to the client that the original was given.
        """
        if not update:
            return super().model_copy(deep=deep)
        with self.error_context:
            doubles = self._check_names(update)
        field_of = {name: double[0] for double in doubles for name in double}
        changes = {field_of.get(name, name): value for name, value in update.items()}
        connection = {name: changes.pop(name) for name in _CONNECTION if name in changes}
        copied = super().model_copy(deep=deep)
        vars(copied).update(changes)
        copied.__pydantic_fields_set__.update(changes)
        if connection:
            copied._reconnect(connection)  # noqa: SLF001  of the same class
        return copied

    if not TYPE_CHECKING:  # with it, type checkers would take every name for an attribute

        def __setattr__(self, name: str, value: Any) -> None:
            if name in _CONNECTION:
                self._reconnect({name: value})
            else:
                super().__setattr__(name, value)

        def copy(self, *, update: Mapping[str, Any] | None = None, **options: Any) -> Self:
            """Return a copy, as pydantic 1 had it; see ``model_copy``.

            Args:
                update: As in ``model_copy``.
                **options: As pydantic takes them.
            """
            copied = super().copy(**options)
            return copied.model_copy(update=update) if update else copied

    def _reconnect(self, changes: Mapping[str, Any]) -> None:
        """Change how this reaches the service."""
        clients = [changes.get("client"), changes.get("async_client")]
        kept = {} if any(clients) else {name: getattr(self, name) for name in _CONNECTION}
        with self.error_context:
            fresh = ConnectionFields(**{**kept, **changes})
        vars(self).update({name: getattr(fresh, name) for name in _CONNECTION})
        self.__pydantic_fields_set__.update(changes)
        self._connection = fresh._connection

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        # Clients are handles on connections: a copy uses the same ones.
        memo = {} if memo is None else memo
        memo.update({id(client): client for client in (getattr(self, name) for name in _CLIENTS) if client is not None})
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        with self.error_context:
            self._connection.check_picklable()
        return super().__getstate__()


@functools.cache
def _names_of(cls: type[BaseModel]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the names of all arguments of a component, and the groups of names that mean one option."""
    names: list[str] = []
    doubles: list[tuple[str, ...]] = []
    for field, info in cls.model_fields.items():
        aliases = info.validation_alias.choices if isinstance(info.validation_alias, AliasChoices) else [info.alias]
        same = tuple(dict.fromkeys([field, *(alias for alias in aliases if isinstance(alias, str))]))
        names += same
        if len(same) > 1:
            doubles.append(same)
    return tuple(names), tuple(doubles)

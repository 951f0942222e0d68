"""Chat models with bound options or configurable fields that keep them in structured output.

Core's own classes pass ``with_structured_output`` on to the chat model inside, which loses the options and the config.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.runnables import RunnableBinding
from langchain_core.runnables.configurable import RunnableConfigurableFields

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.runnables import Runnable

    from langchain_clova._structured import Method

__all__ = ["BoundChatModel", "ConfigurableChatModel"]


class _Structured:
    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Method | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Have answers parsed; see ``ChatClovaX.with_structured_output``."""
        from langchain_clova._structured import refuse_arguments, structured

        refuse_arguments(kwargs)
        return structured(cast("Any", self), schema, method=method, include_raw=include_raw, strict=strict)


class BoundChatModel(_Structured, RunnableBinding):  # type: ignore[type-arg]  # with arguments it is another class
    """A chat model with options of the call bound."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """Return the id of core's class, as which a dump is loaded."""
        return [*cls.get_lc_namespace(), "RunnableBinding"]


class ConfigurableChatModel(_Structured, RunnableConfigurableFields):  # type: ignore[type-arg]  # see above
    """A chat model with fields that a config can change."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """Return the id of core's class, as which a dump is loaded."""
        return [*cls.get_lc_namespace(), "RunnableConfigurableFields"]

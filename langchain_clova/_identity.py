"""A chat model for what is around it: traces, caches, middleware and copies."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Self

from pydantic import SecretStr

from clova_studio.adapters import is_tuned, mask_headers
from langchain_clova._blocks import PROVIDER
from langchain_clova._counting import CountingChatModel
from langchain_clova._profile import profile_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import ModelProfile
    from langchain_core.language_models.base import LangSmithParams

__all__ = ["IdentifiedChatModel"]


class IdentifiedChatModel(CountingChatModel):
    """A chat model of this service that says what it is."""

    @property
    def _llm_type(self) -> str:
        return "clova-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            **self._default_options(),
            "base_url": self._connection.base_url,
            "region": self.region,
            "path_prefix": self.path_prefix,
            "tool_fallback": self.tool_fallback,
        }

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        # Caches keep it, so of headers, which may be keys, it has a hash.
        headers = dict(kwargs.pop("headers", None) or kwargs.pop("extra_headers", None) or {})
        if headers:
            told = [(name, v.get_secret_value() if isinstance(v, SecretStr) else v) for name, v in headers.items()]
            kwargs["headers"] = hashlib.sha256(repr(told).encode()).hexdigest()
        # The caller's client is in no dump, but decides where requests go.
        return f"{super()._get_llm_string(stop=stop, **kwargs)}---{self._connection.base_url}"

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        # Callbacks and traces record them.
        return super()._get_invocation_params(stop=stop, **mask_headers(kwargs))

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        ends = stop if stop is not None else self.stop
        params = super()._get_ls_params(stop=[ends] if isinstance(ends, str) else ends, **kwargs)
        # The same as response_metadata["model_provider"]: middleware compares them.
        params["ls_provider"] = PROVIDER
        cap = kwargs.get("max_completion_tokens")
        if isinstance(cap, int):
            params["ls_max_tokens"] = cap
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        return profile_of(self.model, tuned=is_tuned(self.model, self.task_id))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, with the profile of its own model; see ``ConnectionFields.model_copy``.

        Args:
            update: Fields to change, by any of their names.
            deep: Whether to copy the values of the fields too; clients are never copied.

        Raises:
            ConfigurationError: As there.
        """
        copied = super().model_copy(update=update, deep=deep)
        if update and "profile" not in update and self.profile == self._resolve_model_profile():
            copied.profile = copied._resolve_model_profile()  # noqa: SLF001  of the same class
        return copied

"""What the runnables of this package have in common: one traced run per call, its options, and their dumps."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.runnables import RunnableSerializable
from langchain_core.runnables.utils import Input, Output

from clova_studio.adapters import in_thread
from langchain_clova._errors import langchain_errors
from langchain_clova._fields import ConnectionFields, Dumpable, refuse_unknown

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from clova_studio import AsyncClovaStudio

__all__ = ["ClovaRunnable"]


class ClovaRunnable(Dumpable, RunnableSerializable[Input, Output], ConnectionFields):
    """A component that sends one or several requests for each input.

    A subclass does the work in ``_run`` and ``_arun``; their config is that of a child run, to be passed on.
    """

    # RunnableSerializable comes first among the bases: the pydantic configuration of ConnectionFields has to win.

    call_options: ClassVar[tuple[str, ...]] = ()
    """The fields that can also be given per call."""

    def invoke(
        self,
        input: Input,  # noqa: A002  the base class's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Output:
        """Return the output for one input.

        Args:
            input: See the class.
            config: Callbacks, tags and the like, as for every runnable.
            **kwargs: Options of this call; see the class.

        Raises:
            ClovaStudioError: A request failed, or was wrong and not sent.
        """
        # Core hands the config over by its name, whatever its types say.
        return self._call_with_config(self._checked_run, input, config, **kwargs)  # type: ignore[arg-type]  # see above

    async def ainvoke(
        self,
        input: Input,  # noqa: A002  the base class's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Output:
        """Async variant of ``invoke``."""
        # Core hands the config over by its name, whatever its types say.
        return await self._acall_with_config(
            self._checked_arun,  # type: ignore[arg-type]  # see above
            input,
            config,
            **kwargs,
        )

    @abstractmethod
    def _run(self, given: Input, config: RunnableConfig, options: dict[str, Any]) -> Output:
        """Do the work."""

    @abstractmethod
    async def _arun(
        self, given: Input, config: RunnableConfig, options: dict[str, Any], client: AsyncClovaStudio
    ) -> Output:
        """Do the work with the asynchronous client; if there is only a synchronous one, ``_run`` works in a thread."""

    def _checked_run(self, given: Input, config: RunnableConfig, **kwargs: Any) -> Output:
        with langchain_errors:
            return self._run(given, config, self._options(kwargs))

    async def _checked_arun(self, given: Input, config: RunnableConfig, **kwargs: Any) -> Output:
        with langchain_errors:
            options = self._options(kwargs)
            client = self._connection.asynchronous
            if client is None:
                return await in_thread(self._run, given, config, options)
            return await self._arun(given, config, options, client)

    def _options(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a call, which take precedence over the constructor's."""
        refuse_unknown(kwargs, self.call_options, f"a call of {type(self).__name__}")
        return {name: kwargs.get(name, getattr(self, name)) for name in self.call_options}

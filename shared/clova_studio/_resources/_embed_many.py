"""What ``embed_many`` adds to the work queue: checks of its arguments, names of the texts, shortening of long ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from clova_studio._base_client import check_max_wait
from clova_studio._catalogue import EMBEDDING_MODELS
from clova_studio._concurrency import WorkQueue
from clova_studio._errors import ClovaStudioError, ConfigurationError, ContextLengthError
from clova_studio._rate_limits.settings import patience_of
from clova_studio._requests.text import embed
from clova_studio._requests.validation import embeddable, listed
from clova_studio._requests.vectors import VectorCheck

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clova_studio._concurrency import CancelSignal
    from clova_studio._rate_limits.settings import RateLimits
    from clova_studio._requests.call import Call
    from clova_studio.types.embeddings import Embedding

__all__ = ["EmbedBatch", "shortened"]

# Below the fewest tokens per character seen in any text (0.19, English): a text that exceeds a limit by it cannot fit.
_TOKENS_PER_CHARACTER = 0.15
_SHORTEN = 0.8


class EmbedBatch:
    """The texts of one ``embed_many`` as a queue, and the request for each. As a context it closes the progress bar.

    Raises:
        ConfigurationError: A text is blank, or an argument is wrong.
    """

    def __init__(
        self,
        texts: Iterable[str],
        *,
        model: str,
        max_concurrency: int,
        show_progress: bool = False,
        on_error: Literal["raise", "return"] = "raise",
        on_too_long: Literal["error", "truncate"] = "error",
        on_blank: Literal["error", "placeholder"] = "error",
        max_wait: float | None = None,
        timeout: Any = None,
        limits: RateLimits | None = None,
        parent: CancelSignal | None = None,
    ) -> None:
        for name, value, allowed in (
            ("on_error", on_error, ("raise", "return")),
            ("on_too_long", on_too_long, ("error", "truncate")),
            ("on_blank", on_blank, ("error", "placeholder")),
        ):
            if value not in allowed:
                raise ConfigurationError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
        check_max_wait(max_wait)
        items = listed("texts", texts, "strings", ": for one text use embed")
        for index, text in enumerate(items):
            try:
                items[index] = embeddable(f"texts[{index}]", text, on_blank)
            except ConfigurationError:
                # With "return" it is refused when its turn comes, so that its error is in its place.
                if on_error == "raise":
                    raise
        self._model = model
        self._timeout = timeout
        # One for all texts: with an unknown model, all vectors must have the length of the first.
        self._check = VectorCheck(model)
        self._bar = _progress_bar(len(items)) if show_progress else None
        self.queue: WorkQueue[str, Embedding] = WorkQueue(
            items,
            max_concurrency=max_concurrency,
            return_errors=on_error == "return",
            patience=patience_of(limits),
            name="texts[{}]".format,
            revise=self._shorter if on_too_long == "truncate" else None,
            on_result=None if self._bar is None else self._bar.update,
            parent=parent,
        )
        self.options: dict[str, Any] = {"max_wait": max_wait, "cancel": self.queue.cancel}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def call(self, text: str) -> Call[Embedding]:
        """Return the request for a text. It is sent with ``options``."""
        return embed(text, model=self._model, timeout=self._timeout, check=self._check)

    def _shorter(self, text: str, error: ClovaStudioError) -> str | None:
        return shortened(text, self._model) if isinstance(error, ContextLengthError) else None


def shortened(text: str, model: str) -> str | None:
    """Return the start of a text that a model finds too long, to be tried next; None if nothing is left of it.

    Args:
        text: The text.
        model: The model.
    """
    info = EMBEDDING_MODELS.get(model)
    most = int(info.max_tokens / _TOKENS_PER_CHARACTER) if info else len(text)
    shorter = text[: min(most, int(len(text) * _SHORTEN))]
    return shorter if shorter.strip() else None


def _progress_bar(total: int) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError as exc:
        raise ConfigurationError("show_progress needs tqdm: pip install tqdm, or leave show_progress out") from exc
    return tqdm(total=total, unit="text")

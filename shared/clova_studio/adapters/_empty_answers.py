"""What to say of an answer that ended before it began: the output cap was used up, mostly by thinking. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._catalogue import model_info

if TYPE_CHECKING:
    from clova_studio.types.chat import Usage

__all__ = ["thinking_tokens", "why_empty"]


def thinking_tokens(usage: Usage | None) -> int:
    """Return the tokens that thinking took, 0 where the service did not say."""
    details = usage.completion_tokens_details if usage is not None else None
    return (details.thinking_tokens if details is not None else None) or 0


def why_empty(
    model: str,
    cap: int | None,
    usage: Usage | None,
    *,
    thought: bool,
    names: tuple[str, str] = ("max_tokens", "thinking"),
) -> str:
    """Return why an answer that was cut is empty, what it cost, and the way out.

    Args:
        model: The model.
        cap: The output cap of the request in tokens, None where it had none.
        usage: The tokens, None where the service did not say.
        thought: Whether the model was thinking.
        names: How the caller gives the cap and the effort of thinking.
    """
    cap_name, effort_name = names
    info = model_info(model)
    limit = f"{cap_name}={cap}" if cap is not None else f"the service's default of {cap_name}"
    tokens = usage.completion_tokens if usage is not None else 0
    spent = "" if usage is None else f" ({tokens} token{'' if tokens == 1 else 's'} spent"
    if thinking := thinking_tokens(usage):
        spent += f", {thinking} of them on thinking"
    most = f", up to {info.max_output_tokens}" if info.known else ""
    said = f"{model} gave no answer: {'thinking used up ' if thought else ''}{limit}{'' if thought else ' was used up'}"
    less = f", or lower {effort_name}" if thought else ""
    return f"{said}{f'{spent})' if spent else ''}. Raise {cap_name}{most}{less}"

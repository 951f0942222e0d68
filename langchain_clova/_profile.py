"""The profile of a model in langchain-core's sense, from the client's catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import ModelProfile

from clova_studio import model_info

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["profile_of"]


def profile_of(model: str, *, tuned: bool) -> ModelProfile | None:
    """Return the profile of a model, None if the catalogue does not have it.

    ``structured_output`` is left out on purpose, even for HCX-007: with it, agents would send tools and a response
    format together, which the service cannot combine. Without it they ask for the answer as a tool call, which works.
    """
    info = model_info(model)
    if not info.known:
        return None
    thinks = info.thinking and not tuned
    tools = info.tools and not tuned
    images = info.images and not tuned
    profile: dict[str, Any] = {
        "name": info.name,
        "max_input_tokens": info.max_input_tokens,
        "max_output_tokens": info.max_output_tokens,
        "text_inputs": True,
        "image_inputs": images,
        "image_url_inputs": images,
        "pdf_inputs": False,
        "audio_inputs": False,
        "video_inputs": False,
        "image_tool_message": False,
        "pdf_tool_message": False,
        "text_outputs": True,
        "image_outputs": False,
        "audio_outputs": False,
        "video_outputs": False,
        "reasoning_output": thinks,
        "tool_calling": tools,
        "tool_choice": tools,
        "tool_call_streaming": tools,
    }
    if thinks:
        profile["reasoning_effort_levels"] = ["none", "low", "medium", "high"]
        profile["reasoning_effort_default"] = "low"
    # An older langchain-core warns about keys that it does not know.
    known = cast("Mapping[str, Any]", ModelProfile.__annotations__)
    return cast("ModelProfile", {name: value for name, value in profile.items() if name in known})

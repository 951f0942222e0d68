"""Turns images in the form of LangChain, OpenAI, Anthropic or CLOVA Studio into the wire's. Fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clova_studio.adapters import data_uri, image_part
from langchain_clova._errors import ClovaConfigurationError

__all__ = ["image_part_of", "is_image"]


def is_image(block: Mapping[str, Any]) -> bool:
    """Return whether a content block is an image."""
    return block.get("type") in {"image", "image_url"}


def image_part_of(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wire's part for an image block of LangChain, OpenAI, Anthropic or the service.

    Raises:
        ConfigurationError: The block has no image that the service takes; a URL must be public.
    """
    for name in ("imageUrl", "image_url", "dataUri", "data_uri"):
        held = block.get(name)
        if held is not None:
            value = held.get("url", held.get("data")) if isinstance(held, Mapping) else held
            return image_part(value)
    source = block.get("source")
    if isinstance(source, Mapping):
        return image_part_of({"type": "image", **_from_anthropic(source)})
    if block.get("url"):
        return image_part(block["url"])
    if block.get("base64"):
        return image_part(data_uri(block["base64"], block.get("mime_type")))
    raise ClovaConfigurationError(
        f"an image block has fields {sorted(map(str, block))}: give it as url or base64 (with mime_type)"
    )


def _from_anthropic(source: Mapping[str, Any]) -> dict[str, Any]:
    if source.get("type") == "base64":
        return {"base64": source.get("data"), "mime_type": source.get("media_type")}
    return {"url": source.get("url")}

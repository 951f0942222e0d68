"""Turns images in the form of LangChain, OpenAI, Anthropic or CLOVA Studio into the wire's. Fetches nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple

from clova_studio import ConfigurationError
from clova_studio.adapters import data_uri, image_part
from langchain_clova._errors import ClovaConfigurationError

__all__ = ["ImageBlock", "image_part_of"]


class ImageBlock(NamedTuple):
    """An image in the content of a message.

    Attributes:
        block: The block that holds it, of LangChain, OpenAI, Anthropic, Bedrock, Gemini, MCP or the service.
    """

    block: Mapping[str, Any]


def image_part_of(image: ImageBlock, where: str = "") -> dict[str, Any]:
    """Return the wire's part for an image.

    Raises:
        ConfigurationError: The block has no image that the service takes; a URL must be public.
    """
    try:
        return _part(image.block)
    except ConfigurationError as error:
        raise ClovaConfigurationError(f"{where}: {error.message}" if where else error.message) from error


def _part(block: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("imageUrl", "image_url", "dataUri", "data_uri"):
        held = block.get(name)
        if held is not None:
            value = held.get("url", held.get("data")) if isinstance(held, Mapping) else held
            return image_part(value)
    for name in ("source", "image"):
        # Anthropic's and Bedrock's.
        if isinstance(source := block.get(name), Mapping):
            return _part({**source, "format": source.get("format", block.get("format"))})
    if url := block.get("url"):
        return image_part(url)
    encoded = next((block[name] for name in ("base64", "data", "bytes") if block.get(name)), None)
    if isinstance(encoded, (bytes, bytearray)):
        encoded = base64.b64encode(encoded).decode("ascii")
    if encoded:
        return image_part(data_uri(encoded, _mime_type(block)))
    fields = sorted(str(name) for name, held in block.items() if held is not None)
    raise ClovaConfigurationError(f"an image block has fields {fields}: give it as url or base64 (with mime_type)")


def _mime_type(block: Mapping[str, Any]) -> str | None:
    given = next((block[name] for name in ("mime_type", "media_type", "mimeType") if block.get(name)), None)
    if given is None and isinstance(kind := block.get("format"), str):
        return f"image/{kind}"
    return given if isinstance(given, str) else None

"""Images as LangChain, OpenAI, Anthropic or CLOVA Studio write them -> image parts of the wire. Pure; fetches nothing.

Source: the Chat Completions v3 page of the API guide, and observed traffic for the data URI.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_clova._errors import ClovaConfigurationError

__all__ = ["PLACEHOLDER", "image_part", "is_image"]

PLACEHOLDER = "[image]"
"""What stands for an image that cannot be sent."""

# How the formats that the service takes begin, in base64.
_SIGNATURES = {"iVBOR": "image/png", "/9j/": "image/jpeg", "UklGR": "image/webp", "Qk": "image/bmp"}


def is_image(block: Mapping[str, Any]) -> bool:
    """Return whether a content block is an image."""
    return block.get("type") in {"image", "image_url"}


def image_part(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wire's part for an image block.

    Args:
        block: ``{"type": "image", "url" | "base64" ...}``, ``{"type": "image_url", "image_url": ...}``,
            ``{"type": "image", "source": {...}}``, or the service's own ``imageUrl`` and ``dataUri``. A URL has to be
            public: it is passed on, not fetched.

    Raises:
        ConfigurationError: The block holds no image that the service can take.
    """
    for name in ("imageUrl", "image_url", "dataUri", "data_uri"):
        held = block.get(name)
        if held is not None:
            value = held.get("url", held.get("data")) if isinstance(held, Mapping) else held
            return _part(value)
    source = block.get("source")
    if isinstance(source, Mapping):
        return image_part({"type": "image", **_from_anthropic(source)})
    if block.get("url"):
        return _part(block["url"])
    if block.get("base64"):
        return _part(_data_uri(block["base64"], block.get("mime_type")))
    raise ClovaConfigurationError(
        f"an image block has fields {sorted(map(str, block))}: give it as url or base64 (with mime_type)"
    )


def _part(value: Any) -> dict[str, Any]:
    if not isinstance(value, str) or not value:
        raise ClovaConfigurationError("an image must be a URL or a data URI, as a string that is not empty")
    if value.startswith("data:"):
        return {"type": "image_url", "dataUri": {"data": value}}
    if value.startswith(("http://", "https://")):
        return {"type": "image_url", "imageUrl": {"url": value}}
    return {"type": "image_url", "dataUri": {"data": _data_uri(value, None)}}


def _data_uri(encoded: Any, mime_type: Any) -> str:
    """Return a data URI; the live service refuses bare base64."""
    if not isinstance(encoded, str):
        raise ClovaConfigurationError("an image's base64 must be a string")
    if encoded.startswith("data:"):
        return encoded
    if not mime_type:
        mime_type = next((kind for start, kind in _SIGNATURES.items() if encoded.startswith(start)), None)
    if not isinstance(mime_type, str):
        raise ClovaConfigurationError(
            "an image must be a public http(s) URL, a data URI, or base64 with its mime_type (PNG, JPEG, WEBP or BMP)"
        )
    return f"data:{mime_type};base64,{encoded}"


def _from_anthropic(source: Mapping[str, Any]) -> dict[str, Any]:
    if source.get("type") == "base64":
        return {"base64": source.get("data"), "mime_type": source.get("media_type")}
    return {"url": source.get("url")}

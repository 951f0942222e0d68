"""Images as URLs, data URIs or base64 -> image parts of the wire. Pure; fetches nothing.

Source: the Chat Completions v3 page of the API guide, and observed traffic for the data URI.
"""

from __future__ import annotations

from typing import Any

from clova_studio._errors import ConfigurationError

__all__ = ["IMAGE_PLACEHOLDER", "data_uri", "image_part"]

IMAGE_PLACEHOLDER = "[image]"
"""What stands for an image that cannot be sent."""

# How the formats that the service takes begin, in base64.
_SIGNATURES = {"iVBOR": "image/png", "/9j/": "image/jpeg", "UklGR": "image/webp", "Qk": "image/bmp"}


def image_part(value: Any) -> dict[str, Any]:
    """Return the wire's part for an image.

    Args:
        value: A public http(s) URL, which is passed on and not fetched, a data URI, or base64.

    Raises:
        ConfigurationError: It is none of these.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError("an image must be a URL or a data URI, as a string that is not empty")
    if value.startswith("data:"):
        return {"type": "image_url", "dataUri": {"data": value}}
    if value.startswith(("http://", "https://")):
        return {"type": "image_url", "imageUrl": {"url": value}}
    return {"type": "image_url", "dataUri": {"data": data_uri(value, None)}}


def data_uri(encoded: Any, mime_type: Any) -> str:
    """Return a data URI; the live service refuses bare base64.

    Args:
        encoded: An image in base64; a data URI comes back as it is.
        mime_type: Its type; None to tell it by its first bytes.

    Raises:
        ConfigurationError: It is not a string, or its type is not known.
    """
    if not isinstance(encoded, str):
        raise ConfigurationError("an image's base64 must be a string")
    if encoded.startswith("data:"):
        return encoded
    if not mime_type:
        mime_type = next((kind for start, kind in _SIGNATURES.items() if encoded.startswith(start)), None)
    if not isinstance(mime_type, str):
        raise ConfigurationError(
            "an image must be a public http(s) URL, a data URI, or base64 with its mime_type (PNG, JPEG, WEBP or BMP)"
        )
    return f"data:{mime_type};base64,{encoded}"

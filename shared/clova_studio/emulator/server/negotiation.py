"""Content negotiation: the types of the request body and of the answer.

Source: the request headers of the CLOVA Studio overview page; 406 and 415 of the troubleshooting pages.
"""

from clova_studio.emulator.rules.refusals import Refusal

_JSON_RANGES = frozenset({"*/*", "application/*", "application/json"})


def check_content_type(value: str | None, *, multipart: bool = False) -> None:
    """Refuse a body that is not declared as JSON, or as multipart as in the cURL sample of the page on training."""
    media, _, parameters = (value or "").partition(";")
    media = media.strip().lower()
    if media == "multipart/form-data" and multipart:
        return
    if media == "multipart/form-data" and "boundary=" not in parameters.lower():
        raise Refusal("41501")
    if media != "application/json":
        raise Refusal("41500")


def wants_stream(accept: str | None, *, can_stream: bool) -> bool:
    """Whether the answer is an event stream: in the native APIs only ``Accept`` decides that."""
    if accept is None or not accept.strip():
        return False
    ranges: list[tuple[float, str]] = []
    for item in accept.split(","):
        media, *parameters = [part.strip().lower() for part in item.split(";")]
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if quality > 0:
            ranges.append((quality, media))
    for _, media in sorted(ranges, key=lambda pair: -pair[0]):
        if media in {"text/event-stream", "text/*"} and can_stream:
            return True
        if media in _JSON_RANGES:
            return False
    raise Refusal("40600")

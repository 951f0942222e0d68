"""Which API a path belongs to.

Source: the URI tables of the API guide; the prefixes ``/testapp`` and ``/serviceapp`` and the trailing app id of the
explorer tools are the older forms that public code still uses.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True)
class Route:
    """The API that a path names.

    Attributes:
        api: Name of the API, as in the dispatch table of the application.
        version: API version of chat paths and of the chat tokeniser.
        model: Model name in the path, else an empty string.
        task: Id of a tuned model, else an empty string.
        prefix: ``testapp``, ``serviceapp`` or empty.
        streams: Whether the API can answer with an event stream.
    """

    api: str
    version: int = 1
    model: str = ""
    task: str = ""
    prefix: str = ""
    streams: bool = False


_PREFIX = r"^(?:/(?P<prefix>testapp|serviceapp))?"
_APP_ID = r"(?:/(?P<app>[^/]+))?/?$"

_PATTERNS: tuple[tuple[str, bool, re.Pattern[str]], ...] = tuple(
    (api, streams, re.compile(_PREFIX + pattern))
    for api, streams, pattern in (
        ("chat", True, r"/v(?P<version>[13])/chat-completions/(?P<model>[^/]+)$"),
        ("chat", True, r"/v(?P<version>[123])/tasks/(?P<task>[^/]+)/chat-completions$"),
        ("embedding-tokenize", False, r"/v1/api-tools/embedding/v2/tokenize" + _APP_ID),
        ("embedding-v2", False, r"/v1/api-tools/embedding/v2" + _APP_ID),
        ("embedding", False, r"/v1/api-tools/embedding/(?P<model>[^/]+)" + _APP_ID),
        ("segmentation", False, r"/v1/api-tools/segmentation" + _APP_ID),
        ("chat-tokenize", False, r"/v(?P<version>[13])/api-tools/chat-tokenize/(?P<model>[^/]+)" + _APP_ID),
    )
)


def find_route(raw_path: str) -> Route | None:
    """Find the API of a path.

    Args:
        raw_path: Path as sent, still percent-encoded, without the query.

    Returns:
        The route, or None when no API has this path.
    """
    for api, streams, pattern in _PATTERNS:
        found = pattern.match(raw_path)
        if found is None:
            continue
        parts = found.groupdict(default="")
        if parts.get("app") and not parts["prefix"]:
            return None  # the trailing app id belongs to the prefixed form
        return Route(
            api=api,
            version=int(parts.get("version") or 1),
            model=unquote(parts.get("model", "")),
            task=unquote(parts.get("task", "")),
            prefix=parts["prefix"],
            streams=streams,
        )
    return None

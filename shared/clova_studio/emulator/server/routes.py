"""Finds the API of a method and a path.

Source: the URI tables of the API guide; the prefixes ``/testapp`` and ``/serviceapp`` and the trailing app id of the
explorer tools are the older forms that public code still uses.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True)
class Route:
    """The API that a path names; a part that the path does not have is empty."""

    api: str  # name of the API, as in the table of handlers
    version: int = 1  # API version of chat paths and of the chat tokeniser
    model: str = ""
    task: str = ""  # id of a tuned model or training task
    item: str = ""  # id of a router or skillset
    edition: str = ""  # version of a router or skillset, as written
    prefix: str = ""  # testapp or serviceapp
    streams: bool = False  # whether the API can answer with an event stream

    @property
    def v3(self) -> bool:
        """Whether this is a path of API version 3."""
        return self.version == 3  # noqa: PLR2004 - the name of a version

    @property
    def openai(self) -> bool:
        """Whether this is an OpenAI-compatible path, with OpenAI's errors, streams and keys."""
        return self.api.startswith("openai")


OPENAI_ROOT = "/v1/openai"

_PREFIX = r"^(?:/(?P<prefix>testapp|serviceapp))?"
_APP_ID = r"(?:/(?P<app>[^/]+))?/?$"
# Of the older form with a trailing app id, these also exist without a prefix.
_APP_WITHOUT_PREFIX = frozenset({"embedding-v2", "segmentation", "summarization"})
_TOOL = r"/v1/api-tools/"
_OPENAI = "^" + OPENAI_ROOT  # "OpenAI compatibility" page: never with a prefix

_PATTERNS: tuple[tuple[str, str, bool, re.Pattern[str]], ...] = tuple(
    (api, method, streams, re.compile((_PREFIX if pattern.startswith("/") else "") + pattern))
    for api, method, streams, pattern in (
        ("chat", "POST", True, r"/v(?P<version>[13])/chat-completions/(?P<model>[^/]+)$"),
        ("chat", "POST", True, r"/v(?P<version>[123])/tasks/(?P<task>[^/]+)/chat-completions$"),
        ("completions", "POST", False, r"/v1/completions/(?P<model>[^/]+)$"),
        ("completions", "POST", False, r"/v1/tasks/(?P<task>[^/]+)/completions$"),
        ("embedding-tokenize", "POST", False, _TOOL + r"embedding/v2/tokenize" + _APP_ID),
        ("embedding-v2", "POST", False, _TOOL + r"embedding/v2" + _APP_ID),
        ("embedding", "POST", False, _TOOL + r"embedding/(?P<model>[^/]+)" + _APP_ID),
        ("segmentation", "POST", False, _TOOL + r"segmentation" + _APP_ID),
        ("summarization", "POST", False, _TOOL + r"summarization/v2" + _APP_ID),
        ("sliding", "POST", False, _TOOL + r"sliding/chat-messages/(?P<model>[^/]+)" + _APP_ID),
        ("chat-tokenize", "POST", False, r"/v(?P<version>[13])/api-tools/chat-tokenize/(?P<model>[^/]+)" + _APP_ID),
        ("tokenize", "POST", False, _TOOL + r"tokenize/(?P<model>[^/]+)" + _APP_ID),
        ("reranker", "POST", False, _TOOL + r"reranker/?$"),
        ("rag-reasoning", "POST", False, _TOOL + r"rag-reasoning/?$"),
        ("router", "POST", False, r"/v1/routers/(?P<item>[^/]+)/versions/(?P<edition>[^/]+)/route$"),
        ("skillset", "POST", True, r"/v1/skillsets/(?P<item>[^/]+)/versions/(?P<edition>[^/]+)/final-answer$"),
        ("tuning-create", "POST", False, r"/tuning/v2/tasks$"),
        ("tuning-list", "GET", False, r"/tuning/v2/tasks$"),
        ("tuning-get", "GET", False, r"/tuning/v2/tasks/(?P<task>[^/]+)$"),
        ("tuning-delete", "DELETE", False, r"/tuning/v2/tasks/(?P<task>[^/]+)$"),
        # The page on deletion prints this path in its URI table and the one above in its cURL sample.
        ("tuning-delete-short", "DELETE", False, r"/v2/tasks/(?P<task>[^/]+)$"),
        ("openai-chat", "POST", True, _OPENAI + r"/chat/completions$"),
        ("openai-embeddings", "POST", False, _OPENAI + r"/embeddings$"),
        ("openai-models", "GET", False, _OPENAI + r"/models$"),
    )
)


def find_route(method: str, raw_path: str) -> Route | None:
    """Find the API of a percent-encoded path; None when none has this method, as the guide does not document 405."""
    for api, known_method, streams, pattern in _PATTERNS:
        found = pattern.match(raw_path) if known_method == method else None
        if found is None:
            continue
        parts = found.groupdict(default="")
        if parts.get("app") and not parts["prefix"] and api not in _APP_WITHOUT_PREFIX:
            return None
        version = int(parts.pop("version", "") or 1)
        parts.pop("app", None)
        return Route(api, version, streams=streams, **{name: unquote(part) for name, part in parts.items()})
    return None


def is_openai_path(raw_path: str) -> bool:
    """Whether refusals on a path have OpenAI's form, even if no API has that path."""
    return raw_path == OPENAI_ROOT or raw_path.startswith(OPENAI_ROOT + "/")

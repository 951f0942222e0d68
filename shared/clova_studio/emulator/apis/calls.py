"""One call of an API, after the path, the key and the headers have been looked at."""

from dataclasses import dataclass
from typing import Any

from clova_studio.emulator.server.routes import Route


@dataclass(frozen=True)
class ApiCall:
    """What a handler answers.

    Attributes:
        route: The API and what the path names.
        body: The JSON body; of GET and DELETE, which have none, the query's fields as strings.
        key: The key, as the name of the account that asks.
        streamed: Whether an event stream is wanted.
    """

    route: Route
    body: dict[str, Any]
    key: str
    streamed: bool = False

"""One call of an API, after the checks of path, key and headers."""

from dataclasses import dataclass
from typing import Any

from clova_studio.emulator.server.routes import Route


@dataclass(frozen=True)
class ApiCall:
    """The input of a handler.

    Attributes:
        route: The API, and the ids in the path.
        body: The JSON body; for GET and DELETE, the fields of the query as strings.
        key: The key, which stands for the account.
        streamed: Whether the answer is an event stream.
    """

    route: Route
    body: dict[str, Any]
    key: str
    streamed: bool = False

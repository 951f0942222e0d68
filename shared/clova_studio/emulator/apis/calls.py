"""One call of an API, after the checks of path, key and headers."""

from dataclasses import dataclass
from typing import Any

from clova_studio.emulator.rules.chat_request import ChatRequest
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.rules.refusals import Refusal
from clova_studio.emulator.rules.tools import check_ascii_names
from clova_studio.emulator.server.routes import Route
from clova_studio.emulator.server.state import State


@dataclass(frozen=True)
class ApiCall:
    """The input of a handler."""

    state: State
    route: Route
    body: dict[str, Any]  # the JSON body; for GET and DELETE, the fields of the query as strings
    key: str  # stands for the account
    streamed: bool = False

    @property
    def observed(self) -> bool:
        """Whether answers take the observed form where it differs from the documented one."""
        return self.facts.observed

    @property
    def facts(self) -> Facts:
        """What may differ from one service to another."""
        return self.state.settings.facts

    def check_names(self, request: ChatRequest) -> None:
        """Refuse names beyond ASCII, where the emulator is set to."""
        if not self.facts.takes("hangul-names"):
            check_ascii_names(request.tools, request.messages, request.schema)

    def charge(self, model: str, tokens: int = 0) -> dict[str, str]:
        """Charge the call to a quota and return the headers of its answer; 42901 when the window is used up."""
        verdict = self.state.windows.charge(self.key, model, tokens)
        if verdict is None:
            return {}
        shown = self.facts["limit-headers"]
        headers = verdict.headers if shown == "always" or (shown == "refusals" and not verdict.allowed) else {}
        if not verdict.allowed:
            raise Refusal("42901", headers=headers)  # without Retry-After, which was never recorded
        return headers

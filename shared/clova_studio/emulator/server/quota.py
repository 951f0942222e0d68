"""Charges a request to its quota, and refuses it when the window is used up."""

from clova_studio.emulator.rules.refusals import Refusal
from clova_studio.emulator.server.state import State


def charge(state: State, key: str, model: str, tokens: int) -> dict[str, str]:
    """Charge a request and return the headers of its answer; see `Windows.charge` for the arguments."""
    verdict = state.windows.charge(key, model, tokens)
    if verdict is None:
        return {}
    headers = verdict.headers if state.settings.shows_limits else {}
    if not verdict.allowed:
        raise Refusal("42901", headers=headers)  # without Retry-After, which was never recorded
    return headers

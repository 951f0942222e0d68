"""What every test starts with."""

from __future__ import annotations

import signal
from weakref import WeakValueDictionary

import pytest

from clova_studio._rate_limits import registry
from clova_studio.adapters import _connection, _tool_choice_flow


def pytest_configure() -> None:
    """Let Ctrl-C be tested where it is ignored: programs started in the background of a script inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _nothing_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what belongs to an emulator of a test before: this one's may have got the same port."""
    monkeypatch.setattr(_tool_choice_flow, "_refuses_forced", set())
    monkeypatch.setattr(_connection, "_shared", WeakValueDictionary())
    monkeypatch.setattr(registry, "_quotas", {})

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let Ctrl-C be tested where it is ignored: programs started in the background of a script inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

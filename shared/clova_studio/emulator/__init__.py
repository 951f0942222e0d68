"""A local CLOVA Studio on loopback, for demos, notebooks and tests that run without a key.

The emulator speaks the wire forms of NAVER CLOVA Studio's API guide, or those observed on the service where the two
differ (``behaviour``). Its answers are computed from the request by plain rules, not by a language model; every answer
is marked with the header ``X-Clova-Emulator: 1``.

    from clova_studio.emulator import serve

    with serve() as server:
        print(server.base_url, server.api_key)

Names are imported on first use, so that importing this package costs nothing and needs no extra.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clova_studio.emulator.server.app import create_app
    from clova_studio.emulator.server.faults import Fault
    from clova_studio.emulator.server.recorded_answer import RecordedAnswer, SentEvent
    from clova_studio.emulator.server.request_log import RecordedRequest
    from clova_studio.emulator.server.server import EmulatorServer, serve

__all__ = ["EmulatorServer", "Fault", "RecordedAnswer", "RecordedRequest", "SentEvent", "create_app", "serve"]

_HOMES = {
    "EmulatorServer": "server.server",
    "Fault": "server.faults",
    "RecordedAnswer": "server.recorded_answer",
    "RecordedRequest": "server.request_log",
    "SentEvent": "server.recorded_answer",
    "create_app": "server.app",
    "serve": "server.server",
}
_EXTRA = ("starlette", "uvicorn", "h11", "anyio", "yaml")


def __getattr__(name: str) -> Any:
    """Import a public name on first use; the error names the missing extra."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        module = import_module(f"{__name__}.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in _EXTRA:
            raise
        raise ImportError(
            f"The emulator needs the package {error.name!r}: pip install 'clova-studio[emulator]'",
            name=error.name,
        ) from error
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)

"""The settings of recording and replay: what goes together, and what makes no sense with them."""

import math
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from clova_studio.emulator.recording.recorder import Recorder
    from clova_studio.emulator.recording.replayer import Replayer
    from clova_studio.emulator.server.state import Settings

PUBLIC_URL = "https://clovastudio.stream.ntruss.com"
_KEY_VARIABLES = ("CLOVASTUDIO_API_KEY", "NCP_CLOVASTUDIO_API_KEY")
_OTHER_KEYS = ("NCP_APIGW_API_KEY",)

# Settings of computed answers -> what they are without being set.
_COMPUTED: dict[str, Any] = {
    "api_keys": None,
    "rate_limits": None,
    "window": 60.0,
    "counting": None,
    "latency": 0.0,
    "token_latency": 0.0,
    "faults": (),
    "script": (),
    "rate_limit_headers": None,
    "config": None,
    "tuning_seconds": None,
    "ascii_names": False,
}


def complaint(settings: Mapping[str, Any], spelt: Callable[[str], str] = str) -> str:
    """What is wrong with settings of recording and replay, taken together; empty if nothing.

    Args:
        settings: All settings of a server.
        spelt: How the user writes a setting, such as ``--upstream``.
    """
    record, replay, upstream = (settings.get(name) for name in ("record", "replay", "upstream"))
    if record is not None and replay is not None:
        return f"{spelt('record')} and {spelt('replay')} exclude each other: record first, then replay the file"
    if record is not None and upstream is None:
        return (
            f"{spelt('record')} needs {spelt('upstream')}: the address whose answers are recorded, such as {PUBLIC_URL}"
        )
    if upstream is not None and record is None:
        return f"{spelt('upstream')} needs {spelt('record')}: the file to write"
    if upstream is not None and (wrong := _wrong_url(str(upstream))):
        return f"{spelt('upstream')} {wrong}; it must be an address such as {PUBLIC_URL}"
    if wrong := _wrong_speed(settings.get("speed"), replay, spelt):
        return wrong
    return "" if record is None and replay is None else _without_effect(settings, spelt)


def _wrong_speed(speed: Any, replay: Any, spelt: Callable[[str], str]) -> str:
    if speed is None:
        return ""
    if replay is None:
        return f"{spelt('speed')} needs {spelt('replay')}"
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 <= speed < math.inf:
        return f"{spelt('speed')} must be a number of at least 0, where 0 means at once; not {speed!r}"
    return ""


def _without_effect(settings: Mapping[str, Any], spelt: Callable[[str], str]) -> str:
    mode = "replay" if settings.get("record") is None else "record"
    computed = _COMPUTED if mode == "replay" else {**_COMPUTED, "behaviour": "observed"}
    for name, default in computed.items():
        value = settings.get(name, default)
        if list(value) != [] if name in {"faults", "script"} else value != default:
            why = "the upstream answers" if mode == "record" else "the answers are those of the file"
            return f"{spelt(name)} has no effect with {spelt(mode)}, where {why}: leave one of them out"
    return ""


def _wrong_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return "is no http or https address"
    if not known:
        return "is no http or https address"
    if parts.username or parts.password:
        return "must not have a user or password in it"
    return "must have no query and no fragment" if parts.query or parts.fragment else ""


def open_tape(settings: "Settings") -> "Recorder | Replayer | None":
    """What records or replays, by the settings; None when answers are computed.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: The file is no recording; the message names the line.
    """
    if settings.record is not None:
        from clova_studio.emulator.recording.recorder import Recorder

        return Recorder(settings.record, str(settings.upstream))
    if settings.replay is not None:
        from clova_studio.emulator.recording.replayer import Replayer

        return Replayer(settings.replay, speed=settings.speed or 0.0, facts=settings.facts)
    return None


def keys_of_environment() -> list[str]:
    """Every key in the environment, so that none of them is written."""
    return [key for name in (*_KEY_VARIABLES, *_OTHER_KEYS) if (key := _tidied(os.environ.get(name, "")))]


def key_of_environment() -> str:
    """The key to record with, from ``CLOVASTUDIO_API_KEY`` or ``NCP_CLOVASTUDIO_API_KEY``.

    Raises:
        RuntimeError: Neither is set.
    """
    for name in _KEY_VARIABLES:
        if key := _tidied(os.environ.get(name, "")):
            return key
    raise RuntimeError(f"Recording needs a key of the upstream: set the environment variable {_KEY_VARIABLES[0]}.")


def _tidied(value: str) -> str:
    return value.strip(" \t\r\n\"'`")

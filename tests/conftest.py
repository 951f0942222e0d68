"""What every test starts with."""

from __future__ import annotations

import gc
import signal
from pathlib import Path

import pytest

from clova_studio._rate_limits.registry import clear as clear_limiters
from clova_studio._requests.names import forget_warnings
from clova_studio.adapters._connection import forget_clients
from clova_studio.adapters._tool_choice_flow import forget_refusals


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C be tested where it is ignored: programs started in the background of a script inherit that."""
    config.addinivalue_line("markers", "slow: takes more than a second; left out of make quick")
    config.addinivalue_line(
        "markers", "each_behaviour(fixture='server'): runs with the emulator as recorded and as the guide describes it"
    )
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave engines for clusters to `make scale`, which names their folder: they are not installed otherwise."""
    scale = Path(__file__).with_name("scale")
    if collection_path != scale:
        return None
    given = [(config.invocation_params.dir / str(argument).split("::")[0]).resolve() for argument in config.args]
    return not any(path.is_relative_to(scale) for path in given)


@pytest.fixture(autouse=True)
def _nothing_learnt() -> None:
    """Forget what belongs to an emulator of a test before: this one's may have got the same port."""
    forget_refusals()
    forget_warnings()
    forget_clients()
    clear_limiters()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what is imported by now: it would look at all of it again and again."""
    gc.collect()
    gc.freeze()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test in both behaviours of the emulator where it asks for that."""
    mark = metafunc.definition.get_closest_marker("each_behaviour")
    if mark is not None:
        (fixture,) = mark.args or ("server",)
        metafunc.parametrize(fixture, ["observed", "documented"], indirect=True)

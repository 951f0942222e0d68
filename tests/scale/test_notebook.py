"""The notebook about many processes, which needs Ray: run from a clean kernel. It is saved from a run without a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from notebook_support import FOLDER, TIMED, code_of, execute, read, texts_of

if TYPE_CHECKING:
    from pathlib import Path

    from scale_support import RayCluster

# On a machine that does much else, engines start slowly.
pytestmark = pytest.mark.timeout(300)
NAME = "index_at_scale"


def test_shows_what_is_saved(tmp_path: Path, cluster: RayCluster) -> None:
    """From a clean kernel the notebook shows what is saved of it; its first section uses the key, the others do not."""
    ran = execute(NAME, tmp_path, with_key=True, **cluster.of_drivers)
    setup, *cells = code_of(ran.cells)
    assert texts_of(setup) == ["CLOVASTUDIO_API_KEY is set: CLOVA Studio answers.\n"]
    assert [(request.path, request.status) for request in ran.requests] == [("/v1/api-tools/embedding/v2", 200)] * 2
    for before, now in zip(code_of(read(FOLDER / f"{NAME}.ipynb").cells)[1:], cells, strict=True):
        assert [output.get("name") for output in now.outputs] == [output.get("name") for output in before.outputs]
        if now.id not in TIMED:
            assert texts_of(now) == texts_of(before), f"{now.id}: save it anew with make notebooks"

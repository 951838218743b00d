"""Published systems and the recipes that hide what they hide."""

import json
from dataclasses import replace

import numpy as np
import pytest

from workbench.atlas import System, find, systems
from workbench.cli import run
from workbench.masks import MASKS, Grid
from workbench.seeds import Noise

FRAMES = {"time": 8, "view": 2, "modality": 3, "band": 4}
# The strategies among the field's systems that the project calls its core.
CORE = {
    "ColorMAE", "Text-guided video MAE", "HPM", "VideoMAE V2", "Random fields", "GA-DMS",
    "Masked frequency", "PEEKABOO", "SimMIM", "MultiMAE", "BM-MAE", "CroCo", "MIC", "LUT",
    "Painter", "MaskAlign", "SlotCon", "CAE", "EVA", "SparK", "SatVision-TOA", "DMT-JEPA",
}  # fmt: skip


def test_the_core_of_the_field_is_there() -> None:
    names = [row.system for row in systems()]
    assert set(names) >= CORE and len(names) == len(set(names))
    assert names == sorted(names, key=str.lower)


@pytest.mark.parametrize("row", systems(), ids=lambda row: row.system)
def test_every_mask_can_be_drawn(row: System) -> None:
    strategy = MASKS.parse(row.mask)
    assert str(strategy) == row.mask and row.title and row.note
    grid = Grid(14, 14)
    if strategy.domain == "frequency":
        grid = Grid(64, 64, patch=1, domain="frequency")
    elif strategy.frames in FRAMES:
        grid = replace(grid, frames=FRAMES[strategy.frames])
    scores = np.floor(5 * Noise(0, 0, 0, 4).uniform(grid.size)).reshape(4, *grid.shape)
    mask = strategy.sample(grid, 4, progress=0.5, maps=dict.fromkeys(strategy.needs, scores))
    assert 0 < mask.counts.max() < grid.size


def test_words_find_systems_in_any_order() -> None:
    assert [row.system for row in find("video TEXT")] == ["Text-guided video MAE"]
    assert find("") == list(systems()) and find("no such thing") == []


def test_the_command_finds_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["atlas", "hard", "patches", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["systems"]
    assert [row["system"] for row in rows] == ["HPM"] and "ramp(0.0, 0.5)" in rows[0]["mask"]
    assert run(["atlas", "zebra"]) == 2
    assert "'zebra' is in none of" in capsys.readouterr().err

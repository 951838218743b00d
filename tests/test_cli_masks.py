"""Masks from the command line: schedules, stacks of layers, and masks of other programs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import cli
from workbench.masks import MASKS, Grid

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], workbench_home: Path) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([str(each) for each in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def test_draw_follows_a_schedule(run: Run) -> None:
    recipe = "random(ratio=ramp(0.5, 0.9))"
    for progress, count in ((0, 8), (0.5, 11), (1, 14)):
        status, told, _ = run(
            "draw", recipe, "--grid", "4x4", "--progress", progress, "--seed", 3, "--json"
        )
        record = json.loads(told)
        assert (status, record["recipe"], record["progress"]) == (0, recipe, progress)
        assert record["hidden"]["max"] == count
        plain = MASKS.parse(recipe).at(progress).sample(Grid(4, 4), seed=3)
        assert record["masks"] == [plain.to_bits()]
    status, _, err = run("draw", recipe, "--progress", "1.5")
    assert (status, err.count("\n")) == (2, 1) and "progress is 1.5" in err


def test_draw_a_stack(run: Run) -> None:
    recipe = 'layers(a=random(ratio=0.5), b=layer(painted(hide="0-3"), op="minus"), lock=0.75)'
    status, told, _ = run("draw", recipe, "--grid", "4x4", "--json")
    assert status == 0 and json.loads(told)["recipe"] == recipe
    assert json.loads(told)["masks"][0] == "0" * 4 + "1" * 12
    status, _, err = run("draw", "layers(a=layer(random(), op='plus'))")
    assert status == 2 and "op is 'plus', but must be one of or, and, minus, xor" in err


def test_train_takes_masks_of_ones_own(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ["--data", tmp_path / "none", "--out", out, "--device", "cpu"]
    status, _, err = run("train", "smoke", *options, "--mask", "random(ratio=ramp(0.5, 2))")
    assert status == 2 and "ratio is 2, but must be" in err
    assert not out.exists()

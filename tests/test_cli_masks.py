"""Masks from the command line: schedules, stacks of layers, and masks of other programs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import cli
from workbench.masks import MASKS, Grid, Mask

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


def test_import_prints_a_recipe_and_writes_a_file(run: Run, tmp_path: Path) -> None:
    export = tmp_path / "annotations.xml"
    box = '<box label="{}" xtl="0" ytl="{}" xbr="40" ybr="{}"/>'
    export.write_text(
        '<annotations><image name="a.jpg" width="40" height="40">'
        f"{box.format('cat', 0, 10)}{box.format('dog', 30, 40)}</image></annotations>"
    )
    out = tmp_path / "mask.npz"
    status, told, _ = run("masks", "import", export, "--grid", "4x4", "--out", out)
    recipe = 'painted(hide="0-3,12-15")'
    assert status == 0 and f"8 of 16 patches hidden: {recipe}" in told
    assert Mask.load(out) == MASKS.parse(recipe).sample(Grid(4, 4))
    status, told, _ = run("masks", "import", export, "--grid", "4x4", "--label", "dog", "--json")
    assert json.loads(told)["recipes"] == ['painted(hide="12-15")']
    for wrong, words in (
        (["gone.xml"], "There is no file 'gone.xml'"),
        ([export, "--label", "cow"], "nothing labelled cow; its labels are: cat, dog"),
        ([export, "--grid", "3x4x4"], "annotations lie on single pictures"),
        ([export, "--fit", "squash"], "fit is 'squash'"),
        ([export, "--threshold", "0"], "threshold is 0.0"),
    ):
        status, _, err = run("masks", "import", *wrong)
        assert (status, err.count("\n")) == (2, 1) and words in err


def test_reconstruct_takes_an_annotation_as_its_mask(run: Run, tmp_path: Path) -> None:
    export = tmp_path / "cat.json"
    shape = {"label": "cat", "shape_type": "rectangle", "points": [[0, 0], [30, 60]]}
    sides = {"imageHeight": 60, "imageWidth": 60, "imagePath": "cat.jpg"}
    export.write_text(json.dumps({"shapes": [shape], "version": "5.4.1", **sides}))
    out = tmp_path / "out"
    status, told, _ = run("reconstruct", "coffee", "--mask-file", export, "--out", out, "--json")
    record = json.loads(told)
    assert status == 0 and record["hidden"] == 72
    assert record["mask"].startswith('painted(hide="0-5,12-17,')


def test_draw_writes_spectra_and_clips(run: Run, tmp_path: Path) -> None:
    recipe, out = "frequency_disc(radius=5.0, low=1.0)", tmp_path / "disc.npz"
    status, _, _ = run("draw", recipe, "--grid", "32x32", "--patch", 1, "--out", out)
    disc = Mask.load(out)
    assert status == 0 and disc.grid == Grid(32, 32, patch=1, domain="frequency")
    assert disc == MASKS.parse(recipe).sample(disc.grid)
    status, _, _ = run("draw", "running_cells", "--grid", "8x6x6", "--out", tmp_path / "clip.npz")
    clip = Mask.load(tmp_path / "clip.npz")
    assert status == 0 and clip == MASKS.parse("running_cells").sample(Grid(6, 6, frames=8))
    assert clip.targets is not None and clip.targets.shape == (1, 1, 8, 6, 6)

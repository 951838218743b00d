"""`measure`: its table, its files, the leak meter over photos, and how it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench import cli
from workbench.analysis.mask_statistics import statistics
from workbench.masks import MASKS, Grid
from workbench.plots.heat_map import heat_map
from workbench.scenes import SceneSpec, compose, leak
from workbench.scenes.leak_set import leak_over

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], workbench_home: Path) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([str(each) for each in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def test_the_table_tells_what_python_measures(run: Run):
    status, told, _ = run("measure", "block(ratio=0.6)", "--count", 500, "--seed", 4)
    found = statistics(MASKS.parse("block(ratio=0.6)"), Grid(14, 14), 500, 4)
    assert status == 0
    assert told.startswith("500 x block(ratio=0.6) on 14 x 14, seed 4; the ratio is exact")
    rows = {line[:12].strip(): line[12:].split() for line in told.splitlines()[2:7]}
    assert rows["hidden share"][:4] == ["0.6020", "0.0000", "0.6020", "0.6020"]
    assert rows["pieces"][0] == f"{found.pieces.mean():.2f}"
    assert rows["border"][0] == f"{found.border.mean():.1f}"
    assert rows["to visible"][0] == f"{found.mean_distance:.3f}"
    assert f"neighbours alike: {found.agreement:.4f}" in told
    assert f"below 1/6, to 1/3, above, in cycles a patch: {found.spectrum.low:.3f}" in told


def test_files_hold_the_arrays(run: Run, tmp_path: Path):
    out = tmp_path / "lab"
    status, told, _ = run(
        "measure", "multi_block", "--grid", "12x10", "--count", 300, "--out", out, "--json"
    )
    record = json.loads(told)
    assert status == 0 and record == {
        **json.loads((out / "report.json").read_text()),
        "out": str(out),
    }
    found = statistics(MASKS.parse("multi_block"), Grid(12, 10), 300)
    with np.load(out / "statistics.npz", allow_pickle=False) as arrays:
        for name in ("ratios", "pieces", "border", "distance", "occupancy", "pairs"):
            assert np.array_equal(arrays[name], getattr(found, name), equal_nan=True), name
        assert np.array_equal(arrays["density"], found.spectrum.density)
    picture = np.asarray(Image.open(out / "occupancy.png"))
    assert np.array_equal(picture, heat_map(found.plane, 448 // 12))
    assert record["promise"] == "free" and record["ratio"]["sd"] > 0
    assert record["occupancy"] == found.occupancy.tolist()


def test_a_clip_is_measured(run: Run):
    status, told, _ = run("measure", "random", "--grid", "4x6x6", "--count", 50)
    assert status == 0
    assert "on 4 x 6 x 6" in told and "of 144 patches" in told and "next frame alike" in told


def test_photos_bring_leak_difficulty_and_objects(run: Run):
    _, told, _ = run(
        "measure", "random(ratio=0.6)", "--count", 400, "--photos", "coffee", "--photos", "drawn-1",
        "--json",
    )  # fmt: skip
    record = json.loads(told)
    spec = SceneSpec(photo="coffee", mask="random(ratio=0.6)")
    meters = [leak(spec), leak(spec.replace(photo="drawn-1", seed=1))]
    for at, (name, _) in enumerate(meters[0].rows):
        wanted = np.mean([meter.rows[at][1].mse for meter in meters])
        assert record["leak"]["mse"][name] == pytest.approx(wanted)
    assert record["leak"]["difficulty"] == record["leak"]["mse"]["model default"]
    assert record["leak"]["explained"] == pytest.approx(np.mean([m.explained for m in meters]))
    assert record["leak"]["photos"]["coffee"] == pytest.approx(compose(spec).metrics.mse)
    (objects,) = record["objects"].values()
    assert abs(objects[0]["hidden"] - 0.6) < 0.05
    told = run("measure", "random", "--count", 9, "--photos", "drawn-1")[1]
    assert "object of drawn-1" in told and "difficulty (the model's error)" in told


def test_a_file_and_a_folder_are_photos_too(run: Run, tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    status, told, _ = run("measure", "random", "--count", 5, "--photos", tmp_path, "--json")
    leaks = json.loads(told)["leak"]
    assert status == 0 and list(leaks["photos"]) == ["a.png", "b.png"]
    spec = SceneSpec()
    wanted = [leak(spec.replace(seed=seed), pixels).rows[0][1].mse for seed in (0, 1)]
    assert leaks["difficulty"] == pytest.approx(np.mean(wanted))


def test_a_strategy_that_looks_is_measured_on_the_first_photo(run: Run, tmp_path: Path):
    arguments = ["measure", "guided(ratio=0.5)", "--grid", "12x12", "--count", 20, "--json"]
    _, told, _ = run(*arguments, "--photos", "coffee")
    shown = compose(SceneSpec(photo="coffee", mask="guided(ratio=0.5)")).hidden
    record = json.loads(told)
    assert (np.array(record["occupancy"]) == shown).mean() > 0.9  # edges of a larger picture
    assert record["leak"]["difficulty"] > 0
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "black.png")
    _, told, _ = run(*arguments, "--photos", tmp_path / "black.png")
    assert 0.3 < np.array(json.loads(told)["occupancy"]).mean() < 0.7


def test_frequencies_are_measured_on_a_spectrum(run: Run):
    _, told, _ = run("measure", "frequency_disc", "--grid", "64x64", "--count", 40, "--json")
    record = json.loads(told)
    assert record["grid"]["domain"] == "frequency" and record["grid"]["patch"] == 1
    assert record["ratio"]["min"] == pytest.approx(793 / 4096)
    arguments = ("frequency_disc", "--grid", "16x16", "--count", 3, "--photos", "coffee", "--json")
    assert "leak" not in json.loads(run("measure", *arguments)[1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope()"], ["'nope'", "choose one of"]),
        (["random", "--grid", "14"], ["--grid is '14'", "14x14"]),
        (["random", "--count", "0"], ["count is 0", "from 1"]),
        (["block", "--grid", "3x4x4"], ["block draws single images"]),
        (["random", "--count", "3", "--photos", "nowhere"], ["'nowhere' is no file and no photo"]),
        (["guided", "--count", "3"], ["looks at the picture", "--photos astronaut"]),
        (["random(ratio=0)", "--count", "3", "--photos", "coffee"], ["0 of 144 patches"]),
        (["random", "--count", "3", "--out", "/dev/null/x"], ["--out is /dev/null/x"]),
    ],
)
def test_bad_input_is_one_sentence(run: Run, arguments: list[str], words: list[str]):
    status, _, err = run("measure", *arguments)
    assert status == 2 and err.count("\n") == 1
    for word in words:
        assert word in err


def test_a_heat_map_runs_from_dark_to_light():
    picture = heat_map(np.array([[0, 0.5, 1, np.nan, 7]]), 2)
    assert picture.shape == (2, 10, 3) and picture.dtype == np.uint8
    light = picture[0, ::2].astype(int).sum(axis=1)
    assert light[0] < light[1] < light[2] == light[4]
    assert picture[0, 6].tolist() == [128, 128, 128]


def test_the_leak_meter_over_a_set_tells_how_far_it_is():
    steps = list(leak_over(SceneSpec(), [("coffee", None), ("astronaut", None)]))
    assert [(step.done, step.total) for step in steps] == [(1, 2), (2, 2)]
    assert steps[0].difficulty == leak(SceneSpec(photo="coffee")).rows[0][1].mse
    with pytest.raises(ValueError, match="no photo was named"):
        next(leak_over(SceneSpec(), []))

"""`matrix` and `search` on the command line: files, numbers, refusals, Ctrl+C."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench import cli
from workbench.masks import Mask
from workbench.scenes import SceneSpec, compose, restore

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], workbench_home: Path) -> Run:
    """`run("matrix", ...)` runs a command in this process: (exit status, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([str(each) for each in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def test_matrix_writes_every_cell_and_the_sheet(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "cells"
    status, told, _ = run(
        "matrix", "coffee", "--masks", "random;stripes", "--ratios", "0.5,0.75", "--seed", 3,
        "--out", out, "--json",
    )  # fmt: skip
    assert status == 0
    record = json.loads(told)
    assert record == json.loads((out / "report.json").read_text())
    assert record["finished"]
    assert {cell["mask"] for cell in record["cells"]} == {
        "random(ratio=0.5)", "random(ratio=0.75)", "stripes(ratio=0.5)", "stripes(ratio=0.75)",
    }  # fmt: skip
    (cell,) = [cell for cell in record["cells"] if cell["mask"] == "stripes(ratio=0.75)"]
    scene = compose(SceneSpec(photo="coffee", mask="stripes(ratio=0.75)", seed=3))
    assert cell["mse"] == pytest.approx(scene.metrics.mse, abs=1e-5)
    with Image.open(out / cell["picture"]) as picture, Image.open(out / "matrix.png") as sheet:
        assert np.abs(np.asarray(picture, int) - scene.composite).max() <= 2
        assert min(sheet.size) > 2 * 144


def test_matrix_prints_a_table(run: Run, tmp_path: Path) -> None:
    status, told, _ = run(
        "matrix", "coffee", "--masks", "random", "--ratios", "0,0.5", "--out", tmp_path
    )
    assert status == 0
    assert "MSE, hidden:" in told
    assert "nothing is hidden" in told


def test_search_writes_a_mask_that_opens_everywhere(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "found"
    status, told, _ = run(
        "search", "worst", "coffee", "--ratio", 0.5, "--evaluations", 72, "--out", out, "--json"
    )
    record = json.loads(told)
    assert status == 0
    assert record["search"] == "worst_mask(ratio=0.5, evaluations=72)"
    assert (record["evaluations"], record["finished"], record["hidden"]) == (72, True, 72)
    restored = restore((out / "composite.png").read_bytes())
    assert restored is not None
    assert restored.spec.mask == record["mask"]
    assert (compose(restored.spec).hidden == Mask.load(out / "mask.npz").hidden[0]).all()
    assert compose(restored.spec).metrics.mse == pytest.approx(record["mse"], abs=1e-6)


def test_search_takes_a_whole_recipe_and_a_file(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)).save(tmp_path / "noise.png")
    status, told, _ = run(
        "search", "smallest_visible_set(aim=12, share=0.05)", tmp_path / "noise.png", "--out",
        tmp_path / "found",
    )  # fmt: skip
    assert status == 0
    assert "The aim is reached" in told
    assert "painted(hide=" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["matrix", "coffee", "--ratios", "0.5,x"], "--ratios"),
        (["matrix", "coffee", "--ratios", "1.5"], "from 0 to 1"),
        (["matrix", "coffee", "--masks", "nope"], "nope"),
        (["matrix", "nowhere.png"], "no file and no photo"),
        (["search", "best", "coffee"], "is no search; write worst, smallest, or"),
        (["search", "worst", "coffee", "--aim", "20"], "--aim is no setting of worst_mask"),
        (["search", "worst", "coffee", "--ratio", "0"], "some must be hidden"),
        (["search", "smallest", "coffee", "--pixels", "half"], "whole"),
    ],
)
def test_refusals(run: Run, tmp_path: Path, arguments: list[str], words: str) -> None:
    status, _, err = run(*arguments, "--out", tmp_path / "out")
    assert status == 2
    assert words in err
    assert err.count("\n") == 1


def test_ctrl_c_keeps_the_best_so_far(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "search", "worst", "coffee", "--evaluations",
         "1000000", "--out", str(tmp_path / "found"), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "WORKBENCH_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert process.stderr is not None
    assert "of 1000000 masks" in process.stderr.readline()  # it tells how far it is, so it runs
    process.send_signal(signal.SIGINT)
    told, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    record = json.loads(told)
    assert not record["finished"]
    assert 0 < record["evaluations"] < 1_000_000
    assert Mask.load(tmp_path / "found" / "mask.npz").counts.tolist() == [record["hidden"]]

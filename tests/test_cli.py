"""The command line: what it writes, what it prints, and how it refuses."""

import errno
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from workbench import cli
from workbench.commands.reconstruct import unique_names
from workbench.masks import MASKS, Grid

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], workbench_home: Path) -> Run:
    """`run("draw", ...)` runs a command in this process: (exit status, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([str(each) for each in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def one_sentence(err: str) -> str:
    """Stderr without its line break, after checking that it is one line and no traceback."""
    assert err.endswith("\n") and err.count("\n") == 1, err
    assert "Traceback" not in err
    return err.strip()


# --- draw ---------------------------------------------------------------------------------------


def test_draw_writes_the_masks_that_python_draws(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "masks.npz"
    status, told, _ = run(
        "draw", "block(ratio=0.6)", "--grid", "14x14", "--count", 256, "--seed", 0, "--out", out
    )
    hidden = np.load(out)["hidden"]
    expected = MASKS.parse("block(ratio=0.6)").sample(Grid(14, 14, patch=16), count=256, seed=0)
    assert status == 0 and "256 x block(ratio=0.6)" in told
    assert hidden.dtype == np.bool_ and hidden.shape == (256, 14, 14)
    assert np.array_equal(hidden, expected.hidden)


def test_draw_prints_the_mask_as_signs(run: Run) -> None:
    status, told, _ = run("draw", "random(ratio=0.25)", "--grid", "2x4", "--seed", 5)
    rows = told.strip().splitlines()[-2:]
    hidden = MASKS.parse("random(ratio=0.25)").sample(Grid(2, 4), seed=5).hidden[0]
    assert status == 0
    assert rows == ["".join(".#"[cell] for cell in row) for row in hidden.astype(int)]


def test_draw_as_json_holds_bits_and_realised_counts(run: Run) -> None:
    status, told, _ = run(
        "draw",
        "random(ratio=0.5)",
        "--grid",
        "3x5",
        "--count",
        4,
        "--first",
        2,
        "--step",
        7,
        "--json",
    )
    record = json.loads(told)
    expected = MASKS.parse("random(ratio=0.5)").sample(Grid(3, 5), count=4, first=2, step=7)
    assert status == 0
    assert record["masks"] == [one.to_bits() for one in expected]
    assert record["hidden"] == {"min": 8, "max": 8, "mean": 8.0}
    assert record["recipe"] == "random(ratio=0.5)" and record["patches"] == 15


@pytest.mark.parametrize("ratio, count", [(0, 0), (1, 12)])
def test_drawing_nothing_or_everything_is_legal(run: Run, ratio: int, count: int) -> None:
    status, told, _ = run("draw", f"random(ratio={ratio})", "--grid", "3x4", "--json")
    assert status == 0 and json.loads(told)["hidden"]["max"] == count


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        (["draw", "blok(ratio=0.6)"], "'blok' is no known strategy; choose one of: "),
        (["draw", "block(ration=0.6)"], "no knob of it; choose one of: ratio, min_patches, min_as"),
        (["draw", "blok(ratio=0.6)"], "uniform, units; block is the nearest."),
        (["draw", "block(ratio=-0.1)"], "-0.1"),
        (["draw", "block(ratio=1.5)"], "1.5"),
        (["draw", "block(ratio=float('nan'))"], "choose one of"),
        (["draw", "block(ratio=1e999)"], "inf"),
        (["draw", "__import__('os').system('true')"], "is no recipe"),
        (["draw", "block(ratio=0.6)", "--grid", "14"], "--grid is '14', but must be ROWSxCOLS"),
        (["draw", "block(ratio=0.6)", "--grid", "0x4"], "from 1"),
        (["draw", "block(ratio=0.6)", "--grid", "99999x99999"], "at most"),
        (["draw", "block(ratio=0.6)", "--count", "0"], "count"),
        (["draw", "block(ratio=0.6)", "--count", "99999999999"], "count"),
        (["draw", "block(ratio=0.6)", "--count", "many"], "'many' is no whole number"),
        (["draw", "block(ratio=0.6)", "--seed", "-5"], "seed"),
        (["draw", "block(ratio=0.6)", "--out", "masks.txt"], ".npz"),
        (["draw"], "Missing argument 'RECIPE'; see `python -m workbench draw --help`."),
        (["explain", "coffee", "--model", "x", "--out", __file__ + "/why"], "is a file"),
        (["drew", "random"], "No such command 'drew'"),
    ],
)
def test_bad_input_is_status_2_and_one_sentence(
    run: Run, arguments: list[str], wanted: str
) -> None:
    status, told, err = run(*arguments)
    assert status == 2 and told == ""
    assert wanted in one_sentence(err)


def test_a_folder_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    status, _, err = run("draw", "random", "--out", tmp_path / "nowhere" / "masks.npz")
    assert status == 2 and "'masks.npz' cannot be written" in one_sentence(err)


def test_a_failed_write_is_a_sentence_and_leaves_nothing_half_done(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> int:
        path.open("wb").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    status, told, err = run("reconstruct", "astronaut", "--out", tmp_path)
    assert (status, told, list(tmp_path.glob("*.*"))) == (2, "", [])
    assert "cannot be written (No space left on device)" in one_sentence(err)


def test_no_command_at_all_shows_the_help(run: Run) -> None:
    assert run() == run("--help")


# --- lists --------------------------------------------------------------------------------------


def test_strategies_as_json_are_the_registry(run: Run) -> None:
    status, told, _ = run("strategies", "--json")
    listed = json.loads(told)["strategies"]
    assert status == 0
    assert [row["name"] for row in listed] == MASKS.names()
    assert all(row["summary"] and row["counts"] for row in listed)


def test_strategies_for_people_name_every_knob(run: Run) -> None:
    _, told, _ = run("strategies")
    for row in MASKS.describe():
        line = next(each for each in told.splitlines() if each.startswith(row["name"] + " "))
        assert all(knob["name"] + "=" in line for knob in row["knobs"])


def test_models_lists_the_bundled_one_with_its_hash(run: Run) -> None:
    _, told, _ = run("models", "--json")
    by_name = {row["name"]: row for row in json.loads(told)["models"]}
    assert by_name["default"]["bundled"] is True
    assert len(by_name["default"]["sha256"]) == 64
    _, told, _ = run("models")
    assert by_name["default"]["sha256"][:12] in told


def test_help_needs_no_torch_and_names_every_command(run: Run) -> None:
    code = (
        "import sys\nfrom workbench.cli import run\nstatus = run(['--help'])\n"
        "heavy = {'torch', 'streamlit', 'rich', 'timm'} & set(sys.modules)\n"
        "sys.exit(status or ', '.join(heavy) or None)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    for name in "draw reconstruct app strategies models doctor train evaluate".split():
        assert f"  {name} " in ran.stdout


# --- reconstruct --------------------------------------------------------------------------------

PICTURES = ("original", "masked", "reconstruction", "composite", "error")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.float64) / 255


def test_reconstruct_writes_pictures_and_numbers_that_agree(run: Run, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    ramp = np.linspace(0, 255, 200).astype(np.uint8)
    Image.fromarray(np.dstack(np.broadcast_arrays(ramp, ramp[:, None], 90)).astype(np.uint8)).save(
        photo
    )
    out = tmp_path / "out"
    status, told, err = run(
        "reconstruct", photo, "--mask", "random(ratio=0.75)", "--seed", 3,
        "--precision", "fp32", "--out", out, "--json",
    )  # fmt: skip
    assert status == 0, err
    report = json.loads((out / "report.json").read_text())
    assert report == json.loads(told)
    found = {name: pixels(out / f"{name}.png") for name in PICTURES}
    grid = Grid(**report["grid"])
    mask = MASKS.parse(report["mask"]).sample(grid, seed=3)
    hidden = mask.to_pixels()[0]
    assert report["hidden"] == grid.count(0.75) == mask.counts[0]
    assert report["pixels"] == hidden.sum()
    # What is visible is the photo itself, and the composite takes the rest from the model.
    assert np.array_equal(found["composite"][~hidden], found["original"][~hidden])
    assert np.array_equal(found["composite"][hidden], found["reconstruction"][hidden])
    assert not np.array_equal(found["composite"][hidden], found["original"][hidden])
    # The report's error is that of the pictures, up to their rounding to 8 bits.
    squared = (found["composite"] - found["original"])[hidden] ** 2
    assert report["mse"] == pytest.approx(squared.mean(), rel=0.02, abs=2e-5)
    assert report["psnr"] == pytest.approx(-10 * np.log10(report["mse"]), abs=1e-6)
    by_patch = np.array(report["error"])[mask.hidden[0]]
    assert by_patch.mean() == pytest.approx(report["mse"], rel=1e-3)
    assert len(report["model_hash"]) == 64 and report["precision"] == "fp32"


def test_reconstruct_takes_names_and_files_and_keeps_them_apart(run: Run, tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, level in zip(folders, (40, 200), strict=True):
        folder.mkdir()
        Image.new("RGB", (160, 160), (level, 90, 20)).save(folder / "same.png")
    out = tmp_path / "out"
    given = [folder / "same.png" for folder in folders]
    status, told, err = run("reconstruct", *given, "astronaut", "--out", out)
    assert status == 0, err
    reports = json.loads((out / "report.json").read_text())["photos"]
    assert [each["photo"] for each in reports] == [*map(str, given), "astronaut"]
    assert pixels(out / "same" / "original.png")[0, 0, 0] == 40 / 255
    assert pixels(out / "same-2" / "original.png")[0, 0, 0] == 200 / 255
    assert (out / "astronaut" / "composite.png").is_file()
    assert told.count(" hidden pixels ") == 3


def test_no_photo_takes_the_reports_name() -> None:
    assert unique_names(["a/report.json.png", "b.png", "c/b.png"]) == ["report.json-2", "b", "b-2"]


def test_a_mask_from_a_file_is_the_mask_used(run: Run, tmp_path: Path) -> None:
    saved = tmp_path / "mask.png"
    run("draw", "stripes(ratio=0.5)", "--grid", "12x12", "--patch", 12, "--out", saved)
    status, told, err = run(
        "reconstruct", "coffee", "--mask-file", saved, "--out", tmp_path / "out", "--json"
    )
    assert status == 0, err
    grid = Grid(12, 12, patch=12)
    painted = MASKS.parse(json.loads(told)["mask"]).sample(grid)
    expected = MASKS.parse("stripes(ratio=0.5)").sample(grid)
    assert np.array_equal(painted.hidden, expected.hidden)


def test_a_written_picture_leads_back_to_its_scene(run: Run, tmp_path: Path) -> None:
    from workbench.scenes import restore

    run("reconstruct", "rocket", "--mask", "block(ratio=0.5)", "--seed", 9, "--out", tmp_path)
    restored = restore((tmp_path / "composite.png").read_bytes())
    assert restored is not None
    assert (restored.spec.photo, restored.spec.mask) == ("rocket", "block(ratio=0.5)")
    assert restored.spec.seed == 9


def not_a_picture(folder: Path) -> Path:
    path = folder / "notes.png"
    path.write_text("these are notes")
    return path


def cut_off(folder: Path) -> Path:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 80).convert("RGB").save(buffer, "PNG")
    path = folder / "half.png"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    return path


@pytest.mark.parametrize(
    "make, wanted",
    [
        (lambda folder: "nobody", "'nobody' is no file and no photo here"),
        (lambda folder: folder / "missing.png", "is no file and no photo here"),
        (lambda folder: folder, "is not a file"),
        (lambda folder: folder / ("n" * 300), "is no file and no photo here"),
        (not_a_picture, "only PNG, JPEG and WebP are opened"),
        (cut_off, "damaged or cut off"),
    ],
)
def test_a_bad_photo_is_refused_before_anything_is_written(
    run: Run, tmp_path: Path, make: Callable[[Path], Any], wanted: str
) -> None:
    out = tmp_path / "out"
    status, told, err = run("reconstruct", "astronaut", make(tmp_path), "--out", out)
    assert status == 2 and told == ""
    assert wanted in one_sentence(err)
    assert not out.exists()


@pytest.mark.parametrize(
    "options, wanted",
    [
        (["--mask", "random(ratio=0)"], "hides no patch"),
        (["--mask", "random(ratio=1)"], "hides every patch"),
        (["--mask", "painted(hide='500')"], "patches 0 to 143"),
        (["--fill", "gray"], "'gray' is no known fill"),
        (["--model", "nobody"], "no model is called 'nobody'"),
        (["--model", "./nobody.safetensors"], "nobody.safetensors"),
        (["--fit", "squeeze"], "fit is 'squeeze', but must be one of crop, letterbox, resize"),
        (["--precision", "fp8"], "precision is 'fp8'"),
        (["--device", "tpu"], "device is 'tpu'"),
        (["--model", "cifar10_vit"], "no model is called 'cifar10_vit'; known models: default"),
        (["--map", "a=nowhere.npy"], "without --mask nothing looks at it"),
    ],
)
def test_a_bad_setting_is_status_2_and_one_sentence(
    run: Run, tmp_path: Path, options: list[str], wanted: str
) -> None:
    status, told, err = run("reconstruct", "astronaut", *options, "--out", tmp_path / "out")
    assert status == 2 and told == ""
    assert wanted in one_sentence(err)


def test_of_many_masks_the_first_is_used_and_said_so(run: Run, tmp_path: Path) -> None:
    saved = tmp_path / "masks.npz"
    run("draw", "random", "--grid", "12x12", "--count", 3, "--out", saved)
    command = ("reconstruct", "coffee", "--mask-file", saved, "--out", tmp_path / "out")
    status, told, err = run(*command)
    assert status == 0 and "masks.npz holds 3 masks; the first one is used." in told, err
    status, told, err = run(*command, "--mask", "block")
    assert status == 2 and told == ""
    assert "but a photo has one mask; leave one of them out" in one_sentence(err)


def test_a_mask_file_for_another_grid_is_refused(run: Run, tmp_path: Path) -> None:
    run("draw", "random", "--grid", "14x14", "--out", tmp_path / "m.npz")
    status, _, err = run(
        "reconstruct", "astronaut", "--mask-file", tmp_path / "m.npz", "--out", tmp_path / "out"
    )
    assert status == 2 and "(14, 14)" in one_sentence(err) and "(12, 12)" in err


def test_an_output_that_is_a_file_is_refused(run: Run, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    status, _, err = run("reconstruct", "astronaut", "--out", taken)
    assert status == 2 and "cannot be made a folder" in one_sentence(err)
    assert taken.read_text() == "mine"


# --- failures nobody foresaw --------------------------------------------------------------------


def test_an_unforeseen_failure_is_a_sentence_with_the_log(
    run: Run, monkeypatch: pytest.MonkeyPatch, workbench_home: Path
) -> None:
    def broken() -> list[str]:
        raise RuntimeError("the moon is\nin the way")

    monkeypatch.setattr(MASKS, "describe", broken)
    status, told, err = run("strategies")
    told_err = one_sentence(err)
    assert status == 1 and told == ""
    assert "the moon is in the way" in told_err
    (log,) = (workbench_home / "logs").iterdir()
    assert str(log) in told_err and "Traceback" in log.read_text()


def test_a_reader_that_leaves_early_gets_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workbench", "draw", "random", "--count", "20000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(60) == 1
    assert err == b""


def test_the_module_and_the_installed_command_are_the_same(
    workbench_command: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    by_module = workbench_command("draw", "random", "--grid", "4x4", "--seed", "1")
    script = Path(sys.executable).with_name("workbench")
    by_script = subprocess.run(
        [script, "draw", "random", "--grid", "4x4", "--seed", "1"], capture_output=True, text=True
    )
    assert by_module.returncode == by_script.returncode == 0
    assert by_module.stdout == by_script.stdout
    refused = workbench_command("draw", "nothing")
    assert refused.returncode == 2 and "Traceback" not in refused.stderr

"""`models`, `train` and `evaluate` from the command line."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from workbench import cli
from workbench.commands import models as commands
from workbench.masks import MASKS, Grid
from workbench.models import list_models

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], workbench_home: Path) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([str(each) for each in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three small photos of coloured noise."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        small = np.random.default_rng(index).integers(0, 256, (6, 8, 3), np.uint8)
        picture = Image.fromarray(small).resize((80, 60), Image.Resampling.BICUBIC)
        picture.save(folder / f"photo{index}.png")
    return folder


def train(run: Run, photos: Path, out: Path, *more: object) -> tuple[int, str, str]:
    options = ("--data", photos, "--out", out, "--device", "cpu", "--masks", 0)
    return run("train", "smoke", *options, *more)


def test_train_stops_resumes_and_makes_a_model_that_evaluates(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"

    def interrupt_at_2(last: list[object]) -> Callable[..., None]:
        def tell(progress: Any) -> None:
            last[:] = [progress]
            if progress.step == 2:
                signal.raise_signal(signal.SIGINT)

        return tell

    with monkeypatch.context() as patched:
        patched.setattr(commands, "_teller", interrupt_at_2)
        status, told, _ = train(run, photos, out, "--steps", 4, "--json")
    record = json.loads(told)
    assert status == 0 and (record["step"], record["finished"]) == (2, False)
    assert not (out / "model.safetensors").exists()

    status, told, err = train(run, photos, out, "--steps", 4)
    assert status == 2 and told == "" and "add --resume" in err

    status, told, err = train(run, photos, out, "--steps", 4, "--resume", "--json", "--masks", 1)
    record = json.loads(told)
    assert status == 0 and record["finished"], err
    assert "step 4 of 4" in err
    card = json.loads((out / "model.json").read_text())
    assert card["steps"] == 4 and card["sha256"] == record["sha256"]
    manifest = (out / "model.manifest.csv").read_text().splitlines()
    assert len(manifest) == 4
    assert card["data"]["photos"] == 3 and card["data"]["licences"] == {"not stated": 3}
    status, told, _ = run("evaluate", out / "model.safetensors", "--masks", 1,
                          "--precision", "fp32", "--device", "cpu", "--json")  # fmt: skip
    assert json.loads(told)["rows"] == card["measured"]["rows"]

    status, told, err = run(
        "evaluate", out / "model.safetensors", "--data", photos, "--masks", 1, "--json"
    )
    assert status == 0, err
    table = json.loads(told)
    assert table["photos"] == ["photo0.png", "photo1.png", "photo2.png"]
    assert [row["ratio"] for row in table["rows"]] == [0.5, 0.75, 0.9]
    assert table["rows"][1]["errors"]["mean"] == pytest.approx(error_of_the_mean_colour(photos))


def error_of_the_mean_colour(folder: Path) -> float:
    """Fill what `random(ratio=0.75)` hides at 48 px, patch 12, with the colour shown on average."""
    from workbench.data import fit, open_image

    errors = []
    for index, path in enumerate(sorted(folder.iterdir())):
        photo = fit(open_image(path).pixels, 48, 48, "crop") / 255
        mask = MASKS.parse("random(ratio=0.75)").sample(Grid(4, 4, patch=12), first=index)
        hidden = mask.to_pixels()[0]
        errors.append(np.mean((photo[hidden] - photo[~hidden].mean(axis=0)) ** 2))
    return float(np.mean(errors))


def test_the_evaluation_for_people_holds_the_same_numbers(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    recipes = ("--mask", "random(ratio=ramp(.5, .9))", "--mask", "layers(a=random())")
    train(run, photos, tmp_path / "run", "--steps", 1, *recipes)
    preset = json.loads((tmp_path / "run/preset.json").read_text())
    assert preset["masks"] == ["random(ratio=ramp(0.5, 0.9))", "layers(a=random(ratio=0.75))"]
    command = ("evaluate", tmp_path / "run" / "model.safetensors", "--data", photos, "--masks", 1)
    _, told, _ = run(*command)
    _, as_json, _ = run(*command, "--json")
    for row in json.loads(as_json)["rows"]:
        line = next(each for each in told.splitlines() if each.startswith(f"{row['ratio']:.0%}"))
        assert line.split()[1:] == [f"{error:.4f}" for error in row["errors"].values()]


def test_a_photo_that_cannot_be_used_is_named_and_left_out(run: Run, photos: Path) -> None:
    (photos / "notes.png").write_text("these are notes")
    status, told, err = run("evaluate", "default", "--data", photos, "--masks", 1, "--json")
    assert status == 0
    assert err.startswith("Left out: notes.png") and len(json.loads(told)["photos"]) == 3


def test_a_photo_that_is_cut_off_costs_no_other_photo(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    whole = (photos / "photo0.png").read_bytes()
    (photos / "photo1.png").write_bytes(whole[: len(whole) // 2])
    status, told, err = run("evaluate", "default", "--data", photos, "--masks", 1, "--json")
    assert status == 0 and len(json.loads(told)["photos"]) == 2
    assert err.startswith("Left out: photo1.png is a PNG file that is damaged or cut off")
    status, _, err = train(run, photos, tmp_path / "run", "--steps", 1)
    assert status == 0 and "Left out: photo1.png" in err


def test_a_model_may_be_a_path(run: Run, tmp_path: Path) -> None:
    info = list_models()[0]
    for path in (info.path, info.path.with_suffix(".json")):
        shutil.copy(path, tmp_path)
    given = tmp_path / info.path.name
    status, told, err = run(
        "reconstruct", "coffee", "--model", given, "--out", tmp_path / "out", "--json"
    )
    assert status == 0, err
    assert json.loads(told)["model_hash"] == info.sha256


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        (["train", "default"], "also needs --data"),
        (["train", "nothing", "--data", ".", "--out", "x"], "known presets: default"),
        (["train", "smoke", "--data", "nowhere", "--out", "x"], "'nowhere' is not a folder"),
        (["train", "smoke", "--data", ".", "--out", "x", "--steps", "0"], "--steps is 0"),
        (["train", "smoke", "--data", ".", "--out", "x", "--resume"], "holds no run to resume"),
        (["train", "smoke", "--data", ".", "--out", "x", "--device", "tpu"], "device is 'tpu'"),
        (["evaluate", "nothing"], "no model is called 'nothing'"),
        (["evaluate", "--data", "nowhere"], "'nowhere' is not a folder"),
        (["evaluate", "--masks", "0"], "--masks is 0"),
    ],
)
def test_bad_input_is_status_2_and_one_sentence(
    run: Run, arguments: list[str], wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, told, err = run(*arguments)
    assert status == 2 and told == ""
    assert wanted in err and err.count("\n") == 1


def test_a_second_signal_is_not_swallowed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with commands.stop_signal() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGTERM)
        assert asked()
        with pytest.raises(SystemExit) as leaving:
            signal.raise_signal(signal.SIGTERM)
        assert leaving.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_list_of_models_names_the_networks_to_look_inside(run: Run) -> None:
    status, told, err = run("models")
    assert status == 0 and "cifar10_convnet, cifar10_vit, timm:NAME and run:ID" in told, err
    record = json.loads(run("models", "--json")[1])
    assert {"cifar10_convnet", "cifar10_vit"} <= set(record["networks"])


def test_a_refused_mask_leaves_no_empty_folder(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, _, err = run("reconstruct", "astronaut", "--mask", "random(ratio=1)", "--out", out)
    assert status == 2 and "hides every patch" in err
    assert not out.exists()

"""`explain` and `missingness` on the command line, with a classifier of the user's own."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from workbench.cli import run
from workbench.models import load_network
from workbench.models.loading import save_network


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    torch.manual_seed(0)
    network = load_network("timm:vit_tiny_patch16_224", size=(64, 64), classes=3)
    save_network(network, folder, "vit_tiny_patch16_224", ("cat", "dog", "bird"))
    return folder


def test_a_photo_is_explained_and_judged(classifier, tmp_path, capsys) -> None:
    out = tmp_path / "why"
    assert run(["explain", "coffee", "--model", str(classifier), "--method", "occlusion",
                "--remove-with", "drop_tokens", "--target", "cat", "--out", str(out),
                "--json", "--draws", "1"]) == 0  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((out / "report.json").read_text())
    assert (told["label"], told["target"], told["removal"]) == ("cat", 0, "drop_tokens(layer=0)")
    assert np.load(out / "map.npy").shape == (4, 4) == tuple(told["shape"])
    for name in ("over.png", "map.png"):
        with Image.open(out / name) as picture:
            assert picture.size == (64, 64)
    seen = {(each["map"], each["kind"], each["removal"]) for each in told["judged"]}
    assert len(seen) == 3 * 2 * 2 and ("centre", "insertion", "black()") in seen
    marks = {each["map"]: each for each in told["marks"]}
    assert set(marks) == {"map", "random", "centre"} and len(marks["map"]["randomised"]) == 3
    assert marks["random"]["sensitivity"] is None and 0 <= marks["map"]["infidelity"] <= 1
    # A network without classes is asked for its features; several methods have a folder each.
    several = "relevance; grad_cam(layer=3)"
    assert run(["explain", "coffee", "--model", "default", "--method", several, "--judge", "",
                "--out", str(out)]) == 0  # fmt: skip
    text = capsys.readouterr().out
    assert "its own features (100.0%) by relevance()" in text and "knows no classes" in text
    assert np.load(out / "2-grad_cam" / "map.npy").shape == (12, 12)
    assert run(["explain", "coffee", "--model", str(classifier), "--out", str(out),
                "--target", "wolf"]) == 2  # fmt: skip
    assert "'wolf' is no class of" in capsys.readouterr().err
    assert run(["explain", "coffee", "--model", str(classifier), "--out", str(out),
                "--precision", "fp8"]) == 2  # fmt: skip
    assert "precision is 'fp8'" in capsys.readouterr().err


def test_weights_from_a_file_are_not_called_random(classifier, tmp_path, capsys) -> None:
    own = classifier / "model.safetensors"
    found = load_network("timm:vit_tiny_patch16_224", weights=own)
    assert (found.size, found.classes, found.fresh) == ((64, 64), 3, False)
    given = ["coffee", "--model", "timm:vit_tiny_patch16_224", "--out", str(tmp_path)]
    assert (
        run(["explain", *given, "--weights", str(own), "--method", "rollout", "--judge", ""]) == 0
    )
    assert run(["attend", *given, "--weights", str(own)]) == 0
    told = capsys.readouterr().out
    assert "knows 3 classes" in told and "weights here" not in told
    assert run(["attend", *given]) == 0
    assert "has fresh weights here" in capsys.readouterr().out


def test_a_convnet_in_a_file_wants_its_name(tmp_path, capsys) -> None:
    own = tmp_path / "mine.safetensors"
    state = load_network("timm:resnet10t", classes=2).module.state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, own)
    given = ["explain", "coffee", "--out", str(tmp_path / "why"), "--judge", ""]
    given += ["--method", "grad_cam", "--model"]
    assert run([*given, str(own)]) == 2
    assert f"timm:NAME with {own} as weights" in capsys.readouterr().err
    assert run([*given, "timm:resnet10t", "--weights", str(own)]) == 0


def test_missingness_prints_a_row_a_setting(classifier, tmp_path, capsys) -> None:
    out = tmp_path / "rows.json"
    assert run(["missingness", "--model", str(classifier), "--data", "photos", "--count", "6",
                "--grid", "4x4", "--shares", "0; 0.5", "--order", "random; salient_first",
                "--out", str(out)]) == 0  # fmt: skip
    text = capsys.readouterr().out
    record = json.loads(out.read_text())
    rows = record["rows"]
    assert record["grid"]["rows"] == record["grid"]["cols"] == 4
    assert len(rows) == 2 * 5 * 2 == sum("[" in line for line in text.splitlines())
    assert all(row["same"] == 1 for row in rows if row["share"] == 0)
    assert "On 6 pictures, those kept for testing (--part all takes every one)" in text
    other = ["--grid", "2x2", "--shares", "0.5", "--remove-with", "drop_tokens"]
    assert run(["missingness", "--model", str(classifier), *other]) == 2
    assert "4 x 4 patches" in capsys.readouterr().err
    assert run(["missingness", "--model", str(classifier), "--shares", "half"]) == 2
    assert "wanted numbers" in capsys.readouterr().err
    assert run(["missingness", "--model", str(classifier), "--count", "-1"]) == 2
    assert "--count is -1, but must be 1 or more" in capsys.readouterr().err
    Image.new("RGB", (70, 70)).save(tmp_path / "alone.png")
    data = f"folder(path='{tmp_path}')"
    assert run(["missingness", "--model", str(classifier), "--data", data]) == 2
    assert "leaves no picture in the part test" in capsys.readouterr().err
    few = ["--remove-with", "grey", "--shares", "0.5"]
    for part, count in (("all", 1), ("train", 1)):
        assert run(["missingness", "--model", str(classifier), "--data", data, *few,
                    "--part", part]) == 0  # fmt: skip
        assert f"On {count} picture" in capsys.readouterr().out
    assert run(["missingness", "--model", str(classifier), "--part", "some"]) == 2
    assert "--part is 'some', wanted test, train, all" in capsys.readouterr().err

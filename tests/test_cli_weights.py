"""The commands of weights say what the scenes say, and bad names end with a sentence."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from tests.interventions.subjects import scramble
from workbench.cli import run
from workbench.models import network_of, save_network
from workbench.scenes.merging import MergeSpec
from workbench.scenes.weights import hide, values
from workbench.scenes.weights_spec import WeightsSpec

DIGITS, NAME, ARGUMENTS = tuple("0123456789"), "vit_tiny_patch16_224", {"depth": 2}


@pytest.fixture
def pair(workbench_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for seed, name in enumerate(("one", "two")):
        torch.manual_seed(seed)
        model = scramble(timm.create_model(NAME, img_size=32, num_classes=10, **ARGUMENTS))
        save_network(network_of(model), workbench_home / "models" / name, NAME, DIGITS, ARGUMENTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "weights"


def told(line: str, capsys: pytest.CaptureFixture[str]) -> dict:
    assert run([*shlex.split(line)[3:], "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_hiding_and_the_curve_are_those_of_the_page(pair: Path, capsys) -> None:
    spec = WeightsSpec(
        network="one", hide="magnitude(ratio=0.6)", ways=("n_m(keep=1, group=2)",), count=50
    )
    first, second = (told(line, capsys) for line in spec.commands(curve=True))
    *_, last = hide(spec)
    assert first["before"][0] == last.before.accuracy and first["after"][0] == last.after.accuracy
    assert first["hidden"] == last.masks.count and first["ratio"] == pytest.approx(0.6, abs=1e-3)
    kept = np.load(pair / "hidden" / "masks.npz")
    assert len(kept.files) >= len(first["layers"]) == len(last.masks.hidden)
    assert (pair / "hidden" / "layers.png").is_file()
    found = [(each.way, each.share) for each in values(spec) if each is not None]
    assert [(each["way"], each["share"]) for each in second["points"]] == found
    assert json.loads((pair / "curve" / "report.json").read_text())["points"] == second["points"]


def test_merging_and_what_a_pair_shares(pair: Path, workbench_home: Path, capsys) -> None:
    spec = MergeSpec(a="one", b="two", how="fuse", scale_b=0.0, count=50)
    found = told(f"{spec.command()} --save both", capsys)
    alone, merged = (
        next(each for each in found["worths"] if each["name"] == name) for name in ("a", "merged")
    )
    assert alone["on_a"] == merged["on_a"], "a share of 0 of b leaves a as it was"
    assert (workbench_home / "models" / "both" / "model.safetensors").is_file()
    line = "python -m workbench weights shared one 3 8 --price 0.02 --out weights/shared"
    gates = told(line, capsys)
    assert len(gates["gates"]) == 192 and len(gates["chosen"]) == sum(
        each > 0.5 for each in gates["gates"]
    )
    for words, said in (
        ("hide nonsense --model one --out x", "nonsense"),
        ("merge one nobody --out x", "no network here"),
        ("shared one 3 3 --out x", "wanted two of"),
        ("shared one 3 8 --on sounds --out x", "wanted classes or photos"),
    ):
        assert run(["weights", *words.split()]) == 2
        assert said in capsys.readouterr().err

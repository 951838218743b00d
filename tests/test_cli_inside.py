"""What a network looks at, from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
from PIL import Image

from tests.interventions.subjects import scramble
from workbench.cli import run
from workbench.errors import BadInput
from workbench.interventions import INTERVENTIONS
from workbench.models import load_network, network_of, save_network
from workbench.scenes.inside import look_inside
from workbench.scenes.inside_spec import InsideSpec


def test_interventions_are_listed_with_their_knobs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["interventions", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in told["interventions"]] == INTERVENTIONS.names()
    assert run(["interventions"]) == 0
    assert "heads_off: Switch attention heads off" in capsys.readouterr().out


def test_attend_writes_what_every_head_looks_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = [
        "attend", "astronaut", "--out", str(tmp_path), "--json", "--mask", "block(ratio=0.4)",
        "--change", "heads_off(layer=3, heads=[0, 1])", "--query", "0",
    ]  # fmt: skip
    assert run(changed) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["asks"] == "patch 0" and told["moved"] > 0
    kept = np.load(tmp_path / "maps.npz")
    layers, heads = len(told["heads"]), max(told["heads"])
    assert kept["maps"].shape == kept["plain"].shape
    assert kept["maps"].shape[:2] == (layers, heads) == kept["distance"].shape
    hidden = kept["hidden"]
    assert hidden.sum() == 58 and np.array_equal(np.isnan(kept["maps"][0, 0]), hidden)
    assert np.isfinite(kept["plain"]).all() and (kept["rollout"][hidden] == 0).all()
    for name in ("heads", "whole", "change", "photo"):
        assert np.asarray(Image.open(tmp_path / f"{name}.png")).std() > 1
    assert run(["attend", "astronaut", "--model", "timm:resnet18", "--out", str(tmp_path)]) == 2
    assert "is a convolutional network and has no attention" in capsys.readouterr().err


def test_an_own_checkpoint_with_class_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "vit_tiny_patch16_224"
    model = scramble(timm.create_model(name, img_size=(32, 48), num_classes=3))
    folder = save_network(network_of(model), tmp_path / "mine", name, ("cat", "dog", "hat"))
    found = load_network(folder)
    assert (found.size, found.classes, found.labels) == ((32, 48), 3, ("cat", "dog", "hat"))
    for key, value in model.state_dict().items():
        assert value.equal(found.module.state_dict()[key])
    assert run(["attend", "coffee", "--model", str(folder), "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["class"] for row in told["scores"]} == {"cat", "dog", "hat"}
    assert sum(row["plain"] for row in told["scores"]) == pytest.approx(1, abs=1e-5)
    bare = str(folder / "model.safetensors")
    for line, said in (
        (["--model", "timm:no_such_model"], "timm has no model 'no_such_model'"),
        (["--model", "timm:vit_small_patch16_224", "--weights", bare], "does not fit timm:vit_sm"),
        (["--model", str(folder), "--query", "6"], "the query is patch 6, but there are 6"),
        (["--model", str(folder), "--change", "heads_off(layer=12)"], "has 12 blocks; take 0 to"),
    ):
        assert run(["attend", "coffee", "--out", str(tmp_path), *line]) == 2
        assert said in capsys.readouterr().err
    fresh, again = (load_network("timm:vit_tiny_patch16_224", size=(32, 48)) for _ in range(2))
    weights = fresh.attention(0).qkv.weight
    assert weights.equal(again.attention(0).qkv.weight) and fresh.size == (32, 48)


def test_a_mask_token_asks_in_the_decoder_and_the_answer_has_its_patches() -> None:
    spec = InsideSpec(photo="coffee", mask="random(ratio=0.5)", part="decoder")
    plain = look_inside(spec)
    asked = int(np.flatnonzero(plain.hidden)[0])
    found = look_inside(spec.replace(query=asked, change="heads_off(layer=11, heads=[0])"))
    assert found.asks == f"patch {asked}" and found.maps.shape[0] == len(found.heads)
    sums = found.maps.sum(axis=(2, 3))
    assert ((sums > 0.5) & (sums < 1.0001)).all()
    assert not np.allclose(found.maps, found.plain) and found.moved > 0
    with pytest.raises(BadInput, match="nothing is hidden, so no mask token asks in the decoder"):
        look_inside(spec.replace(mask=""))
    seen = look_inside(InsideSpec(photo="coffee", whole="relevance"))
    assert seen.rollout.min() >= 0 and seen.rollout.max() > 0 and seen.plain_rollout.max() > 0
    alike = look_inside(InsideSpec(photo="coffee", whole="similarity", mask="random(ratio=0.5)"))
    assert np.array_equal(np.isnan(alike.rollout), alike.hidden)
    assert np.nanmax(np.abs(alike.rollout)) <= 1

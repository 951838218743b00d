"""The user's own models: every format is listed from its header, and what is unreadable is told."""

import argparse
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from workbench.errors import BadInput
from workbench.models import list_models, load_reconstructor
from workbench.models.catalog import broken_cards
from workbench.models.checkpoint import save_checkpoint
from workbench.models.headers import read_shapes
from workbench.models.pickled import Made, read_description
from workbench.runs.presets import PRESETS
from workbench.runs.pretrain import pretrain


@pytest.fixture(scope="module")
def transformers_model(scrambled):
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    config = ViTMAEConfig(
        image_size=24, patch_size=4, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=48, decoder_hidden_size=16, decoder_num_hidden_layers=2,
        decoder_num_attention_heads=2, decoder_intermediate_size=32, norm_pix_loss=True,
    )  # fmt: skip
    return scrambled(ViTMAEForPreTraining(config))


@pytest.fixture
def models(workbench_home):
    folder = workbench_home / "models"
    folder.mkdir(parents=True)
    return folder


def official(side=4, dim=24, width=16):
    """Tensors with the names of models_mae.py; numbers do not matter for a header."""
    state = {
        "cls_token": torch.zeros(1, 1, dim),
        "pos_embed": torch.zeros(1, side * side + 1, dim),
        "patch_embed.proj.weight": torch.zeros(dim, 3, 8, 8),
        "mask_token": torch.zeros(1, 1, width),
        "decoder_embed.weight": torch.zeros(width, dim),
        "decoder_pos_embed": torch.zeros(1, side * side + 1, width),
    }
    state |= {f"blocks.{at}.norm1.weight": torch.ones(dim) for at in range(3)}
    return state | {"decoder_blocks.0.norm1.weight": torch.ones(width)}


STATED = argparse.Namespace(heads=3, decoder_heads=2, norm_pix_loss=True, lr=1e-3, betas=[0.9, 1])


def found():
    return {info.name: info for info in list_models() if not info.bundled}


def told(name):
    return [sentence for sentence in broken_cards() if name in sentence]


def test_every_format_is_listed_and_loads_by_its_name(models, tiny, transformers_model, draw):
    save_checkpoint(tiny, models / "ours.safetensors", {"norm_pix": False, "title": "Ours"})
    transformers_model.save_pretrained(models / "theirs")
    torch.save({"model": official(), "args": STATED, "epoch": 3}, models / "mae-visual.pth")
    listed = found()
    assert list(listed) == ["mae-visual", "ours", "theirs"] and broken_cards() == []
    sizes = {name: (info.rows, info.cols, info.patch) for name, info in listed.items()}
    assert sizes == {"ours": (4, 6, 4), "theirs": (6, 6, 4), "mae-visual": (4, 4, 8)}
    assert listed["theirs"].norm_pix is True and listed["ours"].norm_pix is False
    assert listed["mae-visual"].norm_pix is True
    assert listed["theirs"].origin.startswith("transformers")
    assert all(info.intact() for info in listed.values())
    model = load_reconstructor("theirs", device="cpu", precision="fp32")
    images, mask = draw(6, 6, 4, [20])
    assert model.grid == mask.grid and model(images, mask).pixels.isfinite().all()


@pytest.mark.parametrize("old", [False, True], ids=["archive", "before 1.6"])
def test_names_and_shapes_equal_what_torch_loads(models, old):
    path = models / "mae.pth"
    state = official() | {"half": torch.zeros(2, 5, dtype=torch.float16)}
    state["parameter"] = torch.nn.Parameter(torch.zeros(7))
    around = {"args": STATED, "optimizer": {"state": {0: {"step": 1}}, "param_groups": [{"lr": 1}]}}
    torch.save({"model": state, **around}, path, _use_new_zipfile_serialization=not old)
    with torch.serialization.safe_globals([argparse.Namespace]):
        loaded = torch.load(path, weights_only=True)
    shapes, stated = read_shapes(path)
    assert shapes == {name: tuple(tensor.shape) for name, tensor in loaded["model"].items()}
    assert stated == vars(loaded["args"])


def test_a_bare_state_dict_of_an_official_size_needs_no_options(models):
    state = official(dim=768, width=512)
    state |= {f"blocks.{at}.norm1.weight": torch.ones(1) for at in range(12)}
    state |= {f"decoder_blocks.{at}.norm1.weight": torch.ones(1) for at in range(8)}
    torch.save(state, models / "base.pth")
    assert found()["base"].norm_pix is None
    save_file(state, models / "flat.safetensors")
    assert (found()["flat"].rows, found()["flat"].patch) == (4, 8)


class Runs:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def hostile(folder):
    (folder / "evil.pth").write_bytes(pickle.dumps({"model": Runs()}, protocol=2))


def cut(folder):
    torch.save(official(), folder / "cut.pth")
    whole = (folder / "cut.pth").read_bytes()
    (folder / "cut.pth").write_bytes(whole[: len(whole) // 2])


def encoder(folder):
    state = {k: v for k, v in official().items() if "decoder" not in k and k != "mask_token"}
    torch.save({"model": state}, folder / "encoder.pth")


def nameless_heads(folder):
    torch.save(official(), folder / "odd.pth")


def no_weights(folder):
    (folder / "hollow").mkdir()
    (folder / "hollow" / "config.json").write_text(json.dumps({"model_type": "vit_mae"}))


def features_only(folder):
    (folder / "features").mkdir()
    (folder / "features" / "config.json").write_text(json.dumps({"model_type": "vit_mae"}))
    save_file({"embeddings.cls_token": torch.zeros(1)}, folder / "features" / "model.safetensors")


def another_kind(folder):
    (folder / "bert").mkdir()
    (folder / "bert" / "config.json").write_text(json.dumps({"model_type": "bert"}))


def cardless(folder):
    save_file({"encoder.patch_embed.proj.weight": torch.zeros(1)}, folder / "bare.safetensors")


def folder_of_nothing(folder):
    (folder / "empty").mkdir()


def a_text(folder):
    (folder / "letter.pth").write_text("Dear model,")


def a_name_for_no_link(folder):
    torch.save({"model": official(), "args": STATED}, folder / "my model?.pth")


def twice(folder):
    torch.save({"model": official(), "args": STATED}, folder / "default.pth")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (hostile, ["evil.pth", "asks for posix.mkdir", "safetensors"]),
        (cut, ["cut.pth", "truncated"]),
        (encoder, ["encoder.pth lacks a decoder", "mask_token"]),
        (nameless_heads, ["odd.pth", "how many attention heads", "width 24"]),
        (no_weights, ["hollow", "neither model.safetensors"]),
        (features_only, ["features", "lacks a decoder"]),
        (another_kind, ["model_type 'bert'", "'vit_mae'"]),
        (cardless, ["bare.safetensors", "lacks its card", "bare.json"]),
        (folder_of_nothing, ["empty lacks config.json"]),
        (a_text, ["letter.pth", "b'Dear'"]),
        (a_name_for_no_link, ["my model?.pth", "rename it"]),
        (twice, ["default.pth is called default", "rename"]),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(models, make, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(models)
    assert found() == {}
    (sentence,) = broken_cards()
    for word in words:
        assert word in sentence
    assert sentence.endswith(".")
    assert not (tmp_path / "ran").exists()
    assert [info.name for info in list_models()] == ["default"]


def test_reading_runs_nothing_and_bounds_what_it_reads(models):
    hostile(models)
    with pytest.raises(BadInput, match=r"posix\.mkdir"):
        read_description(models / "evil.pth")
    path = models / "plain.pth"
    torch.save({"args": STATED, "list": [1, (2, 3)], "flag": True, "text": "x"}, path)
    assert read_description(path) == {
        "args": Made("argparse.Namespace", vars(STATED)), "list": [1, (2, 3)], "flag": True,
        "text": "x",
    }  # fmt: skip


def test_an_endless_or_torn_file_is_told_quickly(models):
    (models / "endless.pth").write_bytes(b"\x80\x02" + b"]" * 7_000_000)
    assert "operations" in told("endless")[0]
    torch.save(
        {"model": official(), "args": STATED},
        models / "whole.pth",
        _use_new_zipfile_serialization=False,
    )
    whole = (models / "whole.pth").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        torn = bytearray(whole[:4000])
        torn[rng.integers(0, 4000)] = rng.integers(0, 256)
        (models / "torn.pth").write_bytes(torn[: rng.integers(1, 4000)])
        try:
            read_description(models / "torn.pth")
        except BadInput as error:
            assert "torn.pth cannot be read" in str(error)


def test_listing_foreign_models_loads_no_torch(models):
    torch.save({"model": official(), "args": STATED}, models / "mae.pth")
    code = (
        "import sys, workbench.models as m; print([i.name for i in m.list_models()],"
        "'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['default', 'mae'] False"


def test_a_repaired_file_is_seen(models):
    cut(models)
    assert told("cut.pth") and not found()
    torch.save({"model": official(), "args": STATED}, models / "cut.pth")
    assert not told("cut.pth") and "cut" in found()


def test_a_training_run_is_listed_by_its_folder(models, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(photos / "0.png")
    smoke = replace(PRESETS["smoke"], steps=1)
    pretrain(smoke, [photos], models / "mine", device="cpu")
    info = found()["mine"]
    assert (info.rows, info.cols, info.patch, info.norm_pix) == (4, 4, 12, False)
    assert info.origin == "pretraining run" and info.intact()
    assert load_reconstructor("mine", device="cpu").grid.shape == (4, 4)
    (models / "mine" / "state.pt").unlink()
    assert "no state.pt" in told("mine")[0]

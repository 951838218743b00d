"""Our own checkpoints: written, listed without torch, read back, checked by hash."""

import json
import subprocess
import sys

import pytest
import torch

from workbench.errors import BadInput
from workbench.models import list_models, load_encoder, load_reconstructor, save_checkpoint
from workbench.models.catalog import broken_cards
from workbench.models.checkpoint import export_run, read_checkpoint, rounding_cost


@pytest.mark.parametrize("number, bits", [("fp16", 11), ("bf16", 8)])
def test_weights_come_back_rounded_once(tiny, tmp_path, number, bits):
    path = tmp_path / "m.safetensors"
    card = save_checkpoint(tiny, path, {"norm_pix": False, "steps": 7}, number=number)
    found = read_checkpoint(path)
    wanted = tiny.state_dict()
    for name, tensor in found.model.state_dict().items():
        off = (tensor.float() - wanted[name]).abs()
        assert (off <= wanted[name].abs() * 2.0**-bits + 1e-7).all(), name
    assert found.card == card == json.loads(path.with_suffix(".json").read_text())
    assert card["steps"] == 7 and card["numbers"] == number and card["schema"] == 1
    assert card["bytes"] == path.stat().st_size and card["sha256"] == found.hash
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.json", "m.safetensors"]
    assert path.stat().st_mode & 0o444 == 0o444, "others must be able to read what was installed"


def test_the_cheaper_number_format_is_chosen(tiny, tmp_path):
    cost = rounding_cost(tiny)
    assert 0 < cost["fp16"] < cost["bf16"] < 1e-2
    card = save_checkpoint(tiny, tmp_path / "m.safetensors", {"norm_pix": False})
    assert card["numbers"] == "fp16"


def test_weights_too_large_for_fp16_are_kept_in_bf16(tiny, tmp_path):
    import copy

    model = copy.deepcopy(tiny)
    model.encoder.norm.weight.data *= 1e6
    card = save_checkpoint(model, tmp_path / "m.safetensors", {"norm_pix": False})
    assert card["numbers"] == "bf16" and set(card["rounding_cost"]) == {"bf16"}
    with pytest.raises(BadInput, match="not finite in fp16"):
        save_checkpoint(model, tmp_path / "n.safetensors", {"norm_pix": False}, number="fp16")
    assert not (tmp_path / "n.safetensors").exists()


@pytest.mark.parametrize(
    "name, card, said",
    [
        ("m.pth", {"norm_pix": False}, "ends in '.pth', wanted .safetensors"),
        ("m.safetensors", {}, "norm_pix is None, wanted True or False"),
    ],
)
def test_what_cannot_be_saved_is_refused(tiny, tmp_path, name, card, said):
    with pytest.raises(BadInput, match=said):
        save_checkpoint(tiny, tmp_path / name, card)
    assert not list(tmp_path.iterdir())


def test_models_in_the_home_are_listed_and_load_by_name(tiny, workbench_home, draw):
    path = workbench_home / "models" / "mine-1.safetensors"
    save_checkpoint(tiny, path, {"norm_pix": False, "title": "My first"})
    info = {i.name: i for i in list_models()}["mine-1"]
    assert (info.title, info.rows, info.cols, info.patch) == ("My first", 4, 6, 4)
    assert info.size == (16, 24) and not info.bundled and info.intact()
    model = load_reconstructor("mine-1", device="cpu", precision="fp32")
    assert model.hash == info.sha256 and model.card["title"] == "My first"
    images, mask = draw(4, 6, 4, [12])
    for other in (path, str(path), path.with_suffix(".json")):
        again = load_reconstructor(other, device="cpu", precision="fp32")
        assert torch.equal(again(images, mask).pixels, model(images, mask).pixels)


def test_a_broken_card_hides_no_other_model(tiny, workbench_home):
    folder = workbench_home / "models"
    save_checkpoint(tiny, folder / "good.safetensors", {"norm_pix": False})
    (folder / "bad.json").write_text("{")
    names = [i.name for i in list_models()]
    assert "good" in names and "bad" not in names
    assert any("bad.json is not json text" in sentence for sentence in broken_cards())


def test_a_card_changed_on_disk_is_read_anew(tiny, workbench_home):
    path = workbench_home / "models" / "m.safetensors"
    save_checkpoint(tiny, path, {"norm_pix": False, "title": "Old"})
    assert [i.title for i in list_models() if i.name == "m"] == ["Old"]
    save_checkpoint(tiny, path, {"norm_pix": False, "title": "Newer"})
    assert [i.title for i in list_models() if i.name == "m"] == ["Newer"]


def test_listing_models_and_importing_the_package_load_no_torch():
    code = (
        "import sys, workbench.models as m; m.list_models(); m.ModelInfo; dir(m);"
        "print(sorted(n for n in ('torch', 'timm', 'transformers') if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_and_running_our_own_format_needs_neither_timm_nor_transformers(saved):
    code = (
        "import sys, numpy as np; from workbench.models import load_reconstructor as load\n"
        "from workbench.masks import Mask\n"
        f"model = load({str(saved)!r}, device='cpu')\n"
        "model(np.zeros((1, 3, 16, 24), np.float32), Mask.from_bits('01' * 12, model.grid))\n"
        "heavy = ('timm', 'transformers', 'torchvision', 'scipy', 'matplotlib', 'cv2')\n"
        "print([n for n in heavy if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_encoder_of_a_checkpoint_stands_alone(saved, tiny):
    patches = torch.randn(1, 24, 48)
    with torch.no_grad():
        got = load_encoder(saved).float()(patches)
        torch.testing.assert_close(got, tiny.encoder(patches), atol=2e-2, rtol=2e-2)


PRESET = {
    "size": 16, "patch": 4, "dim": 16, "depth": 1, "heads": 2, "decoder_dim": 8,
    "decoder_depth": 1, "decoder_heads": 2, "norm_pix": True,
}  # fmt: skip


@pytest.fixture
def run(tmp_path, scrambled):
    """The folder of a pretraining with a model of its preset's shape."""
    from workbench.models.mae import DecoderShape, MaskedAutoencoder
    from workbench.models.transformer import ViTShape

    shape = ViTShape(rows=4, cols=4, patch=4, dim=16, depth=1, heads=2, hidden=64)
    model = scrambled(MaskedAutoencoder(shape, DecoderShape(dim=8, depth=1, heads=2, hidden=32)))
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "preset.json").write_text(json.dumps(PRESET))
    torch.save({"model": model.state_dict(), "optimiser": [], "step": 40}, folder / "state.pt")
    return folder


def test_a_run_is_exported_and_reads_the_same(run, tmp_path, draw):
    card = export_run(run, tmp_path / "out.safetensors", {"title": "Run", "data": "12 photos"})
    assert (card["steps"], card["norm_pix"], card["data"]) == (40, True, "12 photos")
    assert card["preset"] == PRESET
    images, mask = draw(4, 4, 4, [9])
    exported, direct = (
        load_reconstructor(path, device="cpu", precision="fp32")
        for path in (tmp_path / "out.safetensors", run)
    )
    torch.testing.assert_close(
        exported(images, mask).pixels, direct(images, mask).pixels, atol=5e-3, rtol=0
    )
    assert direct.norm_pix and direct.card["steps"] == 40


def test_a_preset_that_does_not_fit_its_state_is_refused(run, tmp_path):
    (run / "preset.json").write_text(json.dumps({**PRESET, "depth": 3}))
    with pytest.raises(BadInput, match=r"holds 1 encoder.blocks, its description says 3"):
        export_run(run, tmp_path / "out.safetensors", {})
    with pytest.raises(BadInput, match="give the folder that holds preset"):
        load_reconstructor(run / "state.pt", device="cpu")

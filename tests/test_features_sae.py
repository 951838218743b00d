"""Sparse codes: a planted dictionary comes back, a break changes nothing, readings are sums."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from workbench.errors import BadInput
from workbench.features import SaeConfig, layer_tokens, learn, read_latents, spliced
from workbench.features.reading import patch_maps
from workbench.features.sparse_code import CodeShape, SparseCode, load_code
from workbench.models import load_network


def planted(count=12_000, features=64, dim=32, active=3, seed=1):
    noise = torch.Generator().manual_seed(seed)
    directions = F.normalize(torch.randn(features, dim, generator=noise), dim=1)
    used = torch.rand(count, features, generator=noise) < active / features
    return (used * (0.5 + torch.rand(count, features, generator=noise))) @ directions, directions


def last(steps):
    return list(steps)[-1]


@pytest.mark.parametrize(("rule", "steps"), [("topk", 300), ("l1", 600)])
def test_a_planted_dictionary_is_recovered(rule, steps):
    tokens, directions = planted()
    batch = 256 if rule == "topk" else 512
    config = SaeConfig(expansion=2, active=4, rule=rule, steps=steps, batch=batch, lr=4e-3)
    step = last(learn(tokens, config))
    alike = (directions @ step.code.decoder.T).amax(1)
    assert alike.mean() > 0.9 and step.step == step.total == steps
    torch.testing.assert_close(step.code.decoder.norm(dim=1), torch.ones(64))
    read = read_latents(step.code, tokens[:4000].reshape(40, 100, 32))
    assert read.dead < 0.05 * 64 and read.explained > 0.7
    assert read.active <= 4 if rule == "topk" else read.active < 16


def test_a_training_that_was_broken_off_ends_where_an_unbroken_one_does():
    tokens, _ = planted(500)
    config = SaeConfig(expansion=2, active=4, steps=30, batch=64)
    whole = last(learn(tokens, config)).code.state_dict()
    for step in learn(tokens, config):
        if step.step == 11:
            kept = step.record()
            break
    again = last(learn(tokens, config, kept)).code.state_dict()
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    with pytest.raises(BadInput, match="other settings"):
        next(learn(tokens, SaeConfig(steps=31), kept))
    with pytest.raises(BadInput, match="too few"):
        next(learn(tokens[:1], config))
    with pytest.raises(BadInput, match="steps is 0, wanted 1 or more"):
        SaeConfig(steps=0)


def test_readings_are_sums_over_what_the_code_gives(tmp_path):
    tokens = torch.randn(6, 9, 8, generator=torch.Generator().manual_seed(0))
    code = last(learn(tokens, SaeConfig(expansion=2, active=3, steps=3, batch=16))).code
    read, z = read_latents(code, tokens), code.encode(tokens).detach()
    np.testing.assert_allclose(read.peaks, z.amax(1).numpy(), rtol=1e-6)
    np.testing.assert_allclose(read.rates, (z > 0).float().mean((0, 1)).numpy(), rtol=1e-6)
    flat, made = tokens.reshape(-1, 8), code(tokens).detach().reshape(-1, 8)
    wanted = 1 - ((made - flat) ** 2).sum() / ((flat - flat.mean(0)) ** 2).sum()
    assert read.explained == pytest.approx(float(wanted), abs=1e-5)
    assert ((z > 0).sum(-1) <= 3).all() and read.active <= 3
    latent = int(read.telling(1)[0])
    rows = read.top(latent, 2)
    assert read.peaks[rows[0], latent] == read.peaks[:, latent].max()
    maps = patch_maps(code, tokens, latent, rows)
    np.testing.assert_allclose(maps.max(1), read.peaks[rows, latent], rtol=1e-6)
    code.save(tmp_path / "code.safetensors", {"layer": 3})
    loaded, about = load_code(tmp_path / "code.safetensors")
    assert about == {"layer": 3} and torch.equal(loaded(tokens), code(tokens).detach())


def test_bad_files_and_shapes_are_refused(tmp_path):
    save_file({"x": torch.ones(1)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors here")
    for name in ("other", "text", "missing"):
        with pytest.raises(BadInput, match="sparse code"):
            load_code(tmp_path / f"{name}.safetensors")
    with pytest.raises(BadInput, match="no more active"):
        CodeShape(dim=4, latents=8, active=9)
    code = SparseCode(CodeShape(dim=4, latents=8, active=2))
    with pytest.raises(BadInput, match=r"wanted \[pictures, patches, 4\]"):
        read_latents(code, torch.ones(2, 3, 5))


def test_splicing_keeps_all_of_a_perfect_code_and_leaves_no_hook():
    network = load_network("timm:vit_tiny_patch16_224", size=(32, 32), classes=5)
    images = np.random.default_rng(0).random((4, 3, 32, 32), dtype=np.float32)
    tokens = layer_tokens(network, images, 5)
    with torch.no_grad():
        out = network.module.forward_intermediates(
            network.prepare(images), norm=False, intermediates_only=True, output_fmt="NLC"
        )[5]
    torch.testing.assert_close(tokens, out)
    perfect = SparseCode(CodeShape(dim=192, latents=384, active=384, rule="l1"))
    with torch.no_grad():  # positive and negative part of each number
        both = torch.cat([torch.eye(192), -torch.eye(192)])
        perfect.encoder.copy_(both), perfect.decoder.copy_(both)
    assert spliced(network, images, perfect, 5) == pytest.approx(1, abs=1e-3)
    nothing = SparseCode(CodeShape(dim=192, latents=8, active=8))
    with torch.no_grad():
        nothing.bias.copy_(tokens.mean((0, 1)))
    assert spliced(network, images, nothing, 5) == pytest.approx(0, abs=1e-3)
    assert not network.blocks[5]._forward_hooks
    with pytest.raises(BadInput, match="layer is 12"):
        layer_tokens(network, images, 12)
    with pytest.raises(BadInput, match="take a vision transformer"):
        layer_tokens(load_network("timm:resnet10t"), images, 0)

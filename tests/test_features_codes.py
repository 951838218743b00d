"""Heads that carry a planted property come first, by vectors, by a network and by the command."""

import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from tests.interventions.subjects import scramble
from workbench.cli import run
from workbench.errors import BadInput
from workbench.features.codes import discrete_codes, masked_twins, rank_heads, ranked
from workbench.masks import MASKS, Mask
from workbench.models import load_network, network_of, save_network

HEADS, PAIRS = 12, 10
PLACES = tuple((0, head) for head in range(HEADS))


def planted(seed):
    """Vectors of pictures and twins that differ by noise, in one head by a direction as well."""
    noise = torch.Generator().manual_seed(seed)
    base = torch.randn(HEADS, PAIRS, 16, generator=noise)
    pair = [base + 0.3 * torch.randn(base.shape, generator=noise) for _ in range(2)]
    head = int(torch.randint(HEADS, (1,), generator=noise))
    direction = torch.randn(16, generator=noise)
    pair[0][head] += 4 * direction / direction.norm()
    return *pair, head


def test_the_planted_head_is_first_and_shuffled_labels_have_no_winner():
    first, winners = 0, 0
    for seed in range(10):
        positive, negative, head = planted(seed)
        codes = discrete_codes(positive, negative, seed=seed, steps=60)
        found = ranked(*codes, PLACES)
        first += found.order[0] == head and head in found.winners
        flip = np.random.default_rng(seed).random(PAIRS) < 0.5
        mixed = [np.where(flip, codes[1 - at], codes[at]) for at in (0, 1)]
        winners += len(ranked(*mixed, PLACES).winners)
    assert first >= 9 and winners == 0


def test_counts_shares_and_edges_are_those_of_the_codes():
    positive = np.array([[1, 1, 2, 0], [1, 2, 3, 3], [1, 1, 1, 1]])
    negative = np.array([[3, 3, 2, 0], [1, 2, 4, 4], [1, 1, 1, 1]])
    found = ranked(positive, negative, PLACES[:3])
    np.testing.assert_array_equal(found.counts, [2, 2, 0])
    np.testing.assert_allclose(found.shares, np.exp([0, 0, -2]) / np.exp([0, 0, -2]).sum())
    assert found.edges[0] == (0, 1, 4), "(1,1), (1,2), (2,3) and (0,3): no twin has such a pair"
    assert found.order[-1] == 2


def test_the_only_head_that_passes_something_on_is_found_in_a_network():
    network = load_network("timm:vit_tiny_patch16_224", size=(64, 64), classes=3)
    with torch.no_grad():
        for at, block in enumerate(network.blocks):
            block.attn.qkv.weight[384:] = 0
            if at == 4:
                noise = torch.Generator().manual_seed(0)
                block.attn.qkv.weight[384 + 64 : 384 + 128] = torch.randn(64, 192, generator=noise)
    images = np.random.default_rng(0).random((8, 3, 64, 64), dtype=np.float32)
    mask = MASKS.parse("painted(hide='5,6,9,10')").sample(network.grid)
    images[:, :, 16:48, 16:48] *= 0.2
    twins = masked_twins(images, mask, "grey")
    np.testing.assert_array_equal(twins[:, :, :16], images[:, :, :16])
    assert np.abs(twins - images)[:, :, 16:48, 16:48].min(axis=(0, 1)).max() > 0
    for read in ("class", "outside"):
        found = rank_heads(network, images, twins, mask=mask, read=read)
        assert found.places[found.order[0]] == (4, 1) and found.winners == [found.order[0]]
    assert not any(block.attn.proj._forward_pre_hooks for block in network.blocks)
    with pytest.raises(BadInput, match="at least two pairs"):
        rank_heads(network, images[:1], twins[:1])
    with pytest.raises(BadInput, match="give the region"):
        rank_heads(network, images, twins, read="outside")
    everything = Mask(np.zeros((1, 4, 4), bool), network.grid)
    assert rank_heads(network_of(network), images, images, mask=everything).winners == []


def wide(path):
    with Image.open(path) as picture:
        return picture.width


@pytest.fixture
def small(workbench_home):
    """A network of three blocks and nine heads among the user's, called small."""
    name, arguments = "vit_tiny_patch16_224", {"depth": 3}
    model = timm.create_model(name, img_size=48, num_classes=2, **arguments)
    folder = workbench_home / "models" / "small"
    save_network(network_of(scramble(model)), folder, name, ("a", "b"), arguments)


def test_the_commands_write_what_they_say(small, tmp_path, capsys):
    rng, mine = np.random.default_rng(0), tmp_path / "mine"
    mine.mkdir()
    for at in range(10):
        pixels = rng.integers(0, 256, (3, 3, 3), dtype=np.uint8).repeat(48, 0).repeat(48, 1)
        Image.fromarray(pixels).save(mine / f"{at}.png")
    small = ["--model", "small", "--data", f"folder(path={str(mine)!r})", "--json"]
    made = tmp_path / "code"
    words = ["features", "learn", "--out", str(made), "--layer", "2", "--count", "6", "--expansion"]
    words += ["1", "--active", "8", "--batch", "128", *small]
    assert run([*words, "--steps", "4"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["finished"] and told["latents"] == 192 and told["pictures"] == 6
    assert 0 < told["active"] <= 8 and told["explained"] < 1
    assert wide(made / "latents.png") > 300
    assert run([*words, "--steps", "4", "--resume"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["explained"] == told["explained"], "nothing was left to do"
    assert run([*words, "--steps", "5", "--resume"]) == 2
    assert "other settings" in capsys.readouterr().err
    assert (
        run(["features", "look", str(made), "--out", str(tmp_path / "seen"), "--count", "4"]) == 0
    )
    assert "of the variance explained" in capsys.readouterr().out
    unit = str(told["shown"][0]["latent"])
    words = ["features", "facets", f"latent:{unit}", "--code", str(made), "--steps", "2", "--count"]
    assert run([*words, "8", "--facets", "2", "--out", str(tmp_path / "facets"), *small]) == 0
    facets = json.loads(capsys.readouterr().out)["facets"]
    assert sum(len(each["pictures"]) for each in facets) == 8
    assert wide(tmp_path / "facets" / "facets.png") > 700
    words = ["features", "heads", "block(ratio=0.2)", "--count", "3"]
    assert run([*words, "--out", str(tmp_path / "heads"), *small]) == 0
    assert len(json.loads(capsys.readouterr().out)["heads"]) == 9
    assert run(["features", "facets", "nonsense", "--out", str(tmp_path)]) == 2
    assert "names no unit" in capsys.readouterr().err

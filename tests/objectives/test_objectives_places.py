"""Cards of the objectives about places: MP3, DropPos, Selfie."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.objectives.subject import Ready, ready
from workbench.errors import BadInput
from workbench.masks import Grid, Mask
from workbench.models.patches import normalise, patchify, unpatchify
from workbench.objectives import Batch
from workbench.objectives.droppos import smoothed


def noise_pictures(made: Ready, count: int) -> None:
    """Replace the batch by pictures of noise, and its mask by one of as many rows."""
    images = torch.rand(count, 3, *made.shape.size, generator=torch.Generator().manual_seed(0))
    made.batch = Batch(images, np.arange(count))
    repeats = np.resize(np.arange(len(made.mask)), count)
    made.mask = Mask(made.mask.hidden[repeats], made.mask.grid)


def trained(made: Ready, steps: int = 25) -> Ready:
    parameters = [p for p in made.model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=0)
    for _ in range(steps):
        made.loss().backward()
        optimiser.step()
        optimiser.zero_grad()
    return made


def accuracy(made: Ready) -> float:
    with torch.no_grad():
        parts = made.objective.loss(made.model, made.batch, made.mask, 0, 0.5).parts
    return float(parts["accuracy"])


def test_mp3_answers_move_with_the_patches() -> None:
    made = trained(ready("mp3()"), 3)
    shape, order = made.shape, torch.randperm(16, generator=torch.Generator().manual_seed(0))
    patches = patchify(made.batch.images, shape.patch)[:, order]
    images = unpatchify(patches, shape.rows, shape.cols, shape.patch)
    hidden = made.mask.hidden.reshape(8, -1)[:, order.numpy()].reshape(made.mask.hidden.shape)
    with torch.no_grad():
        first = made.objective.said(made.model, made.batch, made.mask)
        moved = made.objective.said(
            made.model, replace(made.batch, images=images), Mask(hidden, made.mask.grid)
        )
    assert torch.allclose(moved, first[:, order], atol=1e-5) and first.std() > 0.01
    assert made.model.encoder.pos_embed.abs().max() == 0


def test_mp3_finds_places_in_pictures_and_none_in_noise() -> None:
    made = trained(ready("mp3()"), 40)
    assert accuracy(made) > 3 / 16
    noise_pictures(made, 400)
    spread = math.sqrt(1 / 16 * 15 / 16 / (400 * 16))
    assert abs(accuracy(made) - 1 / 16) < 4 * spread


def test_mp3_counts_all_patches_and_only_visible_ones_are_asked() -> None:
    made = ready("mp3()")
    kept = []
    made.model.head.register_forward_hook(
        lambda module, args, out: (out.retain_grad(), kept.append(out))[0]
    )
    made.loss().backward()
    assert (kept[0].grad.abs().sum(-1) > 0).all()
    said = made.objective.said(made.model, made.batch, made.mask)
    hidden = made.mask.hidden_indices()[0]
    images = made.batch.images.clone().requires_grad_()
    said = made.objective.said(made.model, replace(made.batch, images=images), made.mask)
    reach = torch.autograd.grad(said[0, hidden[0]].square().sum(), images)[0][0]
    seen = patchify(reach[None].abs(), made.shape.patch)[0].sum(-1) > 0
    wanted = ~made.mask.hidden[0].reshape(-1)
    wanted[hidden[0]] = True  # itself
    assert np.array_equal(seen.numpy(), wanted)


def test_droppos_smooths_over_neighbours_until_it_is_sharp() -> None:
    made = ready("droppos()")
    table = smoothed(made.shape, 1.0)
    assert torch.allclose(table.sum(1), torch.ones(16)) and torch.equal(
        smoothed(made.shape, 0), torch.eye(16)
    )
    assert (table[0, 1] / table[0, 0]).item() == pytest.approx(math.exp(-1), rel=1e-5)
    assert (table[5, 0] / table[5, 5]).item() == pytest.approx(math.exp(-2), rel=1e-5)


def test_droppos_hides_the_place_of_what_it_asks_and_of_nothing_else() -> None:
    made = ready("droppos(drop=0.5)", "random(ratio=0.5)")
    visible, lost = made.objective.chosen(made.batch, made.mask)
    assert visible.shape == (8, 8) and lost.shape == (8, 4)
    assert all(len(set(row)) == 4 for row in lost.tolist())
    made.objective.predictions(made.model, made.batch, made.mask).square().sum().backward()
    reached = made.model.encoder.pos_embed.grad[0, 1:].abs().sum(-1) > 0
    kept = torch.ones_like(visible, dtype=torch.bool).scatter(1, lost, False)
    wanted = torch.zeros(16, dtype=torch.bool)
    wanted[visible[kept]] = True
    assert torch.equal(reached, wanted)


def test_droppos_at_first_is_as_good_as_chance_on_noise() -> None:
    made = ready("droppos()", "random(ratio=0.5)")
    noise_pictures(made, 300)
    spread = math.sqrt(1 / 16 * 15 / 16 / (300 * 6))
    # without places the eight that keep theirs still rule out nothing that chance would know
    assert abs(accuracy(made) - 1 / 16) < 5 * spread
    with torch.no_grad():
        made.model.head.weight.zero_()
    assert made.loss(progress=1.0).item() == pytest.approx(math.log(16), rel=1e-5)


def test_selfie_starts_at_chance_among_the_hidden() -> None:
    made = ready("selfie()", "random(ratio=0.5)")
    with torch.no_grad():
        made.model.encoder.patch_embed.head.weight *= 1e-6
    assert made.loss().item() == pytest.approx(math.log(8), rel=1e-4)
    noise_pictures(made, 300)
    spread = math.sqrt(1 / 8 * 7 / 8 / (300 * 8))
    assert abs(accuracy(made) - 1 / 8) < 5 * spread


def test_equal_patches_tie_for_selfie() -> None:
    made = trained(ready("selfie()", "random(ratio=0.5)"), 5)
    patch = patchify(made.batch.images, made.shape.patch)[:, :1]
    images = unpatchify(patch.expand(-1, 16, -1), 4, 4, made.shape.patch)
    made.batch = replace(made.batch, images=images)
    assert made.loss().item() == pytest.approx(math.log(8), rel=1e-4)


def test_selfie_reads_candidates_one_by_one_and_outside_the_context() -> None:
    made = ready("selfie()", "random(ratio=0.5)")
    net = made.model.encoder.patch_embed
    patches = patchify(normalise(made.batch.images), made.shape.patch)
    assert torch.allclose(net(patches)[:, 3:4], net(patches[:, 3:4]), atol=1e-5)
    images = made.batch.images.clone().requires_grad_()
    queries = made.objective.predictions(made.model, replace(made.batch, images=images), made.mask)
    reach = torch.autograd.grad(queries.square().sum(), images)[0]
    seen = patchify(reach.abs(), made.shape.patch).sum(-1) > 0
    assert np.array_equal(seen.numpy(), ~made.mask.hidden.reshape(8, -1))
    assert made.mask.grid == Grid(4, 4, patch=2)


def test_selfie_wants_two_candidates() -> None:
    with pytest.raises(BadInput, match=r"hides 1 of 16; take a ratio of 0\.13 or more"):
        ready("selfie()", "random(ratio=0.07)")
    assert ready("selfie()", "random(ratio=0.13)").loss() > 0

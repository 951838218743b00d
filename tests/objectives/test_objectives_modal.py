"""Cards of the objectives on more than one picture: MRM, CroCo, VideoMAE, Painter, TERA."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.objectives.subject import Ready, ready
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask
from workbench.models.patches import normalise, patchify
from workbench.objectives import OBJECTIVES, Batch, EncoderShape
from workbench.objectives.tera import counted, interpolated


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def batch_of(images: torch.Tensor, **more: object) -> Batch:
    return Batch(images, np.arange(len(images)), **more)  # pyright: ignore[reportArgumentType]


def reached(made: Ready, part: torch.nn.Module) -> torch.Tensor:
    """The gradient of the loss at what a part puts out."""
    kept: list[torch.Tensor] = []
    handle = part.register_forward_hook(
        lambda module, args, out: (out.retain_grad(), kept.append(out))[0]
    )
    made.loss().backward()
    handle.remove()
    assert kept[-1].grad is not None
    return kept[-1].grad


def test_mrm_has_a_teacher_without_mask_and_a_rebuilder_for_training_alone() -> None:
    made = ready("mrm(labelled=1, threshold=0)", "random(ratio=0.5)")
    model, objective = made.model, made.objective
    assert not any("rebuilder" in name for name, _ in model.teacher.named_parameters())
    seen: list[int] = []
    model.teacher.encoder.register_forward_hook(
        lambda module, args, out: seen.append(out.shape[1] - module.shape.prefix)
    )
    made.loss()
    assert seen == [made.shape.tokens]
    before = objective.features(model, made.batch.images)
    features = model.tokens(patchify(normalise(made.batch.images), made.shape.patch))
    rebuilt = objective.rebuilt(model, features, made.mask)
    hidden = torch.from_numpy(made.mask.hidden.reshape(len(features), -1).copy())
    assert torch.equal(rebuilt[~hidden], features[~hidden])
    changed = features.masked_fill(hidden[..., None], 7.0)
    assert torch.equal(objective.rebuilt(model, changed, made.mask)[hidden], rebuilt[hidden])
    del model.rebuilder
    assert torch.equal(objective.features(model, made.batch.images), before)


def test_croco_hides_the_first_view_alone_and_its_loss_is_mae_on_it() -> None:
    made = ready("croco()", "cross_view(ratio=0.5)")
    assert made.mask.grid.frames is None  # nothing of the second view can be hidden
    grad = reached(made, made.model.decoder_pred).abs().sum(-1) > 0
    hidden = torch.from_numpy(made.mask.hidden.reshape(len(grad), -1).copy())
    assert torch.equal(grad, hidden)
    with torch.no_grad():
        said = made.objective.predictions(made.model, made.batch, made.mask)
        patches = patchify(normalise(made.batch.images[:, 0]), made.shape.patch)
        spread = (patches.var(-1, keepdim=True, unbiased=True) + 1e-6).sqrt()
        target = (patches - patches.mean(-1, keepdim=True)) / spread
        known = ((said - target) ** 2).mean(-1)[hidden].mean()
        assert made.loss().item() == pytest.approx(known.item(), rel=1e-5)
        for cell in (0, 15):  # every patch of the second view is read
            images = made.batch.images.clone()
            row, col = divmod(cell, 4)
            images[:, 1, :, 2 * row : 2 * row + 2, 2 * col : 2 * col + 2] += 0.3
            other = replace(made.batch, images=images)
            assert not torch.equal(made.objective.predictions(made.model, other, made.mask), said)
    assert "free" in MASKS.parse("target_half").promise
    assert made.objective.refuses(MASKS.parse("target_half(half=0.5)")) is not None


def test_croco_copies_from_an_equal_view_and_cannot_from_another() -> None:
    """The card: an identical second view drives the loss down, an unrelated one leaves it."""
    objective = OBJECTIVES.parse("croco(norm_pix=False, decoder_dim=32, decoder_depth=1)")
    shape = EncoderShape(
        rows=2, cols=2, patch=2, dim=32, depth=1, heads=4, hidden=32, frames=2, channels=3
    )

    def twice(count: int, seed: int) -> Batch:
        cells = numbers(count, 1, 3, 2, 2, seed=seed)  # each patch a colour of its own
        view = cells.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return batch_of(view.expand(-1, 2, -1, -1, -1))

    model = objective.build(shape, 0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    mask = MASKS.parse("cross_view(ratio=0.75)").sample(objective.grid(shape), count=32)
    for step in range(80):
        loss = objective.loss(model, twice(32, step), mask, step, 0)
        loss.total.backward()
        optimiser.step()
        optimiser.zero_grad()
    with torch.no_grad():
        found = objective.measures(model, twice(32, 999), mask)["right second view"]
    right, wrong = found.values.mean(), found.beside["wrong second view"].mean()
    blind = found.beside["mean colour"].mean()
    assert right < 0.85 * blind < wrong, (right, wrong, blind)


def clip(slots: int = 8, side: int = 28) -> tuple:
    objective = OBJECTIVES.parse("videomae(decoder_dim=16, decoder_depth=1, decoder_heads=2)")
    shape = EncoderShape(
        rows=side // 2, cols=side // 2, patch=2, dim=16, depth=1, heads=2, hidden=16,
        frames=2 * slots,
    )  # fmt: skip
    images = numbers(2, 2 * slots, 3, side, side)
    mask = MASKS.parse(objective.default_mask).sample(objective.grid(shape), count=2, seed=3)
    return objective, shape, batch_of(images), mask


def test_videomae_has_the_counts_of_the_official_dual_masks() -> None:
    objective, shape, batch, mask = clip()
    model = objective.build(shape, 0)
    assert mask.grid == Grid(14, 14, patch=2, frames=8) and (mask.counts == 1408).all()
    lengths: list[int] = []
    model.decoder_blocks[0].register_forward_hook(
        lambda module, args, out: lengths.append(args[0].shape[1])
    )
    kept: list[torch.Tensor] = []
    model.decoder_pred.register_forward_hook(
        lambda module, args, out: (out.retain_grad(), kept.append(out))[0]
    )
    objective.loss(model, batch, mask, 0, 0).total.backward()
    assert lengths == [1 + 160 + 784] and kept[0].shape[1] == 784
    assert ((kept[0].grad.abs().sum(-1) > 0).sum(1) == 704).all()
    wanted = mask.targets[:, 0]
    assert ((wanted & ~mask.hidden).reshape(2, -1).sum(1) == 80).all()  # they enter twice


def test_videomae_normalises_each_cube_colour_by_colour() -> None:
    objective, shape, batch, mask = clip(slots=4, side=4)
    model = objective.build(shape, 0)
    found = objective.target(objective._cubes(model, batch))
    clips = batch.images.numpy().astype(np.float64)
    for cell, (t, y, x) in ((0, (0, 0, 0)), (7, (1, 1, 1)), (13, (3, 0, 1))):
        cube = clips[0, 2 * t : 2 * t + 2, :, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        cube = cube.transpose(2, 3, 0, 1).reshape(-1, 3)  # y, x, frame; colour
        known = (cube - cube.mean(0)) / (cube.std(0, ddof=1) + 1e-6)
        assert np.allclose(found[0, cell].numpy().reshape(-1, 3), known, atol=2e-4)
    still = replace(batch, images=batch.images[:, :2].repeat(1, 4, 1, 1, 1))
    copied = objective.measures(model, still, mask)["hidden cubes"].beside
    assert copied["true neighbouring slot"].abs().max() < 1e-6
    with pytest.raises(BadInput, match="tube=1"):
        objective.build(replace(shape, frames=7), 0)


def painted(mask: str = "target_half", **knobs: object) -> Ready:
    return ready("painter()", mask, **knobs)


def test_painter_hides_the_targets_lower_half_and_never_the_input() -> None:
    made = painted()
    side = made.batch.images.shape[-1]
    pixels = made.mask.to_pixels()
    assert not pixels[:, :side].any() and pixels[:, side:].all()
    found = made.objective.measures(made.model, made.batch, made.mask)["all tasks"]
    truth, valid = made.batch.images[:, 3], made.batch.extra["valid"][:, 1]
    wrong = (made.batch.images[:, 1] - truth).abs().mean(1) * valid
    known = wrong.sum((1, 2)) / valid.sum((1, 2))
    assert torch.allclose(found.beside["the example's target"], known, atol=1e-6)
    with torch.no_grad():
        said = made.objective.predictions(made.model, made.batch, made.mask)
        for view in (0, 2):  # both inputs are read everywhere
            images = made.batch.images.clone()
            images[:, view, :, -2:, -2:] += 0.4
            other = replace(made.batch, images=images)
            assert not torch.equal(made.objective.predictions(made.model, other, made.mask), said)


def test_painter_has_no_loss_where_a_target_means_nothing_or_shows_nothing() -> None:
    made = painted("random(ratio=0.5)")
    made.batch.extra["valid"][:, 1, :4] = 0
    made.batch.images[3, 1::2] = 0  # both targets of row 3 are black
    said = reached(made, made.model.paint)
    counts = made.objective.counted(made.batch, made.mask)
    hidden = torch.from_numpy(made.mask.to_pixels().copy())
    valid = made.batch.extra["valid"].flatten(1, 2) > 0
    expected = (hidden & valid).float()
    expected[3] = 0
    assert torch.equal(counts, expected)
    assert torch.equal(said.abs().sum(1) > 0, expected.bool())


def test_painter_merges_its_streams_by_their_mean_and_its_loss_is_the_formula() -> None:
    made = painted("random(ratio=0.5)")
    model, kept = made.model, {}
    for i, block in enumerate(model.encoder.blocks):
        block.register_forward_hook(lambda module, args, out, i=i: kept.update({i: (args[0], out)}))
    said = made.objective.predictions(model, made.batch, made.mask).double()
    half = len(made.batch)
    last = model.merge - 1
    assert kept[last][1].shape[0] == 2 * half
    if last + 1 in kept:
        mean = (kept[last][1][:half] + kept[last][1][half:]) / 2
        assert torch.equal(kept[last + 1][0], mean)
    images = normalise(made.batch.images.flatten(0, 1)).unflatten(0, (half, 4)).double()
    wrong = (said - torch.cat([images[:, 1], images[:, 3]], dim=2)).abs()
    smooth = torch.where(wrong < 0.01, wrong**2 / 0.02, wrong - 0.005).mean(1)
    weight = made.objective.counted(made.batch, made.mask).double()
    known = (smooth * weight).sum() / weight.sum()
    assert made.loss().item() == pytest.approx(known.item(), rel=1e-4)


def test_tera_counts_all_chosen_cells_touched_or_not_and_noise_adds_none() -> None:
    recipes = ("tera(zeros=1, swapped=0, noisy=0)", "tera(zeros=0, swapped=0, noisy=1)")
    positions = []
    for recipe in recipes:
        made = ready(recipe)
        grad = reached(made, made.model.head)
        cells = grad.unflatten(2, (made.model.columns, -1)).flatten(1, 2).transpose(1, 2)
        assert torch.equal(cells.abs() > 0, counted(made.mask, made.batch.images))
        positions.append(counted(made.mask, made.batch.images))
    assert torch.equal(*positions)
    spared = ready("tera()", "time_span(ratio=0.25, untouched=1.0)")
    assert not spared.mask.hidden.any()
    assert counted(spared.mask, spared.batch.images).sum() == spared.mask.targets.sum() > 0


def test_tera_throws_one_dice_a_sound() -> None:
    objective = OBJECTIVES.parse("tera(noisy=0)")
    count, side = 2000, 16
    values = numbers(count, side, side) + 1  # nothing is 0 by itself
    strategy = MASKS.parse("layers(a=time_span(ratio=0.25), b=band(share=0.3))")
    mask = strategy.sample(Grid(side, side, patch=1), count=count)
    batch = batch_of(values[:, None])
    found = objective.altered(values, mask, batch)
    hidden = torch.from_numpy(mask.hidden.copy())
    whole = hidden.all(1)
    assert torch.equal(found[~hidden], values[~hidden])
    silent = (hidden & ~whole[:, None]).any(2)
    assert (found.transpose(1, 2)[silent[:, None].expand(-1, side, -1) & hidden.mT] == 0).all()
    kinds = np.zeros(3, int)
    for row in range(count):
        heard = ~silent[row]  # bands are silent in altered columns too
        got, was = found[row][heard][:, whole[row]], values[row][heard][:, whole[row]]
        own = {tuple(column) for column in values[row][heard].T.tolist()}
        kind = 0 if (got == 0).all() else 2 if torch.equal(got, was) else 1
        kinds[kind] += 1
        assert kind != 1 or all(tuple(column) in own for column in got.T.tolist())
    expected = np.array([0.8, 0.1, 0.1]) * count
    assert (np.abs(kinds - expected) < 4 * np.sqrt(expected)).all(), kinds


def test_interpolation_is_exact_on_straight_lines() -> None:
    bands, time = np.mgrid[:6, :9].astype(float)
    values = np.stack([2 * time + 1, 3 * bands - 4])
    hidden = np.zeros(values.shape, bool)
    hidden[0, :, 3:6] = True
    hidden[1, 2:3] = True
    assert np.allclose(interpolated(values, hidden), values)
    assert (interpolated(values, np.ones_like(hidden)) == 0).all()


def test_tera_is_the_absolute_error_in_units_of_the_data() -> None:
    made = ready("tera(zeros=1, swapped=0, noisy=0)")
    images = made.batch.images[:, 0].double()
    assert made.model.standard.mean.item() == pytest.approx(images.mean().item(), abs=0.2)
    values = (images - made.model.standard.mean.double()) / made.model.standard.spread.double()
    where = counted(made.mask, made.batch.images)
    said = made.objective.predictions(made.model, made.batch, made.mask).double()
    known = F.l1_loss(said[where], values[where].squeeze())
    assert made.loss().item() == pytest.approx(known.item(), rel=1e-4)
    nothing = Mask(np.zeros_like(made.mask.hidden), made.mask.grid)
    assert replace(made, mask=nothing).loss().item() == 0

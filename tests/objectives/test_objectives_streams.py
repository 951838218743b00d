"""Cards of the objectives on modalities and bands: MultiMAE, BM-MAE, SatVision."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.objectives.subject import Ready, ready
from workbench.masks import MASKS, Mask
from workbench.models.patches import normalise, patchify
from workbench.objectives import EncoderShape, indices


def only(made: Ready, streams: list[int]) -> Mask:
    """Hide some modalities or bands wholly and show the others."""
    hidden = np.zeros_like(made.mask.hidden)
    hidden[:, streams] = True
    return Mask(hidden, made.mask.grid)


def test_multimae_sums_three_errors_and_the_normalised_one_on_hidden_patches() -> None:
    made = ready("multimae()")
    batch, patch = made.batch, made.shape.patch
    outputs = made.objective._said(made.model, batch, made.mask)
    said = {name: each.detach().double() for name, each in outputs.items()}
    hidden = torch.from_numpy(made.mask.hidden.reshape(len(batch), 3, -1).copy())
    pixels = patchify(normalise(batch.images), patch).double()
    spread = (pixels.var(-1, keepdim=True) + 1e-6).sqrt()
    plain = (pixels - pixels.mean(-1, keepdim=True)) / spread
    depth = patchify(batch.extra["depth"][:, None], patch).double()
    labels = patchify(batch.extra["labels"][:, None], patch).long()
    logits = said["labels"].reshape(*labels.shape, -1)
    entropy = -logits.log_softmax(-1).gather(-1, labels[..., None])[..., 0]
    errors = {
        "picture": (0, (said["picture"] - pixels) ** 2),
        "normalised": (0, (said["normalised"] - plain) ** 2),
        "depth": (1, (said["depth"] - depth).abs()),
        "labels": (2, entropy),
    }
    parts, total = made.parts().parts, 0.0
    for name, (stream, error) in errors.items():
        pairs = zip(error.mean(-1), hidden[:, stream], strict=True)
        rows = [wrong[where].mean() for wrong, where in pairs if where.any()]
        known = float(torch.stack(rows).mean())
        assert parts[name].item() == pytest.approx(known, rel=1e-4), name
        total += known
    assert made.loss().item() == pytest.approx(total, rel=1e-4)


def test_multimae_shows_exactly_the_budget_and_reads_nothing_else() -> None:
    made = ready("multimae()")
    assert (made.mask.grid.size - made.mask.counts == 8).all()  # a sixth of 3 x 16
    lengths: list[int] = []
    made.model.encoder.blocks[0].register_forward_hook(
        lambda module, args, out: lengths.append(out.shape[1])
    )
    made.loss()
    assert lengths == [1 + 8]


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_modality_is_as_if_it_did_not_exist(missing: int) -> None:
    made = ready("multimae()")
    mask = only(made, [missing])
    maps = list(made.objective._patches(made.model, made.batch).values())
    visible = indices(mask, made.batch.images)[0]
    with torch.no_grad():
        whole = made.model(maps, visible)
        without = [None if i == missing else each for i, each in enumerate(maps)]
        assert torch.equal(made.model(without, visible), whole)
    loss = replace(made, mask=mask).parts()
    names = {0: {"picture", "normalised"}, 1: {"depth"}, 2: {"labels"}}[missing]
    assert {name for name, value in loss.parts.items() if value.item() > 0} == names


def test_multimae_leaves_unknown_labels_and_depths_out() -> None:
    made = ready("multimae()")
    made.mask = only(made, [1, 2])
    made.batch.extra["labels"][:, :4] = 255
    made.batch.extra["depth"][:, :, :4] = torch.nan
    first = made.parts()
    assert torch.isfinite(first.total)
    said = made.objective._said(made.model, made.batch, made.mask)
    labels = patchify(made.batch.extra["labels"][:, None], 2).long()
    logits = said["labels"].reshape(*labels.shape, -1)[labels < 255]
    known = F.cross_entropy(logits, labels[labels < 255])
    assert first.parts["labels"].item() == pytest.approx(known.item(), rel=1e-4)
    nothing = only(made, [0])
    made.batch.extra["labels"][:] = 255
    assert torch.isfinite(replace(made, mask=nothing).loss())


def test_multimae_measures_a_whole_modality_beside_guesses() -> None:
    made = ready("multimae()")
    with torch.no_grad():
        found = made.objective.measures(made.model, made.batch, made.mask)
    assert list(found) == ["picture (squared)", "depth (absolute)", "labels (wrong)"]
    depth = made.batch.extra["depth"].double()
    others = (depth.sum(0) - depth) / (len(depth) - 1)
    known = (depth - others).abs().mean((1, 2))
    told = found["depth (absolute)"].beside["average of other scenes"].double()
    assert torch.allclose(told, known, atol=1e-5)
    shares = found["labels (wrong)"].values
    assert ((0 <= shares) & (shares <= 1)).all()


def test_bm_mae_is_the_same_without_a_band_as_with_its_tokens_dropped() -> None:
    made = ready("bm_mae()")
    bands = made.shape.channels
    maps = list(made.objective._patches(made.model, made.batch).unbind(1))
    for missing in ([0], [1, 3]):
        visible = indices(only(made, missing), made.batch.images)[0]
        with torch.no_grad():
            whole = made.model.embedded(maps, torch.arange(bands * 16).expand(8, -1))
            kept = [0, *(1 + i for i in range(bands * 16) if i // 16 not in missing)]
            without = [None if i in missing else each for i, each in enumerate(maps)]
            assert torch.equal(made.model.embedded(without, visible), whole[:, kept])
    assert made.objective.refuses(MASKS.parse("channels(ratio=0.5)")) is None


def test_bm_mae_stands_at_hidden_patches_in_units_of_each_band() -> None:
    made = ready("bm_mae()")
    images = made.batch.images.double()
    standard = made.model.standard
    sample = made.setting.dataset.load(8).images[:8].astype(np.float64) / 255
    values = (images - standard.mean.double()) / standard.spread.double()
    patches = torch.stack([patchify(values[:, i : i + 1], 2) for i in range(6)], dim=1)
    said = made.objective.predictions(made.model, made.batch, made.mask).double()
    hidden = torch.from_numpy(made.mask.hidden.reshape(8, 6, -1).copy())
    known = ((said - patches) ** 2).mean(-1)[hidden].mean()
    assert made.loss().item() == pytest.approx(known.item(), rel=1e-4)
    assert standard.mean.flatten().numpy() == pytest.approx(sample.mean((0, 1, 2)), abs=0.05)
    told = made.objective.measures(made.model, made.batch, made.mask)
    assert len(told) == 7 and torch.allclose(
        told["band 2 missing"].beside["mean of the band"].double(),
        (patches[:, 1] ** 2).mean((1, 2)), atol=1e-5,
    )  # fmt: skip


def test_satvision_has_a_head_for_every_band_and_one_token_for_all() -> None:
    made = ready("satvision()")
    shape = EncoderShape(rows=4, cols=4, patch=4, dim=16, depth=1, heads=1, hidden=8, channels=14)
    model = made.objective.build(shape, 0)
    assert model.head.out_features == 14 * 4**2
    own, hidden = made.model, torch.ones(8, 16, made.shape.channels, dtype=torch.bool)
    patches = made.objective._patches(own, made.batch)
    one = own.tokens(patches, hidden)
    assert torch.equal(one, own.tokens(torch.rand_like(patches), hidden))
    assert torch.allclose(own.encoder(patches.flatten(2))[:, 1:], own.tokens(patches, ~hidden))


@pytest.mark.parametrize("recipe", ["satvision()", "satvision(bandwise=True)"])
def test_satvision_is_the_absolute_error_of_hidden_cells(recipe: str) -> None:
    bandwise = "bandwise" in recipe
    made = ready(recipe, "channels(ratio=0.5)" if bandwise else "")
    bands, patches = made.shape.channels, made.objective._patches(made.model, made.batch)
    cells = torch.from_numpy(made.mask.hidden.copy())
    cells = cells if bandwise else cells[:, None].expand(-1, bands, -1, -1)
    hidden = cells.flatten(2).transpose(1, 2)  # [b, n, bands]
    said = made.objective.predictions(made.model, made.batch, made.mask)
    known = (said - patches).abs().mean(2)[hidden].mean()
    assert made.loss().item() == pytest.approx(known.item(), rel=1e-4)
    pixels = torch.repeat_interleave(torch.repeat_interleave(cells, 2, -1), 2, -2)
    other = torch.where(pixels, torch.rand_like(made.batch.images), made.batch.images)
    changed = replace(made.batch, images=other)
    assert torch.equal(made.objective.predictions(made.model, changed, made.mask), said)
    refused = made.objective.refuses(MASKS.parse("channels"))
    assert (refused is None) == bandwise and (bandwise or "bandwise=True" in str(refused))

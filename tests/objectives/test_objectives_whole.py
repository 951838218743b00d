"""Cards of the objectives that read whole pictures: supervised, SimCLR, MFM."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.objectives.subject import ready
from workbench.errors import BadInput
from workbench.masks import MASKS, Mask
from workbench.models.patches import normalise
from workbench.objectives import OBJECTIVES, Batch, EncoderShape
from workbench.objectives.mfm import filtered, frequency_loss
from workbench.objectives.simclr import contrasted


def random_numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_supervised_is_cross_entropy_of_the_smoothed_label() -> None:
    made = ready("supervised(smoothing=0.2)")
    kept = []
    made.model.head.register_forward_hook(lambda module, args, out: kept.append(out))
    loss = made.loss().item()
    classes = len(kept[0].T)
    target = F.one_hot(made.batch.labels, classes) * 0.8 + 0.2 / classes
    known = -(target * kept[0].log_softmax(1)).sum(1).mean().item()
    assert classes == made.shape.classes == 10 and loss == pytest.approx(known, rel=1e-5)


def test_supervised_refuses_data_without_classes() -> None:
    shape = EncoderShape(rows=4, cols=4, patch=2, dim=8, depth=1, heads=1, hidden=8)
    with pytest.raises(BadInput, match="classes"):
        OBJECTIVES.parse("supervised()").build(shape, 0)


def test_contrast_is_the_formula_pair_by_pair() -> None:
    first, second = random_numbers(5, 7), random_numbers(5, 7, seed=1)
    z = np.concatenate([first.numpy(), second.numpy()]).astype(np.float64)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    likeness = np.exp(z @ z.T / 0.3)
    known = np.mean([
        -math.log(likeness[i, (i + 5) % 10] / (likeness[i].sum() - likeness[i, i]))
        for i in range(10)
    ])  # fmt: skip
    assert contrasted(first, second, 0.3)[0].item() == pytest.approx(known, rel=1e-5)


def test_collapsed_features_cost_the_log_of_the_candidates() -> None:
    same = torch.ones(16, 4)
    assert contrasted(same, 2 * same, 0.1)[0].item() == pytest.approx(math.log(31), rel=1e-5)
    apart = torch.eye(16)
    loss, right = contrasted(apart, apart, 0.05)
    assert loss < 1e-6 and right == 1


def test_simclr_reads_both_views() -> None:
    made = ready("simclr()", crop=0.3, color=1.0)
    views = made.batch.views
    assert views is not None and not torch.equal(views[0], views[1])
    first = made.loss().item()
    made.batch = Batch(made.batch.images, made.batch.ids, None, views.flip(0))
    assert made.loss().item() == pytest.approx(first, rel=1e-4)


def removed_bins(recipe: str = "frequency_disc(radius=3)", side: int = 8) -> torch.Tensor:
    made = ready("mfm()", recipe)
    assert made.mask.grid.domain == "frequency" and made.mask.grid.shape == (side, side)
    shifted = torch.from_numpy(made.mask.hidden.copy())
    return torch.fft.ifftshift(shifted, dim=(1, 2))[:, None]


def test_only_kept_bins_differ_costs_the_floor() -> None:
    removed, wanted = removed_bins(), random_numbers(8, 3, 8, 8)
    change = torch.fft.fft2(random_numbers(8, 3, 8, 8, seed=1)).masked_fill(removed, 0)
    said = wanted.double() + torch.fft.ifft2(change).real.double()
    loss = frequency_loss(
        said, said - torch.fft.ifft2(change.to(torch.complex128)).real, removed, 1
    )
    assert loss.item() == pytest.approx(1e-6, rel=0.01)


def test_with_nothing_kept_the_squared_loss_is_that_of_pixels() -> None:
    said, wanted = random_numbers(2, 3, 8, 8), random_numbers(2, 3, 8, 8, seed=1)
    everything = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    loss = frequency_loss(said, wanted, everything, 2)
    assert loss.item() == pytest.approx((said - wanted).square().mean().item(), rel=1e-5)


def test_low_and_high_pass_add_up_before_the_cut_and_the_disc_is_real() -> None:
    images = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    removed = removed_bins("frequency_disc(radius=3, low=1)")
    spectrum = torch.fft.fft2(images)
    parts = [torch.fft.ifft2(spectrum.masked_fill(each, 0)) for each in (removed, ~removed)]
    assert max(part.imag.abs().max() for part in parts) < 1e-6
    assert torch.allclose(parts[0].real + parts[1].real, images, atol=1e-5)
    for part, each in zip(parts, (removed, ~removed), strict=True):
        assert torch.allclose(filtered(images, each), part.real.clamp(0, 1), atol=1e-6)
    mean = images.mean((2, 3), keepdim=True)  # the disc keeps the zero frequency, in its place
    assert torch.allclose(parts[0].real.mean((2, 3), keepdim=True), mean, atol=1e-5)


def test_mfm_does_not_see_removed_bins() -> None:
    made = ready("mfm()")
    removed = torch.fft.ifftshift(torch.from_numpy(made.mask.hidden.copy()), dim=(1, 2))[:, None]
    noise = torch.fft.fft2(0.3 * random_numbers(8, 3, 8, 8)).masked_fill(~removed, 0)
    other = made.batch.images + torch.fft.ifft2(noise).real
    assert (other - made.batch.images).abs().max() > 0.1
    batches = (made.batch, Batch(other, made.batch.ids))
    said = [made.objective.said(made.model, each, made.mask) for each in batches]
    assert torch.allclose(*said, atol=1e-4)


def test_mfm_takes_spectra_and_says_why_no_other_mask() -> None:
    objective = OBJECTIVES.parse("mfm()")
    assert "frequency" in str(objective.refuses(MASKS.parse("random()")))
    assert objective.refuses(MASKS.parse("frequency_band()")) is None
    made = ready("mfm()")
    whole = Mask(np.ones_like(made.mask.hidden), made.mask.grid)
    said = made.objective.said(made.model, made.batch, whole)
    assert torch.allclose(said[0], said[1], atol=1e-6)  # nothing left to tell pictures apart
    assert normalise(made.batch.images).shape == said.shape

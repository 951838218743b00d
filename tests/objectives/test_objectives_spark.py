"""SparK's card: nothing crosses from hidden to visible places, norms count visible ones alone."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

from tests.objectives.subject import ready
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.models.sparse import MaskedConvnet
from workbench.objectives import OBJECTIVES

NETWORKS = ("test_resnet", "test_convnext", "test_efficientnet", "mobilenetv3_small_050")
AFTER_THE_MAPS = ("head", "norm", "bn2")


def keep_of(count: int, rows: int, cols: int) -> torch.Tensor:
    mask = MASKS.parse("random(ratio=0.6)").sample(Grid(rows, cols), count=count, seed=1)
    return torch.from_numpy(~mask.hidden)[:, None]


def two_alike_where_visible(keep: torch.Tensor, patch: int) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = keep.repeat_interleave(patch, 2).repeat_interleave(patch, 3)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(len(keep), 3, *pixels.shape[2:], generator=generator)
    other = torch.randn(images.shape, generator=generator) * 5
    return images, torch.where(pixels, images, other)


@pytest.mark.parametrize("patch", [8, 32])
@pytest.mark.parametrize("network", NETWORKS)
def test_no_visible_feature_depends_on_a_hidden_pixel(network: str, patch: int) -> None:
    torch.manual_seed(0)
    model, keep = MaskedConvnet(network, patch, 3, 4), keep_of(2, 3, 4)
    images = two_alike_where_visible(keep, patch)
    for training in (True, False):
        model.train(training)
        first, second = (model(each, keep) for each in images)
        assert len(first) >= 3 and first[0].shape[2:] == (3, 4)
        for one, other in zip(first, second, strict=True):
            scale = one.shape[2] // 3
            where = keep.repeat_interleave(scale, 2).repeat_interleave(scale, 3).expand_as(one)
            assert (one - other).abs().max() == 0
            assert one[~where].abs().max() == 0 and one[where].abs().max() > 0


def test_batch_norms_count_what_is_visible_alone() -> None:
    model, keep = MaskedConvnet("test_resnet", 8, 4, 4), keep_of(6, 4, 4)
    images, seen = torch.randn(6, 3, 32, 32), []
    norm = model.net.layer3[0].bn1
    model.net.layer3[0].conv1.register_forward_hook(lambda module, args, out: seen.append(out))
    norm.momentum = 1.0
    out = []
    norm.register_forward_hook(lambda module, args, result: out.append(result))
    model(images, keep)
    scale = seen[0].shape[2] // 4
    where = keep.repeat_interleave(scale, 2).repeat_interleave(scale, 3)[:, 0]
    gathered = seen[0].permute(0, 2, 3, 1)[where]
    assert torch.allclose(norm.running_mean, gathered.mean(0), atol=1e-5)
    assert torch.allclose(norm.running_var, gathered.var(0), atol=1e-5)
    assert (out[0].permute(0, 2, 3, 1)[~where] == 0).all()


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_load_into_the_plain_network_and_agree_with_it(network: str) -> None:
    model = MaskedConvnet(network, 32, 2, 2).eval()
    plain = timm.create_model(network, num_classes=0).eval()
    lacking, unexpected = plain.load_state_dict(model.net.state_dict(), strict=False)
    assert not unexpected and all(any(part in name for part in AFTER_THE_MAPS) for name in lacking)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        known = plain.forward_intermediates(images, intermediates_only=True)
        found = model(images)
    assert all(
        torch.allclose(each, known[i], atol=1e-5)
        for i, each in zip(model.picks, found, strict=True)
    )


def test_the_loss_stands_at_hidden_cells_alone() -> None:
    made = ready("spark()", "random(ratio=0.5)")
    kept = []
    made.model.pixels.register_forward_hook(
        lambda module, args, out: (out.retain_grad(), kept.append(out))[0]
    )
    made.loss().backward()
    reached = (kept[0].grad.abs().sum(1) > 0).numpy()
    assert np.array_equal(reached, made.mask.to_pixels())


def test_hidden_places_hold_the_token_of_their_resolution() -> None:
    made = ready("spark()", "random(ratio=0.5)", size=32, patch=8)
    model, keep = made.model, torch.from_numpy(~made.mask.hidden)[:, None]
    model.projections = nn.ModuleList(nn.Identity() for _ in model.projections)
    maps = model.encoder(made.batch.images, keep)
    assert [each.shape[2] for each in maps] == [4, 8, 16]
    for dense, token in zip(model.densified(maps, keep), model.tokens, strict=True):
        scale = dense.shape[2] // 4
        where = keep.repeat_interleave(scale, 2).repeat_interleave(scale, 3)[:, 0]
        hidden = dense.permute(0, 2, 3, 1)[~where]
        assert torch.equal(hidden, token.flatten().expand_as(hidden))


@pytest.mark.parametrize(
    ("network", "reason"),
    [("no_such_net", "no network"), ("vit_tiny_patch16_224", "no convolutional")],
)
def test_other_networks_are_refused_in_words(network: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        MaskedConvnet(network, 32, 2, 2)
    with pytest.raises(BadInput, match="px do not fit"):
        MaskedConvnet("test_resnet", 6, 2, 2)


def test_the_mask_is_forgotten_after_a_call() -> None:
    model = MaskedConvnet("test_resnet", 8, 2, 2).eval()
    images = torch.randn(2, 3, 16, 16)
    before = model(images)[0]
    model(images, keep_of(2, 2, 2))
    assert torch.equal(model(images)[0], before)
    assert OBJECTIVES.parse("spark()").equal_counts is False

"""Layer masking beside the paper's rules written out by loops, its dials, and what it promises."""

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.interventions.subjects import network_named, pictures, scramble
from workbench.errors import BadInput
from workbench.interventions import intervene
from workbench.interventions.layered import Layered
from workbench.interventions.places import Places, Rule, filled
from workbench.masks import MASKS, Grid, Mask
from workbench.models.network import network_of

PLAIN = Rule("any", "neighbour", torch.ones(1))


def by_loops(x: Tensor, visible: Tensor, rounds: int) -> Tensor:
    """The official filling: means of known 3 x 3 neighbours, round by round."""
    x, known = (x * visible).double().numpy().copy(), visible.numpy().copy().astype(float)
    _, channels, height, width = x.shape
    for _ in range(rounds):
        before, was = x.copy(), known.copy()
        for b in range(len(x)):
            for i in range(height):
                for j in range(width):
                    if was[b, 0, i, j]:
                        continue
                    rows, cols = slice(max(0, i - 1), i + 2), slice(max(0, j - 1), j + 2)
                    count = was[b, 0, rows, cols].sum()
                    for c in range(channels):
                        x[b, c, i, j] += before[b, c, rows, cols].sum() / (count + 1e-5)
                    known[b, 0, i, j] = min(1.0, count)
    return torch.from_numpy(x).float()


def drawn(height: int = 12, width: int = 10, channels: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, channels, height, width, generator=generator)
    visible = (torch.rand(2, 1, height, width, generator=generator) > 0.6).float()
    visible[:, :, :5, :5] = 0
    return x, visible


@pytest.mark.parametrize("rounds", [1, 3, 12])
def test_filling_is_that_of_the_loops(rounds: int) -> None:
    x, visible = drawn()
    assert torch.allclose(
        filled(x * visible, Places(visible, PLAIN), rounds), by_loops(x, visible, rounds), atol=1e-5
    )


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 1), (7, 2, 3), (3, 2, 0), (1, 2, 0)]
)
def test_a_convolution_needs_one_round_less_than_the_official_one(kernel, stride, padding) -> None:
    x, visible = drawn()
    conv = nn.Conv2d(3, 4, kernel, stride, padding)
    with torch.no_grad():
        ours = conv(Layered.wrap(x, visible, PLAIN))
        wanted = F.max_pool2d(visible, kernel, stride, padding) if padding else F.max_pool2d(
            visible, kernel, stride
        )  # fmt: skip
        official = conv(by_loops(x, visible, kernel)) * wanted
    assert torch.equal(ours.visible, wanted) and 0 < float(wanted.mean()) < 1
    assert torch.allclose(ours.clean, official, atol=1e-4)


def test_a_constant_stays_a_constant_and_a_mask_alone_says_nothing() -> None:
    x = torch.full((1, 2, 16, 16), 3.0)
    visible = torch.ones(1, 1, 16, 16)
    visible[:, :, 4:11, 4:11] = 0
    assert float((filled(x * visible, Places(visible, PLAIN), 4) - x).abs().max()) < 4 * 3 * 1e-5
    net = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, padding_mode="circular"), nn.GELU(),
        nn.Conv2d(6, 5, 3, 1, 1, padding_mode="circular"),
    )  # fmt: skip
    other = torch.roll(visible, (3, -2), (2, 3)) * torch.roll(visible, (-4, 4), (2, 3))
    with torch.no_grad():
        pooled = [net(Layered.wrap(x, each, PLAIN)).mean((2, 3)) for each in (visible, other)]
        black = [net(x * each).mean((2, 3)) for each in (visible, other)]
    assert float((pooled[0] - pooled[1]).norm() / pooled[0].norm()) < 1e-4
    assert float((black[0] - black[1]).norm() / black[0].norm()) > 0.02


def shares(policy: str) -> list[float]:
    x, visible = drawn(32, 32)
    rule = Rule(policy, "neighbour", visible)
    out, seen = Layered.wrap(x, visible, rule), [float(visible.mean())]
    for _ in range(4):
        out = F.conv2d(out, torch.ones(3, 3, 3, 3) / 27, padding=1)
        seen.append(float(out.visible.mean()) if isinstance(out, Layered) else 1.0)
    return seen


def test_policies_dilate_erode_and_stay() -> None:
    grown, shrunk, fixed = map(shares, ("any", "all", "fixed"))
    assert grown == sorted(grown) and grown[-1] > grown[0]
    assert shrunk == sorted(shrunk, reverse=True) and shrunk[-1] < shrunk[0]
    assert len(set(fixed)) == 1


def test_dilation_and_groups_reach_as_far_as_the_kernel() -> None:
    x, visible = drawn(24, 24, 4)
    conv = nn.Conv2d(4, 4, 3, padding=4, dilation=4, groups=4)
    with torch.no_grad():
        out = conv(Layered.wrap(x, visible, PLAIN))
    taps = [torch.roll(F.pad(visible, (4,) * 4), (dy, dx), (2, 3))[:, :, 4:-4, 4:-4]
            for dy in (-4, 0, 4) for dx in (-4, 0, 4)]  # fmt: skip
    seen = torch.stack(taps).amax(0)
    assert torch.equal(out.visible if isinstance(out, Layered) else torch.ones_like(seen), seen)


def test_renormalising_is_partial_convolution() -> None:
    """y / c + b (1 - 1 / c), c the visible share of the window, padding left out of both."""
    x, visible = drawn()
    conv = nn.Conv2d(3, 4, 3, padding=1)
    rule = Rule("any", "renormalise", visible)
    with torch.no_grad():
        ours = conv(Layered.wrap(x, visible, rule))
        y, b = conv(x * visible), conv.bias.view(1, -1, 1, 1)
        ones = torch.ones(1, 1, 3, 3)
        c = F.conv2d(visible, ones, padding=1) / F.conv2d(torch.ones_like(visible), ones, padding=1)
        wanted = torch.where(c > 0, y / c + b * (1 - 1 / c), 0)
    assert torch.allclose(ours.clean, wanted, atol=1e-5)


def official_resnet(model, x: Tensor, m: Tensor) -> Tensor:
    """ResNet-18 by the paper's rules, each layer written out (theirs fails on its residuals)."""

    def conv(layer, x, m):
        k, s, p = layer.kernel_size[0], layer.stride[0], layer.padding[0]
        full = filled(x * m, Places(m, PLAIN), k) if k > 1 else x * m
        m = F.max_pool2d(m, k, s, p)
        return layer(full) * m, m

    def norm(layer, x, m):
        return (
            F.batch_norm(
                x * m,
                layer.running_mean,
                layer.running_var,
                layer.weight,
                layer.bias,
                eps=layer.eps,
            )
            * m
        )

    x, m = conv(model.conv1, x, m)
    x = F.relu(norm(model.bn1, x, m)) * m
    x, m = F.max_pool2d(x * m, 3, 2, 1), F.max_pool2d(m, 3, 2, 1)
    for block in [*model.layer1, *model.layer2, *model.layer3, *model.layer4]:
        y, n = conv(block.conv1, x, m)
        y = F.relu(norm(block.bn1, y, n)) * n
        y, n = conv(block.conv2, y, n)
        y = norm(block.bn2, y, n)
        if block.downsample is not None:
            x, m = conv(block.downsample[0], x, m)
            x = norm(block.downsample[1], x, m)
        m = m * n
        x = F.relu((x + y) * m) * m
    return model.fc((x * m).mean((2, 3)) / m.mean((2, 3)))


@pytest.mark.parametrize("size", [(96, 96), (64, 128)])
def test_resnet18_by_the_papers_rules(size: tuple[int, int]) -> None:
    model = scramble(timm.create_model("resnet18", num_classes=7))
    images = np.random.default_rng(0).random((2, 3, *size), dtype=np.float32)
    grid = Grid(size[0] // 16, size[1] // 16, patch=16)
    mask = MASKS.parse("block(ratio=0.7)").sample(grid, count=2, seed=1)
    network = network_of(model)
    with torch.no_grad():
        x = network.prepare(images)
        visible = torch.from_numpy(~mask.to_pixels())[:, None].float()
        wanted = official_resnet(model, x, visible)
        with intervene(network, "layer_mask", mask=mask):
            ours = network.logits(images)
        plain = network.logits(images)
    assert torch.allclose(ours, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
    assert not torch.allclose(ours, plain, rtol=1e-2)


FOREIGN = {
    "resnet50": {"num_classes": 5},
    "resnet26d": {"num_classes": 5},
    "regnety_002": {"num_classes": 5},
    "mobilenetv3_small_050": {"num_classes": 5},
    "tf_efficientnet_b0": {"num_classes": 5},
    "convnextv2_atto": {"num_classes": 5},
    "densenet121": {"num_classes": 5, "block_config": (1, 1, 1, 1)},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_any_convnet_of_timm_sees_nothing_of_what_is_hidden(name: str) -> None:
    network = network_of(scramble(timm.create_model(name, **FOREIGN[name])), name)
    images = np.random.default_rng(0).random((2, 3, 64, 96), dtype=np.float32)
    mask = MASKS.parse("random(ratio=0.5)").sample(Grid(4, 6, patch=16), count=2)
    other = np.where(mask.to_pixels()[:, None], 1 - images, images)
    with torch.no_grad():
        plain, changed = network.logits(images), network.logits(other)
        for dial in ("", 'policy="all"', 'policy="fixed"', 'fill="zero"', 'fill="renormalise"'):
            with intervene(network, f"layer_mask({dial})", mask=mask):
                first, second = network.logits(images), network.logits(other)
            assert torch.equal(first, second) and not torch.equal(plain, changed)
            assert bool(torch.isfinite(first).all()) and type(first) is Tensor


def test_gradients_reach_visible_pixels_only() -> None:
    network = network_named("resnet18")
    images = torch.from_numpy(pictures(network)).requires_grad_()
    mask = MASKS.parse("random(ratio=0.5)").sample(Grid(6, 8, patch=16), count=2)
    with intervene(network, "layer_mask", mask=mask):
        network.logits(images).sum().backward()
    hidden = torch.from_numpy(mask.to_pixels())[:, None].expand_as(images)
    assert float(images.grad[hidden].abs().max()) == 0 < float(images.grad[~hidden].abs().mean())


def test_what_cannot_be_carried_is_said() -> None:
    network = network_named("resnet18")
    images = pictures(network)
    full = Mask(np.ones((1, 4, 4), bool), Grid(4, 4, patch=16))
    with (
        pytest.raises(BadInput, match="leave a patch"),
        intervene(network, "layer_mask", mask=full),
    ):
        network.logits(images)
    three = MASKS.parse("random").sample(Grid(4, 4, patch=16), count=3)
    with (
        pytest.raises(BadInput, match="3 masks came with 2"),
        intervene(network, "layer_mask", mask=three),
    ):
        network.logits(images)
    x, visible = drawn()
    with pytest.raises(BadInput, match="does not know how flatten"):
        Layered.wrap(x, visible, PLAIN).flatten(1)
    with pytest.raises(BadInput, match="pools to one place"):
        F.adaptive_avg_pool2d(Layered.wrap(x, visible, PLAIN), 2)

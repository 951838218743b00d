"""Quick copies beside the network itself: the same answers, none where a copy would say less."""

import numpy as np
import pytest
import timm
import torch

from tests.interventions.subjects import network_named, pictures, scramble
from workbench.errors import BadInput
from workbench.explain import explain
from workbench.explain.answering import Answers
from workbench.explain.likeness import asked_of
from workbench.explain.removal import removal
from workbench.interventions import intervene
from workbench.masks import Grid
from workbench.models.network import Network, network_of
from workbench.models.quick import quick_network, untouched
from workbench.models.quick_convnet import PackedConv

TOKENS = (
    "ours",
    "vit_tiny_patch16_224",
    "vit_small_patch14_reg4_dinov2",
    "deit3_small_patch16_224",
)
OTHERS = ("eva02_tiny_patch14_224", "swin_tiny_patch4_window7_224", "resnet18", "efficientnet_b0")


def asked(network: Network, grid: Grid, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """A picture and cells to remove, one row with none."""
    hidden = np.random.default_rng(1).random((count, *grid.shape)) < 0.5
    hidden[0], hidden[1:, 0, 0], hidden[1:, -1, -1] = False, True, False
    return pictures(network, 1)[0], hidden


def twice(module: torch.nn.Module, args: object, out: torch.Tensor) -> torch.Tensor:
    return 2 * out


def close(network: Network, operator: str, grid: Grid) -> Answers:
    """Answers equal those of the network itself, asked picture by picture."""
    image, hidden = asked(network, grid)
    with torch.no_grad():
        way = removal(operator)
        found = way.logits(network, image, hidden, batch=3)
        wanted = torch.cat([way.each(network, image[None], one[None]) for one in hidden])
    assert found.shape == wanted.shape and found.dtype == torch.float32
    assert float((found - wanted).abs().max()) < 1e-5 * max(1.0, float(wanted.abs().max()))
    return way.answers(network, image)


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_exchanged_or_left_out_answer_as_pictures_do(name: str) -> None:
    network = network_named(name)
    for operator in ("grey", "black", "blur(sigma=3)", "drop_tokens"):
        answers = close(network, operator, network.grid)
        assert answers.by_tokens
    image, hidden = asked(network, network.grid)
    ragged = removal("drop_tokens").answers(network, image)
    if ragged.ragged:  # unequally many tokens in one call
        one = torch.cat([ragged(each[None]) for each in hidden])
        assert len(set(hidden.sum((1, 2)))) > 2
        assert torch.allclose(ragged(hidden), one, rtol=1e-4, atol=1e-5 * float(one.abs().max()))
    whole = Grid(1, network.grid.cols, patch=network.patch)  # cells of many patches
    assert close(network, "grey", whole).by_tokens
    close(network, "mean", network.grid)
    close(network, "hide_keys", network.grid)
    image, _ = asked(network, network.grid)
    seen = torch.rand(2, *image.shape[1:])
    with torch.no_grad():
        faded = removal("grey").answers(network, image).faded(seen)
        wanted = network.logits(seen[:, None] * torch.from_numpy(image) + (1 - seen[:, None]) / 2)
    assert torch.allclose(faded, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_answer_the_same(name: str) -> None:
    network = network_named(name)
    operators = ["grey", "mean"]
    operators += ["layer_mask", 'layer_mask(fill="renormalise")'] * (network.kind == "convnet")
    for operator in operators:
        assert not close(network, operator, Grid(4, 5, patch=16)).by_tokens


def test_a_copy_of_a_convnet_is_packed_and_equal() -> None:
    network = network_of(scramble(timm.create_model("resnet50", num_classes=5)), "resnet50")
    picture = torch.from_numpy(pictures(network, 1))
    with torch.no_grad():
        quick = quick_network(network, picture, "fp32")
        other = torch.rand(2, 3, 64, 96)
        wanted, got = network.logits(other), quick.logits(other)
    parts = list(quick.module.modules())
    assert quick is not network and untouched(network.module)
    assert sum(isinstance(each, PackedConv) for each in parts) == 53
    assert not any(isinstance(each, torch.nn.BatchNorm2d) for each in parts)
    assert float((wanted - got).abs().max()) < 1e-5 * float(wanted.abs().max())


def test_what_hangs_on_a_network_is_heard() -> None:
    for name in ("vit_tiny_patch16_224", "resnet18"):
        network = network_named(name)
        image, hidden = asked(network, network.grid)
        plain = removal("grey").logits(network, image, hidden)
        last = [each for each in network.module.modules() if isinstance(each, torch.nn.Linear)][-1]
        handle = last.register_forward_hook(twice)
        try:
            doubled = removal("grey").logits(network, image, hidden)
        finally:
            handle.remove()
        assert torch.allclose(doubled, 2 * plain, rtol=1e-4, atol=1e-4)
    network = network_named("ours")
    image, hidden = asked(network, network.grid)
    plain = removal("grey").logits(network, image, hidden)
    with intervene(network, "heads_off(layer=0, heads=[0, 1])"):
        changed = removal("grey").logits(network, image, hidden)
    assert float((changed - plain).abs().max()) > 1e-3 * float(plain.abs().max())


def test_bf16_is_near_and_asked_for_by_name() -> None:
    model = timm.create_model("vit_tiny_patch16_224", depth=2, img_size=64, num_classes=9).eval()
    network = network_of(model, "vit")
    image = pictures(network, 1)[0]
    exact = explain(network, image, 0, "rise(count=64)", "drop_tokens")
    half = explain(network, image, 0, "rise(count=64)", "drop_tokens", precision="bf16")
    assert np.allclose(exact.values, half.values, rtol=2e-2)
    assert not np.array_equal(exact.values, half.values)
    with pytest.raises(BadInput, match="precision is 'fp8'"):
        explain(network, image, 0, "rise(count=64)", "grey", precision="fp8")


def test_likeness_is_asked_of_the_copy_too() -> None:
    for name in ("ours", "ours_registers"):
        network = network_named(name)
        image, hidden = asked(network, network.grid)
        like = asked_of(network, image)
        answers = removal("grey").answers(like, image)
        with torch.no_grad():
            wanted = [removal("grey").each(like, image[None], one[None]) for one in hidden]
        assert answers.by_tokens and float(answers(hidden[:1])) == pytest.approx(1, abs=1e-5)
        assert torch.allclose(answers(hidden), torch.cat(wanted), rtol=1e-4, atol=1e-5)

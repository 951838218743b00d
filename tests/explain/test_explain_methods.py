"""Attributions beside closed forms on linear networks, captum called by hand, and brute force."""

from io import BytesIO
from itertools import permutations

import captum.attr as captum
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import nn

from tests.interventions.subjects import network_named, pictures, scramble
from workbench.errors import BadInput
from workbench.explain import Stopped, explain
from workbench.explain.attributing import explaining
from workbench.explain.attribution import Attribution
from workbench.explain.methods import METHODS, Asked, Step
from workbench.explain.methods.coalitions import HANDFUL
from workbench.explain.methods.rise import smooth_masks
from workbench.explain.removal import removal, stretched
from workbench.masks import Grid
from workbench.models.network import Network, network_of

QUICK = {
    "smooth_grad": "smooth_grad(draws=3)", "gradient_shap": "gradient_shap(draws=3)",
    "integrated_gradients": "integrated_gradients(steps=4)", "rise": "rise(count=8)",
    "lime": "lime(count=16)", "kernel_shap": "kernel_shap(count=16)",
    "occlusion": "occlusion(window=2)",
}  # fmt: skip
VIT, REGISTERS = "vit_tiny_patch16_224", "vit_small_patch14_reg4_dinov2"
CNN, SMALL = "resnet18", "convnext_tiny"


class Linear(nn.Module):
    """A network whose answer is a weighted sum of pixels, dressed as a convnet."""

    num_classes = 3

    def __init__(self, size: int = 32) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(3, 3, size, size, generator=generator))

    def forward(self, x):
        return torch.einsum("bchw,kchw->bk", x, self.weight)


def linear() -> Network:
    module = Linear()
    return Network(
        module=module, kind="convnet", name="linear", size=(32, 32), patch=8, classes=3,
        labels=("cat", "dog", "bird"), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0),
    )  # fmt: skip


IMAGE = np.random.default_rng(0).random((3, 32, 32), dtype=np.float32)
GRID = Grid(4, 4, patch=8)


def worth(target: int, away: float) -> np.ndarray:
    """What each pixel adds to a linear score, compared with an even grey `away`."""
    weight = linear().module.weight[target].detach().numpy()
    return ((IMAGE - away) * weight).sum(0)


def in_cells(values: np.ndarray) -> np.ndarray:
    return values.reshape(4, 8, 4, 8).sum((1, 3))


@pytest.mark.parametrize(("operator", "away"), [("grey", 0.5), ("black", 0.0)])
def test_on_a_linear_network_each_method_gives_what_a_cell_adds(operator, away) -> None:
    wanted = in_cells(worth(1, away))

    def found(method: str) -> Attribution:
        return explain(linear(), IMAGE, 1, method, operator, grid=GRID)

    assert np.allclose(found("feature_ablation").values, wanted, atol=1e-3)
    assert np.allclose(found("occlusion(window=1)").values, wanted, atol=1e-3)
    assert np.allclose(found("kernel_shap(count=400)").values, wanted, atol=1e-2)
    assert np.allclose(found("lime(count=400, ridge=0)").values, wanted, atol=1e-2)
    path = found("integrated_gradients(steps=5)")
    assert np.allclose(path.values, worth(1, away), atol=1e-4) and path.notes["gap"] < 1e-4
    wide = found("occlusion(window=2)").values
    sums = np.array([[wanted[i : i + 2, j : j + 2].sum() for j in range(3)] for i in range(3)])
    assert wide[0, 0] == pytest.approx(sums[0, 0], abs=1e-3)
    assert wide[1, 1] == pytest.approx(sums[:2, :2].mean(), abs=1e-3)


@pytest.mark.parametrize("method", ["kernel_shap(count=2200)", "lime(count=2100, ridge=0)"])
def test_coalitions_are_held_by_the_handful_and_add_up(method: str, monkeypatch) -> None:
    held: list[int] = []

    def without(self: Asked, hidden: np.ndarray):
        held.append(len(hidden))
        return (yield from plain(self, hidden))

    plain = Asked.without
    monkeypatch.setattr(Asked, "without", without)
    steps: list[Step] = []
    found = explain(linear(), IMAGE, 1, method, "grey", grid=GRID, watch=steps.append)
    assert np.allclose(found.values, in_cells(worth(1, 0.5)), atol=1e-2)
    assert max(held) == HANDFUL and len(held) > 2
    assert [each.done for each in steps] == sorted({each.done for each in steps})
    assert steps[-1].done == steps[-1].total == found.evaluations == sum(held)


def test_saliency_is_the_weight_and_names_and_class_zero_work() -> None:
    weight = linear().module.weight[0].detach().abs().sum(0).numpy()
    for target in (0, "cat", "CAT", "0"):
        found = explain(linear(), IMAGE, target, "saliency")
        assert np.allclose(found.values, weight, atol=1e-5)
        assert (found.target, found.label) == (0, "cat") and found.removal == ""
    best = explain(linear(), IMAGE, None, "saliency")
    scores = [worth(k, 0.0).sum() for k in range(3)]
    assert best.target == int(np.argmax(scores))


def by_hand(network: Network, target: int):
    return lambda x: network.logits(x)[:, target]


def test_captum_called_by_hand_gives_the_same() -> None:
    network = network_named(CNN)
    image = pictures(network, 1)[0][:, :64, :64]
    x, black = torch.from_numpy(image)[None], torch.zeros(1, *image.shape)
    forward = by_hand(network, 2)
    cells = Grid(4, 4, patch=16)
    numbers = torch.from_numpy(
        stretched(np.arange(16).reshape(1, 4, 4), image.shape[1:]).astype(np.int64)
    )[0]
    ours = {
        name: explain(network, image, 2, name, "black", grid=cells).values
        for name in ("feature_ablation", "occlusion(window=2, stride=2)", "grad_cam", "saliency",
                     "integrated_gradients(steps=8)", "input_gradient")
    }  # fmt: skip
    with torch.no_grad():
        ablated = captum.FeatureAblation(forward).attribute(x, black, feature_mask=numbers)
        hidden = captum.Occlusion(forward).attribute(
            x, (3, 32, 32), strides=(3, 32, 32), baselines=black
        )
    pooled = {"feature_ablation": ablated[0, 0], "occlusion(window=2, stride=2)": hidden[0, 0]}
    for name, value in pooled.items():
        wanted = value.numpy()[8::16, 8::16]
        assert np.allclose(ours[name], wanted, atol=1e-4 * np.abs(wanted).max())
    stage = network.stages[-1].module
    layer = captum.LayerGradCam(forward, stage).attribute(x, relu_attributions=True)
    slopes = captum.Saliency(forward).attribute(x.clone().requires_grad_())
    path = captum.IntegratedGradients(forward).attribute(x, black, n_steps=8)
    times = captum.InputXGradient(forward).attribute(x.clone().requires_grad_())
    for name, value in (
        ("grad_cam", layer[0, 0]), ("saliency", slopes[0].sum(0)),
        ("integrated_gradients(steps=8)", path[0].sum(0)), ("input_gradient", times[0].sum(0)),
    ):  # fmt: skip
        wanted = value.detach().numpy()
        assert np.allclose(ours[name], wanted, atol=1e-4 * np.abs(wanted).max())


def test_kernel_shap_over_all_coalitions_is_shapley() -> None:
    network = network_named(SMALL)
    image, cells = pictures(network, 1)[0][:, :64], Grid(2, 3, patch=32)
    found = explain(network, image, 1, "kernel_shap(count=64)", "grey", grid=cells)

    def value(there: tuple[int, ...]) -> float:
        if there not in known:
            hidden = np.ones((1, 6), bool)
            hidden[0, list(there)] = False
            said = removal("grey").logits(network, image, hidden.reshape(1, 2, 3))
            known[there] = float(said[0, 1])
        return known[there]

    known: dict[tuple[int, ...], float] = {}
    shares = np.zeros(6)
    orders = list(permutations(range(6)))
    for order in orders:
        for at, cell in enumerate(order):
            before = tuple(sorted(order[:at]))
            shares[cell] += value(tuple(sorted((*before, cell)))) - value(before)
    wanted = shares / len(orders)
    assert np.allclose(found.values.ravel(), wanted, atol=1e-3 * np.abs(wanted).max())
    assert found.values.sum() == pytest.approx(value(tuple(range(6))) - value(()), rel=1e-4)


def test_rise_masks_have_their_mean_everywhere_and_find_the_one_cell_that_counts() -> None:
    masks = smooth_masks(np.random.default_rng(0), 4000, 7, 0.5, (40, 56))
    assert masks.shape == (4000, 40, 56) and -1e-6 < masks.min() and masks.max() < 1 + 1e-6
    assert np.abs(masks.mean(0) - 0.5).max() < 0.04 and masks.std() > 0.2
    network = linear()
    with torch.no_grad():
        network.module.weight.zero_()
        network.module.weight[1, :, 16:24, 8:16] = 0.02
    image = np.ones((3, 32, 32), np.float32)
    found = explain(network, image, 1, "rise(count=600, cells=4)", "black").cells(GRID)
    assert np.unravel_index(found.argmax(), (4, 4)) == (2, 1)


@pytest.mark.parametrize("name", METHODS.names())
@pytest.mark.parametrize("which", [VIT, REGISTERS, SMALL])
def test_every_method_runs_where_it_says_and_repeats(name: str, which: str) -> None:
    network, recipe = network_named(which), QUICK.get(name, name)
    image = pictures(network, 1)[0]
    assert METHODS.parse(str(METHODS.parse(recipe))) == METHODS.parse(recipe)
    if network.kind == "convnet" and name in ("attention", "rollout", "relevance"):
        with pytest.raises(BadInput, match="has no attention"):
            explain(network, image, 1, recipe)
        return
    steps = []
    found = explain(network, image, 1, recipe, "blur", watch=lambda step: bool(steps.append(step)))
    again = explain(network, image, 1, recipe, "blur")
    assert np.array_equal(found.values, again.values) and found.values.dtype == np.float32
    assert not found.blank and np.isfinite(found.cells(Grid(3, 3, patch=1))).all()
    assert steps[-1].done == steps[-1].total and found.as_dict()["target"] == 1
    assert found.removal == ("blur()" if METHODS.get(name).removes else "")
    if not METHODS.get(name).signed:
        assert found.values.min() >= 0
    assert all(each.grad is None for each in network.module.parameters())


@pytest.mark.parametrize("operator", ["drop_tokens", "hide_keys", "layer_mask", "neighbour"])
@pytest.mark.parametrize("name", ["feature_ablation", "occlusion", "rise", "lime", "kernel_shap"])
def test_any_removal_goes_with_any_method_that_removes(name: str, operator: str) -> None:
    network = network_named(SMALL if operator == "layer_mask" else VIT)
    image = pictures(network, 1)[0]
    found = explain(network, image, 1, QUICK.get(name, name), operator)
    grey = explain(network, image, 1, QUICK.get(name, name), "grey")
    assert not found.blank and not np.array_equal(found.values, grey.values)
    assert found.removal.startswith(operator)


def test_dropping_and_hiding_keys_attribute_alike() -> None:
    network = network_named(VIT)
    image = pictures(network, 1)[0]
    dropped, hidden = (
        explain(network, image, 1, "feature_ablation", each).values
        for each in ("drop_tokens", "hide_keys")
    )
    assert np.allclose(dropped, hidden, atol=1e-4 * np.abs(dropped).max())


@pytest.mark.parametrize("which", ["ours", "headless"])
def test_without_classes_the_features_of_the_picture_are_explained(which: str) -> None:
    headless = timm.create_model("convnext_atto", num_classes=0)
    network = network_named("ours") if which == "ours" else network_of(scramble(headless))
    image = pictures(network, 1)[0]
    found = explain(network, image, None, "feature_ablation", "black", grid=Grid(4, 3, patch=8))
    assert (found.label, found.target) == ("its own features", 0)
    assert found.score == pytest.approx(1)
    hidden = np.eye(12, dtype=bool).reshape(12, 4, 3)
    pixels = stretched(hidden, image.shape[1:])
    without = np.where(pixels[:, None], 0, image)
    with torch.no_grad():
        whole, fewer = network.logits(image[None])[0], network.logits(without)
    wanted = 1 - (fewer @ whole / (whole @ whole)).numpy()
    assert np.allclose(found.values.ravel(), wanted, atol=1e-5)
    for name in ("rise", "input_gradient", "grad_cam"):
        assert not explain(network, image, None, QUICK.get(name, name)).blank


def test_other_work_may_want_gradients_while_a_search_goes_on() -> None:
    network = network_named(VIT)
    image = pictures(network, 1)[0]
    steps = explaining(network, image, 1, "feature_ablation", batch=4)
    next(steps)
    assert torch.is_grad_enabled()
    between = explain(network, image, 1, "saliency")
    assert np.array_equal(between.values, explain(network, image, 1, "saliency").values)
    *_, last = steps
    assert last.done == last.total == 1 + 12  # the whole picture, and without each patch


def test_blank_grad_cam_is_refused_and_norm1_is_not_blank() -> None:
    network = network_named(VIT)
    image = pictures(network, 1)[0]
    assert not explain(network, image, 1, "grad_cam").blank
    model = scramble(timm.create_model("resnet18", num_classes=3))
    with torch.no_grad():
        model.fc.weight.zero_()
    with pytest.raises(BadInput, match="map would be blank"):
        explain(network_of(model), image, 1, "grad_cam")


def test_memory_is_bounded_by_the_batch_and_a_search_can_be_stopped() -> None:
    network, seen = linear(), []
    network.module.register_forward_pre_hook(lambda _m, args: seen.append(len(args[0])))
    explain(network, IMAGE, 1, "rise(count=50, cells=4)", "grey", grid=GRID, batch=7)
    assert 1 < max(seen) <= 7 and sum(seen) >= 50
    with pytest.raises(Stopped):
        explain(network, IMAGE, 1, "rise(count=50)", "grey", batch=7, watch=lambda s: s.done >= 14)


def test_maps_of_two_networks_share_a_scale_and_cells_are_means() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    found = Attribution(values, 0, "", 0.0, "", "", 0)
    assert found.scaled(22.0).max() == pytest.approx(0.5) and found.scaled().max() == 1
    assert np.allclose(found.cells(Grid(1, 2, patch=1)), [[4.5, 6.5]])
    assert Attribution(np.zeros((2, 2), np.float32), 0, "", 0.0, "", "", 0).blank
    assert found.cells(Grid(2, 2, patch=1)).sum() == pytest.approx(values.mean() * 4)


def test_what_cannot_be_asked_is_said() -> None:
    network = network_named(VIT)
    image = pictures(network, 1)[0]
    cases = [
        (dict(target="wolf"), "'wolf' is no class of"),
        (dict(target=10**6), "class 1000000 is not there"),
        (dict(method="guess"), "no known method"),
        (dict(remove_with="magic"), "choose one of: .*drop_tokens, hide_keys, layer_mask"),
        (dict(remove_with="none"), "removes nothing"),
        (dict(method="occlusion", remove_with="layer_mask"), "take drop_tokens or hide_keys"),
        (dict(remove_with="drop_tokens"), "starts from a picture with everything removed"),
        (dict(method="occlusion(window=60)"), "take a smaller window"),
    ]  # fmt: skip
    for change, words in cases:
        with pytest.raises(BadInput, match=words):
            explain(network, image, **{"target": 1, **change})
    with pytest.raises(BadInput, match="has no head, so that there is no class 'cat'"):
        explain(network_named("ours"), pictures(network_named("ours"), 1)[0], "cat")
    with pytest.raises(BadInput, match="give one, "):
        explain(network, pictures(network, 2))


def test_what_a_notebook_shows_is_a_line_and_a_picture() -> None:
    values = np.array([[1.0, -1.0], [0.5, -0.5]], np.float32)
    found = Attribution(values, 2, "cat", 0.5, "saliency()", "", 1)
    assert repr(found) == "<Attribution of cat (0.5) by saliency(): 2 x 2, not blank>"
    shown = np.asarray(Image.open(BytesIO(found._repr_png_())).convert("RGB")).astype(int)
    assert shown.shape == (224, 224, 3)
    middles = shown[56::112, 56::112]
    assert np.array_equal(np.sign(middles[..., 0] - middles[..., 2]), np.sign(values))
    assert len(repr(network_named("resnet18"))) < 120

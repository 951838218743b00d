"""Judging explanations: oracles of a linear network, known failures, SciPy and captum by hand."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from tests.interventions.subjects import network_named, pictures
from workbench.errors import BadInput
from workbench.explain import explain
from workbench.explain.attribution import Attribution
from workbench.explain.faithful import infidelity_of, random_falls, road_of
from workbench.explain.judging import (
    curves,
    fidelity,
    overlap,
    randomisation,
    randomised,
    rank_correlation,
    road,
    sensitivity,
)
from workbench.masks import Grid
from workbench.models.network import Network


class Weighed(nn.Module):
    """Two classes: the weighted sum of the pixels, and nothing."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.randn(1, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.02
        self.weight = nn.Parameter(weight.expand(3, -1, -1).clone())

    def forward(self, x):
        score = (x * self.weight).sum((1, 2, 3))
        return torch.stack([score, torch.zeros_like(score)], 1)


def dressed(module: nn.Module, classes: int = 2) -> Network:
    return Network(
        module=module, kind="convnet", name="toy", size=(32, 32), patch=8, classes=classes,
        mean=(0.0,) * 3, std=(1.0,) * 3,
    )  # fmt: skip


IMAGE = np.random.default_rng(0).random((3, 32, 32), dtype=np.float32)


def worths() -> np.ndarray:
    weight = Weighed().weight.detach().numpy()
    return (IMAGE * weight).sum(0).reshape(4, 8, 4, 8).sum((1, 3))


def test_the_oracle_has_the_smallest_deletion_and_the_largest_insertion_area() -> None:
    network, rng = dressed(Weighed()), np.random.default_rng(1)
    deletion, insertion = curves(network, IMAGE, 0, worths(), ["black"], steps=16)
    with torch.no_grad():
        ends = network.logits(np.stack([IMAGE, IMAGE * 0])).softmax(1)[:, 0].tolist()
    assert [deletion.values[0], deletion.values[-1]] == pytest.approx(ends, abs=1e-6)
    assert [insertion.values[-1], insertion.values[0]] == pytest.approx(ends, abs=1e-6)
    assert deletion.shares.tolist() == pytest.approx(np.linspace(0, 1, 17).tolist())
    # The logit falls cell by cell, so that the curve itself is known.
    fallen = np.concatenate([[0], np.cumsum(np.sort(worths().ravel())[::-1])])
    wanted = 1 / (1 + np.exp(-(worths().sum() - fallen)))
    assert np.allclose(deletion.values, wanted, atol=1e-4)
    for _ in range(60):
        lot = rng.random((4, 4))
        down, up = curves(network, IMAGE, 0, lot, ["black"], steps=16)
        assert deletion.area < down.area and insertion.area > up.area


def test_curves_with_what_is_missing_inside_keep_one_cell() -> None:
    network = network_named("vit_tiny_patch16_224")
    image = pictures(network, 1)[0]
    found = curves(network, image, 1, np.arange(12.0).reshape(4, 3), ["drop_tokens", "grey"])
    assert [(each.kind, each.operator.partition("(")[0]) for each in found] == [
        ("deletion", "drop_tokens"), ("insertion", "drop_tokens"),
        ("deletion", "grey"), ("insertion", "grey"),
    ]  # fmt: skip
    assert found[0].shares[-1] == pytest.approx(11 / 12) and found[2].shares[-1] == 1
    assert found[0].values[0] == pytest.approx(found[2].values[0], abs=1e-6)
    assert np.isfinite([each.area for each in found]).all()


class Planted(nn.Module):
    """Sees one 8 x 8 corner only: bright or dark."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(50.0))

    def forward(self, x):
        corner = x[:, :, :8, :8].mean((1, 2, 3)) - 0.5
        return torch.stack([corner, -corner], 1) * self.gain


def test_road_falls_to_chance_where_the_planted_patch_goes_first() -> None:
    rng = np.random.default_rng(0)
    images = rng.random((60, 3, 32, 32), dtype=np.float32) * 0.2 + 0.4
    targets = np.arange(60) % 2
    images[:, :, :8, :8] = np.where(targets == 0, 0.9, 0.1)[:, None, None, None]
    truth = np.zeros((60, 4, 4))
    truth[:, 0, 0] = 1
    most = road(dressed(Planted()), images, targets, truth, (0.0, 0.1))
    least = road(dressed(Planted()), images, targets, truth, (0.5,), first="least")
    assert most[0] == 1 and 0.3 < most[1] < 0.7 and least[0] == 1
    with pytest.raises(BadInput, match="wanted most or least"):
        road(dressed(Planted()), images, targets, truth, first="middle")


def test_ranks_and_overlap_are_the_textbooks() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, (2, 6, 7))
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second, None)[0])
    assert rank_correlation(first, first * 0) == 0
    painted = np.zeros((2, 3), bool)
    painted[0, :2] = True
    assert overlap(np.array([[5.0, 4, 0], [0, 0, 0]]), painted) == 1
    assert overlap(np.array([[5.0, 0, 4], [0, 0, 0]]), painted) == pytest.approx(1 / 3)
    assert overlap(np.array([[0.0, 0, 4], [5, 0, 0]]), painted) == 0
    with pytest.raises(BadInput, match="paint on the same grid"):
        overlap(np.zeros((2, 2)), painted)
    with pytest.raises(BadInput, match=r"bring both to one grid"):
        rank_correlation(np.zeros((2, 2)), np.zeros(4))


def test_drawn_weights_come_back_and_an_edge_detector_fails_the_check() -> None:
    network = network_named("convnext_tiny")
    image = pictures(network, 1)[0][:, :64, :64]
    before = {name: each.clone() for name, each in network.module.state_dict().items()}
    with pytest.raises(ZeroDivisionError), randomised(network, 3) as changed:
        now = changed.module.state_dict()
        moved = [name for name in before if not torch.equal(before[name], now[name])]
        assert moved and all(name.startswith(("head", "stages.3")) for name in moved)
        raise ZeroDivisionError
    assert all(torch.equal(each, before[n]) for n, each in network.module.state_dict().items())

    def edges(_: Network) -> Attribution:
        values = np.abs(np.diff(image.mean(0), axis=0, append=0)).astype(np.float32)
        return Attribution(values, 1, "", 0, "", "", 0)

    grid = Grid(8, 8, patch=8)
    blind = randomisation(network, edges, [2, 100], grid)
    assert blind == pytest.approx([1, 1])
    linear, cells = dressed(Weighed()), Grid(16, 16, patch=2)
    # The old weights are those of seed 0, as a fresh network's often are.
    asked = lambda n: explain(n, IMAGE, 0, "input_gradient")  # noqa: E731
    seeing = randomisation(linear, asked, [1], cells, seed=0)
    assert abs(seeing[0]) < 0.4


def test_infidelity_is_nought_for_a_linear_network_and_its_weights() -> None:
    network = dressed(Weighed())
    values = network.module.weight.detach().sum(0).numpy()
    exact = Attribution(values, 0, "", 0, "", "", 0)
    wrong = Attribution(-values, 0, "", 0, "", "", 0)
    assert fidelity(network, exact, IMAGE) < 1e-9 < fidelity(network, wrong, IMAGE)
    assert sensitivity(np.ones(4), [np.ones(4) * 1.1, np.ones(4)]) == pytest.approx(0.1)


def test_sums_of_the_oracle_foretell_every_fall_and_its_contrary_none() -> None:
    network = dressed(Weighed())
    seen = random_falls(network, IMAGE, 0, (4, 4), "black", draws=30)
    sizes = seen.hidden.sum((1, 2))
    assert seen.hidden.shape == (30, 4, 4) and 1 <= sizes.min() < 3 and 6 < sizes.max() <= 8
    wanted = (seen.hidden * worths()).sum((1, 2))
    assert np.allclose(seen.falls, wanted, atol=1e-4)
    assert infidelity_of(worths() * 7, seen) < 1e-6
    assert infidelity_of(-worths(), seen) == pytest.approx(1)
    lots = [infidelity_of(np.random.default_rng(at).random((4, 4)), seen) for at in range(20)]
    assert 0.2 < min(lots) and max(lots) <= 1 + 1e-9


def test_road_of_one_picture_knows_the_planted_patch() -> None:
    image = np.full((3, 32, 32), 0.45, np.float32)
    image[:, :8, :8] = 0.9
    truth = np.zeros((4, 4))
    truth[0, 0] = 1
    good = road_of(dressed(Planted()), image, 0, truth)
    bad = road_of(dressed(Planted()), image, 0, -truth)
    assert np.all(good.least[:-1] > 0.99) and np.all(good.most < 0.2)
    assert good.combined == pytest.approx(-bad.combined, abs=0.02) and good.combined > 0.35
    assert good.shares.tolist() == [2 / 16, 5 / 16, 8 / 16, 11 / 16, 14 / 16]

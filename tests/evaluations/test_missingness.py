"""Missing parts: closed forms on networks whose answer is known; what operators promise."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.interventions.subjects import network_named, pictures
from workbench.errors import BadInput
from workbench.evaluations.missingness import Missing, entropy_bits, missingness
from workbench.evaluations.shape_leak import shape_leak
from workbench.masks import Grid
from workbench.models.network import Network


class Brightness(nn.Module):
    """Says "bright" where the mean pixel is above one half, "dark" elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(100.0))

    def forward(self, x):
        mean = x.mean((1, 2, 3))
        return torch.stack([mean - 0.5, 0.5 - mean], 1) * self.gain


class Rolling(nn.Module):
    """Convolutions without borders, so that only what is seen can count."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1, padding_mode="circular")
        self.second = nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular")

    def forward(self, x):
        return self.second(self.first(x).relu()).relu().mean((2, 3))


def dressed(module: nn.Module, classes: int) -> Network:
    return Network(
        module=module.requires_grad_(False), kind="convnet", name="toy", size=(32, 32), patch=8,
        classes=classes, mean=(0.0,) * 3, std=(1.0,) * 3,
    )  # fmt: skip


def test_black_pulls_everything_to_one_class_and_neighbours_do_not() -> None:
    levels = np.linspace(0.05, 0.95, 20, dtype=np.float32)
    images = np.broadcast_to(levels[:, None, None, None], (20, 3, 32, 32)).copy()
    labels = (levels < 0.5).astype(np.int64)
    rows = {
        (each.operator, each.share): each
        for each in missingness(
            dressed(Brightness(), 2), images, labels,
            operators=["black", "grey(level=0.9)", "neighbour"], shares=(0, 0.5, 0.9),
            grid=Grid(4, 4, patch=8),
        )
    }  # fmt: skip
    whole = rows["black()", 0].summary()
    assert whole["same"] == 1 == whole["accuracy"] and whole["class_entropy"] == pytest.approx(1)
    dark = rows["black()", 0.9].summary()
    assert dark["most"] == 1 and dark["most_share"] == 1 and dark["class_entropy"] == 0
    assert dark["same"] == 0.5 == dark["accuracy"] and dark["same_low"] < 0.5 < dark["same_high"]
    assert rows["grey(level=0.9)", 0.9].summary()["most"] == 0
    half = rows["black()", 0.5]  # 8 of 16 cells: bright only where level / 2 > 0.5, which is none
    assert half.histogram.tolist() == [0, 20]
    assert rows["neighbour()", 0.9].summary()["same"] == 1


def test_entropy_and_intervals_are_the_formulas() -> None:
    p = np.array([[0.5, 0.25, 0.25], [1, 0, 0]], np.float32)
    assert entropy_bits(p).tolist() == pytest.approx([1.5, 0])
    found = Missing("x", "random", 0.5, p, np.array([0, 1])).summary()
    assert found["entropy"] == pytest.approx(0.75) and found["confidence"] == pytest.approx(0.75)
    half = 1.96 * np.std([1.5, 0], ddof=1) / 2**0.5
    assert found["entropy_high"] - found["entropy"] == pytest.approx(half)
    assert found["same"] == 0.5 and "accuracy" not in found
    assert found["class_entropy"] == 0 and found["histogram"] == [2, 0, 0]


@pytest.mark.parametrize(
    ("which", "operators"),
    [("vit_tiny_patch16_224", ["drop_tokens", "hide_keys", "grey"]),
     ("convnext_tiny", ["layer_mask", "black"])],
)  # fmt: skip
def test_every_operator_hides_the_same_cells_and_the_missing_ones_say_nothing(
    which: str, operators: list[str]
) -> None:
    network = network_named(which)
    images = pictures(network, 3)

    def run(images: np.ndarray, order: str = "random") -> list[Missing]:
        return list(
            missingness(network, images, operators=operators, orders=[order], shares=(0, 0.5))
        )

    rows = run(images)
    assert [each.operator.partition("(")[0] for each in rows[::2]] == operators
    assert all(np.array_equal(each.probabilities, rows[0].probabilities) for each in rows[::2])
    assert not np.allclose(rows[1].probabilities, rows[-1].probabilities, atol=1e-4)
    if "hide_keys" in operators:
        assert np.allclose(rows[1].probabilities, rows[3].probabilities, atol=1e-5)
    first, last = run(images, "salient_first"), run(images, "salient_last")
    assert not np.allclose(first[1].probabilities, last[1].probabilities, atol=1e-6)


def test_a_silhouette_tells_its_class_when_painted_and_not_when_missing() -> None:
    rng = np.random.default_rng(0)
    shapes = np.zeros((120, 16, 16), bool)
    labels = np.arange(120) // 2 % 2
    for shape, label in zip(shapes, labels, strict=True):
        top, left = rng.integers(1, 5, 2)
        height, width = ((10, 3), (6, 6))[label]
        shape[top : top + height, left : left + width] = True
    even = np.ones((120, 3, 32, 32), np.float32) * rng.uniform(0.4, 1, (120, 1, 1, 1))
    even = even.astype(np.float32)
    found = shape_leak(dressed(Rolling(), 8), shapes, labels, even, ["black", "layer_mask"])
    black, missing = found["black()"], found['layer_mask(policy="any", fill="neighbour")']
    assert black.low > 0.6
    assert missing.accuracy < black.accuracy and missing.low < 0.5
    with pytest.raises(BadInput, match="two classes at least"):
        shape_leak(dressed(Rolling(), 8), shapes, labels * 0, even, ["black"])


def test_what_cannot_be_measured_is_said() -> None:
    network, images = network_named("convnext_tiny"), pictures(network_named("convnext_tiny"))
    with pytest.raises(BadInput, match=r"share 0\.9 of 4 cells is all of them"):
        list(missingness(network, images, shares=(0.1, 0.9), grid=Grid(2, 2, patch=16)))
    with pytest.raises(BadInput, match=r"1\.0 is no share"):
        list(missingness(network, images, shares=(1.0,)))
    with pytest.raises(BadInput, match="take layer_mask"):
        list(missingness(network, images, operators=["drop_tokens"]))
    with pytest.raises(BadInput, match="'outside' is no share"):
        list(missingness(network, images, orders=["outside"]))  # pyright: ignore
    with pytest.raises(BadInput, match="has no head"):
        list(missingness(network_named("ours"), pictures(network_named("ours"))))

"""Lessons on explanations: maps of a classifier whose right answer to "where?" is known."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.data.sets import DATASETS, Pictures
from workbench.evaluations.classifying import said_right, small_classifier
from workbench.explain import Attribution, explain
from workbench.explain.judging import Curve, curves, randomisation
from workbench.lessons.attention import Z95
from workbench.lessons.boards import Board, Chart, Listing, board, table
from workbench.lessons.trying import Trying
from workbench.masks import Grid
from workbench.notebook import Pictures as Tiles
from workbench.notebook import Pixels
from workbench.plots.attribution import attribution_over

SIDE, CELL = 32, 4
GRID = Grid(SIDE // CELL, SIDE // CELL, patch=CELL)
METHODS = (
    "saliency", "smooth_grad", "input_gradient", "integrated_gradients", "grad_cam", "occlusion",
    "random", "centre",
)  # fmt: skip
REMOVALS = ("black", "grey", "neighbour", "layer_mask")
Way = tuple[str, str]


@lru_cache(2)
def pictures(train: bool) -> Pictures:
    """Digits beside a block that tells nothing, 32 x 32 pixels."""
    return DATASETS.parse("block_digits()").load(SIDE, train=train)


def train(steps: int, batch: int = 32) -> Any:
    """A small convnet that names the digit."""
    data = pictures(True)
    assert data.labels is not None
    return small_classifier(
        "convnet", data.images, data.labels, data.classes, steps=steps, batch=batch
    )


def show_task(network: Any, count: int = 7) -> Board:
    """Some pictures, and how often the network is right on those that it never saw."""
    data = pictures(False)
    assert data.labels is not None
    right = said_right(network, data.images, data.labels)
    tiles = [(f"a {data.classes[data.labels[at]]}", data.images[at]) for at in range(count)]
    return board(tiles, f"right on {right:.0%} of {len(data)} others", across=count, limit=96)


@lru_cache(1024)
def _kept(network: Any, at: int, method: str, remove_with: str) -> Attribution:
    data = pictures(False)
    assert data.labels is not None
    image = _float(data.images[at])
    return explain(network, image, int(data.labels[at]), method, remove_with, grid=GRID, seed=at)


def _float(pixels: Pixels) -> NDArray[np.float32]:
    return (pixels.transpose(2, 0, 1) / np.float32(255)).astype(np.float32)


def try_explaining(network: Any, count: int = 12) -> Trying:
    """Choose a picture, a method and what "removed" means; the map is of the digit's class."""

    def draw(at: int, method: str, remove_with: str) -> tuple[Image.Image, str]:
        found, data = _kept(network, at, method, remove_with), pictures(False)
        wide = np.asarray(Image.fromarray(data.images[at]).resize((192, 192), Image.Resampling.BOX))
        on, null = shares(found, at)
        tiles = (
            ("picture", wide),
            (f"for a {found.label}", attribution_over(wide, found.scaled())),
        )
        removed = f", removed with {remove_with}" if found.removal else ""
        said = (
            f"{method}{removed}: {on:.0%} of the map lie on the digit, {null:.0%} on the null "
            f"block, {1 - on - null:.0%} beside them; the network gives the {found.label} "
            f"{found.score:.0%}."
        )
        return Tiles(tiles, limit=220).image(), said

    options = {"picture": range(count), "method": METHODS, "removed with": REMOVALS}
    return Trying(draw, options, first=(0, METHODS.index("occlusion"), 0))


def show_maps(network: Any, ways: Sequence[Way], at: int) -> Board:
    """One picture by several methods, each on its own scale."""
    wide = np.asarray(
        Image.fromarray(pictures(False).images[at]).resize((128, 128), Image.Resampling.BOX)
    )
    tiles = [("picture", wide)]
    for method, remove_with in ways:
        found = _kept(network, at, method, remove_with)
        tiles.append((_named(method, remove_with), attribution_over(wide, found.scaled())))
    return board(tiles, "red speaks for the class, blue against it", across=5, limit=150)


def shares(found: Attribution, at: int) -> tuple[float, float]:
    """How much of a map's size lies on the digit and on the null block of a test picture."""
    extra = pictures(False).extra
    rows, cols = found.values.shape
    size = np.abs(found.values).astype(np.float64)
    wide = size.repeat(SIDE // rows, 0).repeat(SIDE // cols, 1)
    whole = float(wide.sum()) or 1.0
    return float(wide[extra["signal"][at]].sum()) / whole, float(
        wide[extra["null"][at]].sum()
    ) / whole


def show_mass(network: Any, ways: Sequence[Way], count: int) -> Listing:
    """Where maps lie, as a mean over pictures with a 95% interval."""
    rows = list[tuple[str, ...]]()
    for method, remove_with in ways:
        each = [shares(_kept(network, at, method, remove_with), at) for at in range(count)]
        half = Z95 * np.std(each, axis=0, ddof=1) / np.sqrt(count)
        on, null = np.mean(each, axis=0)
        rows.append((_named(method, remove_with), f"{on:.0%} ± {half[0]:.0%}",
                     f"{null:.0%} ± {half[1]:.0%}"))  # fmt: skip
    return Listing((f"mean of {count} pictures", "on the digit", "on the null block"), tuple(rows))


def _named(method: str, remove_with: str) -> str:
    return f"{method}, {remove_with}" if method == "occlusion" else method


def show_areas(network: Any, ways: Sequence[Way], operators: Sequence[str], count: int) -> Listing:
    """Mean deletion and insertion areas of maps, for each way of removing."""
    rows = list[tuple[Any, ...]]()
    for way in ways:
        areas = [[each.area for each in drawn(network, way, operators, at)] for at in range(count)]
        rows.append((_named(*way), *(f"{each:.2f}" for each in np.mean(areas, 0))))
    heads = [f"{kind}, {each}" for each in operators for kind in ("deletion", "insertion")]
    return table((f"areas, mean of {count}", *heads), rows)


def drawn(network: Any, way: Way, operators: Sequence[str], at: int) -> list[Curve]:
    """Deletion and insertion curves of one map."""
    data = pictures(False)
    assert data.labels is not None
    cells = _kept(network, at, *way).cells(GRID)
    return curves(network, _float(data.images[at]), int(data.labels[at]), cells, operators)


def show_deletion(network: Any, ways: Sequence[Way], operator: str, count: int) -> Chart:
    """Mean probability of the class as the highest cells go first."""
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for way in ways:
        found = [drawn(network, way, [operator], at)[0] for at in range(count)]
        heights = np.mean([each.values for each in found], axis=0)
        lines[_named(*way)] = found[0].shares.tolist(), heights.tolist()
    return Chart(lines, f"share painted {operator}", "probability of the class")


def show_randomised(network: Any, ways: Sequence[Way], layers: Sequence[int], at: int) -> Listing:
    """Rank correlation of a map with that of the network whose last layers were drawn anew.

    "The picture" is no explanation: its brightness, whatever the network is.
    """
    data = pictures(False)
    assert data.labels is not None
    image, label = _float(data.images[at]), int(data.labels[at])

    def by(method: str, remove_with: str) -> Any:
        def attribute(changed: Any) -> Attribution:
            return explain(changed, image, label, method, remove_with, grid=GRID)

        return attribute

    def brightness(changed: Any) -> Attribution:
        return Attribution(image.mean(0), label, str(label), 0.0, "the picture", "", 0)

    attributes: Mapping[str, Any] = {
        **{_named(*way): by(*way) for way in ways}, "the picture": brightness
    }  # fmt: skip
    rows = [
        (name, *(f"{each:.2f}" for each in randomisation(network, make, layers, GRID)))
        for name, make in attributes.items()
    ]
    heads = tuple(f"last {count} layers anew" for count in layers)
    return Listing((f"picture {at}", *heads), tuple(rows))

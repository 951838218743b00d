"""Lessons on what is missing: two small classifiers of photos, and ways of taking parts away."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.data import photo, photos
from workbench.evaluations.classifying import said_right, small_classifier
from workbench.evaluations.missingness import Missing, missingness
from workbench.explain.removal import removal, stretched
from workbench.lessons.boards import Board, Chart, Listing, board, table
from workbench.lessons.trying import Trying
from workbench.masks import MASKS, Grid
from workbench.notebook import Pictures, Pixels

SIDE, CELL = 64, 8
GRID = Grid(SIDE // CELL, SIDE // CELL, patch=CELL)
NAMES = tuple(each.name for each in photos() if each.kind != "drawing")[:16]
KINDS: tuple[Literal["convnet", "vit"], ...] = ("convnet", "vit")
INSIDE = {"convnet": "layer_mask", "vit": "drop_tokens"}


@lru_cache(4)
def crops(count: int, seed: int) -> tuple[Pixels, NDArray[np.int64]]:
    """Squares cut from bundled photos, uint8 [n, 64, 64, 3], and the number of each photo."""
    rng = np.random.default_rng(seed)
    sources = [Image.fromarray(_reduced(name)) for name in NAMES]
    labels = rng.integers(0, len(NAMES), count)
    images = np.empty((count, SIDE, SIDE, 3), np.uint8)
    for row, number in enumerate(labels):
        source = sources[number]
        side = round(min(source.size) * rng.uniform(0.4, 0.8))
        left, top = (int(rng.integers(0, each - side + 1)) for each in source.size)
        box = (left, top, left + side, top + side)
        images[row] = source.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box, 2.0)
    return images, labels.astype(np.int64)


def _reduced(name: str, side: int = 256) -> Pixels:
    whole = Image.fromarray(photo(name))
    factor = max(1, min(whole.size) // side)
    return np.asarray(whole.reduce(factor).convert("RGB"))


def train(kind: Literal["convnet", "vit"], steps: int, batch: int) -> Any:
    """A small network that tells from which photo a crop was cut."""
    images, labels = crops(100 + 12 * steps, 0)
    return small_classifier(kind, images, labels, NAMES, steps=steps, batch=batch)


def show_task(networks: Mapping[str, Any], count: int = 12, tested: int = 200) -> Board:
    """Some crops, and how often each network is right on crops that it never saw."""
    images, labels = crops(tested, 1)
    right = [f"{name} {said_right(each, images, labels):.0%}" for name, each in networks.items()]
    tiles = [(NAMES[labels[at]], images[at]) for at in range(count)]
    return board(tiles, f"right on {tested} other crops: {', '.join(right)}", limit=128)


def ways(network: Any) -> list[str]:
    """Three ways of painting over, and the one of this kind of network to leave away."""
    return ["grey", "black", "neighbour", INSIDE[network.kind]]


def largest_changes(networks: Mapping[str, Any], share: float = 0.5) -> Listing:
    """The largest change of any score when the pixels that are hidden become noise."""
    images, _ = crops(8, 2)
    hidden = _hidden(share, 8)
    pictures = _floats(images)
    loud = np.where(
        stretched(hidden, (SIDE, SIDE))[:, None],
        np.random.default_rng(0).random(pictures.shape, np.float32), pictures,
    )  # fmt: skip
    rows = list[tuple[str, ...]]()
    for name, network in networks.items():
        operator = removal(INSIDE[network.kind])
        pair = [operator.each(network, each, hidden).numpy() for each in (pictures, loud)]
        plain = [network.logits(each).numpy() for each in (pictures, loud)]
        gaps = [f"{float(np.abs(a - b).max()):.3g}" for a, b in (plain, pair)]
        rows.append((f"{name}, {INSIDE[network.kind]}", *gaps))
    return Listing(("", "nothing hidden", "hidden inside"), tuple(rows))


def _hidden(share: float, count: int, seed: int = 0) -> NDArray[np.bool_]:
    return MASKS.parse(f"random(ratio={share})").sample(GRID, count=count, seed=seed).hidden


def _floats(images: Pixels) -> NDArray[np.float32]:
    return (images.transpose(0, 3, 1, 2) / np.float32(255)).astype(np.float32)


def measured(network: Any, shares: Sequence[float], count: int) -> list[Missing]:
    """What a network says of crops as growing shares are taken away at random."""
    images, labels = crops(200, 1)
    return list(
        missingness(network, _floats(images[:count]), labels[:count], operators=ways(network),
                    shares=shares, grid=GRID)
    )  # fmt: skip


def show_answers(found: Sequence[Missing]) -> Chart:
    """The share of crops of which the class stays what it was."""
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for each in found:
        xs, ys = lines.setdefault(each.operator.partition("(")[0], ([], []))
        xs.append(each.share)
        ys.append(float((each.said == each.before).mean()))
    return Chart(lines, "share of the crop taken away", "share that keeps its class")


def show_pull(found: Sequence[Missing], share: float) -> Listing:
    """Which photo is said most often when a share is gone, and the entropy of what is said."""
    rows = list[tuple[str, Any, Any, Any]]()
    for each in found:
        if each.share == share:
            told = each.summary()
            most = f"{NAMES[told['most']]} ({told['most_share']:.0%})"
            low, high = told["class_entropy_low"], told["class_entropy_high"]
            span = f"{told['class_entropy']:.2f} ({low:.2f} to {high:.2f})"
            rows.append((each.operator.partition("(")[0], most, span, f"{told['accuracy']:.0%}"))
    heads = (f"{share:.0%} taken away by", "said most often", "entropy of classes, bits", "right")
    return table(heads, rows)


def try_missing(networks: Mapping[str, Any], count: int = 12) -> Trying:
    """Choose a network, a crop, how much is taken away and how; see what is said."""
    images, labels = crops(200, 1)
    shares = (0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)

    def draw(name: str, at: int, share: float, way: str) -> tuple[Image.Image, str]:
        network = networks[name]
        operator = removal(INSIDE[network.kind] if way == "leave it away" else way)
        hidden = _hidden(share, 1, at)
        picture, whole = _floats(images[at : at + 1]), images[at]
        seen = whole
        if operator.paints:
            painted = operator.picture(picture[0], stretched(hidden, (SIDE, SIDE))).numpy()
            seen = (painted[0].transpose(1, 2, 0) * 255).round().astype(np.uint8)
        elif share:
            seen = np.where(stretched(hidden, (SIDE, SIDE))[0][..., None], _weave(), whole)
        scores = operator.each(network, picture, hidden) if share else network.logits(picture)
        said = scores.softmax(1)[0].numpy()
        best = int(said.argmax())
        tiles = (("crop", whole), ("what is left", seen), ("it says", _reduced(NAMES[best])))
        truth = NAMES[labels[at]]
        words = f"{name}, {share:.0%} gone, {way}: {NAMES[best]} ({said[best]:.0%})"
        return Pictures(
            tiles, limit=200
        ).image(), f"{words}; it is {truth} ({said[labels[at]]:.0%})."

    options = {
        "network": tuple(networks), "crop": range(count), "taken away": shares,
        "by": ("grey", "black", "neighbour", "leave it away"),
    }  # fmt: skip
    return Trying(draw, options, first=(0, 0, 6, 0))


def _weave() -> Pixels:
    """A checked ground that stands for "nothing is here"."""
    rows, cols = np.indices((SIDE, SIDE)) // 4
    return np.where((rows + cols) % 2, 205, 235).astype(np.uint8)[..., None].repeat(3, 2)

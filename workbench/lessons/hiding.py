"""Lessons on hiding inside: heads, MLPs and blocks of the autoencoder, and what it then paints."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from workbench.explain import head_importance
from workbench.interventions.repainting import repaint
from workbench.interventions.skip_evenly import kept
from workbench.lessons.attention import cut, drawn, images_of, model
from workbench.lessons.boards import Chart, Listing, Sheet
from workbench.lessons.trying import Trying
from workbench.masks import Mask
from workbench.notebook import Pictures
from workbench.plots.heat_map import heat_map

Floats = NDArray[np.float32]
DEPTH, HEADS = 12, 3
CELL, LEFT, HEAD = 40, 64, 22
PARTS = ("nothing", "head 0", "head 1", "head 2", "all heads", "the MLP", "the block")


def off(layer: int, part: str) -> str:
    """The recipe that switches off a part of a block, by its name in `PARTS`."""
    if part.startswith("head "):
        return f"heads_off(layer={layer}, heads=[{part.removeprefix('head ')}])"
    return {
        "nothing": "",
        "all heads": f"heads_off(layer={layer}, heads=[0, 1, 2])",
        "the MLP": f"mlps_off(layers=[{layer}])",
        "the block": f"skip_blocks(layers=[{layer}])",
    }[part]


def try_inside(picture: str, ratio: float = 0.75) -> Trying:
    """Choose a block and what is switched off in it; the painting follows."""
    mask, image = drawn(f"random(ratio={ratio})"), cut(picture)
    images = images_of(image)
    plain, before = repaint(model(), images, mask)
    usual = float(before[0][mask.hidden[0]].mean())

    def draw(layer: int, part: str) -> tuple[Image.Image, str]:
        painted, error = repaint(model(), images, mask, off(layer, part))
        now = float(error[0][mask.hidden[0]].mean())
        caption = f"without {part}" if part != "nothing" else "as before"
        tiles = [("photo", image), ("painted by all", _bytes(plain)), (caption, _bytes(painted))]
        said = (
            f"Layer {layer}, {part} switched off: error {now:.4f}, {now / usual:.2f} times that of "
            f"the whole encoder ({usual:.4f})."
        )
        return Pictures(tuple(tiles), limit=216).image(), said

    options = {"layer": range(DEPTH), "switch off": PARTS}
    return Trying(draw, options, first=(0, PARTS.index("all heads")))


def _bytes(images: Floats) -> NDArray[np.uint8]:
    return (images[0].transpose(1, 2, 0) * 255).round().astype(np.uint8)


@lru_cache(4)
def scenes(names: tuple[str, ...], ratio: float) -> tuple[Floats, Mask]:
    """Photos [n, 3, h, w] and as many masks."""
    grid = model().grid
    masks = [drawn(f"random(ratio={ratio})", seed).hidden for seed in range(len(names))]
    return np.concatenate([images_of(cut(name)) for name in names]), Mask(
        np.concatenate(masks), grid
    )


def rise(names: Sequence[str], recipe: str, ratio: float = 0.75) -> float:
    """How many times larger the error on hidden patches gets, all photos together."""
    return _error(tuple(names), recipe, ratio) / _error(tuple(names), "", ratio)


@lru_cache(256)
def _error(names: tuple[str, ...], recipe: str, ratio: float) -> float:
    images, masks = scenes(names, ratio)
    return float(repaint(model(), images, masks, recipe)[1].sum())


def one_by_one(names: Sequence[str]) -> Floats:
    """Times the error without one head alone, [heads, layers]."""
    return np.array(
        [[rise(names, off(at, f"head {head}")) for at in range(DEPTH)] for head in range(HEADS)],
        np.float32,
    )


def show_heads_off(names: Sequence[str]) -> Sheet:
    """By layer and head: how many times larger the error is without that head alone."""
    found = one_by_one(names)
    top = max(float(found.max()) - 1, 1e-6)
    tiles = heat_map(np.clip((found - 1) / top, 0, 1), CELL)
    whole = Image.new("RGB", (LEFT + tiles.shape[1], HEAD + tiles.shape[0]), "white")
    whole.paste(Image.fromarray(tiles), (LEFT, HEAD))
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(12)
    for at in range(DEPTH):
        word = f"layer {at}" if at == 0 else str(at)
        pen.text((LEFT + (at + 0.5) * CELL, HEAD / 2), word, "#5b616e", font, anchor="mm")
    for head in range(HEADS):
        pen.text((0, HEAD + (head + 0.5) * CELL), f"head {head}", "#5b616e", font, anchor="lm")
        for at in range(DEPTH):
            ink = "#1b1e24" if found[head, at] - 1 > top / 2 else "#f5f2ea"
            place = (LEFT + (at + 0.5) * CELL, HEAD + (head + 0.5) * CELL)
            pen.text(place, f"{found[head, at]:.2f}", ink, font, anchor="mm")
    words = f"{len(names)} photos: times the error without one head, {found.min():.2f} to"
    return Sheet(whole, f"{words} {found.max():.2f}")


def show_order(names: Sequence[str], counts: Sequence[int], draws: int = 3) -> Chart:
    """How the error rises as more heads go, by three ways of telling which matter least.

    "By gradient" asks `head_importance` on the same photos, whole, in one pass; "by trying" takes
    the error without each head alone; "at random" is the mean of `draws` orders.
    """
    by_gradient = head_importance(model(), scenes(tuple(names), 0.75)[0]).numpy()
    ways = {"by gradient": [np.argsort(by_gradient.ravel(), kind="stable")]}
    ways["by trying"] = [np.argsort(one_by_one(names).T.ravel(), kind="stable")]
    rng = np.random.default_rng(0)
    ways["at random"] = [rng.permutation(DEPTH * HEADS) for _ in range(draws)]
    lines = {
        name: (
            list(counts),
            [float(np.mean([rise(names, heads(each[:n])) for each in orders])) for n in counts],
        )
        for name, orders in ways.items()
    }
    return Chart(lines, "heads switched off, of 36", "times the error")


def heads(chosen: Iterable[int]) -> str:
    """The recipe that switches off heads by their number, layer by layer."""
    parts, every = list[str](), list(chosen)
    for layer in range(DEPTH):
        own = sorted(int(each) % HEADS for each in every if each // HEADS == layer)
        parts += [f"heads_off(layer={layer}, heads={own})"] * bool(own)
    return " ; ".join(parts)


def show_blocks(names: Sequence[str]) -> Chart:
    """How many times larger the error is with one block skipped, or without its MLP."""
    layers = list(range(DEPTH))
    lines = {
        what: (layers, [rise(names, off(at, part)) for at in layers])
        for what, part in (("block skipped", "the block"), ("heads off", "all heads"),
                           ("MLP off", "the MLP"))
    }  # fmt: skip
    return Chart(lines, "layer", "times the error")


def show_skipping(names: Sequence[str], speeds: Sequence[float]) -> Listing:
    """Evenly spread blocks against the first ones, at the same number of blocks."""
    rows = list[tuple[str, ...]]()
    for speed in speeds:
        run = kept(DEPTH, speed)
        last = f"skip_blocks(layers={list(range(len(run), DEPTH))})"
        spread = rise(names, f"skip_evenly(speed={speed})")
        rows.append((str(len(run)), " ".join(map(str, run)), f"{spread:.2f}",
                     f"{rise(names, last):.2f}"))  # fmt: skip
    return Listing(("blocks kept", "evenly", "times the error", "the first ones instead"),
                   tuple(rows))  # fmt: skip

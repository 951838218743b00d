"""Lessons on attention: maps of all heads, under masking too, and whether they matter."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from workbench.data import photo
from workbench.data.images import fit
from workbench.errors import BadInput
from workbench.explain import AttentionMaps, attention_maps, decoder_maps, head_measures, rollout
from workbench.explain.attention import Hide
from workbench.lessons.boards import Board, Chart, Listing, Sheet, board
from workbench.masks import MASKS, Mask
from workbench.models import load_reconstructor
from workbench.models.reconstruction import Reconstructor
from workbench.notebook import Pixels
from workbench.plots.heat_map import heat_map
from workbench.scenes.gallery import shaded

Floats = NDArray[np.float64]
TOP = 0.1  # the weight that is painted brightest, of a row that sums to 1
TILE, MAPS, GAP, LEFT, HEAD = 216, 640, 4, 52, 20
CAUSES = ("most looked at", "nearest", "any", "least looked at")
Z95 = 1.96


@lru_cache(1)
def model() -> Reconstructor:
    """The bundled masked autoencoder, exact."""
    return load_reconstructor("default", device="cpu", precision="fp32")


def cut(picture: str) -> Pixels:
    """A bundled photo in the model's size."""
    return fit(photo(picture), *model().size, "crop")


def images_of(pixels: Pixels) -> NDArray[np.float32]:
    """Float32 [1, 3, h, w] in [0, 1]."""
    return (pixels.transpose(2, 0, 1)[None] / 255).astype(np.float32)


def drawn(mask: str, seed: int = 0) -> Mask:
    """The mask of a recipe on the model's grid."""
    return MASKS.parse(mask).sample(model().grid, seed=seed)


@lru_cache(16)
def maps_of(
    picture: str, mask: str = "", decoder: bool = False, hide: Hide = "drop"
) -> AttentionMaps:
    """Maps of all heads on a photo, of the encoder or the decoder; an empty mask hides nothing."""
    images = images_of(cut(picture))
    if decoder:
        return decoder_maps(model(), images, drawn(mask))
    return attention_maps(model(), images, mask=drawn(mask) if mask else None, hide=hide)


def weights(found: AttentionMaps, query: int | None) -> Floats:
    """What one token reads, [layers, heads, rows, cols]; NaN where a patch has no token."""
    each = [found.asked_by(layer, query)[0].numpy() for layer in found.layers]
    return np.stack(each).astype(np.float64)


def show_heads(
    picture: str,
    query: int | None,
    mask: str = "",
    *,
    decoder: bool = False,
    own_scale: bool = False,
) -> Sheet:
    """What one patch looks at, in every layer and head.

    Args:
        picture: name of a bundled photo.
        query: the patch that asks, row-major from 0; None for the class token.
        mask: recipe of what is hidden; empty for nothing.
        decoder: the decoder's maps, where hidden patches ask too.
        own_scale: paint each map from 0 to its own highest weight; else all from 0 to 0.1.

    Raises:
        BadInput: a hidden patch was asked, which has no token in the encoder.
    """
    found = maps_of(picture, mask, decoder)
    said = weights(found, query)
    if not np.isfinite(said).any():
        raise BadInput(
            f"patch {query} is hidden, so it has no token in the encoder; ask a visible one."
        )
    hidden = None if found.hidden is None else found.hidden[0]
    seen = marked(cut(picture), query, hidden)
    grid = head_grid(said, own_scale)
    whole = Image.new("RGB", (TILE + 3 * GAP + grid.width, max(TILE, grid.height)), "white")
    whole.paste(Image.fromarray(seen).resize((TILE, TILE)), (0, 0))
    whole.paste(grid, (TILE + 3 * GAP, 0))
    part, who = "decoder" if decoder else "encoder", "class token"
    who = who if query is None else f"patch {query}"
    words = f"{picture}, {mask or 'nothing hidden'}: what the {who} reads in the {part}"
    return Sheet(whole, f"{words}, {len(said)} layers of {said.shape[1]} heads")


def head_grid(said: Floats, own_scale: bool = False) -> Image.Image:
    """Heat maps [layers, heads, rows, cols] with layers from left to right; NaN is grey."""
    layers, heads, rows, cols = said.shape
    cell = max(1, (MAPS // layers - GAP) // max(rows, cols))
    cell = min(cell, 9)
    width, height = cols * cell + GAP, rows * cell + GAP
    whole = Image.new("RGB", (LEFT + layers * width, HEAD + heads * height), "white")
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(12)
    for head in range(heads):
        pen.text((0, HEAD + (head + 0.5) * height), f"head {head}", "#5b616e", font, anchor="lm")
    for layer in range(layers):
        word = f"layer {layer}" if layer == 0 and width > 44 else str(layer)
        pen.text((LEFT + layer * width, 3), word, "#5b616e", font)
        for head in range(heads):
            part = said[layer, head]
            top = float(np.nanmax(part)) if own_scale else TOP
            tile = Image.fromarray(heat_map(part / (top or 1.0), cell))
            whole.paste(tile, (LEFT + layer * width, HEAD + head * height))
    return whole


def marked(pixels: Pixels, query: int | None, hidden: NDArray[np.bool_] | None = None) -> Pixels:
    """A photo with hidden patches darkened and a frame around the patch that asks."""
    grid = model().grid
    seen = pixels if hidden is None else shaded(pixels, hidden)
    picture = Image.fromarray(seen).resize((TILE, TILE))
    if query is not None:
        row, col = divmod(query, grid.cols)
        side = TILE / grid.cols
        box = (col * side - 1, row * side - 1, (col + 1) * side, (row + 1) * side)
        ImageDraw.Draw(picture).rectangle(box, None, "#ffd400", 3)
    return np.asarray(picture)


def show_measures(picture: str, mask: str = "") -> Listing:
    """How evenly, how far and how differently the heads of each layer look."""
    found = head_measures(maps_of(picture, mask))
    rows = [
        (
            str(layer),
            " ".join(f"{each:.2f}" for each in entropy),
            " ".join(f"{each:.0f}" for each in distance),
            f"{alone:.2f}",
        )
        for layer, entropy, distance, alone in zip(
            found.layers, found.entropy.tolist(), found.distance.tolist(),
            found.diversity.tolist(), strict=True,
        )
    ]  # fmt: skip
    heads = ("layer", "evenness of each head, 0 to 1", "distance, pixels", "difference of heads")
    return Listing(heads, tuple(rows))


def show_steadiness(picture: str, ratios: Sequence[float]) -> Chart:
    """How alike maps of visible patches are to those on the whole photo, by layer and ratio.

    For every visible patch and head the correlation of what it reads from visible patches, with
    and without the others being there; the mean over both.
    """
    whole = maps_of(picture)
    lines: dict[str, tuple[list[int], list[float]]] = {}
    for ratio in ratios:
        mask = f"random(ratio={ratio})"
        found, seen = maps_of(picture, mask), np.flatnonzero(~drawn(mask).hidden[0].ravel())
        alike = [agreement(_between(whole, at, seen), _between(found, at, seen))
                 for at in found.layers]  # fmt: skip
        lines[f"{ratio:.0%} hidden"] = found.layers, alike
    return Chart(lines, "layer", "correlation with the map of the whole photo")


def _between(found: AttentionMaps, layer: int, seen: NDArray[np.int64]) -> Floats:
    patches = found.full(layer)[0, :, found.prefix :, found.prefix :].numpy()
    return patches[:, seen][:, :, seen].astype(np.float64)


def agreement(one: Floats, other: Floats) -> float:
    """Mean correlation of the rows of two stacks of maps [heads, k, k]."""
    a, b = (each - each.mean(-1, keepdims=True) for each in (one, other))
    length = np.sqrt(np.square(a).sum(-1) * np.square(b).sum(-1))
    return float(((a * b).sum(-1) / np.maximum(length, 1e-30)).mean())


def largest_gap(picture: str, mask: str) -> float:
    """The largest difference between maps of visible patches, dropping against hidden keys."""
    seen = np.flatnonzero(~drawn(mask).hidden[0].ravel())
    pair = [maps_of(picture, mask), maps_of(picture, mask, hide="keys")]
    return max(
        float(np.abs(np.subtract(*(_between(each, layer, seen) for each in pair))).max())
        for layer in pair[0].layers
    )


def show_rollout(pictures: Sequence[str]) -> Board:
    """Photos, what their class token reads in the last layer, and what it gathered over all."""
    tiles = list[tuple[str, Pixels]]()
    for name in pictures:
        found = maps_of(name)
        last, gathered = found.asked_by(-1 % len(found.layers))[0].mean(0), rollout(found)[0]
        both = [each.numpy() / float(each.max()) for each in (last, gathered)]
        tiles += [(name, cut(name)), ("last layer", heat_map(both[0], 12))]
        tiles.append(("rollout", heat_map(both[1], 12)))
    return board(tiles, "each map from 0 to its own highest value", 3 * min(2, len(pictures)))


def show_deletion(
    pictures: Sequence[str], ratio: float, asked: int, gone: int = 4, seed: int = 0
) -> Listing:
    """How much worse a hidden patch is painted when some more patches are hidden from it.

    Args:
        pictures: bundled photos.
        ratio: share hidden at random.
        asked: hidden patches asked of each photo.
        gone: visible patches that are hidden in addition: those that the decoder's mask token
            reads most (mean over layers and heads), the nearest, any, or those read least.
        seed: decides the mask, the patches asked, and "any".
    """
    rises: dict[str, list[float]] = {name: [] for name in CAUSES}
    usual = list[float]()
    rng = np.random.default_rng(seed)
    for name in pictures:
        images, mask = images_of(cut(name)), drawn(f"random(ratio={ratio})", seed)
        hidden = mask.hidden[0].ravel()
        seen = np.flatnonzero(~hidden)
        queries = rng.choice(np.flatnonzero(hidden), asked, replace=False)
        order = orders(images, mask, queries, seen, rng)
        before = errors(images, np.repeat(hidden[None], asked, 0), queries)
        usual += before.tolist()
        for cause in CAUSES:
            more = np.repeat(hidden[None], asked, 0)
            np.put_along_axis(more, order[cause][:, :gone], True, axis=1)
            rises[cause] += (errors(images, more, queries) - before).tolist()
    rows = [(f"none (mean error {np.mean(usual):.4f})", "0")]
    for cause, values in rises.items():
        half = Z95 * np.std(values, ddof=1) / np.sqrt(len(values))
        rows.append((f"the {gone} {cause}", f"{np.mean(values):+.4f} ± {half:.4f}"))
    return Listing(("hidden in addition", f"error of {len(usual)} hidden patches"), tuple(rows))


def orders(
    images: NDArray[np.float32],
    mask: Mask,
    queries: NDArray[np.int64],
    seen: NDArray[np.int64],
    rng: np.random.Generator,
) -> dict[str, NDArray[np.int64]]:
    """Visible patches in the order in which each cause takes them, [queries, visible] each."""
    found, grid = decoder_maps(model(), images, mask), model().grid
    read = np.mean([found.map(layer)[0].numpy().mean(0) for layer in found.layers], axis=0)
    read = read[found.prefix :, found.prefix :][queries][:, seen]
    place = np.stack(np.divmod(np.arange(grid.size), grid.cols), axis=1)
    far = np.square(place[queries][:, None] - place[seen][None]).sum(-1)
    return {
        "most looked at": seen[np.argsort(-read, axis=1)],
        "nearest": seen[np.argsort(far, axis=1, kind="stable")],
        "any": rng.permuted(np.repeat(seen[None], len(queries), 0), axis=1),
        "least looked at": seen[np.argsort(read, axis=1)],
    }


def errors(
    images: NDArray[np.float32], hidden: NDArray[np.bool_], queries: NDArray[np.int64]
) -> Floats:
    """Mean squared error of one hidden patch a row, [queries]."""
    grid = model().grid
    batch = Mask(hidden.reshape(-1, grid.rows, grid.cols), grid)
    result = model()(np.repeat(images, len(hidden), 0), batch)
    found = np.asarray(result.error, np.float64).reshape(len(hidden), -1)
    return found[np.arange(len(queries)), queries]

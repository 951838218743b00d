"""Lessons on what is predicted: one picture as each target has it, and what each notices."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageFilter

from workbench.analysis.targets_seen import (
    LOSSES,
    describe,
    directions,
    main_colours,
    noticed,
    split_spectrum,
)
from workbench.data import photo
from workbench.data.images import fit
from workbench.data.samples import held_out
from workbench.lessons.boards import Board, Listing, board
from workbench.lessons.models import normalised, patches_of, picture_of
from workbench.lessons.training import PROTOCOLS, WORDS, pixel_scores, scores, told
from workbench.notebook import Pixels
from workbench.plots.directions import directions_picture
from workbench.runs.evaluating import INITIAL
from workbench.runs.store import Run
from workbench.seeds import Noise

SIDE, PATCH, CELL = 144, 12, 8
OTHERS = 6
SHOWN = 168  # pixels of a photo's side: enough to read, small in a notebook


def cut(picture: str) -> Pixels:
    """A bundled photo, uint8 [144, 144, 3]."""
    return fit(photo(picture), SIDE, SIDE, "crop")


def show_pixels(picture: str) -> Board:
    """A photo and its patches normalised one by one; grey is 0, two spreads to either end."""
    seen = cut(picture)
    parts, _, _ = normalised(patches_of(seen, (SIDE // PATCH, SIDE // PATCH)))
    tiles = [("pixels", seen), ("normalised pixels", picture_of(0.5 + parts / 4, (SIDE, SIDE)))]
    return board(tiles, f"{picture}, {SIDE // PATCH} x {SIDE // PATCH} patches", limit=SHOWN)


def show_directions(picture: str) -> Board:
    """A photo, its histograms of directions, and those of the same photo in poor light."""
    seen = cut(picture)
    dark = changes(seen)["darker"]
    tiles = [
        ("photo", seen),
        ("its HOG", directions_picture(directions(seen, CELL))),
        ("darker", dark),
        ("HOG of that", directions_picture(directions(dark, CELL))),
    ]
    said = f"{picture}: strokes run along edges, {CELL} x {CELL} pixels a cell"
    return board(tiles, said, limit=SHOWN)


def show_frequencies(picture: str, radius: float) -> Board:
    """A photo parted into low and high frequencies."""
    seen = cut(picture)
    low, high, share = split_spectrum(seen, radius)
    tiles = [("photo", seen), ("low frequencies", low), ("high ones, grey is 0", high)]
    said = f"{picture}: the disc of {radius:g} cycles holds {share:.1%} of the variance"
    return board(tiles, said, limit=SHOWN)


def show_features(pictures: Sequence[str], teacher: str = "default") -> Board:
    """Photos and the main directions of what a frozen encoder says of their patches, as colours."""
    seen = [cut(name) for name in pictures]
    said = describe(seen, PATCH, teacher)["features"]
    side = SIDE // PATCH
    together = main_colours(said.reshape(-1, said.shape[-1]), len(seen) * side, side)
    tiles = list[tuple[str, Pixels]]()
    for at, (name, pixels) in enumerate(zip(pictures, seen, strict=True)):
        colours = together[at * side : (at + 1) * side].repeat(PATCH, 0).repeat(PATCH, 1)
        tiles += [(name, pixels), ("features", np.rint(colours * 255).astype(np.uint8))]
    words = f"features of {teacher}: {said.shape[-1]} numbers a patch, 3 shown"
    return board(tiles, words, 4, SHOWN)


def show_places(picture: str, side: int = 36, seed: int = 0) -> Board:
    """A photo, its patches without their places, and the answer: a number a patch."""
    seen = cut(picture)
    n = SIDE // side
    order = np.argsort(Noise(seed, 0, 0, 1).uniform(n * n)[0])
    parts = patches_of(seen, (n, n)).reshape(n * n, -1, 3)
    mixed = picture_of(parts[order].reshape(n, n, -1, 3), (SIDE, SIDE))
    answer = ", ".join(str(place) for place in order.tolist())
    tiles = [("photo", seen), ("which belongs where?", mixed)]
    return board(tiles, f"places from top left, row by row: {answer}", limit=SHOWN)


def changes(picture: Pixels) -> dict[str, Pixels]:
    """Versions of a picture that show the same thing, and its negative."""
    whole = Image.fromarray(picture)
    noise = np.random.default_rng(0).normal(0, 10, picture.shape)
    mean = picture.mean((0, 1))
    found = {
        "darker": picture * 0.6,
        "half the contrast": mean + (picture - mean) * 0.5,
        "without colour": np.asarray(whole.convert("L").convert("RGB")),
        "negative": 255.0 - picture,
        "blurred": np.asarray(whole.filter(ImageFilter.GaussianBlur(2))),
        "grain": picture + noise,
        "one pixel to the right": np.concatenate([picture[:, :1], picture[:, :-1]], axis=1),
        "six pixels to the right": np.concatenate([picture[:, :6], picture[:, :-6]], axis=1),
        "mirrored": picture[:, ::-1],
    }
    return {name: np.rint(np.clip(each, 0, 255)).astype(np.uint8) for name, each in found.items()}


def show_changes(picture: str) -> Board:
    """A photo in the versions of `show_noticed`."""
    seen = cut(picture)
    return board([("photo", seen), *changes(seen).items()], picture, 5, 96)


def show_noticed(picture: str) -> Listing:
    """How much of each change each target notices, 100% for as much as another photo."""
    seen = cut(picture)
    others = [cut(info.name) for info in held_out() if info.kind == "photo"]
    others = [each for each in others if not np.array_equal(each, seen)][:OTHERS]
    found = noticed(seen, changes(seen), others, PATCH)
    rows = [(name, *(f"{found[name][kind]:.0%}" for kind in LOSSES)) for name in found]
    return Listing((f"{picture}, changed", *LOSSES), tuple(rows))


def show_objectives(runs: Mapping[str, Run]) -> Listing:
    """What some runs are made of."""
    rows = [(name, run.record["objective"], run.record["mask"]) for name, run in runs.items()]
    return Listing(("to predict", "objective", "hidden"), tuple(rows))


def show_worth(runs: Mapping[str, Run]) -> Listing:
    """Scores of runs by name, each beside its random weights, and bare pixels below them."""
    heads = [f"{word}, {when}" for word in map(WORDS.get, PROTOCOLS) for when in ("random", "now")]
    rows, count = list[tuple[str, ...]](), 0
    for name, run in runs.items():
        before, after = scores(run, INITIAL), scores(run)
        pairs = [pair for both in zip(before, after, strict=True) for pair in both]
        cells = [f"{each['accuracy']:.1%}" if at % 2 == 0 else told(each)
                 for at, each in enumerate(pairs)]  # fmt: skip
        rows.append((name, *cells))
        count = after[0]["count"]
    first = next(iter(runs.values()))
    bare = [told(each.as_dict()) for each in pixel_scores(first.record["data"], first.config.size)]
    rows.append(("no network: bare pixels", "", bare[0], "", bare[1]))
    return Listing((f"of {count} test pictures", *heads), tuple(rows))

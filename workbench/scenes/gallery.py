"""One tile a strategy, made from the registry alone: its drawing at its defaults on one photo."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Strategy
from workbench.params import knobs
from workbench.scenes.compose import grid_of, maps_of
from workbench.scenes.frequency import frequency_pictures, spectrum_picture
from workbench.scenes.photos import MADE_OF_PHOTOS, Pixels, fitted
from workbench.scenes.spec import SceneSpec

SIDE = 216
GHOST = 0.16  # how much of a hidden patch still shines through
SHADE = np.array([22.0, 27.0, 30.0])
KINDS = {
    "blind": "without looking",
    "guided": "guided by the picture",
    "frequency": "frequencies",
    "time": "clips",
    "view": "two views",
    "modality": "modalities",
    "band": "bands",
    "made": "by hand and layers",
}
PROMISES = {"exact": "exact ratio", "units": "exact in units", "free": "free ratio"}
FRAMES = {"time": 4, "view": 2, "modality": 3, "band": 4}


@dataclass(frozen=True)
class Tile:
    """A strategy as the gallery shows it.

    `picture` is uint8 [h, w, 3], the photo with hidden cells in the dark, or None where `problem`
    says why it cannot be drawn; `hidden` of `total` cells. `frames` is how many it was drawn on, 1
    for a single picture. `paper` and `link` are "" where there is none.
    """

    name: str
    summary: str
    recipe: str
    kind: str
    promise: str
    paper: str
    link: str
    picture: Pixels | None
    problem: str
    hidden: int
    total: int
    frames: int

    @property
    def realised(self) -> str:
        """How many cells are hidden, in words."""
        if self.picture is None:
            return ""
        if not self.hidden:
            return "hides what you give it"
        where = f", {self.frames} frames" if self.frames > 1 else ""
        unit = "frequencies" if self.kind == "frequency" else "patches"
        return f"{self.hidden} of {self.total} {unit}{where}"


def tiles(spec: SceneSpec | None = None) -> tuple[Tile, ...]:
    """A tile for every strategy of the registry, sorted by name.

    Args:
        spec: whose photo, fit, model (for the grid and for score maps) and seed; the default scene
            if left out.

    Returns:
        Tiles; one that cannot be drawn holds its sentence and takes no other down.

    Raises:
        BadInput: a photo or a model that is not there.
    """
    made = spec or SceneSpec()
    fitted(made.photo, *grid_of(made).pixels, made.fit)
    return tuple(tile(name, made) for name in MASKS.names())


@lru_cache(maxsize=256)
def tile(name: str, spec: SceneSpec) -> Tile:
    """The tile of one strategy; see `tiles`."""
    member = MASKS.get(name)
    strategy = member()
    drawn: tuple[Pixels, int, int, int] | None = None
    problem = ""
    try:
        drawn = _drawn(strategy, spec)
    except BadInput as error:
        problem = str(error)
    except Exception as error:  # a stranger's strategy may raise anything
        problem = f"{name} cannot be drawn: {type(error).__name__}: {error}"
    row = next(row for row in MASKS.describe() if row["name"] == name)
    return Tile(
        name=name,
        summary=row["summary"],
        recipe=str(strategy),
        kind=kind_of(strategy),
        promise=PROMISES[strategy.promise],
        paper=member.paper,
        link=paper_link(member.paper),
        picture=None if drawn is None else drawn[0],
        problem=problem,
        hidden=0 if drawn is None else drawn[1],
        total=0 if drawn is None else drawn[2],
        frames=1 if drawn is None else drawn[3],
    )


MADE_OF_PHOTOS.append(tile)


def kind_of(strategy: Strategy) -> str:
    """A key of KINDS: what the strategy looks at or works on."""
    if strategy.domain == "frequency":
        return "frequency"
    if strategy.frames in FRAMES:
        return strategy.frames
    if any(knob.kind == "recipe" for knob in knobs(type(strategy))):
        return "made"
    return "guided" if strategy.needs else "blind"


def paper_link(paper: str) -> str:
    """The address of a paper given as arXiv:ID or doi:ID; "" for anything else."""
    source, _, mark = paper.partition(":")
    places = {"arxiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}
    place = places.get(source.strip().lower())
    return f"{place}{mark.strip()}" if place and mark.strip() else ""


def _drawn(strategy: Strategy, spec: SceneSpec) -> tuple[Pixels, int, int, int]:
    """Picture, hidden cells, all cells and frames."""
    grid = grid_of(spec)
    height, width = grid.pixels
    photo = fitted(spec.photo, height, width, spec.fit)
    if strategy.domain == "frequency":
        spectrum = Grid(height, width, patch=1, domain="frequency")
        mask = strategy.sample(spectrum, seed=spec.seed)
        left, _ = frequency_pictures(photo, mask)
        whole = _resized(left, width, height)
        side = min(height, width) // 3
        whole[-side:, -side:] = _resized(spectrum_picture(photo, mask), side, side)
        return whole, int(mask.counts[0]), spectrum.size, 1
    frames = FRAMES.get(strategy.frames, 1)
    lattice = replace(grid, frames=frames) if frames > 1 else grid
    maps = maps_of(spec, strategy, grid) if strategy.needs else {}
    if frames > 1:
        maps = {recipe: np.repeat(found[:, None], frames, axis=1) for recipe, found in maps.items()}
    mask = strategy.sample(lattice, seed=spec.seed, maps=maps)
    hidden = mask.hidden[0].reshape(frames, grid.rows, grid.cols)
    large = fitted(spec.photo, *_shown_size(grid), spec.fit)
    shown = [
        shaded(picture, cells)
        for picture, cells in zip(_frames(large, strategy.frames), hidden, strict=True)
    ]
    return _strip(shown), int(mask.counts[0]), lattice.size, frames


def shaded(picture: Pixels, hidden: NDArray[np.bool_]) -> Pixels:
    """The picture with its hidden cells in the dark, uint8 [h, w, 3].

    Args:
        picture: uint8 [h, w, 3].
        hidden: bool [rows, cols]; cells share the picture's pixels as evenly as whole pixels allow.
    """
    height, width = picture.shape[:2]
    rows = np.arange(height) * hidden.shape[0] // height
    cols = np.arange(width) * hidden.shape[1] // width
    dark = picture.mean(axis=2, keepdims=True) * GHOST + SHADE
    cells = hidden[np.ix_(rows, cols)][..., None]
    return np.where(cells, dark, picture).astype(np.uint8)


def _shown_size(grid: Grid) -> tuple[int, int]:
    scale = SIDE / max(grid.rows, grid.cols)
    return round(grid.rows * scale), round(grid.cols * scale)


def _frames(photo: Pixels, meaning: str) -> list[Pixels]:
    """Stand-ins for the frames of a clip, views, modalities or bands, made of one photo."""
    if meaning in ("time", "view"):
        count, step = FRAMES[meaning], 0.06 if meaning == "time" else 0.2
        return [np.roll(photo, round(-at * step * photo.shape[1]), axis=1) for at in range(count)]
    if meaning not in FRAMES:
        return [photo]
    grey = photo.mean(axis=2)
    if meaning == "band":
        planes = [photo[..., 0], photo[..., 1], photo[..., 2], grey]
        return [_grey(plane) for plane in planes]
    slopes = np.gradient(grey)
    return [photo, _grey(grey), _grey(np.clip(8 * np.hypot(*slopes), 0, 255))]


def _grey(plane: NDArray[np.floating] | NDArray[np.uint8]) -> Pixels:
    return np.repeat(plane.astype(np.uint8)[..., None], 3, axis=2)


def _strip(pictures: Sequence[Pixels]) -> Pixels:
    """Several pictures in the room of one, two in a row."""
    if len(pictures) == 1:
        return pictures[0]
    height, width = pictures[0].shape[:2]
    out = np.full((height, width, 3), 128, np.uint8)
    rows, gap = -(-len(pictures) // 2), 2
    high, wide = height // 2 - gap, width // 2 - gap
    top = (height - rows * high - (rows - 1) * 2 * gap) // 2
    for at, picture in enumerate(pictures):
        y, x = top + at // 2 * (high + 2 * gap), at % 2 * (wide + 2 * gap)
        out[y : y + high, x : x + wide] = _resized(picture, wide, high)
    return out


def _resized(picture: Pixels, width: int, height: int) -> Pixels:
    scaled = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
    return np.array(scaled)


def contact_sheet(made: Sequence[Tile], columns: int = 8, side: int = 116) -> Image.Image:
    """All tiles as one picture with their names, for a page that cannot run anything.

    Args:
        made: from `tiles`; one without a picture is left empty and keeps its name.
        columns: tiles in a row.
        side: of a tile in pixels.
    """
    gap, line = 10, 18
    rows = -(-len(made) // columns)
    size = gap + columns * (side + gap), gap + rows * (side + line + gap)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for at, each in enumerate(made):
        x, y = gap + at % columns * (side + gap), gap + at // columns * (side + line + gap)
        if each.picture is None:
            pen.rectangle((x, y, x + side, y + side), fill="#eceeec")
        else:
            sheet.paste(Image.fromarray(_resized(each.picture, side, side)), (x, y))
        pen.text((x, y + side + 2), each.name.replace("_", " "), "#1b2423", font)
    return sheet

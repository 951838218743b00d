"""The painter as a notebook widget."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import anywidget
import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from workbench.data import fit as fit_picture
from workbench.data import open_image, photo, photos
from workbench.errors import BadInput, shown
from workbench.masks import MASKS, Grid, Mask, Strategy
from workbench.masks.painted import Painted, cells
from workbench.painter import painter_js

Pixels = NDArray[np.uint8]
Photo = str | Path | ArrayLike
SHOWN_SIDE = 576
STATIC_SIDE = 288


class Painter(anywidget.AnyWidget):
    """Paint a mask on a picture with mouse, pen, finger or keyboard.

    `recipe` is what was painted as one mask recipe; it can be observed and set. `mask` is the Mask
    that it makes on `grid` with `seed`, and `photo` the picture fitted to the grid, uint8
    [h, w, 3]. Where no kernel runs, a picture of the mask stands in the widget's place.
    """

    _esm = painter_js("anywidget")
    _view_name: str | None

    recipe = traitlets.Unicode("")
    image = traitlets.Unicode("").tag(sync=True)
    grid_shape = traitlets.List(traitlets.Int(), [1, 1]).tag(sync=True)
    base = traitlets.Unicode("0").tag(sync=True)
    edit = traitlets.Dict({"seq": 0, "threshold": 0.5}).tag(sync=True)
    settled = traitlets.Dict({"seq": 0, "hidden": ""}).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    pictures = traitlets.List(traitlets.Dict()).tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        picture: Photo = "astronaut",
        mask: str = "random(ratio=0.75)",
        *,
        grid: Grid | tuple[int, int] = (12, 12),
        seed: int = 0,
        fit: Literal["crop", "letterbox", "resize"] = "crop",
        **traits: Any,
    ) -> None:
        """Show `picture` (a bundled name, a path or an array) under the mask of a recipe.

        Args:
            picture: see above; an array is uint8 or float in [0, 1], [h, w, 3] or [h, w].
            mask: the recipe to start from.
            grid: the patches, or (rows, cols) of 12-pixel patches.
            seed: decides every random choice.
            fit: how a picture of another shape is brought to the grid's.
            traits: passed on to the widget.

        Raises:
            BadInput: a picture, recipe or grid that cannot be used.
        """
        self.grid = grid if isinstance(grid, Grid) else Grid(*grid, patch=12)
        self.seed = seed
        pixels = open_picture(picture)
        height, width = self.grid.pixels
        times = max(1, SHOWN_SIDE // max(height, width))
        self.photo: Pixels = fit_picture(pixels, height, width, fit)
        self._shown: Pixels = fit_picture(pixels, height * times, width * times, fit)
        self._from_browser = self._from_python = False
        name = picture if isinstance(picture, str) else "your picture"
        super().__init__(
            image=jpeg_uri(self._shown),
            grid_shape=[self.grid.rows, self.grid.cols],
            label=name,
            **traits,
        )
        self.recipe = mask

    @property
    def mask(self) -> Mask:
        """The mask as painted, a batch of one."""
        return self._drawn(MASKS.parse(self.recipe))

    def maps_of(self, strategy: Strategy) -> Mapping[str, NDArray[Any]]:
        """The score maps that a strategy needs; a painter without a model has none to give."""
        return {}

    def _drawn(self, strategy: Strategy) -> Mask:
        return strategy.sample(self.grid, seed=self.seed, maps=self.maps_of(strategy))

    def __repr__(self) -> str:
        """The recipe and the count it makes."""
        counts = f"{self.mask.counts[0]} of {self.grid.size} patches hidden"
        return f"{type(self).__name__}({self.recipe}, seed {self.seed}: {counts})"

    @traitlets.validate("recipe")
    def _checked(self, proposal: dict[str, Any]) -> str:
        strategy = MASKS.parse(proposal["value"])
        self._drawn(strategy)
        return str(strategy)

    @traitlets.observe("recipe")
    def _recipe_changed(self, _: object) -> None:
        """A recipe set in Python replaces what was painted."""
        if self._from_browser:
            return
        size = self.grid.size
        over, hide, show, _lock = taken_apart(self.recipe)
        base = np.zeros(size, bool)
        if over is not None:
            base = self._drawn(over).hidden.reshape(-1)
        self._from_python = True
        with self.hold_sync():
            self.base = as_bits(base)
            self.edit = {
                "hide": as_bits(cells("hide", hide, size)),
                "show": as_bits(cells("show", show, size)),
                "threshold": self.edit.get("threshold", 0.5),
                "strokes": [],
                "seq": self._seq() + 1,
            }
            self._settle()
        self._from_python = False

    @traitlets.observe("edit")
    def _painted(self, _: object) -> None:
        """What the browser painted becomes the recipe; anything malformed is passed over."""
        hide, show = (self._patches(name) for name in ("hide", "show"))
        if self._from_python or hide is None or show is None:
            return
        over, _hide, _show, lock = taken_apart(self.recipe)
        painted = Painted(hide=ranges(hide), show=ranges(show), over=over, lock=lock)
        bare = over is not None and lock is None and not hide.any() and not show.any()
        self._from_browser = True
        with self.hold_sync():
            self.recipe = str(over if bare else painted)
            self._settle()
        self._from_browser = False

    def _patches(self, name: str) -> NDArray[np.bool_] | None:
        bits = self.edit.get(name)
        if not isinstance(bits, str) or len(bits) != self.grid.size or set(bits) - set("01"):
            return None
        return np.frombuffer(bits.encode(), np.uint8) == ord("1")

    def _seq(self) -> int:
        seq: object = self.edit.get("seq")
        return seq if isinstance(seq, int) else 0

    def _settle(self) -> None:
        self.settled = {"seq": self._seq(), "hidden": self.mask.to_bits()}

    def static_picture(self) -> Image.Image:
        """The picture that stands for the widget where none can run."""
        hidden = self.mask.hidden[0]
        picture = Image.fromarray(overlaid(self._shown, hidden))
        picture.thumbnail((STATIC_SIDE, STATIC_SIDE))
        return picture

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The live widget, and behind it the static picture for exports."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        png = base64.b64encode(small_png(self.static_picture())).decode()
        return {**data, "image/png": png}, metadata


def open_picture(picture: Photo) -> Pixels:
    """Uint8 [h, w, 3] from a bundled name, a path or an array.

    Raises:
        BadInput: no such picture, or an array of another shape, type or range.
    """
    if isinstance(picture, str) and any(info.name == picture for info in photos()):
        return photo(picture)
    if isinstance(picture, str | Path):
        return open_image(picture).pixels
    array = np.asarray(picture)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype.kind not in "uf":
        raise BadInput(
            f"the picture is an array {array.shape} of {array.dtype}, but must be [h, w, 3] or "
            "[h, w], uint8 or float; convert it."
        )
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind == "u" or not (array.min() >= 0 and array.max() <= 1):
        seen = f"{shown(array.min())} to {shown(array.max())}"
        raise BadInput(f"the picture holds values {seen}, but floats must be in [0, 1]; scale it.")
    return (array * 255 + 0.5).astype(np.uint8)


def taken_apart(recipe: str) -> tuple[Strategy | None, str, str, float | None]:
    """A recipe as (strategy below, patches hidden by hand, shown by hand, lock)."""
    strategy = MASKS.parse(recipe)
    if strategy.name != Painted.name:
        return strategy, "", "", None
    top = cast(Painted, strategy)
    return top.over, top.hide, top.show, top.lock


def ranges(patches: NDArray[np.bool_]) -> str:
    """Bool [n] as row-major ranges, "0-5,17"."""
    edges = np.flatnonzero(np.diff(patches.astype(np.int8), prepend=0, append=0)).tolist()
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return ",".join(f"{a}-{b - 1}" if b - a > 1 else f"{a}" for a, b in pairs)


def as_bits(patches: NDArray[np.bool_]) -> str:
    """Bool [n] as text, "1" a hidden patch."""
    return "".join("01"[bit] for bit in patches.astype(int).tolist())


def overlaid(pixels: Pixels, hidden: NDArray[np.bool_]) -> Pixels:
    """Darken the hidden patches [rows, cols] of a picture of any whole multiple of the grid."""
    times = pixels.shape[0] // hidden.shape[0], pixels.shape[1] // hidden.shape[1]
    covered = np.kron(hidden, np.ones(times, bool))[..., None]
    ink = np.array([16, 19, 26])
    return np.where(covered, pixels * 0.2 + ink * 0.8, pixels).astype(np.uint8)


def jpeg_uri(pixels: Pixels) -> str:
    """Uint8 [h, w, 3] as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def small_png(picture: Image.Image) -> bytes:
    """A PNG of at most 256 colours: a third of the bytes, for pictures kept in a notebook."""
    buffer = io.BytesIO()
    picture.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT).save(buffer, "PNG")
    return buffer.getvalue()

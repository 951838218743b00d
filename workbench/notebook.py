"""What the notebooks call: pictures side by side, a live painter, self-checking exercises."""

import hashlib
import html
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import traitlets
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from workbench.analysis.metrics import Metrics
from workbench.errors import BadInput, shown
from workbench.masks import Mask, Strategy
from workbench.painter.widget import Painter, Photo, jpeg_uri, open_picture, small_png
from workbench.scenes import Scene, SceneSpec, compose, grid_of, maps_of, preview

__all__ = [
    "Painter",
    "Pictures",
    "ReconstructionPainter",
    "Table",
    "Verdict",
    "answer_key",
    "check",
    "reconstruct_widget",
    "show",
    "show_metrics",
    "show_scene",
    "sized",
]

Pixels = NDArray[np.uint8]
TINY = "WORKBENCH_TINY"
STRIP_WIDTH, GAP, CAPTION, TILE_LIMIT = 860, 12, 22, 288
# Light to dark in equal steps of lightness, so that it also reads without colour.
HEAT = np.array([[255, 247, 224], [248, 196, 96], [221, 106, 48], [128, 26, 60], [46, 12, 54]])
VISIBLE_GREY = 226


def sized(full: int, tiny: int) -> int:
    """`full`, or `tiny` where the environment asks for a quick run (WORKBENCH_TINY)."""
    return tiny if os.environ.get(TINY) else full


@dataclass(frozen=True)
class Pictures:
    """Captioned pictures side by side; `tiles` are (caption, uint8 [h, w, 3]).

    The longer side of each is `limit` pixels at most.
    """

    tiles: tuple[tuple[str, Pixels], ...]
    footer: str = ""
    limit: int = TILE_LIMIT

    def image(self) -> Image.Image:
        """The strip as one picture, at most 860 px wide."""
        count = len(self.tiles)
        side = min(self.limit, (STRIP_WIDTH - GAP * (count - 1)) // count)
        drawn = [_tile(pixels, side) for _, pixels in self.tiles]
        height = max(tile.height for tile in drawn) + CAPTION * (2 if self.footer else 1)
        font = ImageFont.load_default(13)
        width = sum(tile.width for tile in drawn) + GAP * (count - 1)
        if self.footer:
            width = max(width, round(font.getlength(self.footer)) + 2)
        strip = Image.new("RGB", (width, height), "white")
        pen = ImageDraw.Draw(strip)
        left = 0
        for (caption, _), tile in zip(self.tiles, drawn, strict=True):
            strip.paste(tile, (left, CAPTION))
            pen.text((left, 2), caption, "#1b1e24", font)
            left += tile.width + GAP
        pen.text((0, height - CAPTION + 4), self.footer, "#5b616e", font)
        return strip

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return small_png(self.image())

    def __repr__(self) -> str:
        """The captions, for readers without pictures."""
        return " | ".join([caption for caption, _ in self.tiles]) + f" ({self.footer})" * bool(
            self.footer
        )


def _tile(pixels: Pixels, side: int) -> Image.Image:
    scale = side / max(pixels.shape[:2])
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    small = max(pixels.shape[:2]) <= 64
    return Image.fromarray(pixels).resize(
        size, Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    )


def show(*, recipe: str = "", seed: int | None = None, **pictures: Any) -> Pictures:
    """Show pictures side by side; each keyword is a caption, underscores read as spaces.

    Args:
        recipe: the recipe behind the pictures, said below them.
        seed: its seed.
        pictures: a Mask (its first), bool [rows, cols], uint8 or float in [0, 1], [h, w],
            [h, w, 3] or [3, h, w], also with a leading axis of one.

    Raises:
        BadInput: nothing to show, or an array that is no picture.
    """
    if not pictures:
        raise BadInput("show got no pictures; name some, such as show(photo=pixels).")
    tiles = tuple((name.replace("_", " "), _pixels(name, each)) for name, each in pictures.items())
    said = [recipe] * bool(recipe) + ([] if seed is None else [f"seed {seed}"])
    return Pictures(tiles, ", ".join(said))


def _pixels(name: str, picture: Any) -> Pixels:
    array = picture.hidden[0] if isinstance(picture, Mask) else np.asarray(picture)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] not in (3, 4):
        array = array.transpose(1, 2, 0)
    if array.dtype == np.bool_ and array.ndim == 2:
        return np.where(array[..., None], np.uint8(28), np.uint8(240)).repeat(3, axis=2)
    if array.ndim == 3 and array.shape[2] == 4 and array.dtype == np.uint8:
        alpha = array[..., 3:] / 255
        return (array[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    try:
        return open_picture(array)
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from None


def show_scene(scene: Scene) -> Pictures:
    """Original, masked, reconstruction, paste-back and error of a composed scene."""
    return Pictures(
        (
            ("original", scene.photo),
            ("masked", _pixels("masked", scene.masked)),
            ("reconstruction", scene.reconstruction),
            ("paste-back", scene.composite),
            (f"error (MSE), 0 to {scene.error[scene.hidden].max():.3f}", error_picture(scene)),
        ),
        f"{scene.spec.photo}, {scene.spec.mask}, seed {scene.spec.seed}: {numbers(scene)}",
    )


def numbers(scene: Scene) -> str:
    """The scene's errors in one line, with what they were counted on."""
    metrics = scene.metrics
    ssim = "" if metrics.ssim is None else f", SSIM {metrics.ssim:.2f}"
    return (
        f"MSE {metrics.mse:.4f}, PSNR {metrics.psnr_db:.1f} dB{ssim} on {metrics.pixels} hidden px"
    )


@dataclass(frozen=True)
class Table:
    """Errors on hidden pixels, one named row each."""

    rows: tuple[tuple[str, Metrics], ...]

    HEADS = ("", "MSE in [0, 1] RGB", "PSNR, dB", "SSIM", "hidden pixels")

    def cells(self) -> list[tuple[str, ...]]:
        """The table as text, without its head."""
        return [
            (name, _number(m.mse, 4), _number(m.psnr_db, 1), _number(m.ssim, 2), str(m.pixels))
            for name, m in self.rows
        ]

    def __repr__(self) -> str:
        """The table in columns, for a plain terminal."""
        lines = [self.HEADS, *self.cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        pairs = [zip(line, widths, strict=True) for line in lines]
        return "\n".join("  ".join(text.rjust(wide) for text, wide in pair) for pair in pairs)

    def _repr_html_(self) -> str:
        """The table for a notebook; names are escaped."""
        head = "".join(f"<th>{text}</th>" for text in self.HEADS)
        lines = ["".join(f"<td>{html.escape(text)}</td>" for text in row) for row in self.cells()]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def show_metrics(rows: Iterable[tuple[str, Metrics]]) -> Table:
    """Show (name, metrics) pairs as a table with units and counts."""
    return Table(tuple(rows))


def error_picture(scene: Scene) -> Pixels:
    """Mean squared error of each hidden patch, light to dark; visible patches are grey.

    Returns:
        uint8 [h, w, 3]; the darkest colour stands for the scene's largest error.
    """
    error, hidden = scene.error, scene.hidden
    top = float(error[hidden].max(initial=0.0)) or 1.0
    place = np.clip(error / top, 0, 1) * (len(HEAT) - 1)
    colours = np.stack([np.interp(place, range(len(HEAT)), part) for part in HEAT.T], axis=-1)
    patches = np.where(hidden[..., None], colours, VISIBLE_GREY).astype(np.uint8)
    patch = scene.grid.patch
    return patches.repeat(patch, axis=0).repeat(patch, axis=1)


class ReconstructionPainter(Painter):
    """A painter whose reconstruction follows every stroke; `scene` is the newest one."""

    def __init__(
        self,
        picture: Photo = "astronaut",
        mask: str = "random(ratio=0.75)",
        *,
        model: str = "default",
        fill: str = "grey()",
        seed: int = 0,
        fit: Literal["crop", "letterbox", "resize"] = "crop",
    ) -> None:
        """Show the picture, its mask and what the model makes of it; arguments as of a scene.

        Raises:
            BadInput: a picture, recipe or model that cannot be used.
        """
        named = isinstance(picture, str) and not Path(picture).is_file()
        photo = picture if isinstance(picture, str) and named else SceneSpec.photo
        self._spec = SceneSpec(photo=photo, fit=fit, mask=mask, fill=fill, model=model, seed=seed)
        self._pixels = None if named else open_picture(picture)
        self.scene: Scene | None = None
        shown_pixels = preview(self._spec).shown if self._pixels is None else self._pixels
        grid = grid_of(self._spec)
        super().__init__(shown_pixels, self._spec.mask, grid=grid, seed=seed, fit=fit)
        self.label = photo if named else "your picture"

    def maps_of(self, strategy: Strategy) -> Mapping[str, NDArray[Any]]:
        """The score maps that a strategy needs, made from the picture with the scene's model."""
        return maps_of(self._spec, strategy, self.grid, self._pixels)

    @property
    def spec(self) -> SceneSpec:
        """The scene as painted."""
        return self._spec.replace(mask=self.recipe)

    @traitlets.observe("recipe")
    def _reconstruct(self, _: object) -> None:
        try:
            scene = compose(self.spec, self._pixels)
        except BadInput as error:
            self.message = str(error)
            return
        self.scene = scene
        card = scene.card
        error = scene.error[scene.hidden].max(initial=0.0)
        rows = [
            ("original", scene.photo, "what the model never sees whole"),
            ("masked", _pixels("masked", scene.masked), f"{card.hidden} of {card.total} hidden"),
            ("reconstruction", scene.reconstruction, " ".join(scene.notes)),
            ("paste-back", scene.composite, numbers(scene)),
            ("error", error_picture(scene), f"MSE a hidden patch, 0 to {error:.3f}"),
        ]
        with self.hold_sync():
            self.message = ""
            self.pictures = [
                {"name": name, "src": jpeg_uri(pixels), "note": note} for name, pixels, note in rows
            ]

    def static_picture(self) -> Image.Image:
        """The five pictures, for exports; the painted photo alone where there is no scene."""
        return super().static_picture() if self.scene is None else show_scene(self.scene).image()


def reconstruct_widget(
    picture: Photo = "astronaut",
    mask: str = "random(ratio=0.75)",
    *,
    model: str = "default",
    seed: int = 0,
) -> ReconstructionPainter:
    """A painter with the model's reconstruction beside it, drawn anew after every stroke."""
    return ReconstructionPainter(picture, mask, model=model, seed=seed)


@dataclass(frozen=True)
class Verdict:
    """What `check` says; `right` is None while the question is not answered."""

    right: bool | None
    hint: str = ""

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.right is None:
            return "Your turn: put your answer in place of the three dots and run the cell again."
        return "Right." if self.right else "Not yet."

    def __repr__(self) -> str:
        """The verdict, for a plain terminal."""
        return self.sentence

    def _repr_html_(self) -> str:
        """The verdict with the hint folded away; both are escaped."""
        sign, colour = {None: ("?", "#5b616e"), True: ("✓", "#1f7a3d"), False: ("✗", "#b3261e")}[
            self.right
        ]
        hint = html.escape(self.hint)
        fold = f"<details><summary>Hint</summary>{hint}</details>"
        return (
            f'<div><b style="color:{colour}">{sign} {html.escape(self.sentence)}</b>'
            f"{fold if hint and not self.right else ''}</div>"
        )


def check(answer: object, key: str, hint: str = "", digits: int = 3) -> Verdict:
    """Tell whether an answer is right without showing the right one.

    Args:
        answer: a number, text, truth value, mask, or a list or tuple of these; `...` stands for
            "not answered yet".
        key: what `answer_key` gave for the right answer.
        hint: shown, folded, until the answer is right.
        digits: decimal places that must be right; the last may be off by one.
    """
    if answer is ...:
        return Verdict(None, hint)
    step = 10.0**-digits
    tries = [answer]
    if isinstance(answer, float | np.floating):
        tries = [float(answer) + off * step for off in (-1, 0, 1)]
    return Verdict(any(answer_key(each, digits) == key for each in tries), hint)


def answer_key(answer: object, digits: int = 3) -> str:
    """A short hash of an answer, to be written into a notebook in the answer's place.

    Raises:
        BadInput: an answer of a kind that cannot be compared.
    """
    return hashlib.sha256(f"workbench {_plain(answer, digits)}".encode()).hexdigest()[:12]


def _plain(answer: object, digits: int) -> str:
    if isinstance(answer, np.generic):
        answer = answer.item()
    if isinstance(answer, Mask):
        return "mask " + "".join(map(str, answer.hidden.astype(int).reshape(-1).tolist()))
    if isinstance(answer, bool):
        return f"truth {answer}"
    if isinstance(answer, int | float):
        rounded = round(float(answer), digits)
        return f"number {rounded + 0.0:.{digits}f}"
    if isinstance(answer, str):
        return "text " + " ".join(answer.casefold().split())
    if isinstance(answer, list | tuple | np.ndarray):
        parts: list[object] = list(answer)
        return "list " + ", ".join(_plain(part, digits) for part in parts)
    raise BadInput(
        f"{shown(answer)} is no answer that can be checked; give a number, text, truth value, mask "
        "or a list of them."
    )

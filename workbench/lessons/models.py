"""Lessons on reconstruction: a model's parts, why guesses are grey, normalised patches, curves."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.data import photo, photos
from workbench.data.images import fit
from workbench.errors import BadInput
from workbench.lessons.boards import Board, Chart, Listing, board
from workbench.models import list_models
from workbench.models.catalog import read_card
from workbench.models.headers import read_shapes
from workbench.notebook import Pixels
from workbench.plots.heat_map import heat_map
from workbench.scenes import SceneSpec, compose
from workbench.scenes.curve import curve, training
from workbench.scenes.spread import spread

Floats = NDArray[np.float64]
EPS = 1e-6


def show_model(name: str = "default") -> Listing:
    """A model of ours on one page: every stage with its sizes, from card and header alone.

    Raises:
        BadInput: no model of ours of that name.
    """
    info = next((info for info in list_models() if info.name == name and info.sha256), None)
    if info is None:
        raise BadInput(f"{name} has no card of ours; take default.")
    card = read_card(info.weights.with_suffix(".json"))
    encoder, decoder = card["shape"], card["decoder"]
    shapes, _ = read_shapes(info.weights)
    count = {
        part: sum(math.prod(shape) for key, shape in shapes.items() if key.startswith(part))
        for part in ("encoder.", "")
    }
    side, n = info.patch, info.rows * info.cols
    rows = (
        ("photo", f"{info.size[0]} x {info.size[1]} pixels, three colours"),
        ("patches", f"{info.rows} x {info.cols} = {n} of {side} x {side} pixels"),
        ("one patch", f"{side} x {side} x 3 = {side * side * 3} numbers"),
        ("encoder", f"{_blocks(encoder)}, {count['encoder.']:,} weights: visible patches alone"),
        ("decoder", f"{_blocks(decoder)}, {count[''] - count['encoder.']:,} weights: all {n}"),
        ("prediction", f"{side * side * 3} numbers for every patch"),
    )
    return Listing((name, "what it is"), rows)


def _blocks(shape: dict[str, int]) -> str:
    return f"{shape['depth']} blocks of width {shape['dim']}, {shape['heads']} heads"


def show_average(side: int = 144) -> Board:
    """Some bundled photos, and the mean of all of them: the best guess for one never seen."""
    cut = [fit(photo(info.name), side, side, "crop") for info in photos() if info.kind == "photo"]
    mean = np.mean(cut, axis=0).astype(np.uint8)
    tiles = [("", each) for each in cut[:5]]
    return board([*tiles, (f"mean of {len(cut)}", mean)])


def show_contrast(picture: str, ratios: Sequence[float], seeds: int = 4) -> Listing:
    """How much texture hidden patches have in the photo and in the reconstruction.

    Texture is the standard deviation of a colour inside a patch, in units of [0, 1], as a mean over
    hidden patches, colours and seeds.
    """
    rows = list[tuple[str, ...]]()
    for ratio in ratios:
        found = list[tuple[float, float]]()
        for seed in range(seeds):
            made = compose(SceneSpec(photo=picture, mask=f"random(ratio={ratio})", seed=seed))
            textures = [_texture(each, made.hidden) for each in (made.photo, made.reconstruction)]
            found.append((textures[0], textures[1]))
        true, guessed = np.mean(found, axis=0)
        rows.append((f"{ratio:.0%}", f"{true:.4f}", f"{guessed:.4f}", f"{guessed / true:.0%}"))
    heads = ("hidden", "texture of the photo", "of the reconstruction", "share kept")
    return Listing(heads, tuple(rows))


def _texture(picture: Pixels, hidden: NDArray[np.bool_]) -> float:
    return float(patches_of(picture, hidden.shape).std(axis=2)[hidden].mean())


def patches_of(picture: Pixels, grid: tuple[int, ...]) -> Floats:
    """uint8 [h, w, 3] to float64 [rows, cols, pixels a patch, 3] in [0, 1]."""
    rows, cols = grid
    height, width = picture.shape[0] // rows, picture.shape[1] // cols
    cut = picture.reshape(rows, height, cols, width, 3).swapaxes(1, 2)
    return cut.reshape(rows, cols, -1, 3) / 255


def picture_of(patches: Floats, size: tuple[int, int]) -> Pixels:
    """The way back from `patches_of`; values beyond [0, 1] are cut."""
    rows, cols = patches.shape[:2]
    height, width = size[0] // rows, size[1] // cols
    whole = patches.reshape(rows, cols, height, width, 3).swapaxes(1, 2).reshape(*size, 3)
    return np.rint(np.clip(whole, 0, 1) * 255).astype(np.uint8)


def normalised(patches: Floats) -> tuple[Floats, Floats, Floats]:
    """Patches without their mean and spread, and both of these, by the formula of MAE's norm-pix.

    The spread is sqrt(variance + 1e-6) over pixels and colours, n - 1 in the denominator. MAE takes
    them after ImageNet's normalisation of colours, this takes them of the patches given.

    Returns:
        Normalised patches, means and spreads, the last two [rows, cols, 1, 1].
    """
    mean = patches.mean(axis=(2, 3), keepdims=True)
    scale = np.sqrt(patches.var(axis=(2, 3), ddof=1, keepdims=True) + EPS)
    return (patches - mean) / scale, mean, scale


def show_normalised(picture: str, side: int = 144, rows: int = 12) -> Board:
    """A photo, its patches normalised one by one, and what that takes away.

    Normalised values are shown with grey for 0 and two spreads to either end.
    """
    seen = fit(photo(picture), side, side, "crop")
    parts, mean, scale = normalised(patches_of(seen, (rows, rows)))
    grey = np.ones_like(parts)
    tiles = [
        ("photo", seen),
        ("normalised patches", picture_of(0.5 + parts / 4, (side, side))),
        ("their means", picture_of(mean * grey, (side, side))),
        ("their spreads, x 3", picture_of(3 * scale * grey, (side, side))),
    ]
    return board(tiles, f"{picture}, {rows} x {rows} patches")


def show_perfect_norm_pix(spec: SceneSpec) -> Board:
    """What a norm-pix model would give if it made no mistake at all, beside ours of plain pixels.

    Its normalised patches are the true ones. What they lack, each patch's mean and spread, is taken
    from the hidden patches themselves (a leak) or estimated from visible ones: harmonic on the
    patch grid, as this project does it.
    """
    from workbench.models.targets import estimated

    made = compose(spec)
    patches, hidden = patches_of(made.photo, made.hidden.shape), made.hidden
    parts, mean, scale = normalised(patches)
    known = np.concatenate([mean, scale], 3).reshape(-1, 2).astype(np.float32)
    guessed = estimated(known, hidden.ravel(), made.grid.rows, made.grid.cols)
    means, scales = (guessed[:, at].reshape(mean.shape).astype(np.float64) for at in (0, 1))
    size = made.photo.shape[0], made.photo.shape[1]
    tiles = [("masked", made.masked[..., :3]), ("ours", made.composite)]
    errors = [made.metrics.mse or 0.0]
    for name, back in (("estimated", parts * scales + means), ("leaked", parts * scale + mean)):
        pasted = np.where(hidden[..., None, None], np.clip(back, 0, 1), patches)
        errors.append(float(np.square(pasted - patches)[hidden].mean()))
        tiles.append((f"perfect, {name}", picture_of(pasted, size)))
    said = [f"{name} {mse:.4f}" for name, mse in zip(("", *_SAID), errors, strict=True)]
    return board(tiles, f"{spec.photo}, {spec.mask}; MSE: ours{', '.join(said)}")


_SAID = ("perfect with estimated mean and spread", "with leaked ones")


def show_curve(
    spec: SceneSpec, strategies: Sequence[str], ratios: Sequence[float], draws: int
) -> Chart:
    """Error over the ratio for some strategies, the ratio that the model trained with marked."""
    points = list(curve(spec, strategies, ratios, draws))
    lines = {
        name.partition("(")[0]: (
            [p.realised for p in points if p.row == row and p.realised is not None and p.mse],
            [p.mse for p in points if p.row == row and p.mse],
        )
        for row, name in enumerate(strategies)
    }
    usual = training(spec).usual
    marks = {} if usual is None else {f"trained most with {usual:g}": usual}
    return Chart(lines, f"share hidden of {spec.photo}", f"MSE, mean of {draws}", marks)


def show_spread(spec: SceneSpec, seeds: int = 16) -> Board:
    """The mean paste-back over seeds, and how far the seeds lie apart."""
    *_, last = spread(spec, seeds)
    deviation = np.sqrt(last.variance)
    top = float(deviation.max()) or 1.0
    tiles = [
        ("the photo", compose(spec).photo),
        ("one seed", compose(spec).composite),
        (f"mean of {seeds} seeds", np.rint(last.mean * 255).astype(np.uint8)),
        (f"deviation, 0 to {top:.2f}", heat_map(deviation / top, 1)),
    ]
    low, high = last.mse.min(), last.mse.max()
    return board(tiles, f"{spec.photo}, {spec.mask}: MSE {low:.4f} to {high:.4f} by seed")

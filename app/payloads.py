"""A scene as a browser needs it: picture data, numbers as text, the mask's card."""

from typing import Any

from workbench import scenes
from workbench.analysis.metrics import Metrics
from workbench.masks import MASKS
from workbench.scenes import Preview, Scene, SceneSpec
from workbench.scores import SCORES


def payload(made: Scene) -> dict[str, Any]:
    """What the browser needs to draw a scene."""
    height, width = made.photo.shape[:2]
    pictures = {
        "original": made.photo,
        "masked": made.masked,
        "reconstruction": made.reconstruction,
        "composite": made.composite,
    }
    return {
        "mark": mark(made.spec),
        "shape": width / height,
        "pictures": {name: scenes.data_uri(picture) for name, picture in pictures.items()},
        "error": {
            "rows": made.grid.rows,
            "cols": made.grid.cols,
            "values": [round(float(value), 5) for value in made.error.ravel()],
            "hidden": made.bits,
        },
        "maps": [score_map(recipe, plane[0]) for recipe, plane in made.maps.items()],
        "numbers": numbers(made),
        "caption": caption(made),
        "notes": list(made.notes),
        "machine": f"{made.device}, {made.precision}, {made.milliseconds:.0f} ms a picture",
    }


def score_map(recipe: str, plane: Any) -> dict[str, Any]:
    """A map that the mask follows, float [rows, cols], as the browser needs it to draw it."""
    score = SCORES.parse(recipe)
    labels = score.kind == "labels"
    low, high = float(plane.min()), float(plane.max())
    count = len(set(plane.ravel().tolist()))
    return {
        "recipe": recipe,
        "rows": plane.shape[-2],
        "cols": plane.shape[-1],
        "values": [float(f"{value:.5g}") for value in plane.ravel().tolist()],
        "labels": labels,
        "low": f"{count} labels" if labels else f"{low:.3g}",
        "high": "" if labels else f"{high:.3g}",
    }


def mark(spec: SceneSpec) -> str:
    """A text that differs whenever the scene does."""
    return repr(spec)


def caption(made: Scene) -> str:
    """Recipe, seed, model and machine: what is needed to believe the picture."""
    spec = made.spec
    return (
        f"{spec.mask} · seed {spec.seed} · {spec.photo}, {spec.fit} to "
        f"{made.photo.shape[1]} × {made.photo.shape[0]} px · model {spec.model} "
        f"({made.model_hash[:8]})"
    )


def numbers(made: Scene) -> dict[str, str]:
    """The metrics of hidden pixels, with units and counts."""
    metrics, card = made.metrics, made.card
    return {
        "mse": shown(metrics.mse, 4),
        "psnr": f"{shown(metrics.psnr_db, 2)} dB",
        "ssim": shown(metrics.ssim, 3),
        "counts": f"paste-back, over {counted(metrics.pixels)} hidden pixels in {card.hidden} of "
        f"{card.total} patches; RGB in 0 to 1",
    }


def counted(number: int) -> str:
    """A count with thin spaces between its thousands."""
    return f"{number:,}".replace(",", "\u202f")


def shown(value: float | None, digits: int) -> str:
    """A number with its digits, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def leak_rows(meter: scenes.LeakMeter) -> dict[str, Any]:
    """The leak meter for the browser; bars are shares of the largest error."""
    most = max((row.mse or 0.0 for _, row in meter.rows), default=0.0) or 1.0
    return {
        "rows": [
            {
                "name": name,
                "model": at == 0,
                "mse": shown(row.mse, 4),
                "share": round(100 * (row.mse or 0.0) / most, 1),
                "detail": _detail(row),
            }
            for at, (name, row) in enumerate(meter.rows)
        ],
        "verdict": f"{meter.best} alone explains {meter.explained:.0%} of what the mean colour "
        f"leaves open (MSE on {counted(meter.rows[0][1].pixels)} hidden pixels).",
    }


def _detail(row: Metrics) -> str:
    return f"MSE {shown(row.mse, 4)}, PSNR {shown(row.psnr_db, 2)} dB, SSIM {shown(row.ssim, 3)}"


def base_bits(seen: Preview, recipe: str) -> str:
    """The bits of the strategy below the hand edits."""
    if not recipe:
        return "0" * seen.grid.size
    return MASKS.parse(recipe).sample(seen.grid, seed=seen.spec.seed, maps=seen.maps).to_bits()


def card(seen: Preview) -> str:
    """The mask's numbers as markup, each with its unit and count."""
    numbers = seen.card
    distance = numbers.mean_distance
    cells = [
        ("Hidden", f"{numbers.ratio:.1%}", f"{numbers.hidden} of {numbers.total} patches"),
        ("Pieces", f"{numbers.pieces}", "connected, by edges"),
        ("Border", f"{numbers.border}", "patch edges"),
        ("To visible", "–" if distance is None else f"{distance:.2f}", "patches, mean"),
    ]
    body = "".join(
        f"<div><span>{name}</span><b>{value}</b><small>{unit}</small></div>"
        for name, value, unit in cells
    )
    return f'<div class="mask-card" role="group" aria-label="Mask card">{body}</div>'

"""The leak meter: how far interpolation alone explains what is hidden, beside the model."""

from dataclasses import dataclass

from workbench.analysis.baselines import BASELINES, baseline
from workbench.analysis.metrics import Metrics, hidden_metrics
from workbench.errors import BadInput
from workbench.scenes.compose import Preview, Scene, compose, preview, to_float
from workbench.scenes.photos import Pixels
from workbench.scenes.spec import SceneSpec


@dataclass(frozen=True)
class LeakMeter:
    """Errors on the same hidden pixels.

    `rows` are (name, metrics), the model first; `explained` is the share of the mean colour's
    squared error that the best interpolation explains, 0 to 1 or less than 0 where it does worse.
    """

    rows: tuple[tuple[str, Metrics], ...]
    best: str
    explained: float


def leak(spec: SceneSpec, pixels: Pixels | None = None) -> LeakMeter:
    """Measure the baselines and the model on one scene.

    Args:
        spec: what to measure.
        pixels: uint8 [h, w, 3] to use in place of the photo that the scene names.

    Raises:
        BadInput: see `compose`.
    """
    before: Preview = preview(spec) if pixels is None else compose(spec, pixels)
    if not 0 < before.card.hidden < before.card.total:
        raise BadInput(
            f"{before.card.hidden} of {before.card.total} patches are hidden; the leak meter needs "
            "some hidden and some visible ones, so move the ratio."
        )
    original, hidden = to_float(before.photo), before.mask.to_pixels()[0]
    made = before if isinstance(before, Scene) else compose(spec)
    rows = [(f"model {spec.model}", made.metrics)]
    for name in BASELINES:
        guess = baseline(name, original, hidden)
        rows.append((name, hidden_metrics(original, guess, hidden)))
    errors = {name: metrics.mse for name, metrics in rows[1:] if metrics.mse is not None}
    best = min(errors, key=lambda name: errors[name])
    mean = errors["mean"]
    return LeakMeter(tuple(rows), best, 1 - errors[best] / mean if mean > 0 else 1.0)

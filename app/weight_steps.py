"""Long work of the view Weights as steps of a job, with what the browser needs of each."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np

from app.jobs import Step
from workbench.scenes.weights import Hiding, LayerMask, hide, layers, points, subject, values
from workbench.scenes.weights_spec import WeightsSpec


def hide_steps(spec: WeightsSpec) -> Iterator[Step]:
    """The loss while it is learnt; then all layers and what the network is worth."""
    for step in hide(spec):
        if step.masks is None:
            yield Step(step.done, step.total, now={"learning": f"loss {step.loss:.3f}"})
        else:
            measure = subject(spec.network, spec.count, spec.seed).measure
            yield Step(step.total, step.total, now=_found(step, measure))


def _found(step: Hiding, measure: str) -> dict[str, Any]:
    masks = step.masks
    return {
        "layers": [picture(each) for each in layers(masks)],
        "recipe": masks.recipe,
        "words": f"{masks.count:,} of {masks.total:,} weights are hidden ({masks.ratio:.1%}): "
        f"{_score(step.before)} {measure} before, {_score(step.after)} now.",
    }


def _score(score: Any) -> str:
    return f"{score.accuracy:.1%} [{score.low:.1%}, {score.high:.1%}]"


def picture(layer: LayerMask) -> dict[str, Any]:
    """A layer's picture as bytes, 255 where all is kept."""
    rows, cols = layer.kept.shape
    packed = np.rint(layer.kept * 255).astype(np.uint8).tobytes()
    return {
        "name": layer.name,
        "shape": " x ".join(map(str, layer.shape)),
        "told": f"{layer.ratio:.0%} hidden",
        "rows": rows,
        "cols": cols,
        "values": base64.b64encode(packed).decode(),
    }


def value_steps(spec: WeightsSpec) -> Iterator[Step]:
    """One event a point of the curve."""
    total, done = points(spec.ways), 0
    for value in values(spec):
        done += value is not None
        yield Step(done, total, event=None if value is None else vars(value))

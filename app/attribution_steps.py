"""The work of the view Attribution as steps of a job, with what the browser needs of each."""

import base64
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from app.jobs import Step
from app.knob_rows import plain
from app.sentences import whole
from workbench import scenes
from workbench.explain.agreement import PAINTED
from workbench.explain.likeness import LIKENESS
from workbench.scenes.attribution import attributions
from workbench.scenes.attribution_judged import Agreed, Judged
from workbench.scenes.attribution_seen import Made, MapMade, Said
from workbench.scenes.attribution_spec import AttributionSpec

TITLES = {
    "grad_cam": "Grad-CAM", "rise": "RISE", "lime": "LIME", "kernel_shap": "KernelSHAP",
    "gradient_shap": "GradientSHAP", "smooth_grad": "SmoothGrad",
    "input_gradient": "Input x gradient",
    "relevance": "Relevance (Chefer)", "rollout": "Attention rollout", "random": "Random map",
    "centre": "Centre of the photo",
}  # fmt: skip
NEGLIGIBLE = 0.005
# What a number of a method means, in words.
NOTES = {
    "gap": "{:.1%} of the change of the score are not accounted for (0 is best; take more steps)",
    "fit": "a linear model explains {:.0%} of the answers (below a half: do not trust the map)",
    "segments": "{:.0f} segments",
    "nothing": "the score with everything removed is {:.2f}",
}


def title(recipe: str) -> str:
    """A method as a person calls it, its knobs behind it where they are not the usual ones."""
    name, _, rest = recipe.partition("(")
    knobs = rest.removesuffix(")")
    told = TITLES.get(name, plain(name))
    return f"{told} ({knobs})" if knobs and not told.endswith(")") else told


def attribution_steps(spec: AttributionSpec) -> Iterator[Step]:
    """Scores, maps, agreement and marks are events, in the order in which they come."""
    for made in attributions(spec):
        yield Step(made.done, max(made.total, 1), event=_event(made))


def _event(made: Made) -> dict[str, Any] | None:
    if made.said is not None:
        return {"kind": "said", **_said(made.said)}
    if made.map is not None:
        return {"kind": "map", **_map(made.map)}
    if made.judged is not None:
        return {"kind": "judged", **_judged(made.judged)}
    if made.agreement is not None:
        return {"kind": "agreement", **_agreed(made.agreement)}
    return None


def _said(said: Said) -> dict[str, Any]:
    return {
        "row": said.row,
        "name": said.name,
        "photo": scenes.data_uri(said.photo),
        "shape": said.photo.shape[1] / said.photo.shape[0],
        "grid": [said.grid.rows, said.grid.cols],
        "scores": [[at, name, f"{share:.1%}"] for at, name, share in said.scores],
        "notes": list(said.notes),
    }


def _map(made: MapMade) -> dict[str, Any]:
    told: dict[str, Any] = {
        "row": made.row, "network": made.network, "method": made.method,
        "title": title(made.method), "problem": _refusal(made) if made.problem else "",
    }  # fmt: skip
    found = made.found
    if found is None or made.cells is None:
        return told
    notes = _notes(found)
    if found.removal:
        notes.insert(0, f"removed with {found.removal.removesuffix('()').replace('_', ' ')}")
    return {
        **told,
        "label": found.label,
        "score": "" if found.label == LIKENESS else f"{found.score:.1%}",
        "signed": made.signed,
        "blank": found.blank,
        "fine": _packed(found.values),
        "cells": _packed(made.cells),
        "top": made.top,
        "cells_top": float(np.abs(made.cells).max()),
        "shown": found.evaluations,
        "notes": "; ".join(notes),
    }


def _notes(found: Any) -> list[str]:
    """What a method found besides, in words; what says nothing is left out."""
    given = dict(found.notes)
    if given.get("gap", 1) < NEGLIGIBLE:
        del given["gap"]
    notes = [NOTES[name].format(value) for name, value in given.items() if name in NOTES]
    if "fit" in given and found.evaluations <= given.get("segments", 0):
        notes = [f"only {found.evaluations} questions for {given['segments']:.0f} segments: any "
                 "model fits them, so do not trust the map; ask more"]  # fmt: skip
    return notes


def _refusal(made: MapMade) -> str:
    """The sentence without the method's name, as it is where it begins with that of a network."""
    text = made.problem.removeprefix(f"{made.method.partition('(')[0]}: ")
    return text if text.startswith(made.network) else whole(text)


def _judged(made: Judged) -> dict[str, Any]:
    return {
        "row": made.row,
        "method": made.method,
        "title": title(made.method),
        "baseline": made.baseline,
        "curves": [
            {
                "kind": each.kind, "way": each.operator, "area": each.area,
                "x": each.shares.round(4).tolist(), "y": each.values.round(5).tolist(),
            }
            for each in made.curves
        ],
        "road": made.road.combined,
        "infidelity": made.infidelity,
        "sensitivity": _finite(made.sensitivity),
        "layers": list(made.layers),
        "randomised": list(made.randomised),
    }  # fmt: skip


def _finite(value: float | None) -> float | None:
    return value if value is None or math.isfinite(value) else None


def _agreed(made: Agreed) -> dict[str, Any]:
    found = made.found
    return {
        "row": made.row,
        "names": [name if name == PAINTED else title(name) for name in found.names],
        "ranks": found.ranks.round(3).tolist(),
        "overlaps": found.overlaps.round(3).tolist(),
        "count": found.count,
        "notes": [whole(each) for each in made.notes],
    }


def _packed(values: Any) -> dict[str, Any]:
    """Float32 [rows, cols], little-endian, as base64."""
    data = base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()
    return {"rows": values.shape[0], "cols": values.shape[1], "data": data}

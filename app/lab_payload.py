"""The mask lab as a browser needs it: arrays as bytes, numbers as text with their units."""

import base64
from typing import Any
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from app.knob_rows import strategy_label
from app.payloads import counted, shown
from workbench import scenes
from workbench.analysis.metrics import Metrics
from workbench.masks import MASKS
from workbench.scenes import lab, labels, policies
from workbench.scenes.lab import LabSpec, Measured
from workbench.scenes.policies import Policy

PROMISES = {
    "exact": "The ratio is exact: every draw hides the same number.",
    "units": "The ratio is exact in units of several patches.",
    "free": "The ratio is free: draws differ.",
}
NEVER = 65535


def encoded(values: NDArray[np.floating]) -> str:
    """Shares from 0 to 1 as base64 of 16-bit numbers; 65535 stands for nan."""
    whole = np.where(np.isnan(values), NEVER, np.rint(np.nan_to_num(values) * (NEVER - 1)))
    return base64.b64encode(whole.astype("<u2").tobytes()).decode()


def measures(spec: LabSpec, at: int) -> dict[str, Any]:
    """Everything that the lab shows of one policy."""
    made = lab.measured(spec, at)
    found, grid = made.found, made.grid
    shape = " × ".join(str(side) for side in grid.shape)
    cells = "frequencies" if grid.domain == "frequency" else "patches"
    less = "" if found.count == spec.draws else f" (fewer than {counted(spec.draws)}, to stay live)"
    return {
        "mark": repr((spec, at)),
        "recipe": str(made.strategy),
        "drawn": f"{counted(found.count)} draws{less} on {shape} {cells}, seed {spec.scene.seed}",
        "grid": {"rows": grid.rows, "cols": grid.cols, "frames": grid.frames or 1},
        "cell": "frequency" if grid.domain == "frequency" else "patch",
        "numbers": figures(made),
        "samples": _samples(made),
        "occupancy": encoded(found.occupancy),
        "together": {"cell": made.cell, "values": encoded(made.together)},
        "histogram": lab.histogram(found),
        "promise": PROMISES[made.strategy.promise],
        "spectrum": _spectrum(made),
        "objects": _objects(spec, made),
    }


def _samples(made: Measured) -> dict[str, Any]:
    count = max(1, min(len(made.samples), 48 // (made.grid.frames or 1)))
    bits = np.packbits(made.samples.hidden[:count].ravel(), bitorder="little")
    return {"count": count, "bits": base64.b64encode(bits.tobytes()).decode()}


def _spectrum(made: Measured) -> dict[str, Any] | None:
    found = made.found.spectrum
    if np.isnan(found.low) or not len(found.frequency):
        return None
    shares = f"{found.low:.2f}, {found.middle:.2f}, {found.high:.2f}"
    return {
        "frequency": [round(float(each), 4) for each in found.frequency],
        "density": [round(float(each), 4) for each in found.density],
        "told": f"share below 1/6, to 1/3, above: {shares}",
    }


def _objects(spec: LabSpec, made: Measured) -> list[dict[str, Any]]:
    if not labels.has_labels(spec.scene.photo) or made.grid.domain == "frequency":
        return []
    found = lab.objects(spec, made)
    return [{"name": o.name, "area": o.area, "hidden": o.hidden, "gone": o.gone} for o in found[:8]]


def figures(made: Measured) -> list[dict[str, str]]:
    """The numbers over all draws, each with its unit and what it means."""
    found, size = made.found, made.grid.size
    cells = "frequencies" if made.grid.domain == "frequency" else "patches"
    least, most = (round(each * size) for each in (found.ratios.min(), found.ratios.max()))
    hidden = f"{counted(round(found.ratios.mean() * size))} of {counted(size)}"
    if least < most:
        hidden = f"± {100 * found.ratios.std():.1f}%, {counted(least)} to {counted(most)}"
    rows = [
        ("Hidden", f"{found.ratios.mean():.1%}", hidden, "Mean realised share; ± one deviation."),
        ("Pieces", *_plus_minus(found.pieces, 2, ""), "Hidden patches connected by their sides."),
        ("Border", *_plus_minus(found.border, 1, "edges"), "Edges between hidden and visible."),
        (
            "To visible",
            *_plus_minus(found.distance[~np.isnan(found.distance)], 2, cells),
            "From a hidden patch to the nearest visible one, centre to centre.",
        ),
        (
            "Neighbours alike",
            _percent(found.agreement),
            f"{_percent(found.expected_agreement)} at random",
            "Neighbouring pairs that are both hidden or both visible.",
        ),
        (
            "Visible together",
            shown(found.adjacency, 2),
            "pairs a visible patch",
            "Pairs of visible neighbours over visible patches.",
        ),
    ]
    if found.agreement_in_time is not None:
        told = "Patches that are as in the frame before."
        rows.append(("Next frame alike", _percent(found.agreement_in_time), "of patches", told))
    return [
        {"name": name, "value": value, "unit": unit, "help": told}
        for name, value, unit, told in rows
    ]


def _plus_minus(values: NDArray[np.float64], digits: int, unit: str) -> tuple[str, str]:
    if not len(values):
        return "–", unit
    return f"{values.mean():.{digits}f}", f"± {values.std():.{digits}f} {unit}".rstrip()


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def bare_row(spec: LabSpec, at: int) -> dict[str, Any]:
    """What a row of the side-by-side view tells of its policy before anything is measured."""
    return {
        "mark": repr((spec.scene_of(at), spec.grid)),
        "recipe": spec.policies[at],
        "name": strategy_label(MASKS.parse(spec.policies[at]).name),
        "open": f"/?{urlencode(spec.scene_of(at).to_query())}",
    }


def row(spec: LabSpec, at: int, with_pictures: bool) -> dict[str, Any]:
    """One policy for the side-by-side view; without pictures while the model is loading."""
    made = lab.measured(spec, at)
    found = made.found
    data = {
        **bare_row(spec, at),
        "grid": {"rows": made.grid.rows, "cols": made.grid.cols},
        "occupancy": encoded(found.plane),
        "figures": [
            ["Hidden", f"{found.ratios.mean():.1%}"],
            ["Pieces", shown(float(found.pieces.mean()), 1)],
            ["Border", f"{found.border.mean():.0f}"],
            ["To visible", shown(found.mean_distance, 2)],
            ["Alike", _percent(found.agreement)],
        ],
    }
    return {**data, **_pictures(policies.policy(spec, at))} if with_pictures else data


def _pictures(made: Policy) -> dict[str, Any]:
    return {
        "pictures": [[name, scenes.data_uri(picture)] for name, picture in made.pictures],
        "strip": [
            [
                scenes.data_uri(each.masked),
                each.composite is not None and scenes.data_uri(each.composite),
            ]
            for each in made.strip
        ],
        "numbers": _errors(made.metrics),
        "notes": list(made.notes),
    }


def _errors(metrics: Metrics | None) -> list[list[str]]:
    if metrics is None:
        return []
    return [
        ["MSE", shown(metrics.mse, 4)],
        ["PSNR", f"{shown(metrics.psnr_db, 2)} dB"],
        ["SSIM", shown(metrics.ssim, 3)],
    ]

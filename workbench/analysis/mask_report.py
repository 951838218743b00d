"""The statistics of a strategy as plain data, for files and programs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.mask_statistics import MaskStatistics
from workbench.masks import Strategy


def report(strategy: Strategy, found: MaskStatistics, seed: int) -> dict[str, Any]:
    """What report.json holds; None where a measure does not exist."""
    spectrum = found.spectrum
    return {
        "recipe": str(strategy),
        "promise": strategy.promise,
        "grid": found.grid.record(),
        "count": found.count,
        "seed": seed,
        "ratio": spread(found.ratios),
        "pieces": spread(found.pieces),
        "border": spread(found.border),
        "distance": spread(found.distance),
        "agreement": found.agreement,
        "expected_agreement": found.expected_agreement,
        "agreement_in_time": found.agreement_in_time,
        "adjacency": found.adjacency,
        "spectrum": {
            "low": spectrum.low,
            "middle": spectrum.middle,
            "high": spectrum.high,
            "frequency": spectrum.frequency.tolist(),
            "density": spectrum.density.tolist(),
        },
        "occupancy": found.occupancy.tolist(),
    }


def spread(values: NDArray[Any]) -> dict[str, float | None]:
    """Mean, standard deviation, least and most of what is not nan; None where all of it is."""
    known = values[~np.isnan(values)]
    if not len(known):
        return {"mean": None, "sd": None, "min": None, "max": None}
    measures = known.mean(), known.std(), known.min(), known.max()
    return {
        name: float(each) for name, each in zip(("mean", "sd", "min", "max"), measures, strict=True)
    }

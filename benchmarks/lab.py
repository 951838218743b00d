"""The mask lab's statistics of 10,000 draws, beside a loop over masks: `python benchmarks/lab.py`.

Ours draws and measures: ratio, occupancy, co-masking, pieces, border, distance, agreement and
spectrum, in plain NumPy on one core. The loop takes drawn masks for nothing and does per mask what
people write: `scipy.ndimage.label` and `distance_transform_edt`, differences for the border,
`np.fft.fft2`, an outer product for co-masking. It is timed on some masks and scaled up; both take
turns in one process, and what they find is compared first.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import json
import statistics as numbers
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from workbench.analysis.mask_statistics import MaskStatistics, measure, statistics
from workbench.masks import MASKS, Grid, Mask

GRID = Grid(14, 14)
RECIPES = ("random", "units", "grid", "block", "multi_block", "color_noise")
LIMIT_MS = 150.0


def loop(mask: Mask) -> dict[str, float]:
    """Measure mask by mask and return the means that are compared."""
    pieces, border, distance, ratio = [], [], [], []
    power, together = np.zeros((14, 14)), np.zeros((196, 196))
    for cells in mask.hidden:
        ratio.append(cells.mean())
        pieces.append(ndimage.label(cells)[1])
        border.append(sum(np.count_nonzero(np.diff(cells, axis=axis)) for axis in (0, 1)))
        if cells.any() and not cells.all():
            distance.append(ndimage.distance_transform_edt(cells)[cells].mean())
        power += np.abs(np.fft.fft2(cells - cells.mean())) ** 2
        together += np.outer(cells, cells)
    frequency = np.hypot(np.fft.fftfreq(14)[:, None], np.fft.fftfreq(14))
    low = power[frequency < 1 / 6].sum() / power.sum()
    corner = together[0, 1] / max(together[0, 0], 1)
    return {
        "ratio": float(np.mean(ratio)), "pieces": float(np.mean(pieces)),
        "border": float(np.mean(border)), "distance": float(np.mean(distance)), "low": float(low),
        "corner": float(corner),
    }  # fmt: skip


def ours(found: MaskStatistics) -> dict[str, float]:
    """The same means out of our statistics."""
    assert found.pairs is not None
    corner = found.pairs[0, 1] / found.pairs[0, 0] if found.pairs[0, 0] else 0.0
    return {
        "ratio": float(found.ratios.mean()), "pieces": float(found.pieces.mean()),
        "border": float(found.border.mean()), "distance": found.mean_distance or 0.0,
        "low": found.spectrum.low, "corner": float(corner),
    }  # fmt: skip


def timed(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Milliseconds of one call."""
    started = clock()
    work()
    return 1000 * (clock() - started)


def compare(
    recipe: str, draws: int, masks: int, rounds: int, clock: Callable[[], float]
) -> dict[str, float | str | bool]:
    """Check that both find the same, then time them in turns."""
    strategy = MASKS.parse(recipe)
    some = strategy.sample(GRID, masks, seed=1)
    left, right = loop(some), ours(measure(some))
    same = all(abs(left[name] - right[name]) <= 1e-6 * max(1, abs(left[name])) for name in left)
    statistics(strategy, GRID, draws, seed=0)
    times: list[tuple[float, float]] = []
    for turn in range(rounds):
        mine = timed(lambda seed=turn: statistics(strategy, GRID, draws, seed), clock)
        theirs = timed(lambda: loop(some), clock) * draws / masks
        times.append((mine, theirs))
    return {
        "recipe": str(strategy), "same": same,
        "ours_ms": numbers.median(mine for mine, _ in times), "best_ms": min(times)[0],
        "loop_ms": numbers.median(theirs for _, theirs in times),
        "ratio": numbers.median(theirs / mine for mine, theirs in times),
    }  # fmt: skip


def main() -> int:
    """Print the table; exit status 1 where something differs or a strategy is over its limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--masks", type=int, default=400, help="masks that the loop is timed on")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    given = parser.parse_args()
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    rows = [compare(each, given.draws, given.masks, given.rounds, clock) for each in RECIPES]
    missed = [row for row in rows if not row["same"] or float(row["ours_ms"]) > LIMIT_MS]
    if given.json:
        print(json.dumps({"draws": given.draws, "limit_ms": LIMIT_MS, "rows": rows}))
        return 1 if missed else 0
    print(f"{given.draws} draws on 14 x 14, one core, NumPy {np.__version__}, {given.clock} time")
    print(f"{'strategy':40}{'ours':>9}{'best':>9}{'loop':>11}{'ratio':>8}")
    for row in rows:
        print(
            f"{row['recipe']:40}{row['ours_ms']:6.0f} ms{row['best_ms']:6.0f} ms"
            f"{row['loop_ms']:8.0f} ms{row['ratio']:7.0f}x"
        )
    for row in missed:
        told = "differs from the loop" if not row["same"] else f"over {LIMIT_MS:.0f} ms"
        print(f"MISSED: {row['recipe']}: {told}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

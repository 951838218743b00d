"""What a search, the matrix and the curve cost beside bare calls of the model.

The searches take turns with calls of the model on as many random masks of the same ratio, in the
batch in which those are fastest: once as a user would call it (`model(images, mask)`), once through
the function that the searches use. Greedy search asks about masks with few visible patches, so it
is compared with such masks.

Run: python benchmarks/search.py
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from workbench.masks import MASKS
from workbench.scenes import SceneSpec
from workbench.scenes.batches import Subject, subject
from workbench.scenes.compose import model_of, preview, to_float
from workbench.scenes.curve import curve
from workbench.scenes.matrix import matrix
from workbench.scenes.searches import SEARCHES, watched

ROUNDS, MASKS_A_TURN = 9, 480
SPEC = SceneSpec(photo="coffee")


def random_masks(asked: Subject, ratio: float) -> np.ndarray:
    strategy = MASKS.parse(f"random(ratio={ratio})")
    return strategy.sample(asked.grid, count=MASKS_A_TURN, seed=1).hidden


def bare(asked: Subject, hidden: np.ndarray) -> float:
    """Masks a second of the function that the searches use, without a search."""
    began = time.perf_counter()
    for rows in asked.parts(hidden.reshape(len(hidden), -1).sum(1)):
        asked.patch_errors(hidden[rows])
    return len(hidden) / (time.perf_counter() - began)


def public(asked: Subject, hidden: np.ndarray, batch: int) -> float:
    """Masks a second of `model(images, mask)`."""
    from workbench.masks import Mask

    model = model_of(SPEC)
    images = np.repeat(to_float(asked.photo)[None], batch, axis=0)
    began = time.perf_counter()
    for first in range(0, len(hidden), batch):
        part = Mask(hidden[first : first + batch], asked.grid)
        model(images[: len(part)], part)
    return len(hidden) / (time.perf_counter() - began)


def searched(recipe: str) -> tuple[float, float]:
    """Masks a second of a search, and its longest step in milliseconds."""
    slowest, done, began = 0.0, 0, time.perf_counter()
    before = began
    for step in watched(SPEC, SEARCHES.parse(recipe)):
        now = time.perf_counter()
        slowest, before, done = max(slowest, now - before), now, step.state.evaluations
    return done / (time.perf_counter() - began), 1000 * slowest


def told(name: str, values: list[float], base: list[float] | None = None) -> None:
    line = f"{name:46s} median {statistics.median(values):7.0f} masks/s"
    if base is not None:
        ratios = [a / b for a, b in zip(values, base, strict=True)]
        line += f"   of the call's {100 * statistics.median(ratios):5.1f}%"
    print(line)


def first_and_all(make: Callable[[int], object]) -> tuple[float, float]:
    firsts, wholes = [], []
    for turn in range(ROUNDS):
        preview(SPEC.replace(seed=1000 + turn))
        began = time.perf_counter()
        steps = iter(make(1000 + turn))  # pyright: ignore[reportArgumentType, reportCallIssue]
        next(steps)
        firsts.append(time.perf_counter() - began)
        for _ in steps:
            pass
        wholes.append(time.perf_counter() - began)
    return 1000 * statistics.median(firsts), statistics.median(wholes)


def main() -> None:
    """Print rates, ratios and times."""
    asked = subject(SPEC)
    worst = f"worst_mask(ratio=0.75, evaluations={MASKS_A_TURN})"
    usual, sparse = random_masks(asked, 0.75), random_masks(asked, 0.98)
    searched(worst)
    rates: dict[str, list[float]] = {}
    slow: list[float] = []
    for _ in range(ROUNDS):
        turn: dict[str, float] = {"bare": bare(asked, usual), "sparse": bare(asked, sparse)}
        for batch in (16, 32, 64):
            turn[f"public {batch}"] = public(asked, usual, batch)
        turn["worst"], longest = searched(worst)
        turn["greedy"], other = searched("smallest_visible_set(aim=14.0, prune=False)")
        slow += [longest, other]
        for name, rate in turn.items():
            rates.setdefault(name, []).append(rate)
    precision = asked.precision
    print(f"default model, {precision}, calls of {asked.batch} masks, {ROUNDS} rounds in turn")
    for batch in (16, 32, 64):
        told(f"model(images, mask), {batch} a call, 75% hidden", rates[f"public {batch}"])
    best = [max(each) for each in zip(*(rates[f"public {b}"] for b in (16, 32, 64)), strict=True)]
    told("the searches' own call, 75% hidden", rates["bare"], best)
    told("worst_mask beside the best model call", rates["worst"], best)
    told("worst_mask beside its own call", rates["worst"], rates["bare"])
    told("the searches' own call, 98% hidden", rates["sparse"])
    told("smallest_visible_set beside its own call", rates["greedy"], rates["sparse"])
    print(f"steps of the searches: median of the longest {statistics.median(slow):.0f} ms")
    first, whole = first_and_all(lambda seed: matrix(SPEC.replace(seed=seed)))
    print(f"matrix of 8 x 5 cells: first after {first:.0f} ms, all after {whole:.2f} s")
    first, whole = first_and_all(lambda seed: curve(SPEC.replace(seed=seed)))
    print(f"curve of 4 x 19 points, 4 draws each: first after {first:.0f} ms, all {whole:.2f} s")


if __name__ == "__main__":
    main()

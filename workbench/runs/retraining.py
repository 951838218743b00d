"""DiffROAR: train again on the pixels that an attribution calls highest, and on the lowest."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.sets import DATASETS, Pictures
from workbench.errors import BadInput
from workbench.explain import explain
from workbench.masks import Grid
from workbench.models.network import Network, network_of
from workbench.runs.evaluating import evaluate
from workbench.runs.launching import Handle
from workbench.runs.store import Run
from workbench.runs.sweeping import sweep
from workbench.runs.trained import load_model

METRIC, KEEPS = "metric", ("top", "bottom")
Watch = Callable[[int, int], Any]


@dataclass(frozen=True)
class Ranked:
    """Ranks of pixels written for one method: the file, and where the maps lie.

    `null` is the share of the maps on null blocks of test pictures, nan where the data have none.
    """

    method: str
    path: Path
    null: float
    signal: float


def rank_pixels(
    run: Run, method: str, remove_with: str, path: Path, *, most: int = 0, seed: int = 0,
    watch: Watch | None = None,
) -> Ranked:  # fmt: skip
    """Explain every picture of a run's data by its own network, and write the ranks of pixels.

    Args:
        run: of a classifier (objective supervised).
        method: recipe, see `workbench.explain.methods`.
        remove_with: what "removed" means, for methods that remove.
        path: of the .npz file.
        most: pictures of each part at most, see `Pictures.some`; 0 for all.
        seed: of whatever is drawn; equal values are ranked by lot.
        watch: called with pictures done and all.

    Raises:
        BadInput: a run without a head or labels.
    """
    parts, model, _ = load_model(run)
    network = network_of(model, run.id)
    dataset, size = DATASETS.parse(run.record["data"]), run.config.size
    sets = {name: dataset.load(size, train=name == "train") for name in ("train", "test")}
    sets = {name: each.some(most) for name, each in sets.items()}
    if not network.classes or any(each.labels is None for each in sets.values()):
        raise BadInput(
            f"{run.id} tells no classes ({parts.objective.name}); retrain a run of supervised."
        )
    total, done = sum(map(len, sets.values())), 0
    arrays: dict[str, NDArray[Any]] = {
        "mean": np.rint(sets["train"].images.mean((0, 1, 2))).astype(np.uint8),
        "classes": np.array(sets["train"].classes),
    }
    lies: list[tuple[float, float]] = []
    for name, each in sets.items():
        ranks = np.empty((len(each), size, size), np.uint32)
        for row in range(len(each)):
            values = _values(network, each, row, method, remove_with, seed)
            noise = np.random.default_rng([seed, row, name == "test"]).random(values.size)
            order = np.lexsort((noise, -values.ravel()))
            ranks[row].ravel()[order] = np.arange(values.size)
            if name == "test" and "null" in each.extra:
                size_of = np.abs(values) / max(float(np.abs(values).sum()), 1e-30)
                null, signal = (size_of[each.extra[part][row]].sum() for part in ("null", "signal"))
                lies.append((float(null), float(signal)))
            done += 1
            if watch is not None:
                watch(done, total)
        assert each.labels is not None
        arrays |= {f"images_{name}": each.images, f"labels_{name}": each.labels,
                   f"ranks_{name}": ranks}  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **arrays)
    null, signal = np.mean(lies, axis=0) if lies else (math.nan, math.nan)
    return Ranked(method, path, float(null), float(signal))


def _values(
    network: Network, data: Pictures, row: int, method: str, remove_with: str, seed: int
) -> NDArray[np.float32]:
    """The map of one picture, a value a pixel; of the class that it has."""
    image = np.ascontiguousarray(data.images[row].transpose(2, 0, 1), np.float32) / np.float32(255)
    assert data.labels is not None
    found = explain(
        network, image, int(data.labels[row]), method, remove_with, seed=seed * 1_000_003 + row
    )
    return found.cells(Grid(image.shape[1], image.shape[2], patch=1))


def retrain(
    run: Run,
    ranked: Sequence[Ranked],
    *,
    shares: Sequence[float] = (0.5,),
    seeds: Sequence[int] = (0, 1, 2),
    name: str = "",
) -> Sequence[Handle]:
    """Queue a training for each method, kept part, share and seed, with the settings of a run.

    `table` measures what has ended, on test pictures of which the same part is kept.

    Raises:
        BadInput: fewer than one share or seed, or a share that is none.
    """
    if not (ranked and shares and seeds) or any(not 0 < each < 1 for each in shares):
        raise BadInput(f"shares are {list(shares)}, wanted one or more between 0 and 1.")
    recipes = [
        str(DATASETS.parse(f"kept(path={str(each.path)!r}, keep={keep!r}, share={share!r})"))
        for each in ranked
        for keep in KEEPS
        for share in shares
    ]
    config = run.config.changed({"evaluate": "", "name": ""})
    return sweep(config, {"data": recipes, "seed": list(seeds)}, dir=run.path.parent, name=name)  # pyright: ignore[reportReturnType]


def table(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """DiffROAR by method and share: accuracy on the top minus on the bottom, over seeds.

    Runs that have ended and were not measured yet are measured by their own head.

    Rows hold `method`, `share`, `top`, `bottom`, `diff` (means, nan while nothing is done), `half`
    (of the 95% interval of the difference, by Student's t over seeds that have both), `seeds`.
    """
    found: dict[tuple[str, float], dict[str, dict[int, float]]] = {}
    for run in runs:
        recipe: Any = DATASETS.parse(run.record["data"])
        rows = [row for row in run.evaluations() if row["protocol"] == METRIC]
        if not rows and run.state()["state"] == "done":
            rows = [evaluate(run, METRIC)]
        key = Path(recipe.path).stem, float(recipe.share)
        kept = found.setdefault(key, {keep: {} for keep in KEEPS})
        if rows:
            kept[recipe.keep][int(run.config.seed)] = float(rows[-1]["value"])
    return [_row(method, share, kept) for (method, share), kept in found.items()]


def _row(method: str, share: float, kept: dict[str, dict[int, float]]) -> dict[str, Any]:
    from scipy.stats import t

    both = sorted(set(kept["top"]) & set(kept["bottom"]))
    top, bottom = (np.array([kept[keep][seed] for seed in both]) for keep in KEEPS)
    gaps, half = top - bottom, math.nan
    if len(both) > 1:
        half = float(t.ppf(0.975, len(both) - 1) * gaps.std(ddof=1) / math.sqrt(len(both)))
    means = [float(each.mean()) if len(both) else math.nan for each in (top, bottom, gaps)]
    return {"method": method, "share": share, "top": means[0], "bottom": means[1],
            "diff": means[2], "half": half, "seeds": len(both)}  # fmt: skip

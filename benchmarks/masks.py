"""How many masks a second, beside the generators people use: `python benchmarks/masks.py`.

Contenders take turns in every round of one process; the ratio is the median over rounds of (time
of the peer / time of ours). Ours draws stateless noise, in plain NumPy on one core. Peers:

- BEiT's generator, from `$PEERS_DIR/unilm/beit/masking_generator.py` (microsoft/unilm);
- lightly's `random_token_mask`, from the installed package (`pip install lightly`);
- I-JEPA's collator, from `$PEERS_DIR/ijepa/src/masks/multiblock.py` (facebookresearch/ijepa);
- a bank of ColorMAE's patterns, rebuilt here from the paper (the project offers ready files): what
  a new colour costs before training can go on. Ours draws as many masks, root of the new colour
  included;
- MFM's mask for a new radius, by a loop over all bins as in its paper's code, written anew.

A peer that is not there is named, and our own rates are printed all the same. A round in which
other processes took the machine is repeated, twice at most; on a machine that is never quiet
`--clock cpu` counts CPU seconds instead, for all threads of a contender together.
"""

import argparse
import importlib.util
import json
import logging
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

from workbench.masks import MASKS, Grid

Draw = Callable[[], object]
Clock = Callable[[], float]
GRID = Grid(14, 14, patch=16)
SPECTRUM = Grid(224, 224, patch=1, domain="frequency")
BANK = 3072  # patterns of 64 x 64
RATIO = 0.4  # BEiT and CAE hide 0.38 to 0.5
SMALLEST = 16


@dataclass(frozen=True)
class Duel:
    """One comparison: `count` masks a call; `target` is the ratio the project promises."""

    title: str
    count: int
    ours: Draw
    peer: Draw | None
    missing: str
    target: float | None


def busy() -> float:
    """CPU seconds that this machine has spent so far, 0 where it does not tell."""
    try:
        fields = [int(value) for value in Path("/proc/stat").read_text().split()[1:9]]
    except (OSError, ValueError):
        return 0.0
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def timed(draw: Draw, repeats: int, clock: Clock) -> float:
    """Seconds a call, measured again (twice at most) when others were busy meanwhile."""
    best = math.inf
    for _ in range(3):
        others, own = busy(), sum(os.times()[:4])
        start, wall = clock(), time.perf_counter()
        for _ in range(repeats):
            draw()
        best = min(best, (clock() - start) / repeats)
        wall = time.perf_counter() - wall
        if (busy() - others) - (sum(os.times()[:4]) - own) < 0.03 + 0.08 * wall:
            break
    return best


def repeats_for(draw: Draw, least: float) -> int:
    """How often to call `draw` so that it takes `least` seconds, after warming it up."""
    draw()
    start = time.perf_counter()
    draw()
    return max(1, int(least / max(time.perf_counter() - start, 1e-7)))


def fight(duel: Duel, rounds: int, least: float, clock: Clock) -> dict[str, object]:
    """Let both take turns and return rates and the paired ratio."""
    sides = [duel.ours] if duel.peer is None else [duel.ours, duel.peer]
    repeats = [repeats_for(side, least) for side in sides]
    seconds: list[list[float]] = [[] for _ in sides]
    for turn in range(rounds):
        order = range(len(sides)) if turn % 2 == 0 else reversed(range(len(sides)))
        for side in order:
            seconds[side].append(timed(sides[side], repeats[side], clock))
    rates = [duel.count / statistics.median(times) for times in seconds]
    pairs = [theirs / mine for mine, theirs in zip(seconds[0], seconds[-1], strict=True)]
    ratio = None if duel.peer is None else statistics.median(pairs)
    return {
        "title": duel.title, "count": duel.count, "ours": rates[0],
        "peer": rates[1] if duel.peer else None, "missing": duel.missing, "ratio": ratio,
        "spread": [min(pairs), max(pairs)] if duel.peer else None, "target": duel.target,
    }  # fmt: skip


def peer_module(folder: Path, path: str) -> ModuleType | None:
    """Import a peer's file, or None where it is not there."""
    file = folder / path
    if not file.is_file():
        return None
    spec = importlib.util.spec_from_file_location(f"peer_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def beit(folder: Path) -> type | None:
    """BEiT's generator; it still asks for `np.int`, which NumPy no longer has."""
    module = peer_module(folder, "unilm/beit/masking_generator.py")
    if module is None:
        return None
    module.np = SimpleNamespace(**{**vars(np), "int": int})
    return module.MaskingGenerator


def ijepa(folder: Path) -> type | None:
    """I-JEPA's collator; needs torch."""
    if importlib.util.find_spec("torch") is None:
        return None
    module = peer_module(folder, "ijepa/src/masks/multiblock.py")
    return None if module is None else module.MaskCollator


def lightly(threads: int) -> Draw | None:
    """Lightly's sampler of token masks, if the package is installed; 0 threads = torch's choice."""
    if importlib.util.find_spec("lightly") is None:
        return None
    import torch
    from lightly.models import utils

    chosen = threads or torch.get_num_threads()

    def draw() -> object:
        torch.set_num_threads(chosen)
        return utils.random_token_mask((256, GRID.size + 1), 0.75)

    return draw


class Draws:
    """Call after call of one recipe, each call a new step."""

    def __init__(self, recipe: str, count: int) -> None:
        """Parse once, as a training loop does; score maps, where wanted, are noise."""
        self.strategy, self.count, self.step = MASKS.parse(recipe), count, 0
        scores = np.random.default_rng(0).random((count, *GRID.shape), dtype=np.float32)
        self.maps = dict.fromkeys(self.strategy.needs, scores)

    def __call__(self) -> object:
        """Draw the next batch."""
        self.step += 1
        return self.strategy.sample(GRID, self.count, seed=1, step=self.step, maps=self.maps)


class NewColors:
    """A colour that was never asked for before, `BANK` masks of it."""

    def __init__(self) -> None:
        """Count the calls, so that nothing is taken from a cache."""
        self.calls = 0

    def __call__(self) -> object:
        """Move the stronger blur a little and draw."""
        self.calls += 1
        recipe = f"color_noise(sigma_high={2 + self.calls * 1e-6!r})"
        return MASKS.parse(recipe).sample(GRID, BANK, seed=1)


class NewRadii:
    """A disc of frequencies that was never asked for before, one mask of it."""

    def __init__(self) -> None:
        """Count the calls, so that nothing is taken from a cache."""
        self.calls = 0

    def __call__(self) -> object:
        """Grow the radius a little and draw."""
        self.calls += 1
        disc = MASKS.parse(f"frequency_disc(radius={16 + self.calls * 1e-6!r}, low=1)")
        return disc.sample(SPECTRUM)


def bank() -> object:
    """Filter white noise by two Gaussian blurs, pattern by pattern."""
    from scipy.ndimage import gaussian_filter

    white = np.random.default_rng(0).standard_normal((BANK, 64, 64), dtype=np.float32)
    low, high = 0.5, 2.0
    return np.stack(
        [gaussian_filter(one, low, mode="wrap") - gaussian_filter(one, high, mode="wrap")
         for one in white]
    )  # fmt: skip


def disc_by_loops() -> object:
    """Compare each bin's distance with both radii (the outer one is off), one after the other."""
    side, inner, outer = SPECTRUM.rows, 16, 999
    kept = np.ones((side, side), dtype=int)
    for row in range(side):
        for col in range(side):
            away = (row - side // 2) ** 2 + (col - side // 2) ** 2
            if away >= inner**2 and away < outer**2:
                kept[row, col] = 0
    return kept


def from_papers() -> list[Duel]:
    """Comparisons with what the papers describe, written here; they need no peer's file."""
    return [
        Duel(f"color_noise, new colour, {BANK} / rebuilt bank", BANK, NewColors(), bank, "", 30),
        Duel("frequency_disc, new radius / double loop", 1, NewRadii(), disc_by_loops, "", 80),
    ]


def duels(folder: Path) -> list[Duel]:
    """All comparisons, with the peers that are there."""
    found: list[Duel] = []
    generator, collator = beit(folder), ijepa(folder)
    absent = "lightly is not installed"
    for threads, words in ((1, "one thread"), (0, "torch's threads")):
        title = f"random 75%, 256 a call / lightly, {words}"
        found.append(Duel(title, 256, Draws("random", 256), lightly(threads), absent, 7.5))
    absent = "no unilm/beit/masking_generator.py in PEERS_DIR"
    goal = GRID.count(RATIO)
    official = None if generator is None else generator(14, goal, min_num_patches=SMALLEST)
    recipe = f"block(ratio={RATIO}, min_patches={SMALLEST}"
    loop = None if official is None else lambda: np.stack([official() for _ in range(256)])
    for count, target in ((256, 7), (8192, 20)):
        for kind, end in (("same distribution", ", legacy=True)"), ("exact count", ")")):
            draws = Draws(recipe + end, count)
            # the official loop costs the same a mask at any count: 256 of them stand for 8,192
            scaled = None if loop is None else Scaled(loop, 256, count)
            title = f"block 40%, {kind}, {count} a call / BEiT"
            found.append(Duel(title, count, draws, scaled, absent, target))
    absent = "no ijepa/src/masks/multiblock.py in PEERS_DIR, or no torch"
    jepa: Draw | None = None
    if collator is not None:
        made = collator(
            (224, 224), 16, enc_mask_scale=(0.85, 1.0), pred_mask_scale=(0.15, 0.2),
            aspect_ratio=(0.75, 1.5), nenc=1, npred=4, min_keep=10,
        )  # fmt: skip

        def jepa() -> object:
            return made([0] * 256)

    found.append(
        Duel("multi_block, 256 a call / I-JEPA", 256, Draws("multi_block", 256), jepa, absent, 30)
    )
    return found + from_papers()


class Scaled:
    """A peer's call that makes `made` masks where `wanted` are compared."""

    def __init__(self, draw: Draw, made: int, wanted: int) -> None:
        """Remember how many calls one comparison takes."""
        self.draw, self.calls = draw, wanted // made

    def __call__(self) -> None:
        """Draw all of them."""
        for _ in range(self.calls):
            self.draw()


def others(clock: Clock, only: str) -> list[tuple[str, float]]:
    """Rates of the strategies whose names hold `only`, 256 masks a call."""
    rows = []
    for name in [name for name in MASKS.names() if only in name]:
        draws = Draws(name, 256)
        repeats = repeats_for(draws, 0.05)
        rows.append(
            (str(draws.strategy), 256 / min(timed(draws, repeats, clock) for _ in range(3)))
        )
    return rows


def main() -> int:
    """Print the table; exit status 1 when a promised ratio is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.05, help="least time a measurement")
    parser.add_argument("--peers", type=Path, default=Path(os.environ.get("PEERS_DIR", "peers")))
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--only", default="", help="comparisons and strategies that hold this text")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    chosen = [duel for duel in duels(given.peers) if given.only in duel.title]
    rows = [fight(duel, given.rounds, given.seconds, clock) for duel in chosen]
    rates = others(clock, given.only)
    missed = [
        row for row in rows if row["ratio"] and row["target"] and row["ratio"] < row["target"]
    ]
    if given.json:
        print(json.dumps({"duels": rows, "rates": rates, "machine": platform.machine()}))
        return 1 if missed else 0
    print(f"{GRID.rows} x {GRID.cols}, NumPy {np.__version__}, {platform.processor() or 'CPU'}\n")
    print(f"{'ours / peer':58}{'ours':>10}{'peer':>10}{'ratio':>8}  spread, promised")
    for row in rows:
        line = f"{row['title']:58}{row['ours'] / 1e3:8.0f} k"
        if row["ratio"] is None:
            print(f"{line}   ({row['missing']})")
            continue
        low, high = row["spread"]
        promise = "" if row["target"] is None else f", >= {row['target']}"
        print(f"{line}{row['peer'] / 1e3:8.1f} k{row['ratio']:8.1f}  {low:.1f}-{high:.1f}{promise}")
    print("\nmasks a second, 256 a call:")
    for recipe, rate in rates:
        print(f"  {recipe:44}{rate / 1e3:10.0f} k")
    for row in missed:
        print(f"MISSED: {row['title']}: {row['ratio']:.1f} < {row['target']}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

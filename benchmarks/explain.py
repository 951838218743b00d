"""Explanations beside captum and the official RISE: the same questions, asked in turns.

    python benchmarks/explain.py [--parts vit,resnet,dropped,rise,memory] [--rounds 3] [--threads 2]
        [--methods feature_ablation,occlusion,lime,kernel_shap] [--formats fp32,bf16]
        [--coalitions 96] [--count 1000]

Ours is `explain(...)` from the picture to the map, the making of quick copies included, in fp32 and
where this machine gains by it in bf16; captum is given its best batch size (tried first). Every
round asks each once; a ratio is the median over rounds of (peer's time / ours). Wall and CPU time
are both printed: on a busy machine the latter says more. `dropped` removes by leaving tokens out,
which is another question than painting them black; `rise` needs a checkout in PEERS_DIR/RISE.
Weights are random: this is about speed alone.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

from workbench.explain import explain
from workbench.masks import Grid
from workbench.models.network import Network, network_of
from workbench.models.precision import bf16_gain, bf16_pays

warnings.filterwarnings("ignore")
COALITIONS, MASKS = 96, 1000
Runs = dict[str, Callable[[], Any]]
GRID = Grid(14, 14, patch=16)
FORMATS = ["fp32", "bf16"] if bf16_pays(torch.device("cpu")) else ["fp32"]


def network_named(name: str) -> Network:
    """A classifier of 224 x 224 pixels with random weights, without gradients."""
    torch.manual_seed(0)
    model = timm.create_model(name).eval().requires_grad_(False)
    return network_of(model, name)


def timed(run: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU seconds of a call."""
    gc.collect()
    began, spent = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - began, time.process_time() - spent


def in_turns(runs: Runs, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of every round; each round begins with another one."""
    names, found = list(runs), {name: [] for name in runs}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(timed(runs[name]))
    return found


def told(
    title: str, runs: Runs, pairs: dict[str, str], counts: dict[str, int], rounds: int
) -> dict[str, Any]:
    """Time all, print evaluations a second, and for each of ours how many times a peer's speed."""
    found = in_turns(runs, rounds)
    rows = {}
    for name, seconds in found.items():
        wall, spent = (statistics.median(column) for column in zip(*seconds, strict=True))
        rows[name] = {"seconds": round(wall, 2), "cpu_seconds": round(spent, 2),
                      "per_second": round(counts[name] / wall, 1)}  # fmt: skip
    ratios = {
        f"{ours} / {theirs}": [
            round(
                statistics.median(
                    (b[at] / counts[theirs]) / (a[at] / counts[ours])
                    for a, b in zip(found[ours], found[theirs], strict=True)
                ),
                2,
            )
            for at in (0, 1)
        ]
        for ours, theirs in pairs.items()
    }
    row = {"part": title, "threads": torch.get_num_threads(), "rounds": rounds, "each": rows,
           "times as fast [wall, cpu]": ratios}  # fmt: skip
    print(json.dumps(row, indent=1), flush=True)
    return row


def captum_runs(network: Network, image: np.ndarray, batch: int, which: tuple[str, ...]) -> Runs:
    """Captum on the network itself; black stands for nothing, each patch is a feature."""
    from captum.attr import FeatureAblation, KernelShap, Lime, Occlusion

    x = network.prepare(image[None])
    black = network.prepare(np.zeros_like(image[None]))
    cells = torch.arange(196).view(1, 1, 14, 14)
    cells = cells.repeat_interleave(16, 2).repeat_interleave(16, 3)
    model: Any = network.module
    common: dict[str, Any] = {"baselines": black, "target": 0, "perturbations_per_eval": batch}
    block = (3, 16, 16)
    known: Runs = {
        "feature_ablation": lambda: FeatureAblation(model).attribute(
            x, feature_mask=cells, **common
        ),
        "occlusion": lambda: Occlusion(model).attribute(x, block, strides=block, **common),
        "lime": lambda: Lime(model).attribute(
            x, feature_mask=cells, n_samples=COUNTS["lime"], **common
        ),
        "kernel_shap": lambda: KernelShap(model).attribute(
            x, feature_mask=cells, n_samples=COUNTS["lime"], **common
        ),
    }
    return {f"captum {name}": known[name] for name in which}


def best_batch(network: Network, image: np.ndarray) -> int:
    """The batch size at which captum asks quickest, of some."""
    from captum.attr import KernelShap

    x, cells = network.prepare(image[None]), torch.arange(4).view(1, 1, 2, 2)
    cells = cells.repeat_interleave(112, 2).repeat_interleave(112, 3)
    ask: Any = KernelShap(network.module).attribute
    spent: dict[int, float] = {}
    for size in (16, 1, 4, 32, 16):  # the first warms up, and is asked again
        spent[size] = timed(lambda k=size: ask(
            x, feature_mask=cells, n_samples=16, perturbations_per_eval=k, target=0
        ))[1]  # fmt: skip
    return min(spent, key=lambda size: spent[size])


OURS = {
    "feature_ablation": "feature_ablation", "occlusion": "occlusion(window=1)",
    "lime": f"lime(count={COALITIONS})", "kernel_shap": f"kernel_shap(count={COALITIONS})",
}  # fmt: skip
COUNTS = {"feature_ablation": 197, "occlusion": 197, "lime": COALITIONS, "kernel_shap": COALITIONS}


def perturbing(name: str, rounds: int, remove_with: str, which: tuple[str, ...]) -> dict[str, Any]:
    """Four methods of captum and ours on one network."""
    network = network_named(name)
    image = np.random.default_rng(0).random((3, 224, 224), dtype=np.float32)
    batch = best_batch(network, image)
    runs, pairs, counts = captum_runs(network, image, batch, which), {}, {}
    for each in which:
        counts[f"captum {each}"] = COUNTS[each]
        for precision in FORMATS:
            ours = f"ours {each} {precision}"
            runs[ours] = lambda m=OURS[each], p=precision: explain(
                network, image, 0, m, remove_with, grid=GRID, precision=p
            )
            pairs[ours], counts[ours] = f"captum {each}", COUNTS[each]
    for precision in FORMATS:  # what is found out once a process
        explain(network, image, 0, "lime(count=2)", remove_with, grid=GRID, precision=precision)
    row = told(f"{name}, {remove_with}, captum {batch} at a time", runs, pairs, counts, rounds)
    if remove_with == "black" and "feature_ablation" in which:
        peer = runs["captum feature_ablation"]()[0, 0, 8::16, 8::16].numpy()
        for precision in FORMATS:
            mine = runs[f"ours feature_ablation {precision}"]().values
            apart = float(np.abs(mine - peer).max())
            ranks = [each.ravel().argsort().argsort() for each in (mine, peer)]
            like = float(np.corrcoef(*ranks)[0, 1])
            print(f"{precision}: maps apart by {apart:.1e} of {np.abs(peer).max():.1e}, rank "
                  f"correlation {like:.3f}", flush=True)  # fmt: skip
    return row


def rise(rounds: int, count: int) -> dict[str, Any] | None:
    """RISE by the official code, and ours with the same masks, or by leaving tokens out."""
    folder = Path(os.environ.get("PEERS_DIR", "")) / "RISE"
    if not (folder / "explanations.py").is_file():
        print("RISE is not at hand; set PEERS_DIR")
        return None
    torch.Tensor.cuda = lambda self, *args, **kwargs: self  # type: ignore[method-assign]
    sys.path.insert(0, str(folder))
    import explanations  # pyright: ignore[reportMissingImports]

    explanations.tqdm = lambda items, **kwargs: items
    network = network_named("vit_tiny_patch16_224")
    image = np.random.default_rng(0).random((3, 224, 224), dtype=np.float32)
    official = explanations.RISE(torch.nn.Sequential(network.module, torch.nn.Softmax(1)),
                                 (224, 224), 50)  # fmt: skip
    x = network.prepare(image[None])
    kept = str(Path(tempfile.mkdtemp()) / "masks.npy")

    def run() -> Any:
        with torch.no_grad():
            official.generate_masks(count, 7, 0.5, kept)
            return official(x)

    runs: Runs = {"official RISE": run}
    for precision in FORMATS:
        for operator in ("black", "drop_tokens"):
            runs[f"ours {operator} {precision}"] = lambda o=operator, p=precision: explain(
                network, image, 0, f"rise(count={count})", o, precision=p
            )
    counts = dict.fromkeys(runs, count)
    pairs = {name: "official RISE" for name in runs if name.startswith("ours")}
    return told(f"RISE, vit_tiny_patch16_224, {count} masks", runs, pairs, counts, rounds)


ALONE = """
import sys, numpy as np
from workbench.explain import explain
from workbench.models.network import network_of
from workbench.models.transformer import ViT, ViTShape
from workbench.models.headed import HeadedEncoder
import torch
def peak():
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])
torch.manual_seed(0)
shape = ViTShape(rows=14, cols=14, patch=16, dim=32, depth=1, heads=2, hidden=64)
network = network_of(HeadedEncoder(shape, torch.nn.Linear(32, 10)).eval())
image = np.random.default_rng(0).random((3, 224, 224), dtype=np.float32)
method, few, many = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
found = []
for count in (few, many):
    explain(network, image, 0, f"{method}(count={count})", sys.argv[4])
    found.append(peak() / 1024)
print(found[0], found[1])
"""


def memory(few: int = 1000, many: int = 8000) -> list[dict[str, Any]]:
    """Peak memory of a process after few and after many masks (Linux): it must not grow."""
    rows = []
    for method, operator in (("rise", "black"), ("rise", "drop_tokens"), ("lime", "grey"),
                             ("kernel_shap", "black")):  # fmt: skip
        command = [sys.executable, "-c", ALONE, method, str(few), str(many), operator]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        first, last = map(float, out.split()[-2:])
        peaks = {few: round(first, 1), many: round(last, 1)}
        rows.append({"method": method, "operator": operator, "peak_mb": peaks})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Print each part, and at the end one JSON document."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--parts", default="vit,resnet,dropped,rise,memory")
    reader.add_argument("--rounds", type=int, default=3)
    reader.add_argument("--threads", type=int, default=torch.get_num_threads())
    reader.add_argument("--coalitions", type=int, default=COALITIONS, help="of LIME, KernelSHAP")
    reader.add_argument("--count", type=int, default=MASKS, help="masks of RISE")
    reader.add_argument("--methods", default=",".join(OURS))
    reader.add_argument("--formats", default=",".join(FORMATS))
    given = reader.parse_args()
    FORMATS[:] = given.formats.split(",")
    for each in ("lime", "kernel_shap"):
        OURS[each], COUNTS[each] = f"{each}(count={given.coalitions})", given.coalitions
    methods = tuple(given.methods.split(","))
    torch.set_num_threads(given.threads)
    print(f"bf16 multiplies {bf16_gain():.1f}x as fast as fp32 on one core here", flush=True)
    parts: dict[str, Callable[[], Any]] = {
        "vit": lambda: perturbing("vit_tiny_patch16_224", given.rounds, "black", methods),
        "resnet": lambda: perturbing("resnet18", given.rounds, "black", methods),
        "dropped": lambda: perturbing(
            "vit_tiny_patch16_224",
            given.rounds,
            "drop_tokens",
            tuple(each for each in methods if each in ("lime", "kernel_shap")),
        ),
        "rise": lambda: rise(given.rounds, given.count),
        "memory": memory,
    }
    print(json.dumps([parts[name]() for name in given.parts.split(",")]))


if __name__ == "__main__":
    main()

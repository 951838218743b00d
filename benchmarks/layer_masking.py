"""Layer masking of ResNet-50 beside the official code: same weights, pictures and masks.

    python benchmarks/layer_masking.py [--batches 1,16] [--rounds 5] [--threads 2]

`PEERS_DIR` names a folder with a checkout of SriramB-98/layer_masking; without one, times are put
beside those of the plain network, and nothing is said of the peer. Half of 14 x 14 patches are
hidden. Ours is timed as `intervene` on a network as it is, and as the quick copy that explanations
and the missingness page ask, in fp32 and, where it pays here, in bf16; the official code also in
slices of one picture, which is not how it comes. The quick copies are timed without any mask, too:
nothing that runs the same convolutions can be quicker. All take turns; ratios are medians over
rounds of (official / it), by wall and by CPU time.
"""

import argparse
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.explain.removal import SLICE, removal
from workbench.interventions import intervene
from workbench.masks import Grid, Mask
from workbench.models.network import Network, network_of
from workbench.models.precision import bf16_pays
from workbench.models.quick import quick_network

OFFICIAL, PLAIN = "official", "plain resnet50"


def official() -> Any | None:
    """The official ResNet-50, or None where it is not at hand."""
    folder = Path(os.environ.get("PEERS_DIR", "")) / "layer_masking"
    if not (folder / "sal_resnet.py").is_file():
        print("the official code is not at hand; set PEERS_DIR", flush=True)
        return None
    sys.path.insert(0, str(folder))
    import sal_resnet  # pyright: ignore[reportMissingImports]

    torch.manual_seed(0)
    return sal_resnet.resnet50().eval()


def runs_of(peer: Any, network: Network, batch: int) -> dict[str, Callable[[], Tensor]]:
    """What is timed, by name, each giving scores [batch, classes]."""
    generator = torch.Generator().manual_seed(batch)
    pictures = torch.rand(batch, 3, 224, 224, generator=generator)
    hidden = (torch.rand(batch, 14, 14, generator=generator) < 0.5).numpy()
    prepared = network.prepare(pictures)
    seen = F.interpolate(torch.from_numpy(~hidden)[:, None].float(), scale_factor=16)
    arrays, way = pictures.numpy(), removal("layer_mask")
    mask = Mask(hidden, Grid(14, 14, patch=16))

    def changed() -> Tensor:
        with intervene(network, "layer_mask", mask=mask):
            return network.logits(arrays)

    def sliced() -> Tensor:
        pairs = zip(prepared.split(1), seen.split(1), strict=True)
        return torch.cat([peer((x, m, [100, 5])) for x, m in pairs])

    runs: dict[str, Callable[[], Tensor]] = {
        PLAIN: lambda: network.logits_of(prepared), "ours, intervene": changed,
    }  # fmt: skip
    if peer is not None:
        runs = {OFFICIAL: lambda: peer((prepared, seen, [100, 5])), **runs}
        if batch > 1:
            runs["official, sliced"] = sliced
    for precision in ("fp32", "bf16")[: 1 + bf16_pays(torch.device("cpu"))]:
        quick = quick_network(network, pictures[:1], precision)
        runs[f"ours {precision}"] = lambda q=quick: way.each(q, arrays, hidden)
        runs[f"{precision} without masks"] = lambda q=quick: unmasked(q, prepared)
    return runs


def unmasked(quick: Network, prepared: Tensor) -> Tensor:
    """The scores of whole pictures, as many at a time as with masks."""
    return torch.cat([quick.logits_of(each) for each in prepared.to(quick.dtype).split(SLICE)])


def compared(runs: dict[str, Callable[[], Tensor]], batch: int, rounds: int) -> dict[str, Any]:
    """Seconds and ratios; the first round warms up and tells how far answers are apart."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    beside = OFFICIAL if OFFICIAL in runs else PLAIN
    wanted = runs[beside]()
    apart: dict[str, float] = {}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            gc.collect()
            began = time.perf_counter(), time.process_time()
            found = run()
            ended = time.perf_counter(), time.process_time()
            if turn:
                spent[name].append((ended[0] - began[0], ended[1] - began[1]))
            elif beside == OFFICIAL and name not in (OFFICIAL, PLAIN) and "without" not in name:
                apart[name] = float((found - wanted).abs().max() / wanted.abs().max())
    medians = {name: [statistics.median(each) for each in zip(*rows, strict=True)]
               for name, rows in spent.items()}  # fmt: skip
    ratios = {
        name: [
            round(statistics.median(b[at] / a[at] for a, b in zip(rows, spent[beside])), 2)  # noqa: B905
            for at in (0, 1)
        ]
        for name, rows in spent.items()
        if name != beside
    }  # fmt: skip
    return {
        "batch": batch, "threads": torch.get_num_threads(), "rounds": rounds,
        "ms a picture [wall, cpu]": {
            name: [round(1000 * each / batch, 1) for each in both]
            for name, both in medians.items()
        },
        "apart, of the largest score": {name: f"{each:.1e}" for name, each in apart.items()},
        f"{beside} / it [wall, cpu]": ratios,
    }  # fmt: skip


@torch.no_grad()
def main() -> None:
    """Print one JSON document a batch size."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--batches", default="1,16")
    reader.add_argument("--rounds", type=int, default=5)
    reader.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = reader.parse_args()
    torch.set_num_threads(given.threads)
    peer = official()
    model = timm.create_model("resnet50").eval()
    if peer is not None:
        weights = peer.state_dict()
        model.load_state_dict({name: weights[name] for name in model.state_dict()})
    network = network_of(model, "resnet50")
    for batch in map(int, given.batches.split(",")):
        print(json.dumps(compared(runs_of(peer, network, batch), batch, given.rounds), indent=1),
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

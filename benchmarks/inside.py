"""All attention maps and rollout on ViT-B: ours beside timm's extractor and the vit-explain recipe.

    python benchmarks/inside.py [--model vit_base_patch16_224] [--rounds 5] [--switch]
        [--threads N] [--cpu]

All are timed in turns in one process, from a picture to the rollout of the class token; ratios are
medians over the rounds. `vit-explain` is what jacobgil/vit-explain computes, written from its
formula: fused attention off, maps taken behind their dropout, a chain of matrix products.
With `--switch` also what switching a head off costs on ViT-Tiny, from the recipe to new maps.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor

from workbench.explain import attention_maps, fast_maps, rollout
from workbench.interventions import intervene
from workbench.models.inference import prepared_encoder
from workbench.models.network import network_of
from workbench.models.timm_encoder import vit_from_timm


def chained(maps: list[Tensor], discard: float) -> Tensor:
    """Rollout as a chain of matrix products, the lowest entries set to zero by topk and index."""
    whole = torch.eye(maps[0].shape[-1])
    for each in maps:
        fused = each.mean(1)
        flat = fused.view(len(fused), -1)
        lowest = flat.topk(int(flat.shape[-1] * discard), -1, False).indices
        flat[0, lowest[lowest != 0]] = 0
        step = (fused + torch.eye(fused.shape[-1])) / 2
        whole = (step / step.sum(-1, keepdim=True)) @ whole
    return whole[:, 0, 1:]


def explicit(model: Any) -> Callable[[Tensor], list[Tensor]]:
    """The maps behind the dropout of every block, fused attention off."""
    kept: list[Tensor] = []
    for block in model.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda m, args, out: kept.append(out.cpu()))

    def run(images: Tensor) -> list[Tensor]:
        kept.clear()
        model(images)
        return kept

    return run


def candidates(name: str) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    from timm.utils.attention_extract import AttentionExtract

    models: list[Any] = [timm.create_model(name).eval() for _ in range(3)]
    for each in models[1:]:
        each.load_state_dict(models[0].state_dict())
    network = network_of(models[0], name)
    own = vit_from_timm(models[0])
    generator = np.random.default_rng(0)
    images = generator.random((1, 3, *network.size), dtype=np.float32)
    ready = network.prepare(images)
    explain: Any = explicit(models[1])
    for block in models[2].blocks:
        block.attn.fused_attn = False
    extract: Any = AttentionExtract(models[2], method="hook")
    ours = network_of(own)
    patches = ours.prepare(images)
    plain = {dtype: prepared_encoder(own, torch.device("cpu"), dtype)
             for dtype in (torch.float32, torch.bfloat16)}  # fmt: skip
    return {
        "timm forward, fused": lambda: models[0](ready),
        "timm AttentionExtract + rollout": lambda: chained(list(extract(ready).values()), 0.0),
        "vit-explain, discard 0": lambda: chained(explain(ready), 0.0),
        "vit-explain, discard 0.9": lambda: chained(explain(ready), 0.9),
        "ours on timm's model, fused": lambda: rollout(attention_maps(network, images)),
        "ours fp32 forward, no maps": lambda: plain[torch.float32](patches),
        "ours fp32, maps + rollout": lambda: rollout(fast_maps(own, images, precision="fp32")),
        "ours bf16 forward, no maps": lambda: plain[torch.bfloat16](patches.bfloat16()),
        "ours bf16, maps alone": lambda: fast_maps(own, images, precision="bf16"),
        "ours bf16, maps + rollout": lambda: rollout(fast_maps(own, images, precision="bf16")),
        "ours bf16, rollout discard 0.9": lambda: rollout(
            fast_maps(own, images, precision="bf16"), discard=0.9
        ),
    }


def timed(
    work: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Median milliseconds of each, in turns."""
    found: dict[str, list[float]] = {name: [] for name in work}
    with torch.inference_mode():
        for turn in range(rounds + 1):
            for name, run in work.items():
                began = clock()
                run()
                if turn:
                    found[name].append((clock() - began) * 1000)
    return {name: statistics.median(each) for name, each in found.items()}


def switching(rounds: int) -> list[float]:
    """Median milliseconds, wall and CPU, from a recipe to all maps of ViT-Tiny without one head."""
    network = network_of(timm.create_model("vit_tiny_patch16_224").eval(), "vit_tiny")
    images = np.random.default_rng(0).random((1, 3, 224, 224), dtype=np.float32)
    spent: list[tuple[float, float]] = []
    for turn in range(rounds + 1):
        began = time.perf_counter(), time.process_time()
        with intervene(network, f"heads_off(layer={turn % 12}, heads=[0])"):
            rollout(attention_maps(network, images))
        ended = time.perf_counter(), time.process_time()
        spent.append((1000 * (ended[0] - began[0]), 1000 * (ended[1] - began[1])))
    return [round(statistics.median(each), 1) for each in zip(*spent[1:], strict=True)]


def main() -> None:
    """Print milliseconds and ratios as one JSON document."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--model", default="vit_base_patch16_224")
    reader.add_argument("--rounds", type=int, default=5)
    reader.add_argument("--switch", action="store_true")
    reader.add_argument("--threads", type=int, default=0)
    reader.add_argument("--cpu", action="store_true", help="CPU time, for a busy machine")
    given = reader.parse_args()
    torch.manual_seed(0)
    if given.threads:
        torch.set_num_threads(given.threads)
    clock = time.process_time if given.cpu else time.perf_counter
    found = timed(candidates(given.model), given.rounds, clock)
    best = found["ours bf16, maps + rollout"]
    peers = ("timm AttentionExtract + rollout", "vit-explain, discard 0")
    told: dict[str, Any] = {
        "threads": torch.get_num_threads(),
        "milliseconds": {name: round(each, 1) for name, each in found.items()},
        "times faster": {name: round(found[name] / best, 2) for name in peers},
        "times vit-explain, discard 0.9": round(
            found["vit-explain, discard 0.9"] / found["ours bf16, rollout discard 0.9"], 2
        ),
        "maps over no maps, bf16": round(
            found["ours bf16, maps alone"] / found["ours bf16 forward, no maps"], 3
        ),
    }
    if given.switch:
        told["head switch on ViT-Tiny, ms [wall, cpu]"] = switching(given.rounds)
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()

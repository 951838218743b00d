"""One training step beside its peers: the same architecture, weights, pictures and masks.

    python benchmarks/training.py [--cases mae_224,mae_32,simmim_224] [--threads 1,2]
        [--rounds 7] [--curve 12] [--device cpu|cuda]

Ours is the whole step of a run (rows gathered, normalised, masks drawn, loss, gradients, AdamW);
peers are handed a ready batch and draw their own masks. All take turns in one process; a ratio is
the median over rounds of (peer's time / our time) within a round. Before that the loss curves
are printed: ours in fp32 and bf16 and the peer's in fp32, from the same weights, pictures and
masks, with the largest relative difference. On a busy machine the ratios of CPU time on one
thread say more than those of wall time; both are printed.

Peers: transformers; facebookresearch/mae if PEERS_DIR holds a checkout in `mae/`; lightly's MAE
modules where installed. bf16 is timed only where this machine multiplies it faster than fp32.
"""

import argparse
import gc
import json
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from training_peers import PEERS, Peer

from workbench.data.sets import Pictures
from workbench.models.precision import bf16_gain, bf16_pays
from workbench.objectives import OBJECTIVES
from workbench.runs.config import RunConfig
from workbench.runs.optimising import DECAYED
from workbench.runs.setting import Place, setting
from workbench.runs.training import Trainer

warnings.filterwarnings("ignore")
LR, BETAS, DECAY = 1e-4, (0.9, 0.95), 0.05


@dataclass(frozen=True)
class Case:
    """A set-up that is timed: ours as a run's configuration, and what peers it has."""

    config: RunConfig
    peers: tuple[str, ...]


def case(size: int, patch: int, depth: int, decoder: int, batch: int, kind: str) -> Case:
    told = {
        "mae": f"mae(decoder_dim=128, decoder_depth={decoder})",
        "simmim": "simmim()",
    }[kind]
    config = RunConfig(
        objective=told, mask="random(ratio=0.75)" if kind == "mae" else "random(ratio=0.6)",
        size=size, patch=patch, dim=192, depth=depth, heads=3, batch=batch, crop=1.0, flip=False,
        lr=LR, weight_decay=DECAY, warmup=1, cooldown=0.0, steps=1_000_000, picture_every=0,
    )  # fmt: skip
    names = ("facebookresearch", "transformers", "lightly") if kind == "mae" else ("transformers",)
    return Case(config, tuple(f"{name}_{kind}" for name in names))


CASES = {
    "mae_224": case(224, 16, 12, 4, 32, "mae"),
    "mae_32": case(32, 4, 6, 2, 64, "mae"),
    "simmim_224": case(224, 16, 12, 0, 16, "simmim"),
}


def drawn_pictures(config: RunConfig) -> Pictures:
    """Smooth pictures, two batches of them: something can be learnt, nothing is downloaded."""
    rng = np.random.default_rng(0)
    small = rng.random((2 * config.batch, 3, 8, 8), np.float32)
    big = nn.functional.interpolate(torch.from_numpy(small), config.size, mode="bicubic")
    pixels = (big.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return Pictures(pixels)


def ours(config: RunConfig, pictures: Pictures, where: Place) -> Trainer:
    """A trainer as a run has it; places are fixed, as the official code has them."""
    trainer = Trainer.ready(setting(config), pictures, where)
    if config.objective.startswith("mae"):
        trainer.model.get_parameter("encoder.pos_embed").requires_grad_(False)
    return trainer


def normalised(trainer: Trainer, step: int) -> torch.Tensor:
    from workbench.models.patches import normalise

    return normalise(trainer.feed.batch(step).images)


def drawn_mask(trainer: Trainer, step: int) -> torch.Tensor:
    """What the step hides, bool [b, n]."""
    batch = trainer.feed.batch(step)
    grid = trainer.setting.objective.grid(trainer.setting.shape(trainer.pictures))
    mask = trainer.setting.mask(trainer.model, batch, grid, step, 0.0)
    return torch.from_numpy(mask.hidden.reshape(len(batch), -1).copy())


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    """As documented: no decay of biases and gains."""
    wanted = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in wanted if p.ndim in DECAYED], "weight_decay": DECAY},
        {"params": [p for p in wanted if p.ndim not in DECAYED], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=LR, betas=BETAS)


def peer_step(
    peer: Peer, optimiser: torch.optim.Optimizer, device: torch.device, half: bool
) -> Callable[[torch.Tensor, torch.Tensor | None], float]:
    """A step as the peer's own documentation has it; autocast is its own way to bf16."""

    def step(images: torch.Tensor, hidden: torch.Tensor | None) -> float:
        optimiser.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = peer.loss(images, hidden)
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return step


def curves(told: Case, pictures: Pictures, device: torch.device, steps: int) -> dict[str, Any]:
    """Losses of the same steps: ours in fp32 and bf16, and the first peer's that is at hand."""
    name, make = next((n, PEERS[n]) for n in told.peers if PEERS[n].here())
    precisions = ["fp32", "bf16"] if bf16_pays(device) else ["fp32"]
    trainers = {
        each: ours(told.config, pictures, Place(device, each, torch.get_num_threads()))
        for each in precisions
    }
    peer = make(told.config)
    peer.module.to(device)
    peer.copy(trainers["fp32"].model)
    steps_of = peer_step(peer, adamw(peer.module), device, False)
    found: dict[str, list[float]] = {each: [] for each in (*precisions, name)}
    for step in range(steps):
        images = normalised(trainers["fp32"], step)
        found[name].append(steps_of(images, drawn_mask(trainers["fp32"], step).to(device)))
        for each, trainer in trainers.items():
            found[each].append(trainer.make_step()[1]["loss"])
    theirs = np.array(found[name])
    apart = {each: float(np.abs(np.array(found[each]) / theirs - 1).max()) for each in precisions}
    return {"curves": found, "largest_relative_difference": apart}


def timed(run: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Wall and CPU seconds of a call."""
    began, spent = time.perf_counter(), time.process_time()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began, time.process_time() - spent


def contenders(
    told: Case, pictures: Pictures, device: torch.device
) -> dict[str, Callable[[], object]]:
    """The steps that take turns, by name."""
    halves = (False, True) if bf16_pays(device) else (False,)
    runs: dict[str, Callable[[], object]] = {}
    for half in halves:
        where = Place(device, "bf16" if half else "fp32", torch.get_num_threads())
        runs[f"ours {where.precision}"] = ours(told.config, pictures, where).make_step
    plain = Place(device, "fp32", torch.get_num_threads())
    images = normalised(ours(told.config, pictures, plain), 0)
    for name in told.peers:
        if not PEERS[name].here():
            print(f"{name} is not at hand", flush=True)
            continue
        peer = PEERS[name](told.config)
        peer.module.to(device).train()
        optimiser = adamw(peer.module)
        for half in halves:
            step = peer_step(peer, optimiser, device, half)
            runs[f"{name} {'autocast bf16' if half else 'fp32'}"] = lambda s=step: s(images, None)
    return runs


def interleaved(
    runs: dict[str, Callable[[], object]], device: torch.device, rounds: int, budget: float
) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU seconds of every round; a round calls all, starting with another each time."""
    for run in runs.values():
        timed(run, device)
    names, seconds = list(runs), {name: [] for name in runs}
    began = time.perf_counter()
    for turn in range(rounds):
        gc.collect()
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(timed(runs[name], device))
        if turn >= 2 and time.perf_counter() - began > budget:
            break
    return seconds


def report(
    name: str, seconds: dict[str, list[tuple[float, float]]], batch: int, work: float
) -> dict[str, Any]:
    """Rates, and within rounds how many times longer a peer takes than ours, [wall, CPU]."""
    steps: dict[str, dict[str, float]] = {}
    ratios: dict[str, dict[str, list[float]]] = {}
    for each, values in seconds.items():
        wall, spent = (statistics.median(column) for column in zip(*values, strict=True))
        steps[each] = {
            "ms": round(1000 * wall, 1),
            "cpu_ms": round(1000 * spent, 1),
            "images_per_s": round(batch / wall, 1),
            "gflops": round(work * batch / wall / 1e9, 1),
        }
        if not each.startswith("ours"):
            continue
        ratios[each] = {
            other: [
                round(statistics.median(b[at] / a[at] for a, b in zip(values, theirs)), 2)  # noqa: B905
                for at in (0, 1)
            ]
            for other, theirs in seconds.items()
            if not other.startswith("ours")
        }  # fmt: skip
    rounds = len(next(iter(seconds.values())))
    threads = torch.get_num_threads()
    return {"case": name, "threads": threads, "rounds": rounds, "steps": steps, "ratios": ratios}


def least_work(config: RunConfig) -> float:
    """Floating-point operations of a step for one picture that no implementation can leave out."""
    places, pixels = (config.size // config.patch) ** 2, 3 * config.patch**2

    def blocks(tokens: int, dim: int, depth: int) -> int:
        return depth * tokens * (24 * dim**2 + 4 * tokens * dim)

    if config.objective.startswith("simmim"):
        return 3.0 * (4 * places * pixels * config.dim + blocks(places, config.dim, config.depth))
    seen = places // 4
    told: Any = OBJECTIVES.parse(config.objective)
    total = 2 * seen * pixels * config.dim + blocks(seen + 1, config.dim, config.depth)
    total += 2 * (seen + 1) * config.dim * 128 + blocks(places + 1, 128, told.decoder_depth)
    return 3.0 * (total + 2 * (places - seen) * 128 * pixels)


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product here, the best of some."""
    a, b = (torch.randn(4096 if device.type == "cuda" else 1600, 2048) for _ in range(2))
    a, b = a.to(device, dtype), b.to(device, dtype).T.contiguous()
    best = min(timed(lambda: a @ b, device)[0] for _ in range(10))
    return 2 * a.shape[0] * a.shape[1] * b.shape[1] / best


def main() -> None:
    """Print curves, times and ratios, and at the end one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--curve", type=int, default=12, help="steps of the curves; 0: none")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds each")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    told = parser.parse_args()
    device = torch.device(told.device)
    found: list[dict[str, Any]] = []
    print(f"bf16 multiplies {bf16_gain():.1f}x as fast as fp32 on one core here")
    for name in told.cases.split(","):
        which = CASES[name]
        pictures = drawn_pictures(which.config)
        if told.curve:
            drawn = curves(which, pictures, device, told.curve)
            for each, values in drawn["curves"].items():
                print(f"{name} {each:22s}", *(f"{value:.6f}" for value in values))
            print(f"{name} largest relative difference", drawn["largest_relative_difference"])
            found.append({"case": name, **drawn})
        for threads in map(int, told.threads.split(",")):
            torch.set_num_threads(threads)
            runs = contenders(which, pictures, device)
            seconds = interleaved(runs, device, told.rounds, told.budget)
            row = report(name, seconds, which.config.batch, least_work(which.config))
            if device.type == "cuda":
                row["peak_bf16_gflops"] = peak(device, torch.bfloat16) / 1e9
            print(json.dumps(row, indent=1), flush=True)
            found.append(row)
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""How weights are updated: AdamW, or Muon for the matrices of the blocks; the learning rate."""

import math
from typing import Any

import torch
from torch import nn

from workbench.models.layering import decays, layer_scales
from workbench.runs.config import RunConfig


class Optimiser:
    """The optimisers of a run, stepped together.

    `encoder` is the part of the model whose layers learn at `config.layer_decay`.
    """

    def __init__(
        self, model: nn.Module, config: RunConfig, encoder: nn.Module | None = None
    ) -> None:
        shares = {} if encoder is None else _shares(encoder, config.layer_decay)
        muon: list[nn.Parameter] = []
        decayed: list[nn.Parameter] = []
        free: list[nn.Parameter] = []
        for name, p in model.named_parameters():
            if not p.requires_grad:
                continue
            if config.optimiser == "muon" and "blocks." in name and p.ndim == 2:
                muon.append(p)
            else:
                (decayed if decays(p) else free).append(p)
        self.parameters = [*muon, *decayed, *free]
        groups = [*_groups(decayed, shares, config.weight_decay), *_groups(free, shares, 0.0)]
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, config.beta2), fused=True)
        ]
        self.rates = [config.lr]
        if muon:
            self.parts.append(
                torch.optim.Muon(
                    _groups(muon, shares, config.weight_decay),
                    lr=config.muon_lr,
                    weight_decay=config.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
            self.rates.append(config.muon_lr)

    def step(self, scale: float) -> None:
        """Update with the learning rates times `scale`, 0 to 1, and forget the gradients."""
        for part, rate in zip(self.parts, self.rates, strict=True):
            for group in part.param_groups:
                group["lr"] = rate * scale * group["share"]
            part.step()
            part.zero_grad(set_to_none=True)


def _shares(encoder: nn.Module, decay: float) -> dict[int, float]:
    """The share of the learning rate by parameter; only those that have less than all of it."""
    if decay == 1:
        return {}
    scales = layer_scales(encoder, decay)
    return {id(p): scales[name] for name, p in encoder.named_parameters() if scales[name] < 1}


def _groups(
    members: list[nn.Parameter], shares: dict[int, float], weight_decay: float
) -> list[dict[str, Any]]:
    found: dict[float, list[nn.Parameter]] = {}
    for p in members:
        found.setdefault(shares.get(id(p), 1.0), []).append(p)
    return [
        {"params": each, "share": share, "weight_decay": weight_decay}
        for share, each in found.items()
    ]


def learning_rate_scale(config: RunConfig, step: int) -> float:
    """Return the share of the learning rate at a step: a linear rise, a plateau, a fall to 0."""
    rise = min(1.0, (step + 1) / max(1, config.warmup))
    last = config.cooldown * config.steps
    if last <= 0:
        return rise
    left = min(1.0, (config.steps - step) / last)
    fall = left if config.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
    return min(rise, fall)

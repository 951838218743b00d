"""Train a sparse autoencoder on tokens, in seconds to minutes, with a break where one is wanted."""

from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.features.sparse_code import CodeShape, SparseCode
from workbench.models.precision import threads_for

DEAD_AFTER = 100  # steps without a single use
REVIVED_WEIGHT = 1 / 32


@dataclass(frozen=True, kw_only=True)
class SaeConfig:
    """How a sparse code is trained.

    `expansion` latents for each number of a vector, `active` of them at a time ("topk"), or a
    `penalty` on their sum ("l1"). `batch` vectors a step, at rate `lr`, which falls to 0 over the
    last fifth of `steps`.
    """

    expansion: int = 8
    active: int = 32
    rule: Literal["topk", "l1"] = "topk"
    penalty: float = 0.2
    steps: int = 1000
    batch: int = 1024
    lr: float = 2e-3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("expansion", "steps", "batch"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}, wanted 1 or more; correct it.")
        if self.lr <= 0 or self.penalty < 0:
            raise BadInput(
                f"lr {self.lr} must be above 0, the penalty {self.penalty} not below; correct them."
            )


@dataclass(frozen=True, eq=False)
class SaeStep:
    """One step: what is learnt so far (changed in place by the next step) and how it goes.

    `error` is the share of the variance of this batch that is not explained, `used` the mean number
    of active latents, `dead` the latents that no vector used for `DEAD_AFTER` steps.
    """

    code: SparseCode
    step: int
    total: int
    error: float
    used: float
    dead: int
    state: "Training"

    def record(self) -> dict[str, Any]:
        """Tensors and numbers from which `learn` goes on to the bit."""
        return self.state.record(self.step)


class Training:
    """A code, its optimiser, and when each latent was used last."""

    def __init__(self, code: SparseCode, config: SaeConfig) -> None:
        self.code, self.config = code, config
        self.unused = torch.zeros(code.shape.latents, dtype=torch.int64)
        self.adam = torch.optim.Adam(
            [code.encoder, code.encoder_bias, code.decoder, code.bias], config.lr, foreach=False
        )

    def record(self, step: int) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "config": asdict(self.config), "step": step, "unused": self.unused.clone(),
            "code": {name: each.clone() for name, each in self.code.state_dict().items()},
            "adam": [
                {name: value.clone() for name, value in self.adam.state[each].items()}
                for each in self.adam.param_groups[0]["params"]
            ],
        }  # fmt: skip

    def restore(self, record: dict[str, Any]) -> int:
        """Put a record back and return its step.

        Raises:
            BadInput: a record of another training.
        """
        if record["config"] != asdict(self.config):
            raise BadInput("the training was begun with other settings; give the same, or begin.")
        self.code.load_state_dict(record["code"])
        self.unused = record["unused"].clone()
        for each, kept in zip(self.adam.param_groups[0]["params"], record["adam"], strict=True):
            self.adam.state[each] = {name: value.clone() for name, value in kept.items()}
        return int(record["step"])

    def step(self, x: Tensor, at: int) -> tuple[float, float]:
        """One update on vectors [n, dim]; the share not explained, and latents used a vector."""
        code, config = self.code, self.config
        left = (config.steps - at) / max(1, config.steps // 5)
        self.adam.param_groups[0]["lr"] = config.lr * min(1.0, left)
        target = x / code.scale
        before = code.before(x)
        z = code.keep(before)
        gap = target - (z @ code.decoder + code.bias)
        whole = (target - target.mean(0)).square().sum(1).mean().clamp_min(1e-12)
        error = gap.square().sum(1).mean() / whole
        loss = error
        if code.shape.rule == "l1":
            loss = loss + config.penalty * z.sum(1).mean() / code.shape.dim**0.5
        else:
            loss = loss + REVIVED_WEIGHT * self._revived(before, gap)
        self.adam.zero_grad()
        loss.backward()
        code.flatten_gradient()
        self.adam.step()
        code.project()
        used = z.detach() > 0
        self.unused = torch.where(used.any(0), 0, self.unused + 1)
        return float(error.detach()), float(used.sum(1).float().mean())

    def _revived(self, before: Tensor, gap: Tensor) -> Tensor:
        """How badly latents that nobody uses explain what the others leave (Gao et al.)."""
        dead = self.unused >= DEAD_AFTER
        count = min(int(dead.sum()), self.code.shape.dim // 2)
        if count == 0:
            return gap.new_zeros(())
        top, at = before.masked_fill(~dead, -1).topk(count, dim=1)
        z = torch.zeros_like(before).scatter(1, at, top.clamp_min(0))
        wanted = gap.detach()
        left = (wanted - z @ self.code.decoder).square().sum(1).mean()
        return left / wanted.square().sum(1).mean().clamp_min(1e-12)


def learn(
    tokens: Tensor, config: SaeConfig | None = None, resume: dict[str, Any] | None = None
) -> Generator[SaeStep]:
    """Train a sparse code on tokens; close the generator to stop.

    The rows of a step depend on the seed and the step alone, so that a training that goes on from a
    record gives, on a CPU, the same weights to the bit as one without a break.

    Args:
        tokens: float32 [..., dim], all in memory.
        config: settings; the usual ones without it.
        resume: the `record` of a step.

    Yields:
        A step after every update.

    Raises:
        BadInput: no tokens, values that are no numbers, or a record of another training.
    """
    config = config or SaeConfig()
    vectors = tokens.reshape(-1, tokens.shape[-1]).float()
    if len(vectors) < 2 or not bool(torch.isfinite(vectors).all()):
        raise BadInput(
            f"{len(vectors)} tokens of {tokens.shape[-1]} numbers are too few, or not all are "
            "finite; give those of some pictures."
        )
    dim = vectors.shape[1]
    latents = dim * config.expansion
    code = SparseCode(
        CodeShape(dim=dim, latents=latents, active=min(config.active, latents), rule=config.rule)
    )
    code.begin(vectors, config.seed)
    training = Training(code, config)
    done = training.restore(resume) if resume else 0
    for at in range(done, config.steps):
        noise = torch.Generator().manual_seed(config.seed * 1_000_003 + at + 1)
        rows = torch.randint(len(vectors), (config.batch,), generator=noise)
        with torch.enable_grad(), threads_for(6.0 * config.batch * dim * latents):
            error, used = training.step(vectors[rows], at)
        dead = int((training.unused >= DEAD_AFTER).sum())
        yield SaeStep(code, at + 1, config.steps, error, used, dead, training)

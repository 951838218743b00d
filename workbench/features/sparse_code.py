"""A sparse autoencoder: a vector as a few of many directions (TopK or L1)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from workbench.errors import BadInput

FORMAT = "workbench sparse code 1"


@dataclass(frozen=True, kw_only=True)
class CodeShape:
    """`dim` numbers a vector, `latents` directions, at most `active` of them at a time.

    `rule` "topk" keeps the `active` largest, "l1" whatever is positive (and a penalty keeps it
    small).
    """

    dim: int
    latents: int
    active: int = 32
    rule: Literal["topk", "l1"] = "topk"

    def __post_init__(self) -> None:
        if self.rule not in ("topk", "l1") or not 1 <= self.active <= self.latents or self.dim < 1:
            raise BadInput(
                f"a sparse code of {self.latents} latents, {self.active} active, by {self.rule} is "
                "none; take topk or l1, and no more active latents than there are."
            )


class SparseCode(nn.Module):
    """z = keep(ReLU(W_e (x - b) + b_e)), x' = W_d z + b, with unit columns in W_d.

    Vectors are divided by `scale` first, so that their mean squared length about b is `dim`.
    TopK as in Gao et al. (arXiv:2406.04093), L1 as in Bricken et al., Towards Monosemanticity.
    """

    scale: Tensor

    def __init__(self, shape: CodeShape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = nn.Parameter(torch.zeros(shape.latents, shape.dim))
        self.encoder_bias = nn.Parameter(torch.zeros(shape.latents))
        self.decoder = nn.Parameter(torch.zeros(shape.latents, shape.dim))
        self.bias = nn.Parameter(torch.zeros(shape.dim))
        self.register_buffer("scale", torch.ones(()))

    @torch.no_grad()
    def begin(self, vectors: Tensor, seed: int) -> None:
        """Set random unit directions, their transpose as encoder, the data's mean and scale."""
        noise = torch.Generator().manual_seed(seed)
        directions = torch.randn(self.decoder.shape, generator=noise)
        self.decoder.copy_(F.normalize(directions, dim=1))
        self.encoder.copy_(self.decoder)
        self.encoder_bias.zero_()
        mean = vectors.mean(0)
        spread = (vectors - mean).square().sum(1).mean() / self.shape.dim
        self.scale.copy_(spread.sqrt().clamp_min(1e-12))
        self.bias.copy_(mean / self.scale)

    def before(self, x: Tensor) -> Tensor:
        """What the rule chooses from, after ReLU, [n, latents]; x is [n, dim]."""
        return F.relu((x / self.scale - self.bias) @ self.encoder.T + self.encoder_bias)

    def keep(self, before: Tensor) -> Tensor:
        """The rule: the largest ones, or all."""
        if self.shape.rule == "l1":
            return before
        top, at = before.topk(self.shape.active, dim=1)
        return torch.zeros_like(before).scatter(1, at, top)

    def encode(self, x: Tensor) -> Tensor:
        """Activations [..., latents], >= 0, of vectors [..., dim]."""
        flat = x.reshape(-1, self.shape.dim).to(self.bias)
        return self.keep(self.before(flat)).reshape(*x.shape[:-1], self.shape.latents)

    def decode(self, z: Tensor) -> Tensor:
        """Vectors [..., dim] from activations, on the scale of the data."""
        return (z @ self.decoder + self.bias) * self.scale

    def forward(self, x: Tensor) -> Tensor:
        """What is left of vectors [..., dim] after encoding and decoding."""
        return self.decode(self.encode(x))

    @torch.no_grad()
    def project(self) -> None:
        """Give every direction length 1, and take from its gradient what would only change that."""
        self.decoder.copy_(F.normalize(self.decoder, dim=1))

    @torch.no_grad()
    def flatten_gradient(self) -> None:
        """Take out of the gradient of each direction the part along it."""
        gradient = self.decoder.grad
        if gradient is not None:
            along = (gradient * self.decoder).sum(1, keepdim=True)
            gradient -= along * self.decoder

    def save(self, path: str | Path, about: Mapping[str, Any]) -> None:
        """Write weights and what they belong to as safetensors.

        Raises:
            BadInput: a place that cannot be written.
        """
        record = {"format": FORMAT, "shape": asdict(self.shape), "about": dict(about)}
        state = {name: each.detach().cpu().contiguous() for name, each in self.state_dict().items()}
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            save_file(state, path, {"workbench": json.dumps(record)})
        except (OSError, SafetensorError) as error:
            raise BadInput(f"{path} cannot be written ({error}); choose another place.") from None


def load_code(path: str | Path) -> tuple[SparseCode, dict[str, Any]]:
    """Read what `SparseCode.save` wrote: the code, and what it belongs to.

    Raises:
        BadInput: no such file, or another one.
    """
    try:
        with safe_open(path, "pt") as file:
            record = json.loads((file.metadata() or {}).get("workbench", "{}"))
            state = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError, ValueError) as error:
        raise BadInput(f"{path} is no sparse code ({error}); train one first.") from None
    if not isinstance(record, dict) or cast(Any, record).get("format") != FORMAT:
        raise BadInput(f"{path} holds no sparse code of ours; train one with `features learn`.")
    told = cast("dict[str, Any]", record)
    try:
        code = SparseCode(CodeShape(**told["shape"]))
        code.load_state_dict(state)
    except (TypeError, KeyError, RuntimeError) as error:
        raise BadInput(f"{path} is damaged ({str(error)[:120]}); train it anew.") from None
    return code.eval().requires_grad_(False), dict(told["about"])

"""Which weights of a network are hidden: bits by parameter name, files, and a way to use them."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import BadInput, shown

SCHEMA = 1
ATTENTION, MLP = ("attn", "attention"), ("mlp", "ffn")


def maskable(model: nn.Module, where: str = "all") -> dict[str, Tensor]:
    """Return the weights that may be hidden, by name, in the network's order.

    They are those of linear layers and convolutions, without biases. The classifier, the patch
    embedding and a CNN's first convolution always stay: every method in the field keeps them.

    Args:
        model: any network.
        where: "all", "attention" or "mlp" (by timm's names), or "convolutions".

    Raises:
        BadInput: nothing is left, or `where` is not known.
    """
    if where not in ("all", "attention", "mlp", "convolutions"):
        raise BadInput(
            f"where is {shown(where)}, but must be all, attention, mlp or convolutions; take all."
        )
    layers = {
        name: each
        for name, each in model.named_modules()
        if isinstance(each, nn.Linear | nn.Conv2d) and not _stays(name, each)
    }
    found = {
        f"{name}.weight": each.weight for name, each in layers.items() if _wanted(name, each, where)
    }
    if not found:
        raise BadInput(
            f"this network has no weights in {where!r} that may be hidden; it offers "
            f"{', '.join(sorted({type(m).__name__ for m in layers.values()})) or 'none at all'}."
        )
    return found


def _stays(name: str, layer: nn.Module) -> bool:
    last = name.rpartition(".")[2]
    first = isinstance(layer, nn.Conv2d) and layer.in_channels <= 4
    return first or last in ("head", "fc", "classifier") or "patch_embed" in name


def _wanted(name: str, layer: nn.Module, where: str) -> bool:
    parts = name.split(".")
    return (
        where == "all"
        or (where == "convolutions" and isinstance(layer, nn.Conv2d))
        or (where == "attention" and any(part in ATTENTION for part in parts))
        or (where == "mlp" and any(part in MLP for part in parts))
    )


@dataclass(frozen=True, eq=False)
class WeightMasks:
    """Hidden weights of a network: bool tensors of the weights' own shapes, True = hidden.

    `hidden` holds one tensor a parameter name, on the CPU. `recipe` says how they were chosen.
    """

    hidden: Mapping[str, Tensor]
    recipe: str = ""

    def __post_init__(self) -> None:
        """Check the tensors.

        Raises:
            BadInput: none, or one that is not boolean.
        """
        wrong = [name for name, bits in self.hidden.items() if bits.dtype != torch.bool]
        if wrong or not self.hidden:
            raise BadInput(
                f"weight masks need at least one tensor of booleans; {shown(wrong or 'none')} "
                "is not; give bool tensors, True = hidden."
            )

    @property
    def count(self) -> int:
        """Weights that are hidden."""
        return sum(int(bits.sum()) for bits in self.hidden.values())

    @property
    def total(self) -> int:
        """Weights that could have been hidden."""
        return sum(bits.numel() for bits in self.hidden.values())

    @property
    def ratio(self) -> float:
        """Share that is hidden, 0 to 1."""
        return self.count / self.total

    def ratios(self) -> dict[str, float]:
        """Share that is hidden in each layer."""
        return {name: float(bits.float().mean()) for name, bits in self.hidden.items()}

    def agreement(self, other: "WeightMasks") -> float:
        """Intersection over union of what two masks keep, 0 to 1.

        Raises:
            BadInput: they are of different networks.
        """
        if {n: b.shape for n, b in self.hidden.items()} != {
            n: b.shape for n, b in other.hidden.items()
        }:
            raise BadInput("the two masks name different weights; compare masks of one network.")
        pairs = [(~bits, ~other.hidden[name]) for name, bits in self.hidden.items()]
        union = sum(int((a | b).sum()) for a, b in pairs)
        return sum(int((a & b).sum()) for a, b in pairs) / union if union else 1.0

    def save(self, path: str | Path) -> None:
        """Write an `.npz` of packed bits; `load` gives them back to the bit."""
        about = {
            "schema": SCHEMA,
            "recipe": self.recipe,
            "shapes": {name: list(bits.shape) for name, bits in self.hidden.items()},
        }
        packed = {name: np.packbits(bits.numpy()) for name, bits in self.hidden.items()}
        with Path(path).open("wb") as file:
            np.savez(file, __about__=np.array(json.dumps(about)), **packed)  # pyright: ignore[reportArgumentType]

    @classmethod
    def load(cls, path: str | Path) -> "WeightMasks":
        """Read what `save` wrote.

        Raises:
            BadInput: not such a file, cut short, or of a later schema.
        """
        try:
            with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                about = json.loads(str(file["__about__"]))
                if about["schema"] != SCHEMA:
                    raise BadInput(
                        f"{path} has schema {about['schema']}, this version reads {SCHEMA}; "
                        "update the workbench."
                    )
                hidden = {
                    name: torch.from_numpy(
                        np.unpackbits(file[name], count=int(np.prod(shape)))
                        .astype(bool)
                        .reshape(shape)
                    )
                    for name, shape in about["shapes"].items()
                }
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as problem:
            raise BadInput(f"{path} holds no weight masks ({problem}); save them again.") from None
        return cls(hidden, about["recipe"])


@contextmanager
def hiding(model: nn.Module, masks: WeightMasks) -> Generator[nn.Module]:
    """Set the hidden weights to zero inside the `with`; afterwards every weight is as before.

    Raises:
        BadInput: the masks are of another network.
    """
    weights = dict(model.named_parameters())
    for name, bits in masks.hidden.items():
        if name not in weights or weights[name].shape != bits.shape:
            seen = tuple(weights[name].shape) if name in weights else "no such weight"
            raise BadInput(
                f"the mask of {name} is {tuple(bits.shape)}, the network has {seen}; choose the "
                "masks on this network."
            )
    kept = {name: weights[name].detach().clone() for name in masks.hidden}
    try:
        with torch.no_grad():
            for name, bits in masks.hidden.items():
                weights[name].masked_fill_(bits.to(weights[name].device), 0)
        yield model
    finally:
        with torch.no_grad():
            for name, before in kept.items():
                weights[name].copy_(before)

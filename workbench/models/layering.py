"""How deep a parameter lies in a network, what it may learn there, and whether it decays."""

import re

from torch import nn

DECAYED = (2, 4, 5)  # axes of matrices and kernels; not of biases, gains, tokens and positions
BLOCK = re.compile(r"^(?:blocks|stages|layers?)[._]?(\d+)\.")


def decays(parameter: nn.Parameter) -> bool:
    """Whether weight decay applies; MAE's `no_weight_decay` leaves out the same ones."""
    return parameter.ndim in DECAYED


def depths(encoder: nn.Module) -> tuple[dict[str, int], int]:
    """Return the depth of every parameter by name, and the largest of them.

    What comes before the first block (patch embedding, tokens, positions) has depth 0, block i
    depth i + 1, and what comes after the last one more than that: as in `util/lr_decay.py` of
    facebookresearch/mae. Blocks are known by names such as `blocks.3.`, `stages.1.` and `layer2.`
    directly below the encoder: a patch embedding may have layers of its own.
    """
    numbered = {
        name: int(found.group(1)) if (found := BLOCK.search(name)) else None
        for name, _ in encoder.named_parameters()
    }
    there = [number for number in numbered.values() if number is not None]
    if not there:
        return dict.fromkeys(numbered, 0), 0
    first, top = min(there), max(there) - min(there) + 2
    order = list(numbered)
    begins = next(i for i, name in enumerate(order) if numbered[name] is not None)
    out = {
        name: (0 if i < begins else top) if number is None else number - first + 1
        for i, (name, number) in enumerate(numbered.items())
    }
    return out, top


def layer_scales(encoder: nn.Module, decay: float) -> dict[str, float]:
    """Return the share of the learning rate of every parameter, decay^(top - depth).

    Bao et al., BEiT (arXiv:2106.08254): early layers, which are general, change least.
    """
    found, top = depths(encoder)
    return {name: decay ** (top - depth) for name, depth in found.items()}

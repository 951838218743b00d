"""Fuse two vision transformers: carry one's units to the other's places, then average."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.sparsity.merging.task_vectors import State
from workbench.sparsity.merging.transport import Solver, Transport, costs, solve

REG = 0.08
SAMPLES = 2000


@dataclass(frozen=True)
class _Maps:
    """Transports of one block: inside attention (queries and keys, values) and of hidden units."""

    asking: Transport
    values: Transport
    hidden: Transport


def fuse(
    a: nn.Module,
    b: nn.Module,
    inputs: Tensor,
    *,
    share: float = 0.5,
    solver: Solver = "assignment",
    reg: float = REG,
) -> dict[str, Tensor]:
    """Return weights for network `a`: (1 - share) * a + share * (b carried to a's units).

    Units are matched by what they say of `inputs`. The residual stream of a ViT is one stream, so
    it gets one transport, from the costs averaged over all blocks; heads are matched whole and
    exactly, the numbers inside a head and the MLP's hidden units by `solver`.

    Imfeld et al., Transformer Fusion with Optimal Transport, arXiv:2310.05719; official file
    `otfusion/otfusion_lib.py`, which uses 200 samples and reg 0.08.

    Args:
        a: our ViT or a plain one of timm; gives the shape of the result.
        b: of the same depth and number of heads; widths may differ with "sinkhorn".
        inputs: what both networks read, such as images [n, 3, h, w].
        share: of `b` in the average, 0 to 1; 1 is b alone, carried over.
        solver: "assignment" or "sinkhorn".
        reg: entropy of "sinkhorn", as a share of the largest cost.

    Raises:
        BadInput: not two plain ViTs, other depths or heads, or widths that need "sinkhorn".
    """
    seen_a, seen_b = _activations(a, inputs), _activations(b, inputs)
    depth, heads = _depth(a), _heads(a)
    if (depth, heads) != (_depth(b), _heads(b)):
        raise BadInput(
            f"the networks have {depth} and {_depth(b)} blocks with {heads} and {_heads(b)} heads; "
            "fusion needs the same of both."
        )
    stream = torch.stack([costs(seen_a[n], seen_b[n]) for n in seen_a if n.count(".") == 1])
    residual = solve(stream.mean(0), solver, reg)
    blocks = [_block(seen_a, seen_b, f"blocks.{i}", heads, solver, reg) for i in range(depth)]
    carried = {name: _carried(name, w, residual, blocks) for name, w in b.state_dict().items()}
    return {
        name: (1 - share) * w + share * carried[name].to(w.dtype) if w.is_floating_point() else w
        for name, w in a.state_dict().items()
    }


def _depth(model: nn.Module) -> int:
    return len(cast(nn.ModuleList, model.blocks))


def _heads(model: nn.Module) -> int:
    attention: Any = cast(Any, model).blocks[0].attn
    return int(getattr(attention, "num_heads", 0) or attention.heads)


@contextmanager
def _listening(model: nn.Module, seen: dict[str, list[Tensor]]) -> Generator[None]:
    def keep(name: str, value: Tensor) -> None:
        seen.setdefault(name, []).append(value.detach().flatten(0, -2).float().cpu())

    handles: list[Any] = []
    for i, block in enumerate(cast(Any, model).blocks):
        at = f"blocks.{i}"
        spots = {at: block, f"{at}.attn.qkv": block.attn.qkv}
        for name, layer in spots.items():
            handles.append(
                layer.register_forward_hook(lambda _m, _i, out, name=name: keep(name, out))
            )
        for name, layer in ((f"{at}.attn.proj", block.attn.proj), (f"{at}.mlp.fc2", block.mlp.fc2)):
            handles.append(
                layer.register_forward_pre_hook(lambda _m, x, name=name: keep(name, x[0]))
            )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _activations(model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """What every unit says, [samples, units] by place."""
    seen: dict[str, list[Tensor]] = {}
    try:
        with _listening(model, seen), torch.no_grad():
            model(inputs)
    except AttributeError as missing:
        raise BadInput(
            f"fusion needs plain vision transformers with blocks, qkv and mlp ({missing}); take a "
            "ViT or DeiT of timm, or our own."
        ) from None
    rows = {name: torch.cat(parts) for name, parts in seen.items()}
    step = max(1, len(next(iter(rows.values()))) // SAMPLES)
    return {name: each[::step] for name, each in rows.items()}


def _block(a: State, b: State, at: str, heads: int, solver: Solver, reg: float) -> _Maps:
    own, other = (
        {
            "asking": each[f"{at}.attn.qkv"].unflatten(1, (3, heads, -1))[:, :2],
            "values": each[f"{at}.attn.proj"].unflatten(1, (heads, -1))[:, None],
        }
        for each in (a, b)
    )
    pairs = {  # [heads of B][heads of A] costs of the numbers inside
        key: [[_inside(own[key][:, :, i], other[key][:, :, j]) for i in range(heads)]
              for j in range(heads)]
        for key in own
    }  # fmt: skip
    whole = torch.zeros(heads, heads, dtype=torch.float64)
    for j in range(heads):
        for i in range(heads):
            inner = solve(pairs["values"][j][i], solver, reg).plan
            whole[j, i] = (inner * pairs["values"][j][i]).sum()
    match = solve(whole, "assignment", reg).plan.argmax(1)
    found = {
        key: Transport(
            _scattered([solve(each[j][int(match[j])], solver, reg).plan for j in range(heads)],
                       match)
        )
        for key, each in pairs.items()
    }  # fmt: skip
    hidden = solve(costs(a[f"{at}.mlp.fc2"], b[f"{at}.mlp.fc2"]), solver, reg)
    return _Maps(found["asking"], found["values"], hidden)


def _inside(own: Tensor, other: Tensor) -> Tensor:
    """Costs of the numbers inside one head, from [samples, kinds, numbers] of both."""
    return torch.stack([costs(own[:, k], other[:, k]) for k in range(own.shape[1])]).mean(0)


def _scattered(plans: list[Tensor], match: Tensor) -> Tensor:
    """One plan for all heads: head j of B goes to head match[j] of A."""
    rows, columns = plans[0].shape
    heads = len(plans)
    out = plans[0].new_zeros(heads * rows, heads * columns)
    for j, plan in enumerate(plans):
        i = int(match[j])
        out[j * rows : (j + 1) * rows, i * columns : (i + 1) * columns] = plan / heads
    return out


def _carried(name: str, w: Tensor, residual: Transport, blocks: list[_Maps]) -> Tensor:
    """One weight of B with its outputs, and inputs, at the places of A's."""
    if not w.is_floating_point():
        return w
    w, r = w.double(), residual
    parts = name.split(".")
    last = parts[-1]
    if parts[0] == "blocks" and parts[2] in ("attn", "mlp"):
        maps, layer = blocks[int(parts[1])], parts[3]
        if layer == "qkv":
            return _qkv(w, maps, r)
        if layer not in ("proj", "fc1", "fc2"):
            raise BadInput(f"fusion does not know {name}; take a plain ViT without such a layer.")
        if layer == "fc1":
            return _linear(w, maps.hidden, r)
        return _linear(w, r, maps.values if layer == "proj" else maps.hidden)
    if parts[0] in ("head", "fc_norm") and last == "weight" and w.ndim == 2:
        return w @ r.back
    if parts[0] == "head":
        return w
    if parts[0] == "patch_embed" and last == "weight":
        return torch.einsum("ba,b...->a...", r.out, w)
    return w @ r.out  # biases, norms, layer scales, tokens and positions: the stream comes last


def _linear(w: Tensor, out: Transport, inputs: Transport) -> Tensor:
    return out.out.T @ w @ inputs.back if w.ndim == 2 else w @ out.out


def _qkv(w: Tensor, maps: _Maps, residual: Transport) -> Tensor:
    kinds = (maps.asking, maps.asking, maps.values)
    return torch.cat([_linear(w_, m, residual) for w_, m in zip(w.chunk(3), kinds, strict=True)])

"""A loaded model made ready to answer quickly: weights laid out once, in one number format."""

import copy
import functools
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.assembly import assemble
from workbench.models.mae import MaskedAutoencoder
from workbench.models.transformer import Mlp, ViTShape

Module = TypeVar("Module", bound=nn.Module)
# Rows that a call multiplies, roughly; oneDNN lays weights out for it but takes any number.
TYPICAL_ROWS = 64


class FlatEmbed(nn.Linear):
    """The patch embedding as a linear layer on flattened patches."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        weight = convolution.weight.detach().permute(0, 2, 3, 1).flatten(1).contiguous()
        super().__init__(weight.shape[1], weight.shape[0], device="meta")
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = cast(nn.Parameter, convolution.bias)


class PackedLinear(nn.Module):
    """A linear layer whose weight lies as oneDNN wants it, with an exact GELU after it on request.

    PyTorch's own path lays the weight out anew in every call: 1.2 times the time in bf16, and up to
    twice in fp32 on CPUs that MKL does not favour.
    """

    def __init__(self, linear: nn.Linear, gelu: bool = False) -> None:
        super().__init__()
        ops: Any = torch.ops.mkldnn
        self._run: Any = ops._linear_pointwise
        self._weight = ops._reorder_linear_weight(linear.weight.detach(), TYPICAL_ROWS)
        self._bias = linear.bias
        self._after = ("gelu", [], "none") if gelu else ("none", [], "")

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        return self._run(x, self._weight, self._bias, *self._after)


class PackedMlp(nn.Module):
    """`Mlp` of two packed layers."""

    def __init__(self, mlp: Mlp) -> None:
        super().__init__()
        self.fc1, self.fc2 = PackedLinear(mlp.fc1, gelu=True), PackedLinear(mlp.fc2)

    def forward(self, x: Tensor) -> Tensor:
        """[b, tokens, dim] to the same."""
        return self.fc2(self.fc1(x))


def prepared(
    model: MaskedAutoencoder, device: torch.device, dtype: torch.dtype
) -> MaskedAutoencoder:
    """`model` on `device` in `dtype`, for `forward(..., everything=True)` without gradients alone.

    The model given is left as it is; weights that need no change are shared with it.
    """
    with torch.inference_mode():
        state = {k: v.detach().to(device, dtype) for k, v in model.state_dict().items()}
        ready = assemble(state, model.shape, model.decoder_shape, "the model")
        ready.encoder.add_module("patch_embed", FlatEmbed(ready.encoder.patch_embed.proj))
        if device.type == "cpu" and packing_works(dtype):
            _pack(ready)
    return ready


def moved_to(
    model: MaskedAutoencoder, shape: ViTShape, encoder: Tensor, decoder: Tensor
) -> MaskedAutoencoder:
    """The same model for another grid: own positions, every other weight shared.

    Args:
        model: from `prepared`.
        shape: that of the other grid.
        encoder: positions of the encoder, [1, n, dim].
        decoder: positions of the decoder, [1, n, dim].
    """
    twin = _shallow(model)
    inner = _shallow(model.encoder)
    twin.shape = inner.shape = shape
    twin.encoder = inner
    inner.pos_embed = nn.Parameter(encoder, requires_grad=False)
    twin.decoder_pos_embed = nn.Parameter(decoder, requires_grad=False)
    return twin


@functools.cache
def packing_works(dtype: torch.dtype) -> bool:
    """Whether this build and CPU multiply packed weights in `dtype`, and rightly."""
    if not torch.backends.mkldnn.is_available():
        return False
    linear = nn.Linear(48, 32, dtype=dtype)
    x = torch.linspace(-1, 1, 5 * 48).view(5, 48).to(dtype)
    try:
        with torch.inference_mode():
            got, wanted = PackedLinear(linear, gelu=True)(x), F.gelu(linear(x))
        return bool(torch.allclose(got.float(), wanted.float(), atol=1e-2, rtol=1e-2))
    except (RuntimeError, AttributeError, TypeError, NotImplementedError):
        return False  # the operators are PyTorch's own affair and may go


def _pack(model: MaskedAutoencoder) -> None:
    blocks = [*model.encoder.blocks, *model.decoder_blocks]
    for block in cast(list[Any], blocks):
        block.mlp = PackedMlp(block.mlp)
        block.attn.qkv = PackedLinear(block.attn.qkv)
        block.attn.proj = PackedLinear(block.attn.proj)
    for owner, name in (
        (model, "decoder_embed"), (model, "decoder_pred"), (model.encoder, "patch_embed"),
    ):  # fmt: skip
        setattr(owner, name, PackedLinear(getattr(owner, name)))


def _shallow(module: Module) -> Module:
    """A copy with its own tables of parameters and submodules, whose entries are shared."""
    twin = copy.copy(module)
    for table in ("_parameters", "_modules"):
        vars(twin)[table] = dict(vars(module)[table])
    return twin

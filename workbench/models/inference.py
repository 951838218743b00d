"""A loaded model made ready to answer quickly: weights laid out once, in one number format."""

import copy
import functools
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.assembly import assemble, assemble_encoder, assemble_tokens
from workbench.models.mae import MaskedAutoencoder
from workbench.models.token_encoder import TokenAutoencoder
from workbench.models.transformer import Block, ViT, ViTShape, attended

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
    """A linear layer whose weight lies as oneDNN wants it; on request an exact GELU follows.

    PyTorch's own path lays the weight out anew in every call: 1.2 times the time in bf16, and up to
    twice in fp32 on CPUs that MKL does not favour. `gain` [out] multiplies the result; numbers are
    those of the layer in `dtype`, where one is given.
    """

    def __init__(
        self,
        linear: nn.Linear,
        gelu: bool = False,
        gain: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        ops: Any = torch.ops.mkldnn
        self._run: Any = ops._linear_pointwise.default
        self._add: Any = ops._linear_pointwise.binary
        weight, bias = _cast(linear.weight, dtype), _cast(linear.bias, dtype)
        gain = _cast(gain, dtype)
        if gain is not None:
            weight = weight * gain[:, None]
            bias = None if bias is None else bias * gain
        self._weight = ops._reorder_linear_weight(weight, TYPICAL_ROWS)
        self._bias = bias
        self._after = ("gelu", [], "none") if gelu else ("none", [], "")

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        return self._run(x, self._weight, self._bias, *self._after)

    def added(self, x: Tensor, to: Tensor) -> Tensor:
        """The layer's result for x [..., in], added to [..., out] in the same operation."""
        return self._add(x, to, self._weight, self._bias, "add")


class PackedBlock(nn.Module):
    """`Block` of packed layers in few calls; small models spend a fifth of their time between."""

    def __init__(self, block: Block, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        gains = [getattr(scale, "gamma", None) for scale in (block.ls1, block.ls2)]
        self._heads = block.attn.heads
        self._first, self._second = (_norm(each, dtype) for each in (block.norm1, block.norm2))
        self._qkv = PackedLinear(block.attn.qkv, dtype=dtype)
        self._proj = PackedLinear(block.attn.proj, gain=gains[0], dtype=dtype)
        self._up = PackedLinear(block.mlp.fc1, gelu=True, dtype=dtype)
        self._down = PackedLinear(block.mlp.fc2, gain=gains[1], dtype=dtype)

    def forward(
        self,
        x: Tensor,
        tail: int | None = None,
        maps: list[Tensor] | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        """See `Block`."""
        b, n, d = x.shape
        y = normalised(x, self._first)
        qkv = self._qkv.forward(y).view(b, n, 3, self._heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if tail is not None:
            q, x = q[:, :, -tail:], x[:, -tail:].contiguous()
        out = attended(q, k, v, maps, keys).transpose(1, 2).reshape(b, -1, d)
        x = self._proj.added(out, x)
        y = normalised(x, self._second)
        return self._down.added(self._up.forward(y), x)


def normalised(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    """`norm(x)` without the way through its module."""
    return torch.layer_norm(x, (x.shape[-1],), norm.weight, norm.bias, norm.eps)


def prepared(
    model: MaskedAutoencoder, device: torch.device, dtype: torch.dtype
) -> MaskedAutoencoder:
    """`model` on `device` in `dtype`, for `forward` without gradients alone.

    The model given is left as it is; weights that need no change are shared with it.
    """
    with torch.inference_mode():
        state = {k: v.detach().to(device, dtype) for k, v in model.state_dict().items()}
        if isinstance(model, TokenAutoencoder):
            return assemble_tokens(state, model.shape, "the model")
        ready = assemble(state, model.shape, model.decoder_shape, "the model")
        ready.encoder.add_module("patch_embed", FlatEmbed(ready.encoder.patch_embed.proj))
        if device.type == "cpu" and packing_works(dtype):
            _pack(ready)
    return ready


def prepared_encoder(encoder: ViT, device: torch.device, dtype: torch.dtype) -> ViT:
    """As `prepared`, for an encoder alone."""
    with torch.inference_mode():
        if device.type == "cpu" and packing_works(dtype):
            return _packed(encoder, dtype)
        state = {k: v.detach().to(device, dtype) for k, v in encoder.state_dict().items()}
        ready = assemble_encoder(state, encoder.shape, "the encoder")
        ready.add_module("patch_embed", FlatEmbed(ready.patch_embed.proj))
    return ready


def _packed(encoder: ViT, dtype: torch.dtype) -> ViT:
    """A packed twin of an encoder on a CPU, made without building another one first."""
    twin = _shallow(encoder)
    for name, value in encoder._parameters.items():  # pyright: ignore[reportPrivateUsage]
        vars(twin)["_parameters"][name] = nn.Parameter(_cast(value, dtype), requires_grad=False)
    twin.add_module("patch_embed", PackedLinear(FlatEmbed(encoder.patch_embed.proj), dtype=dtype))
    twin.add_module("norm_pre", _norm(encoder.norm_pre, dtype))
    packed = (PackedBlock(cast(Block, block), dtype) for block in encoder.blocks)
    twin.add_module("blocks", nn.ModuleList(packed))
    twin.add_module("norm", _norm(encoder.norm, dtype))
    return twin


def _norm(norm: Any, dtype: torch.dtype | None) -> Any:
    """A norm in another number format; where it has none, or no other is wanted, itself."""
    if dtype is None or not isinstance(norm, nn.LayerNorm):
        return norm
    made = nn.LayerNorm(list(norm.normalized_shape), norm.eps, device="meta")
    for name in ("weight", "bias"):
        value = _cast(getattr(norm, name), dtype)
        setattr(made, name, nn.Parameter(value, requires_grad=False))
    return made


def _cast(value: Any, dtype: torch.dtype | None) -> Any:
    return None if value is None else value.detach().to(dtype or value.dtype)


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
            plain, to = linear(x), torch.ones(5, 32, dtype=dtype)
            got = [PackedLinear(linear, gelu=True)(x), PackedLinear(linear).added(x, to)]
            wanted = [F.gelu(plain), plain + to]
        return all(
            torch.allclose(a.float(), b.float(), atol=1e-2, rtol=1e-2)
            for a, b in zip(got, wanted, strict=True)
        )
    except (RuntimeError, AttributeError, TypeError, NotImplementedError):
        return False  # the operators are PyTorch's own affair and may go


def _pack(model: MaskedAutoencoder) -> None:
    for blocks in (model.encoder.blocks, model.decoder_blocks):
        for at, block in enumerate(blocks):
            blocks[at] = PackedBlock(cast(Block, block))
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

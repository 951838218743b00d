"""A convnet made ready to answer quickly: norms folded, weights laid out once, channels last."""

import copy
import functools
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary


class PackedConv(nn.Module):
    """A convolution whose weight lies as oneDNN wants it; on request a ReLU follows at once.

    PyTorch's own path lays the weight out anew in every call, which for one picture costs more than
    some of the convolutions. `like` is what it will read, as a shape.
    """

    def __init__(self, conv: nn.Conv2d, like: torch.Size, relu: bool = False) -> None:
        super().__init__()
        ops: Any = torch.ops.mkldnn
        self._run: Any = ops._convolution_pointwise.default
        self.kernel = cast(tuple[int, int], tuple(conv.kernel_size))
        self.stride = cast(tuple[int, int], tuple(conv.stride))
        self.padding = cast(tuple[int, int], tuple(conv.padding))
        self.dilation = cast(tuple[int, int], tuple(conv.dilation))
        self._where = [list(self.padding), list(self.stride), list(self.dilation), conv.groups]
        self._weight: Tensor = ops._reorder_convolution_weight(
            conv.weight.detach().contiguous(), *self._where, list(like)
        )
        bias: Tensor | None = conv.bias  # a parameter: it tells device and format
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """[b, c, h, w] to what the convolution gives, and its ReLU."""
        return packed_conv2d(x, self)

    def run(self, x: Tensor, bias: bool = True) -> Tensor:
        """As `forward`, for a plain tensor; without bias also without the ReLU."""
        after = "relu" if self.relu and bias else "none"
        given = self.bias if bias else None
        x = x.contiguous(memory_format=torch.channels_last)
        return self._run(x, self._weight, given, *self._where, after, [], "")


def packed_conv2d(x: Tensor, conv: PackedConv) -> Tensor:
    """What `conv` makes of x; tensors that carry more along say what becomes of that."""
    if has_torch_function_unary(x):
        return handle_torch_function(packed_conv2d, (x,), x, conv)
    return conv.run(x)


@torch.no_grad()
def prepared_convnet(
    module: nn.Module, example: Tensor, dtype: torch.dtype
) -> tuple[nn.Module, Tensor]:
    """A copy of a convnet for `forward` without gradients alone, and what it said before.

    Which norm and which ReLU follow a convolution is seen by running `example` [b, c, h, w] through
    the copy. A network that uses what a convolution gives in two ways would come out wrong: compare
    the copy with the original before it is used.
    """
    twin = copy.deepcopy(module).eval()
    chains, shapes, said = _chains(twin, example)
    parents = {child: (owner, name) for owner in twin.modules()
               for name, child in owner.named_children()}  # fmt: skip
    followed: dict[nn.Module, bool] = {}
    for conv, after in chains.items():
        relu = False
        for each in after:
            owner, name = parents[each]
            if isinstance(each, nn.BatchNorm2d):
                _fold(conv, each)
                rest = getattr(each, "act", None)
                relu = isinstance(rest, nn.ReLU)
                keep = rest if isinstance(rest, nn.Module) and not relu else nn.Identity()
                setattr(owner, name, keep)
                parents[keep] = (owner, name)
                if isinstance(rest, nn.Module):
                    break
            elif isinstance(each, nn.ReLU):
                relu = True
                setattr(owner, name, nn.Identity())
                break
        followed[conv] = relu
    twin = twin.to(example.device, dtype).to(memory_format=cast(Any, torch.channels_last))
    packs = example.device.type == "cpu" and packing_convolutions_works(dtype)
    for conv, relu in followed.items():
        owner, name = parents[conv]
        if packs and isinstance(conv.padding, tuple):
            setattr(owner, name, PackedConv(cast(nn.Conv2d, conv), shapes[conv], relu))
        elif relu:
            setattr(owner, name, nn.Sequential(conv, nn.ReLU()))
    return twin, said


def _chains(
    twin: nn.Module, example: Tensor
) -> tuple[dict[nn.Conv2d, list[nn.Module]], dict[nn.Module, torch.Size], Tensor]:
    """Which norm and ReLU read the result of each plain convolution, and what it reads.

    The last is what the network says of the example.
    """
    chains: dict[nn.Conv2d, list[nn.Module]] = {}
    shapes: dict[nn.Module, torch.Size] = {}
    # a result that something was added to in place is another one: its version tells
    origin: dict[tuple[int, int], nn.Conv2d] = {}
    alive: list[Tensor] = []  # a number must not be given to another tensor meanwhile
    calls: dict[nn.Module, int] = {}
    read: dict[nn.Module, tuple[int, int]] = {}

    def before(each: nn.Module, args: tuple[Any, ...]) -> None:
        read[each] = (id(args[0]), args[0]._version)

    def hook(each: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        calls[each] = calls.get(each, 0) + 1
        if type(each) is nn.Conv2d:
            chains[each], shapes[each] = [], args[0].shape
            origin[id(out), out._version] = each
            alive.append(out)
            return
        conv = origin.get(read[each])
        fits = conv is not None and (
            isinstance(each, nn.ReLU)
            or (isinstance(each, nn.BatchNorm2d) and not chains[conv] and each.track_running_stats)
        )
        if conv is not None and fits:
            chains[conv].append(each)
            origin[id(out), out._version] = conv
            alive.append(out)

    watched = [each for each in twin.modules()
               if isinstance(each, nn.Conv2d | nn.BatchNorm2d | nn.ReLU)]  # fmt: skip
    handles = [each.register_forward_hook(hook) for each in watched]
    handles += [each.register_forward_pre_hook(before) for each in watched]
    try:
        said: Tensor = twin(example)
    finally:
        for handle in handles:
            handle.remove()
    once = {conv: after for conv, after in chains.items()
            if all(calls[each] == 1 for each in (conv, *after))}  # fmt: skip
    return once, shapes, said


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Let a convolution do what the norm behind it does in evaluation mode."""
    mean, spread = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    gain = torch.rsqrt(spread + norm.eps) * (1.0 if norm.weight is None else norm.weight)  # pyright: ignore
    shift = -mean * gain + (0.0 if norm.bias is None else norm.bias)  # pyright: ignore
    if conv.bias is not None:
        shift = shift + conv.bias * gain
    conv.weight = nn.Parameter(conv.weight * gain.view(-1, 1, 1, 1), requires_grad=False)
    conv.bias = nn.Parameter(shift, requires_grad=False)


@functools.cache
def packing_convolutions_works(dtype: torch.dtype) -> bool:
    """Whether this build and CPU convolve with packed weights in `dtype`, and rightly."""
    if not torch.backends.mkldnn.is_available():
        return False
    conv = nn.Conv2d(16, 8, 3, 2, 1).to(dtype)
    x = torch.linspace(-1, 1, 2 * 16 * 9 * 9).view(2, 16, 9, 9).to(dtype)
    x = x.contiguous(memory_format=torch.channels_last)
    try:
        with torch.inference_mode():
            got, wanted = PackedConv(conv, x.shape, relu=True).run(x), conv(x).relu()
        return torch.allclose(got.float(), wanted.float(), atol=1e-2, rtol=1e-2)
    except (RuntimeError, AttributeError, TypeError, NotImplementedError):
        return False  # the operators are PyTorch's own affair and may go

"""The model that a score looks through: the loaded one, or the bundled one."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks import Grid, Mask
from workbench.scores.areas import nearest, patch_means
from workbench.scores.context import Context
from workbench.scores.rounds import covering

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.models.reconstruction import Reconstructor
    from workbench.models.taps import Tap

Images = NDArray[np.float32]
AT_ONCE = 32  # masks in one call: bounds what gradients keep in memory


@lru_cache(maxsize=1)
def _bundled() -> "Reconstructor":
    from workbench.models import load_reconstructor

    return load_reconstructor("default", device="cpu", precision="fp32")


def tap_of(context: Context) -> "Tap":
    """The context's model opened for looking inside."""
    from workbench.models.taps import tap

    return tap(context.model if context.model is not None else _bundled())


def reconstructor_of(context: Context, name: str) -> "Reconstructor":
    """The context's model, which must be one that reconstructs.

    Raises:
        BadInput: it is an encoder alone.
    """
    from workbench.models.reconstruction import Reconstructor

    model = context.model if context.model is not None else _bundled()
    if not isinstance(model, Reconstructor):
        raise BadInput(
            f"{name} needs a model that reconstructs, but an encoder alone was given; "
            "take one with a decoder, such as default."
        )
    return model


def raw_tokens(images: Images, context: Context) -> tuple[NDArray[np.float64], Grid]:
    """Patch tokens of the encoder's last layer, float64 [b, n, dim], and the model's grid.

    Pictures are brought to the model's size first.
    """
    from workbench.models.taps import quietly

    tap = tap_of(context)
    with quietly(tap.work(len(images))):
        seen = tap.see(tap.patches(images))
        return seen.tokens[:, tap.prefix :].double().cpu().numpy(), tap.grid


def features(images: Images, context: Context) -> tuple[NDArray[np.float64], Grid]:
    """The same tokens centred on their picture's mean, each of length 1."""
    tokens, grid = raw_tokens(images, context)
    centred = tokens - tokens.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=2, keepdims=True)
    return centred / np.maximum(length, 1e-12), grid


def onto(values: NDArray[np.floating[Any]], grid: Grid, labels: bool = False) -> NDArray[Any]:
    """Bring [b, rows, cols] of a model's grid to another: by area, or labels by nearest centre."""
    if values.shape[1:] == (grid.rows, grid.cols):
        return values
    return nearest(values, grid) if labels else patch_means(values, grid)


def hidden_errors(
    model: "Reconstructor", image: NDArray[np.float32], ratio: float, rounds: int, seed: int
) -> NDArray[np.float64]:
    """Mean error of each patch over `covering` masks that hid it, float64 [rows, cols].

    Args:
        model: asked with a few masks at a time.
        image: float32 [3, h, w] in [0, 1], of any size.
        ratio: share hidden by each mask.
        rounds: see `covering`.
        seed: decides the masks.
    """
    hidden = covering(model.grid.size, ratio, rounds, seed).reshape(-1, *model.grid.shape)
    picture = sized(image[None], *model.size)
    total = np.zeros(model.grid.shape)
    for first in range(0, len(hidden), AT_ONCE):
        some = hidden[first : first + AT_ONCE]
        pictures = np.ascontiguousarray(np.broadcast_to(picture, (len(some), *picture.shape[1:])))
        error = model(pictures, Mask(some, model.grid)).error.double().numpy()
        total += (error * some).sum(axis=0)
    return total / hidden.sum(axis=0)


def sized(images: Images, height: int, width: int) -> Images:
    """Bring float32 [b, 3, h, w] to another size as `Tap.patches` does; the same size is left."""
    if images.shape[2:] == (height, width):
        return images
    import torch

    from workbench.models.taps import resized

    return resized(torch.from_numpy(np.array(images)), (height, width)).clamp(0, 1).numpy()


@dataclass(frozen=True)
class LossRounds:
    """A picture under `covering` masks, and the losses of a model, ready to be differentiated.

    `patches` [masks, n, p]; `hidden` bool [masks, n]; `visible` indices [masks, k]; `attention`
    [masks, heads, prefix + k, prefix + k]; `loss` [masks].
    """

    tap: "Tap"
    patches: "Tensor"
    hidden: NDArray[np.bool_]
    visible: NDArray[np.int64]
    attention: "Tensor"
    loss: "Tensor"

    def gradient(self, by: "Tensor") -> NDArray[np.float64]:
        """The gradient of each mask's loss, in the shape of `by`; nothing stays on the model."""
        import torch

        from workbench.models.precision import threads_for

        with threads_for(2 * self.tap.work(len(self.hidden))):
            (found,) = torch.autograd.grad(self.loss.sum(), by)
            return found.double().cpu().numpy()


def loss_rounds(
    image: NDArray[np.float32], ratio: float, rounds: int, context: Context, block: int = -1
) -> Generator[LossRounds]:
    """Run a model on one picture under random masks, a few at a time, keeping what gradients need.

    Args:
        image: float32 [3, h, w] in [0, 1], of any size.
        ratio: share hidden by each mask.
        rounds: see `covering`.
        context: whose model and seed.
        block: whose attention map is kept.

    Raises:
        BadInput: the model has no decoder, or no such block.
    """
    import torch

    from workbench.models.precision import threads_for

    tap = tap_of(context)
    masks = covering(tap.grid.size, ratio, rounds, context.seed)
    count = int((~masks[0]).sum())
    for first in range(0, len(masks), AT_ONCE):
        hidden = masks[first : first + AT_ONCE]
        order = np.argsort(hidden, axis=1, kind="stable")
        indices = torch.from_numpy(order).to(tap.device)
        with threads_for(tap.work(len(hidden))), torch.enable_grad():
            patches = tap.patches(image[None]).repeat(len(hidden), 1, 1).requires_grad_()
            loss, attention = tap.loss(patches, indices[:, :count], indices[:, count:], block)
        yield LossRounds(tap, patches, hidden, order[:, :count], attention, loss)

"""What runs show: of pictures, and of what is more than one picture."""

import torch
from torch import Tensor

from workbench.models.patches import denormalise, normalise, patchify, unpatchify
from workbench.models.transformer import ViTShape

LENT = (
    "Hidden patches are shown with their true mean and spread, which are not predicted: judge the "
    "structure inside them, not colour and brightness."
)


def pasted(images: Tensor, shape: ViTShape, hidden: Tensor, said: Tensor) -> dict[str, Tensor]:
    """Return the picture, what was to be seen of it, and the paste-back, [b, 3, h, w] each.

    Args:
        images: [b, 3, h, w] in [0, 1].
        shape: of the encoder.
        hidden: bool [b, n].
        said: [b, n, patch * patch * 3], ImageNet-normalised; read where hidden.
    """
    patches = patchify(normalise(images), shape.patch)
    where = hidden.unsqueeze(-1)

    def shown(filling: Tensor) -> Tensor:
        whole = unpatchify(filling.float(), shape.rows, shape.cols, shape.patch)
        return denormalise(whole).clamp(0, 1)

    return {
        "original": images,
        "seen": shown(patches.masked_fill(where, 0)),
        "reconstruction": shown(said.float().where(where, patches)),
    }


COLOURS = (
    (0.09, 0.09, 0.09), (0.90, 0.62, 0.00), (0.34, 0.71, 0.91), (0.00, 0.62, 0.45),
    (0.94, 0.89, 0.26), (0.00, 0.45, 0.70), (0.84, 0.37, 0.00), (0.80, 0.47, 0.65),
    (0.60, 0.60, 0.60), (0.55, 0.20, 0.20), (0.45, 0.75, 0.30), (0.50, 0.40, 0.80),
)  # fmt: skip


def stacked(frames: Tensor, most: int = 8) -> Tensor:
    """Frames, maps or bands of a row below each other: [b, f, 3, h, w] to [b, 3, f * h, w].

    Of more than `most` evenly spaced ones are shown.
    """
    count = frames.shape[1]
    if count > most:
        frames = frames[:, torch.linspace(0, count - 1, most).round().long()]
    return frames.clamp(0, 1).transpose(1, 2).flatten(2, 3)


def grey(values: Tensor) -> Tensor:
    """Values in [0, 1], [..., h, w], as grey pictures [..., 3, h, w]."""
    return values.clamp(0, 1).unsqueeze(-3).expand(*values.shape[:-2], 3, *values.shape[-2:])


def coloured(labels: Tensor) -> Tensor:
    """Labels, whole numbers [..., h, w], as pictures [..., 3, h, w]; the same colour each time."""
    table = torch.tensor(COLOURS, device=labels.device)
    return table[labels.long().clamp(min=0) % len(table)].movedim(-1, -3)

"""Position tables for grids a model was not trained on."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Stretch = Literal["plane", "line"]


def stretch_positions(
    table: Tensor, old: tuple[int, int], new: tuple[int, int], how: Stretch = "plane"
) -> Tensor:
    """Interpolate positions from one patch grid to another; rows in front of the patches stay.

    Args:
        table: [1, prefix + old rows * old cols, d].
        old: rows and cols the table was made for.
        new: rows and cols wanted.
        how: "plane" interpolates rows and cols (bicubic, align_corners=False), as transformers and
            DINO do for encoders. "line" interpolates the flattened sequence and so mixes the end of
            one row with the start of the next; transformers does that in the decoder of
            `ViTMAEForPreTraining` (`modeling_vit_mae.py`), and only equality with it speaks for it.

    Returns:
        [1, prefix + new rows * new cols, d], the table itself where nothing has to change.
    """
    count = old[0] * old[1]
    prefix = table.shape[1] - count
    same = old == new if how == "plane" else count == new[0] * new[1]
    if same:
        return table
    source, target = (old, new) if how == "plane" else ((1, count), (1, new[0] * new[1]))
    front, places = table[:, :prefix], table[:, prefix:].float()
    picture = places.reshape(1, *source, -1).permute(0, 3, 1, 2)
    moved = F.interpolate(picture, size=target, mode="bicubic", align_corners=False)
    flat = moved.permute(0, 2, 3, 1).reshape(1, target[0] * target[1], -1)
    return torch.cat([front, flat.to(table.dtype)], dim=1)

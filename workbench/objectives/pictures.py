"""What runs show of objectives that predict pixels."""

from torch import Tensor

from workbench.models.patches import denormalise, normalise, patchify, unpatchify
from workbench.models.transformer import ViTShape


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

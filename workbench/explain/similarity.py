"""How alike the class token and each patch are, without any attention map (GLSim)."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.errors import BadInput
from workbench.models.network import Images, network_of

Alike = Literal["cosine", "l1", "l2"]


@dataclass(frozen=True, eq=False)
class ClassSimilarity:
    """`map` is [b, rows, cols], higher is more alike; `top` int64 [b, count] are the most alike.

    `boxes` int64 [b, 4] are top, left, bottom, right in pixels, the last two beyond the last pixel,
    around the top patches.
    """

    map: Tensor
    top: Tensor
    boxes: Tensor


@torch.no_grad()
def class_similarity(
    model: Any, images: Images, *, count: int = 8, measure: Alike = "cosine"
) -> ClassSimilarity:
    """Compare the class token with the patches after the last norm.

    `glsim/model_utils/glsim.py` of arkel23/GLSim (arXiv:2407.12891) ends its box where the last
    patch begins, which cuts the last row and column away; here it ends where that patch ends.

    Args:
        model: whatever `network_of` understands.
        images: float [b, 3, h, w] in [0, 1].
        count: patches that the box is drawn around.
        measure: cosine, or the negative L1 or L2 distance.

    Raises:
        BadInput: no class token, or more patches than there are.
    """
    network = network_of(model)
    network.check_layer(0)
    if not network.class_token:
        raise BadInput(
            f"{network.name} has no class token to compare patches with; take attention maps."
        )
    tokens = network.features(images)
    return similar_patches(
        tokens[:, 0], tokens[:, network.prefix :], network.grid, count=count, measure=measure
    )


def similar_patches(
    token: Tensor, patches: Tensor, grid: Any, *, count: int = 8, measure: Alike = "cosine"
) -> ClassSimilarity:
    """As `class_similarity`, from a token [b, d] and patches [b, n, d] of a `Grid`."""
    if not 1 <= count <= grid.size:
        raise BadInput(f"count is {count}, but there are {grid.size} patches; take 8.")
    if measure == "cosine":
        map = F.cosine_similarity(token[:, None], patches, dim=-1)
    else:
        map = -(token[:, None] - patches).norm(p=1 if measure == "l1" else 2, dim=-1)
    top = map.topk(count, dim=1).indices
    rows, cols = top // grid.cols, top % grid.cols
    corners = [rows.amin(1), cols.amin(1), rows.amax(1) + 1, cols.amax(1) + 1]
    boxes = torch.stack(corners, dim=1) * grid.patch
    return ClassSimilarity(map.unflatten(1, (grid.rows, grid.cols)), top, boxes)

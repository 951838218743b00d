"""What a masked autoencoder paints while something is hidden inside its encoder."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.interventions.intervening import Recipes, intervene
from workbench.masks import Mask
from workbench.models.network import network_of
from workbench.models.patches import patchify, unpatchify

Floats = NDArray[np.float32]


def repaint(model: Any, images: Floats, mask: Mask, recipes: Recipes = "") -> tuple[Floats, Floats]:
    """Reconstruct pictures with interventions in the encoder.

    With none this is what the `Reconstructor` gives, to rounding.

    Args:
        model: a masked autoencoder that predicts pixels, whatever `network_of` understands.
        images: float32 [b, 3, h, w] in [0, 1], of the model's size.
        mask: one for all or one a picture; all hide equally many patches.
        recipes: see `intervene`.

    Returns:
        The paste-back, float32 [b, 3, h, w] in [0, 1], and the mean squared error of each patch in
        [0, 1] RGB, float32 [b, rows, cols], 0 where it is visible.

    Raises:
        BadInput: no decoder, masks of other counts, or recipes that do not go with the network.
    """
    network = network_of(model)
    if network.whole is None:
        raise BadInput(f"{network.name} has no decoder to paint with; take default.")
    cells = np.broadcast_to(
        mask.hidden.reshape(len(mask.hidden), -1), (len(images), mask.grid.size)
    )
    counts = cells.sum(1)
    if counts.min() != counts.max() or not 0 < counts[0] < cells.shape[1]:
        raise BadInput(
            f"the masks hide {counts.min()} to {counts.max()} of {cells.shape[1]} patches; hide "
            "equally many in all, some and not all."
        )
    order = torch.from_numpy(np.argsort(cells, axis=1, kind="stable"))
    visible = cells.shape[1] - int(counts[0])
    grid, hidden = network.grid, torch.from_numpy(cells.copy()).unsqueeze(-1)
    with torch.no_grad(), intervene(network, recipes) as opened:
        made: Any = opened.whole
        said = made(
            opened.prepare(images), order[:, :visible], order[:, visible:], everything=True
        ).cpu()
    repeat = grid.patch**2
    mean, std = (torch.tensor(each).repeat(repeat) for each in (network.mean, network.std))
    true = patchify(torch.from_numpy(images), grid.patch)
    painted = torch.where(hidden, (said * std + mean).clamp(0, 1), true)
    error = (painted - true).square().mean(-1).reshape(-1, grid.rows, grid.cols)
    return unpatchify(painted, grid.rows, grid.cols, grid.patch).numpy(), error.numpy()

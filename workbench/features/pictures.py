"""Pictures of a data set, as a network reads them."""

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import fit
from workbench.data.sets import DATASETS
from workbench.errors import BadInput
from workbench.models.network import Network


def pictures_of(
    data: str, network: Network, count: int, seed: int = 0, *, train: bool = True
) -> tuple[NDArray[np.float32], list[str]]:
    """Some pictures of a data set, float32 [n, 3, h, w] in [0, 1], and what they are called.

    Args:
        data: recipe, such as 'photos(crops=400)' or 'folder(path="mine")'.
        network: whose size they are brought to (largest centred part).
        count: how many at most, drawn without repetition.
        seed: decides which.
        train: of the training part, else of the test part.

    Raises:
        BadInput: no such data, or nothing with three colours.
    """
    if count < 1:
        raise BadInput(f"count is {count}, wanted 1 or more pictures.")
    wanted = DATASETS.parse(data)
    # Those of one small side grow when they are chosen: all 50,000 of a set would fill the memory.
    found = wanted.load(wanted.side or max(network.size), train=train)
    rows = np.sort(np.random.default_rng(seed).permutation(len(found))[:count])
    part = found.rows(rows)
    images = np.asarray(part.images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise BadInput(f"{data} holds {images.shape[1:]}, wanted pictures of one or three colours.")
    if images.shape[-1] == 1:
        images = np.repeat(images, 3, -1)
    if images.shape[1:3] != network.size:
        images = np.stack([fit(each, network.size[0], network.size[1]) for each in images])
    floats = images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(floats), [part.name(at) for at in range(len(part))]

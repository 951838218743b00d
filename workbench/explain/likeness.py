"""A network without classes, asked how like the features of what it sees are to a picture's own."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.models.network import Images, Network, network_of

LIKENESS = "its own features"


@dataclass(frozen=True, eq=False)
class Likeness(Network):
    """A network with one answer: f(x) . f(picture) / |f(picture)|^2, 1 for the picture itself.

    f are the pooled features. Unlike a cosine it has a slope at the picture itself, so that methods
    that read gradients explain it too; no coordinate of the features is taken for a class.
    """

    plain: Network | None = None
    wanted: Tensor | None = None

    def logits(self, images: Images) -> Tensor:
        """How like the pictures are, [b, 1]."""
        assert self.plain is not None and self.wanted is not None
        found = self.plain.logits(images)
        wanted = self.wanted.to(found)
        return (found @ wanted / wanted.square().sum())[:, None]

    def shares(self, scores: Tensor) -> Tensor:
        """The same: 1 where nothing is lost."""
        return scores


def asked_of(model: object, image: NDArray[np.float32]) -> Network:
    """The network itself if it has classes, else its likeness to `image` [3, h, w]."""
    network = network_of(model)
    if network.classes:
        return network
    with torch.no_grad():
        wanted = network.logits(image[None])[0]
    known = {each.name: getattr(network, each.name) for each in fields(network)}
    known |= {"classes": 1, "labels": (LIKENESS,)}
    return Likeness(**known, plain=network, wanted=wanted)

"""A network without classes, asked how like the features of what it sees are to a picture's own."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.models.network import Network, network_of

LIKENESS = "its own features"


@dataclass(frozen=True, eq=False)
class Likeness(Network):
    """A network with one answer: f(x) . f(picture) / |f(picture)|^2, 1 for the picture itself.

    f are the pooled features. Unlike a cosine it has a slope at the picture itself, so that methods
    that read gradients explain it too; no coordinate of the features is taken for a class.
    """

    plain: Network | None = None
    wanted: Tensor | None = None

    @property
    def asked(self) -> Network:
        """The network whose features are compared."""
        assert self.plain is not None
        return self.plain

    def around(self, other: Network) -> Network:
        """How like the features of another network are to the same."""
        assert self.wanted is not None
        return _likeness(other, self.wanted)

    def logits_of(self, prepared: Tensor) -> Tensor:
        """How like the pictures are, [b, 1]."""
        return self.finished(self.asked.logits_of(prepared))

    def finished(self, scores: Tensor) -> Tensor:
        """Pooled features [b, d] to how like they are, [b, 1]."""
        assert self.wanted is not None
        wanted = self.wanted.to(scores)
        return (scores @ wanted / wanted.square().sum())[:, None]

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
    return _likeness(network, wanted)


def _likeness(network: Network, wanted: Tensor) -> Likeness:
    known = {each.name: getattr(network, each.name) for each in fields(network)}
    known |= {"classes": 1, "labels": (LIKENESS,)}
    return Likeness(**known, plain=network, wanted=wanted)

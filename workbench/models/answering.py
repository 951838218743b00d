"""A classifier as one module, whatever it is made of: pictures in, scores out."""

from torch import Tensor, nn

from workbench.models.network import Images, Network


class Answering(nn.Module):
    """From pictures [b, 3, h, w] in [0, 1] to scores [b, classes]; its weights are the network's.

    Parameters are called `module.NAME`, so that weights can be replaced by name while it runs.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network, self.module = network, network.module

    def forward(self, images: Images) -> Tensor:
        """See `Network.logits`."""
        return self.network.logits(images)

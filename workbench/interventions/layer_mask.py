"""Layer masking of a convnet: hidden places stay hidden in every layer."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.interventions.intervention import HiddenBy, Intervention, Seed
from workbench.interventions.layered import Layered
from workbench.interventions.opened import GIVEN, Opened
from workbench.interventions.places import Places, Rule
from workbench.masks import MASKS, Grid, Mask
from workbench.models.network import Kind, Network
from workbench.models.quick_convnet import PackedConv
from workbench.params import Knob

POLICIES = ("any", "all", "fixed")
FILLS = ("neighbour", "zero", "renormalise")
QUICK = torch.channels_last
CELL = 16  # pixels of a patch where the mask is drawn by a recipe


@dataclass(frozen=True, kw_only=True)
class LayerMask(Intervention):
    """Carry the mask beside the features, so that hidden pixels are missing and not grey or black.

    Before a convolution hidden places are filled from their neighbours (`fill`), after it a place
    is visible where its window held anything visible (`policy="any"`, the paper), only visible
    places ("all"), or where the resized mask says so ("fixed", as in sparse pretraining). Norms and
    activations are masked, pools read visible places, a sum is visible where both parts are, and
    the last pool is the mean of what is visible.

    Balasubramanian and Feizi, Towards Improved Input Masking for Convolutional Neural Networks;
    official files `sal_layers.py` and `sal_resnet.py`. Theirs ignores dilation in the mask, leaves
    GELU alone and cannot run ResNet-18; a k x k window needs k - 1 rounds of filling, they do k.
    """

    paper: ClassVar[str] = "arXiv:2211.14646"
    always_print: ClassVar[tuple[str, ...]] = ("policy", "fill")
    on: ClassVar[tuple[Kind, ...]] = ("convnet",)
    wants: ClassVar[tuple[str, ...]] = ("mask",)
    idle: ClassVar[str] = 'layer_mask(mask="random(ratio=0.0)")'
    hides: ClassVar[bool] = True

    policy: Annotated[str, Knob("when a place of the next layer is visible", choices=POLICIES)] = (
        "any"
    )
    fill: Annotated[str, Knob("what the next kernel reads at hidden places", choices=FILLS)] = (
        "neighbour"
    )
    mask: HiddenBy = GIVEN
    seed: Seed = 0

    def install(self, opened: Opened) -> None:
        """Join the picture and its mask where the network begins."""
        network = opened.network
        mask = _chosen(opened, self.mask, self.seed)
        if not mask.hidden.any():
            return

        def join(x: Tensor) -> Tensor:
            visible = _pixels(mask, x)
            x = torch.where(visible > 0, x, 0)  # never the caller's own: it is filled in place
            # One layout whatever the caller's: another one rounds in another way. Channels last,
            # sums over windows are twice as quick.
            quick = x.device.type == "cpu" and not torch.is_grad_enabled()
            x = x.contiguous(memory_format=QUICK if quick else torch.contiguous_format)
            return Layered.at(x, Places(visible, Rule(self.policy, self.fill, visible)))

        opened.input(_first(network), join)


def _chosen(opened: Opened, recipe: str, seed: int) -> Mask:
    network = opened.network
    if recipe != GIVEN:
        rows, cols = (-(-side // CELL) for side in network.size)
        return MASKS.parse(recipe).sample(Grid(rows, cols, patch=CELL), count=1, seed=seed)
    if opened.mask is None:
        raise BadInput(
            "the mask is 'given', but none was given with the picture; write for example "
            'mask="random(ratio=0.5)".'
        )
    if len(opened.mask.grid.shape) != 2:
        raise BadInput(
            f"the mask lies on {opened.mask.grid.shape} cells; layer masking hides places of one "
            "picture, give rows and columns alone."
        )
    return opened.mask


def _pixels(mask: Mask, x: Tensor) -> Tensor:
    """1 where a pixel is visible, [b or 1, 1, h, w]; cells are stretched over the picture.

    Raises:
        BadInput: as many masks as pictures, or one, or all is hidden in a picture.
    """
    if len(mask) not in (1, len(x)):
        raise BadInput(f"{len(mask)} masks came with {len(x)} pictures; give one or as many.")
    visible = torch.from_numpy(~mask.hidden).to(x.device, x.dtype)[:, None]
    if not bool(visible.flatten(1).any(1).all()):
        raise BadInput(
            "everything is hidden in a picture, so that there is nothing to look at; leave a patch "
            "visible."
        )
    return F.interpolate(visible, x.shape[2:], mode="nearest").expand(len(x), -1, -1, -1)


def _first(network: Network) -> nn.Module:
    """The convolution that reads the picture."""
    for each in network.module.modules():
        if isinstance(each, nn.Conv2d | PackedConv):
            return each
    raise BadInput(f"{network.name} has no convolution to begin with; take a convnet of timm.")

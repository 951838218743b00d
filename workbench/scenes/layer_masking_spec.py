"""What the view Layer masking shows, as one value: the same in a link and in Python."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from workbench.data.images import How
from workbench.errors import BadInput, shown
from workbench.interventions.layer_mask import FILLS, POLICIES
from workbench.masks import MASKS
from workbench.models.catalog import own_networks
from workbench.scenes.inside_spec import classifying_runs

On = Literal["photo", "data"]
TIMM_CLASSIFIERS = (
    "timm:resnet18",
    "timm:resnet50",
    "timm:convnext_tiny",
    "timm:efficientnet_b0",
    "timm:vit_tiny_patch16_224",
    "timm:deit3_small_patch16_224",
)
FEWEST, MOST = 8, 2000


@dataclass(frozen=True, kw_only=True)
class LayerMaskingSpec:
    """A photo, a classifier, what is hidden, and the dials of layer masking.

    `mask` hides cells: the patches of a transformer, in a convnet 16 pixels, or eighths of a small
    picture. `policy` and `filling` are those of the intervention `layer_mask`. `on` says what the
    curves are measured on: `count` random removals of this photo, or `count` pictures of the test
    part of the network's own data (bundled photos, where it has none).

    Raises:
        BadInput: a field that is not one of its choices, or a recipe that does not parse.
    """

    photo: str = "astronaut"
    fit: How = "crop"
    network: str = "timm:resnet18"
    mask: str = "random(ratio=0.5)"
    seed: int = 0
    policy: str = "any"
    filling: str = "neighbour"
    on: On = "photo"
    count: int = 32

    def __post_init__(self) -> None:
        """Check every field and write the mask in its canonical form."""
        choices = {
            "fit": get_args(How), "policy": POLICIES, "filling": FILLS, "on": get_args(On),
        }  # fmt: skip
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise BadInput(
                    f"{name} is {shown(getattr(self, name))}, but must be one of "
                    f"{', '.join(known)}."
                )
        if type(self.count) is not int or not FEWEST <= self.count <= MOST:
            raise BadInput(f"count is {shown(self.count)}, wanted {FEWEST} to {MOST}; take 32.")
        object.__setattr__(self, "mask", str(MASKS.parse(self.mask)))

    @property
    def layer_mask(self) -> str:
        """The recipe of layer masking with these dials."""
        return f'layer_mask(policy="{self.policy}", fill="{self.filling}")'

    def to_query(self) -> dict[str, str]:
        """The network, and the fields that differ from the defaults, as query parameters."""
        fields = {each.name: each.default for each in dataclasses.fields(self)}
        given = {name: getattr(self, name) for name in fields}
        return {
            name: str(value)
            for name, value in given.items()
            if name == "network" or value != fields[name]
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "LayerMaskingSpec":
        """Read query parameters; unknown names are ignored. A link names listed networks only.

        Raises:
            BadInput: a field that cannot be read, or a network that is not listed.
        """
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if field.name in query:
                text = query[field.name]
                whole = text.isascii() and text.isdigit() and len(text) < 10
                values[field.name] = int(text) if field.type is int and whole else text
        known = classifiers()
        if values.get("network", known[0]) not in known:
            raise BadInput(
                f"{shown(values['network'])} is no network here; choose one of {', '.join(known)}."
            )
        return cls(**values)


def classifiers() -> list[str]:
    """Networks that can be named in a link: runs that learnt labels, the user's, some of timm.

    Those of timm have fresh weights: good for seeing how a mask goes through, not for answers.
    """
    return [*classifying_runs(), *own_networks(), *TIMM_CLASSIFIERS]

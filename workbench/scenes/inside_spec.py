"""What the view Inside shows, as one value: the same in a link, a command and a notebook."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from workbench.data.images import How
from workbench.errors import BadInput, shown
from workbench.masks import MASKS
from workbench.models.catalog import own_networks

Show = Literal["attention", "change"]
Scale = Literal["fixed", "each"]
Hide = Literal["drop", "keys"]
Part = Literal["encoder", "decoder"]
Whole = Literal["rollout", "similarity", "relevance"]
TIMM = "timm:"
LISTED = (
    "timm:vit_tiny_patch16_224",
    "timm:vit_small_patch14_reg4_dinov2",
    "timm:deit3_small_patch16_224",
    "timm:eva02_tiny_patch14_224",
)


@dataclass(frozen=True, kw_only=True)
class InsideSpec:
    """What the view Inside shows; its fields are the link's query parameters.

    `query` is the patch that asks, -1 for the class token; `mask` hides patches ("" for none),
    `hide` says whether their tokens are dropped or only their keys hidden; `change` are
    interventions, as `intervene` reads them. `layer` and `head` isolate one map, -1 for all. `part`
    is the network, or the decoder that fills in what a mask hides; `whole` is what stands for all
    layers: rollout, how alike the class token is (GLSim), or the relevance for the answer (Chefer).

    Raises:
        BadInput: a field that is not one of its choices, or a recipe that does not parse.
    """

    photo: str = "astronaut"
    fit: How = "crop"
    model: str = "default"
    mask: str = ""
    hide: Hide = "drop"
    change: str = ""
    query: int = -1
    layer: int = -1
    head: int = -1
    show: Show = "attention"
    scale: Scale = "fixed"
    part: Part = "encoder"
    whole: Whole = "rollout"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every field and write recipes in their canonical form."""
        from workbench.interventions import recipes_of

        choices = {
            "fit": How, "hide": Hide, "show": Show, "scale": Scale, "part": Part, "whole": Whole,
        }  # fmt: skip
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                raise BadInput(
                    f"{name} is {shown(getattr(self, name))}, but must be one of "
                    f"{', '.join(get_args(kind))}."
                )
        for name in ("query", "layer", "head", "seed"):
            value = getattr(self, name)
            if type(value) is not int or not -1 <= value <= 2**31 - 1:
                raise BadInput(f"{name} is {shown(value)}, but must be a whole number; take 0.")
        if self.mask:
            object.__setattr__(self, "mask", str(MASKS.parse(self.mask)))
        written = " ; ".join(str(each) for each in recipes_of(self.change))
        object.__setattr__(self, "change", written)

    def replace(self, **changes: object) -> "InsideSpec":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]

    def to_query(self) -> dict[str, str]:
        """The fields that differ from the defaults, as the URL's query parameters."""
        fields = dataclasses.fields(self)
        given = {each.name: getattr(self, each.name) for each in fields}
        return {
            each.name: str(given[each.name]) for each in fields if given[each.name] != each.default
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "InsideSpec":
        """Read query parameters; unknown names are ignored. A link names listed models only.

        Raises:
            BadInput: a field that cannot be read, or a model that is not listed.
        """
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if field.name in query:
                text = query[field.name]
                try:
                    values[field.name] = int(text) if field.type is int else text
                except ValueError:
                    raise BadInput(
                        f"{field.name} is {shown(text)}, but must be a whole number; take 0."
                    ) from None
        if values.get("model", "default") not in listed():
            raise BadInput(
                f"{shown(values['model'])} is no model here; choose one of {', '.join(listed())}."
            )
        return cls(**values)


def listed() -> list[str]:
    """Models that can be named in a link: the project's, the user's, their runs', some of timm.

    Those of timm have fresh weights: good for seeing how a network is built.
    """
    from workbench.models import list_models

    ours = [i.name for i in list_models() if i.name != "default"]
    others = [name for name in (*own_networks(), *classifying_runs()) if name not in ours]
    return ["default", *ours, *others, *LISTED]


def classifying_runs() -> list[str]:
    """Runs that learnt labels, as run:ID, the newest first."""
    from workbench.runs.networks import trained_classifiers

    return [f"run:{run.id}" for run in trained_classifiers()]

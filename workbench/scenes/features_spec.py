"""What the view Features shows, as one value: the same in a link, in commands and in Python."""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from workbench.data.images import How
from workbench.errors import BadInput, shown
from workbench.fills import FILLS
from workbench.masks import MASKS
from workbench.scenes.inside_spec import listed
from workbench.scenes.spelled import spelled

Order = Literal["telling", "often", "photo", "mask"]
Rule = Literal["topk", "l1"]
SHOWN = 24  # features in the list
LINKED = ("photos", "digits", "cifar10")  # a link names no folders of the machine
BOUNDS = {
    "layer": (0, 200), "count": (10, 2000), "expansion": (1, 16), "active": (1, 128),
    "steps": (10, 20_000), "batch": (32, 4096), "draw": (0, 2**31 - 1), "seed": (0, 2**31 - 1),
    "latent": (-1, 10**6), "pairs": (2, 40), "facets": (1, 6), "climb": (0, 1000),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FeaturesSpec:
    """What is learnt of a network, and what is looked at; fields are the link's query parameters.

    A sparse code of `expansion` latents for each number of a token is learnt on the tokens after
    block `layer` of `network`, on `count` pictures of the set `data`; see `SaeConfig` for `active`,
    `rule`, `steps` and `batch`. `draw` decides which pictures, and how the code begins.

    `photo` is seen whole, and with what `mask` hides (drawn from `seed`) painted over by `fill`.
    `order` ranks the features, `latent` is the one seen large, -1 for the first. Heads are ranked
    on `pairs` pictures and their masked twins. `facets` groups are made of the pictures that excite
    `unit` most, "" for the feature seen large or class:5, each climbed for `climb` steps.

    Raises:
        BadInput: a field that is out of range or not one of its choices, or a recipe that does not
            parse.
    """

    network: str = "default"
    layer: int = 6
    data: str = "photos(crops=150)"
    count: int = 120
    expansion: int = 4
    active: int = 16
    rule: Rule = "topk"
    steps: int = 240
    batch: int = 512
    draw: int = 0
    photo: str = "astronaut"
    fit: How = "crop"
    mask: str = "random(ratio=0.75)"
    fill: str = "grey()"
    seed: int = 0
    order: Order = "telling"
    latent: int = -1
    pairs: int = 10
    unit: str = ""
    facets: int = 3
    climb: int = 60

    def __post_init__(self) -> None:
        """Check every field and write recipes in their canonical form."""
        from workbench.data.sets import DATASETS

        for name, kind in {"order": Order, "rule": Rule, "fit": How}.items():
            if getattr(self, name) not in get_args(kind):
                raise BadInput(
                    f"{name} is {shown(getattr(self, name))}, but must be one of "
                    f"{', '.join(get_args(kind))}."
                )
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise BadInput(f"{name} is {shown(value)}, wanted {least} to {most}; correct it.")
        if len(self.unit) > 40:
            raise BadInput(f"unit is {shown(self.unit)}, wanted class:5 or nothing.")
        registries: dict[str, Any] = {"data": DATASETS, "mask": MASKS, "fill": FILLS}
        for name, registry in registries.items():
            object.__setattr__(self, name, str(registry.parse(getattr(self, name))))

    @property
    def learnt(self) -> tuple[Any, ...]:
        """What decides the code; the rest is looking."""
        return tuple(getattr(self, name) for name in LEARNT)

    @property
    def top(self) -> int:
        """Pictures that excite a unit most, to be grouped: a quarter, five a facet at least."""
        return max(5 * self.facets, self.count // 4)

    def replace(self, **changes: object) -> "FeaturesSpec":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]

    def to_query(self) -> dict[str, str]:
        """The fields that differ from the defaults, as the URL's query parameters."""
        given = {each.name: each.default for each in dataclasses.fields(self)}
        return {
            name: str(getattr(self, name))
            for name, plain in given.items()
            if getattr(self, name) != plain
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "FeaturesSpec":
        """Read query parameters; unknown names are ignored. A link names listed networks only.

        Raises:
            BadInput: a field that cannot be read, a network that is not listed, or data that are a
                folder of this machine.
        """
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if field.name in query:
                text = query[field.name]
                whole = text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 11
                values[field.name] = int(text) if field.type is int and whole else text
        named = values.get("network", cls.network)
        if named != cls.network and named not in listed():
            raise BadInput(f"no network here is called {shown(named)}; choose one.")
        made = cls(**values)
        check_linked(made.data)
        return made

    def commands(self, *, heads: bool = False, facets: bool = False) -> str:
        """The commands that learn the same code and write what the page shows, one a line."""
        code, network = "features/code", ["--model", self.network]
        pictures = [*network, "--data", self.data, "--count", str(self.count)]
        lines = [
            ["learn", "--out", code, *pictures, "--seed", str(self.draw),
             *self._said("layer", "expansion", "active", "rule", "steps", "batch")],
            ["look", code, "--out", "features/seen", *self._shown()],
        ]  # fmt: skip
        if heads:
            lines.append(
                ["heads", self.mask, "--out", "features/heads", *network, "--data", self.data,
                 "--count", str(self.pairs), "--fill", self.fill, "--seed", str(self.seed)]
            )  # fmt: skip
        if facets:
            unit = self.unit or f"latent:{max(self.latent, 0)}"
            coded = ["--code", code] if unit.startswith("latent:") else []
            lines.append(
                ["facets", unit, "--out", "features/facets", *coded, *pictures,
                 *self._said("facets", "top"), "--steps", str(self.climb), "--seed",
                 str(self.draw)]
            )  # fmt: skip
        return "\n".join(
            shlex.join(["python", "-m", "workbench", "features", *words]) for words in lines
        )

    def _said(self, *names: str) -> list[str]:
        return [word for name in names for word in (f"--{name}", str(getattr(self, name)))]

    def _shown(self) -> list[str]:
        return ["--latents", str(SHOWN), *self._said("order", "photo", "fit", "mask", "fill"),
                "--seed", str(self.seed)]  # fmt: skip

    def python(self) -> str:
        """Lines of Python that learn the same code and print its features."""
        return (
            "from workbench.scenes.features import learn_features, look\n"
            "from workbench.scenes.features_spec import FeaturesSpec\n\n"
            f"spec = {spelled(self)}\n"
            "*_, learnt = learn_features(spec)\n"
            "print(learnt.study.report())\n"
            "for each in look(spec, learnt.study).features:\n"
            "    print(each.latent, each.rate, each.peaks)\n"
        )


LEARNT = ("network", "layer", "data", "count", "expansion", "active", "rule", "steps", "batch",
          "draw")  # fmt: skip


def check_linked(data: str) -> None:
    """Refuse data that a link may not name.

    Raises:
        BadInput: neither bundled photos, uploads, digits nor the usual copy of CIFAR-10.
    """
    from workbench.data.sets import DATASETS

    found = DATASETS.parse(data)
    if found.name not in LINKED or getattr(found, "path", ""):
        raise BadInput(f"{shown(data)} is not offered here; choose {', '.join(LINKED)}.")

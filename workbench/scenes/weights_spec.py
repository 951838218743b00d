"""What the view Weights shows, as one value: the same in a link and in Python."""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import BadInput, shown
from workbench.models.catalog import own_networks
from workbench.scenes.layer_masking_spec import TIMM_CLASSIFIERS, classifiers

FEWEST, MOST = 50, 5000
# Each with the share that it keeps as a line, or with what it learns as one point.
OFFERED = (
    "magnitude",
    "magnitude(together=True)",
    "random",
    "gradient",
    "rows",
    "n_m(keep=2, group=4)",
    "mask_llm(keep=2, group=4, steps=60)",
    'mask_tuning(where="all", steps=60, lr=0.001)',
    "vib_gates(steps=60)",
)
USUAL = OFFERED[:5]


@dataclass(frozen=True, kw_only=True)
class WeightsSpec:
    """A classifier, a way of hiding weights, and on how many pictures the rest is measured.

    `ways` are the sparsifiers of the curve. Pictures come from the test part of the network's own
    data: `count` to measure on, others to learn from.

    Raises:
        BadInput: a recipe that does not parse, or a count out of range.
    """

    network: str = TIMM_CLASSIFIERS[0]
    hide: str = "magnitude(ratio=0.5)"
    ways: tuple[str, ...] = USUAL
    count: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every field and write the recipe in its canonical form."""
        from workbench.sparsity import SPARSIFIERS

        if type(self.count) is not int or not FEWEST <= self.count <= MOST:
            raise BadInput(f"count is {shown(self.count)}, wanted {FEWEST} to {MOST}; take 300.")
        for each in self.ways:
            SPARSIFIERS.parse(each)
        if not self.ways:
            raise BadInput("no way of hiding weights is named; name one, such as magnitude.")
        object.__setattr__(self, "hide", str(SPARSIFIERS.parse(self.hide)))

    def to_query(self) -> dict[str, str]:
        """The network, and the fields that differ from the defaults, as query parameters."""
        plain = {each.name: each.default for each in dataclasses.fields(self)}
        given = {name: getattr(self, name) for name in plain}
        return {
            name: ";".join(value) if name == "ways" else str(value)
            for name, value in given.items()
            if name == "network" or value != plain[name]
        }

    def commands(self, *, curve: bool = False) -> list[str]:
        """The commands that hide these weights and, with `curve`, compare the ways."""
        plain = ["--count", str(self.count), "--seed", str(self.seed)]
        lines = [["hide", self.hide, "--model", self.network, *plain, "--out", "weights/hidden"]]
        if curve:
            ways = "; ".join(self.ways)
            lines.append(["curve", "--model", self.network, "--ways", ways, *plain,
                          "--out", "weights/curve"])  # fmt: skip
        return [command(words) for words in lines]

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "WeightsSpec":
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
        if "ways" in values:
            parts = (each.strip() for each in values["ways"].split(";"))
            values["ways"] = tuple(dict.fromkeys(each for each in parts if each))
        known = classifiers()
        if values.get("network", known[0]) not in known:
            raise BadInput(
                f"{shown(values['network'])} is no network here; choose one of {', '.join(known)}."
            )
        return cls(**values)


def command(words: list[str]) -> str:
    """A line of the command group `weights`."""
    return shlex.join(["python", "-m", "workbench", "weights", *words])


def free_name(name: str) -> None:
    """Refuse a name that the user's next checkpoint cannot have.

    Raises:
        BadInput: it is taken, or no plain name.
    """
    from workbench.models.catalog import NAME

    if not NAME.fullmatch(name):
        raise BadInput(
            f"{shown(name)} is no name for a checkpoint; take letters, digits, dots and hyphens."
        )
    if name in own_networks() or name in classifiers():
        raise BadInput(f"a network is called {name} already; choose another name.")

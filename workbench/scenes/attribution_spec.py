"""What the view Attribution shows, as one value: the same in a link, a command and a notebook."""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from workbench.data.images import How
from workbench.errors import BadInput, shown
from workbench.masks import MASKS
from workbench.scenes.inside_spec import LISTED, TIMM, listed
from workbench.scenes.spelled import spelled

MOST_METHODS, MOST_WAYS, MOST_BATCH, MOST_DRAWS = 8, 6, 256, 20
FRESH = (*LISTED, "timm:swin_tiny_patch4_window7_224", "timm:resnet18", "timm:convnext_atto",
         "timm:efficientnet_b0")  # fmt: skip

PRECISIONS = ("fp32", "bf16", "auto")


@dataclass(frozen=True, kw_only=True)
class AttributionSpec:
    """What the view Attribution shows; its fields are the link's query parameters.

    `network` is explained, and `beside`, if it is named, on the same scale. `target` is a class by
    name or number, "" for the class with the highest score, or for its features where a network has
    no classes. `methods` are recipes of `METHODS` and `remove` is what removed means for those that
    remove; they are answered in `precision`, fp32, bf16 or auto (bf16 where it pays). `batch`
    pictures are shown at a time at most. `mask` is painted on the picture and
    compared with the maps, "" for none; its patches are those of the model `drawn_on`. With `judge`
    the maps are judged, by curves under each of `ways`, and by `draws` repetitions.

    Raises:
        BadInput: a field that is not one of its choices, or a recipe that does not parse.
    """

    photo: str = "astronaut"
    fit: How = "crop"
    network: str = "cifar10_vit"
    beside: str = ""
    target: str = ""
    methods: tuple[str, ...] = ("occlusion(window=3)", "integrated_gradients()")
    remove: str = "grey()"
    batch: int = 16
    seed: int = 0
    mask: str = ""
    drawn_on: str = "default"
    judge: bool = False
    ways: tuple[str, ...] = ("black()", "blur()")
    draws: int = 3
    precision: str = "fp32"

    def __post_init__(self) -> None:
        """Check every field and write recipes in their canonical form."""
        from workbench.explain.methods import METHODS
        from workbench.explain.removal import removal

        if self.fit not in get_args(How):
            raise BadInput(f"fit is {shown(self.fit)}, but must be one of crop, letterbox, resize.")
        for name, most in (("batch", MOST_BATCH), ("draws", MOST_DRAWS), ("seed", 2**31 - 1)):
            value, least = getattr(self, name), 0 if name == "seed" else 1
            if type(value) is not int or not least <= value <= most:
                raise BadInput(f"{name} is {shown(value)}, wanted {least} to {most}; take {least}.")
        if self.precision not in PRECISIONS:
            raise BadInput(f"precision is {shown(self.precision)}; take {', '.join(PRECISIONS)}.")
        if len(self.target) > 200:
            raise BadInput(f"target is {shown(self.target)}, wanted the name of a class.")
        methods = tuple(dict.fromkeys(str(METHODS.parse(each)) for each in self.methods))
        ways = tuple(dict.fromkeys(str(removal(each)) for each in self.ways))
        for name, found, most in (("methods", methods, MOST_METHODS), ("ways", ways, MOST_WAYS)):
            if not 1 <= len(found) <= most:
                raise BadInput(f"{len(found)} {name} are named, wanted 1 to {most}; choose some.")
            object.__setattr__(self, name, found)
        object.__setattr__(self, "remove", str(removal(self.remove)))
        if self.mask:
            object.__setattr__(self, "mask", str(MASKS.parse(self.mask)))

    @property
    def networks(self) -> tuple[str, ...]:
        """The network, and the one beside it."""
        return (self.network,) if self.beside in ("", self.network) else (self.network, self.beside)

    def replace(self, **changes: object) -> "AttributionSpec":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]

    def to_query(self) -> dict[str, str]:
        """The fields that differ from the defaults, as the URL's query parameters."""
        found: dict[str, str] = {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if value != each.default:
                text = "; ".join(value) if isinstance(value, tuple) else str(value)
                found[each.name] = "1" if value is True else text
        return found

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "AttributionSpec":
        """Read query parameters; unknown names are ignored. A link names listed networks only.

        Raises:
            BadInput: a field that cannot be read, or a network that is not listed.
        """
        values: dict[str, Any] = {}
        for each in dataclasses.fields(cls):
            if each.name in query:
                values[each.name] = _read(each.name, each.default, query[each.name])
        for name in ("network", "beside"):
            named = values.get(name, "")
            if named not in ("", "default", cls.network) and named not in offered():
                raise BadInput(f"no network here is called {shown(named)}; choose one.")
        return cls(**values)

    def commands(self, photo: str = "") -> str:
        """The commands that write the same maps and judge them, one a line."""
        lines: list[str] = []
        for at, network in enumerate(self.networks):
            words = ["python", "-m", "workbench", "explain", photo or self.photo]
            words += ["--model", network, "--method", "; ".join(self.methods)]
            words += ["--remove-with", self.remove]
            words += ["--target", self.target] if self.target else []
            words += ["--judge", "; ".join(self.ways) if self.judge else ""]
            for name in ("fit", "seed", "batch", "draws", "precision"):
                if getattr(self, name) != getattr(AttributionSpec, name):
                    words += [f"--{name}", str(getattr(self, name))]
            lines.append(shlex.join([*words, "--out", f"explained{at + 1 if at else ''}"]))
        return "\n".join(lines)

    def python(self) -> str:
        """Lines of Python that make the same maps."""
        return (
            "from workbench.scenes.attribution import attributions\n"
            "from workbench.scenes.attribution_spec import AttributionSpec\n\n"
            f"for made in attributions({spelled(self)}):\n"
            "    if made.map is not None:\n"
            "        print(made.map.network, made.map.method, made.map.cells)\n"
        )


def _read(name: str, default: object, text: str) -> Any:
    if isinstance(default, bool):
        return text == "1"
    if isinstance(default, int):
        if not (text.isascii() and text.isdigit() and len(text) < 11):
            raise BadInput(f"{name} is {shown(text)}, but must be a whole number; take {default}.")
        return int(text)
    if isinstance(default, tuple):
        return recipes_in(text)
    return text


def recipes_in(text: str) -> tuple[str, ...]:
    """Recipes parted by semicolons; those inside of quotes part nothing."""
    from workbench.interventions.intervening import split_recipes

    return tuple(split_recipes(text))


def offered() -> dict[str, str]:
    """Networks that can be named in a link, with what a menu calls them."""
    from workbench.models import list_models
    from workbench.runs.networks import trained_classifiers

    names = [*listed(), *(name for name in FRESH if name not in LISTED)]
    labels = {name: name for name in names} | {i.name: i.label for i in list_models()}
    for run in trained_classifiers():
        name = run.record.get("name") or run.record.get("preset") or "classifier"
        labels[f"run:{run.id}"] = f"run {str(name)[:60]} ({run.id[-8:]})"
    for name in names:
        if name.startswith(TIMM):
            labels[name] = f"{name.removeprefix(TIMM)} (random weights)"
    labels["default"] = "default (masked autoencoder, knows no classes)"
    names.sort(key=lambda name: name != AttributionSpec.network)
    return {name: labels[name] for name in names}

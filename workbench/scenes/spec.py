"""What a view shows, as one value: the same in the URL, the CLI, the notebook and the picture."""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from workbench.errors import BadInput, shown
from workbench.fills import FILLS
from workbench.masks import MASKS, Strategy
from workbench.models.catalog import list_models

Fit = Literal["crop", "letterbox", "resize"]
Precision = Literal["auto", "fp32", "bf16"]
Device = Literal["auto", "cpu", "cuda"]
LIMITS = {"photo": 200, "model": 4096}  # characters; a model may be a path


@dataclass(frozen=True, kw_only=True)
class SceneSpec:
    """A photo, what is hidden of it, and the model that fills it in.

    `photo` is a bundled name, the id of an upload or `drawn-<seed>`; `mask` and `fill` are recipes,
    kept in canonical form; `seed` (0 to 2**62) decides every random choice.

    Raises:
        BadInput: a field that is not one of its choices, or a recipe that does not parse.
    """

    photo: str = "astronaut"
    fit: Fit = "crop"
    mask: str = "random(ratio=0.75)"
    fill: str = "grey()"
    model: str = "default"
    seed: int = 0
    precision: Precision = "auto"
    device: Device = "auto"

    def __post_init__(self) -> None:
        """Check every field and write recipes in their canonical form."""
        for name, kind in (("fit", Fit), ("precision", Precision), ("device", Device)):
            value, choices = getattr(self, name), get_args(kind)
            if value not in choices:
                raise BadInput(
                    f"{name} is {shown(value)}, but must be one of {', '.join(choices)}."
                )
        for name, limit in LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, str) or not 0 < len(value) <= limit:
                raise BadInput(f"{name} is {shown(value)}, but must be a name; choose one listed.")
        if type(self.seed) is not int or not 0 <= self.seed <= 2**62:
            raise BadInput(
                f"seed is {shown(self.seed)}, but must be a whole number from 0 to 2**62; take 0."
            )
        object.__setattr__(self, "mask", str(MASKS.parse(self.mask)))
        object.__setattr__(self, "fill", str(FILLS.parse(self.fill)))

    @property
    def strategy(self) -> Strategy:
        """The mask strategy that `mask` names."""
        return MASKS.parse(self.mask)

    def replace(self, **changes: object) -> "SceneSpec":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]

    def _changed(self) -> dict[str, object]:
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }

    def to_query(self) -> dict[str, str]:
        """The fields that differ from the defaults, as the URL's query parameters."""
        return {name: str(value) for name, value in self._changed().items()}

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "SceneSpec":
        """Read query parameters; unknown names are ignored, because links carry others' marks.

        A link can name listed models only: it never makes the program open a path.

        Raises:
            BadInput: a field that cannot be read, or a model that is not listed.
        """
        fields = {field.name for field in dataclasses.fields(cls)}
        values: dict[str, object] = {name: query[name] for name in query if name in fields}
        if "seed" in values:
            text = str(values["seed"])
            if not (text.isascii() and text.isdigit() and len(text) < 20):
                raise BadInput(f"seed is {shown(text)}, but must be a whole number from 0; take 0.")
            values["seed"] = int(text)
        names = [info.name for info in list_models()]
        if values.get("model", "default") not in ["default", *names]:
            raise BadInput(
                f"{shown(values['model'])} is no model here; choose one of {', '.join(names)}."
            )
        return cls(**values)  # pyright: ignore[reportArgumentType]

    def python(self) -> str:
        """Lines of Python that make the same scene."""
        fields = ", ".join(f"{name}={value!r}" for name, value in self._changed().items())
        return (
            "from workbench.scenes import SceneSpec, compose\n\n"
            f"scene = compose(SceneSpec({fields}))\n"
            "print(scene.metrics)\n"
        )

    def command(self) -> str:
        """The command that makes the same scene."""
        words = ["python", "-m", "workbench", "reconstruct", self.photo]
        for name, value in self._changed().items():
            if name != "photo":
                words += [f"--{name}", str(value)]
        return shlex.join([*words, "--out", "reconstruction"])

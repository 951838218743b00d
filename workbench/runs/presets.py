"""Training set-ups under a name: those of the bundled model, and those of every objective."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput, nearest, shown

if TYPE_CHECKING:
    from workbench.runs.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A masked-autoencoder pretraining set-up.

    `masks` are recipes used in turn, one a step; each must hide the same count in every image of a
    batch. Their schedules, such as `random(ratio=ramp(0.5, 0.9))`, run over all `steps`.
    `size`, `patch` in pixels; `cooldown` is the share of the steps in which the learning rate falls
    to zero; `muon_lr` is for the matrices of the blocks, `adam_lr` for everything else.
    """

    size: int = 144
    patch: int = 12
    dim: int = 192
    depth: int = 12
    heads: int = 3
    decoder_dim: int = 128
    decoder_depth: int = 4
    decoder_heads: int = 4
    norm_pix: bool = False
    masks: tuple[str, ...] = ("random(ratio=0.75)",)
    batch: int = 128
    steps: int = 4_000
    warmup: int = 200
    cooldown: float = 0.5
    muon_lr: float = 5e-3
    adam_lr: float = 3e-3
    weight_decay: float = 0.02
    smallest_crop: float = 0.3
    save_every: int = 250
    seed: int = 0


PRESETS = {
    "default": Preset(
        masks=(
            "random(ratio=0.75)",
            "random(ratio=0.9)",
            "random(ratio=0.6)",
            "random(ratio=0.75)",
            "units(ratio=0.7, unit=2)",
            "random(ratio=0.85)",
            "random(ratio=0.5)",
            "units(ratio=0.6, unit=3)",
        ),
    ),
    "smoke": Preset(
        size=48, dim=32, depth=2, heads=2, decoder_dim=32, decoder_depth=1, batch=8, steps=20,
        warmup=2, save_every=10,
    ),
}  # fmt: skip


def preset(name: str) -> Preset:
    """The preset called `name`, or BadInput with the known names."""
    if name not in PRESETS:
        raise BadInput(f"no preset is called {name!r}; known presets: {', '.join(PRESETS)}")
    return PRESETS[name]


# What a preset is sized for: measured in minutes on two CPU cores and in an hour on a GPU.
GROUPS = {
    "seconds": "About a minute on a CPU",
    "tiny": "About ten minutes on a CPU",
    "hour": "About an hour on one GPU",
}
MINUTE_OF_WORK = 1e12  # multiply-adds, roughly


def sized_for(config: "RunConfig") -> str:
    """Return which of `GROUPS` a set-up belongs to."""
    tokens = (config.size // config.patch) ** 2
    work = 3 * 12 * config.dim**2 * config.depth * tokens * config.batch * config.steps
    if work < MINUTE_OF_WORK:
        return "seconds"
    return "hour" if config.preset.endswith("_hour") else "tiny"


def run_presets() -> "dict[str, RunConfig]":
    """Return the set-ups for runs by name; each objective states its own."""
    from workbench.objectives import OBJECTIVES
    from workbench.runs.config import RunConfig

    found: dict[str, RunConfig] = {}
    for name in OBJECTIVES.names():
        for preset_name, knobs in OBJECTIVES.get(name).presets.items():
            if preset_name in found:
                raise TypeError(f"two objectives call a preset {preset_name}")
            told: dict[str, Any] = {"objective": f"{name}()", **knobs, "preset": preset_name}
            found[preset_name] = RunConfig(**told)
    return found


def run_preset(name: str) -> "RunConfig":
    """Return the set-up for runs called `name`, or BadInput with the nearest name."""
    known = run_presets()
    if name not in known:
        raise BadInput(
            f"no preset is called {shown(name)}{nearest(name, known)}; workbench presets lists "
            f"all {len(known)}."
        )
    return known[name]

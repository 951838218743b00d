"""From a configuration to what a loop needs: objective, masks, data, model; checked together."""

import os
import platform
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from workbench import __version__
from workbench.data.sets import DATASETS, Dataset, Pictures
from workbench.errors import BadInput, shown
from workbench.evaluations import EVALUATIONS, Evaluation
from workbench.masks import MASKS, Grid, Mask, Strategy
from workbench.models.precision import bf16_pays
from workbench.objectives import OBJECTIVES, Batch, EncoderShape, Objective
from workbench.params import knobs
from workbench.registry import Registry
from workbench.runs.config import RunConfig
from workbench.scores import maps_for

LOOKED_AT = 64  # masks, to say how much they hide
SMALL_STEP = 1e10  # multiply-adds of a step, roughly


@dataclass(frozen=True)
class Setting:
    """The parts that a configuration names. `strategy` is None where nothing is hidden."""

    config: RunConfig
    objective: Objective
    strategy: Strategy | None
    dataset: Dataset

    def shape(self, pictures: Pictures) -> EncoderShape:
        """Return the encoder's shape, with what is known of the data."""
        config, images = self.config, pictures.images
        side = config.size // config.patch
        return EncoderShape(
            rows=side,
            cols=side,
            patch=config.patch,
            dim=config.dim,
            depth=config.depth,
            heads=config.heads,
            hidden=round(config.mlp * config.dim),
            classes=len(pictures.classes),
            channels=images.shape[-1],
            frames=images.shape[1] if images.ndim == 5 else None,
        )

    def build(self, pictures: Pictures, device: torch.device) -> nn.Module:
        """Return the model with its first weights."""
        torch.manual_seed(self.config.seed)
        return self.objective.at(0).build(self.shape(pictures), self.config.seed).to(device)

    def hides(self, pictures: Pictures) -> tuple[int, int, int] | None:
        """Fewest and most patches that are hidden from a picture at first, and of how many.

        None where nothing is hidden, or what is hidden follows the pictures.
        """
        if self.strategy is None or self.strategy.needs:
            return None
        mask = self._looked_at(self.strategy, pictures, 0)
        return int(mask.counts.min()), int(mask.counts.max()), mask.grid.size

    def _looked_at(self, strategy: Strategy, pictures: Pictures, progress: float) -> Mask:
        grid = self.objective.at(progress).grid(self.shape(pictures))
        count = min(self.config.batch, LOOKED_AT)
        return strategy.at(progress).sample(grid, count=count, seed=self.config.seed)

    def senseless(self, pictures: Pictures) -> str:
        """Return a sentence where a mask leaves nothing to see; else "".

        Raises:
            BadInput: it leaves nothing to guess, at any time, or at some time none of the patches
                that the objective must have.
        """
        found, strategy = self.hides(pictures), self.strategy
        if found is None or strategy is None:
            return ""
        fewest, most, patches = found
        if most == 0 and not strategy.moving:
            raise BadInput(f"{strategy} hides none of {patches} patches; take a larger ratio.")
        for progress in strategy.points():
            self.objective.check(self._looked_at(strategy, pictures, progress))
        if fewest < patches:
            return ""
        return (
            f"{strategy} hides all {patches} patches of every picture, so that nothing can be "
            "learnt from what is seen; take a smaller ratio or smaller patches"
        )

    def foreseen(self) -> str:
        """As `senseless`, before the data are read; "" where the grid depends on them."""
        if self.objective.takes not in ("images", "labelled"):
            return ""
        side = self.config.size
        return self.senseless(Pictures(np.empty((1, side, side, 3), np.uint8)))

    def mask(self, model: nn.Module, batch: Batch, grid: Grid, step: int, progress: float) -> Mask:
        """Draw what is hidden from a batch; nothing for an objective that hides nothing.

        Raises:
            BadInput: a picture lacks the patches that the objective must have.
        """
        count = len(batch)
        if self.strategy is None:
            return Mask(np.zeros((count, *grid.shape), np.bool_), grid)
        strategy, seed = self.strategy.at(progress), self.config.seed
        maps: dict[str, Any] = {}
        if strategy.needs:
            maps.update(self.objective.maps(model, batch, grid, strategy.needs, progress))
            if not set(strategy.needs) <= set(maps):
                images = batch.images.detach().float().cpu().numpy()
                with torch.autocast(batch.images.device.type, enabled=False):  # scores are fp32
                    maps = {**maps_for(strategy, images, grid, seed=seed), **maps}
        drawn = strategy.sample(
            grid, count=count, seed=seed, step=step, first=batch.first, maps=maps
        )
        self.objective.check(drawn)
        return drawn


def setting(config: RunConfig) -> Setting:
    """Read the recipes of a configuration and check that they go together.

    Raises:
        BadInput: an unknown member or knob, data that the objective cannot use, or a mask that it
            cannot take, with the reason.
    """
    objective = OBJECTIVES.parse(config.objective)
    dataset = DATASETS.parse(config.data)
    if objective.takes not in dataset.gives:
        raise BadInput(
            f"{objective.name} needs {objective.takes}, but {dataset.name} gives "
            f"{' and '.join(dataset.gives)}; take another data set or objective."
        )
    for knob, value in (("color", config.color), ("field", config.field)):
        if value and objective.takes not in ("images", "labelled"):
            raise BadInput(
                f"{knob} is {value}, but only single pictures are recoloured and "
                f"{objective.name} learns from {objective.takes}; set {knob}=0."
            )
    recipe = config.mask or objective.default_mask
    if not objective.masked:
        recipe = ""
        if config.mask:
            raise BadInput(f"{objective.name} hides nothing; leave mask empty.")
    if config.processes > 1 and not objective.divides():
        raise BadInput(
            f"{objective} looks at the pictures of a batch together, so {config.processes} "
            "processes that each see a part of it would learn something else; take processes=1."
        )
    if not recipe:
        return Setting(config, objective, None, dataset)
    strategy = MASKS.parse(recipe)
    if config.processes > 1 and strategy.promise == "free":
        raise BadInput(
            f"{strategy.name} hides another number of patches in each picture, so the parts of a "
            f"batch would weigh differently in {config.processes} processes; take processes=1, or "
            "a mask whose ratio is exact."
        )
    if config.processes > 1 and _uneven(strategy, config):
        raise BadInput(
            f"{strategy.name} cuts its units at the edge of {config.size // config.patch} x "
            f"{config.size // config.patch} patches, so pictures hide unequal counts and the parts "
            f"of a batch would weigh differently in {config.processes} processes; take processes=1 "
            "or a unit that divides the grid."
        )
    reason = objective.refuses(strategy)
    if reason is not None:
        raise BadInput(f"{reason}; take another mask, such as {objective.default_mask}.")
    return Setting(config, objective, strategy, dataset)


def _uneven(strategy: Strategy, config: RunConfig) -> bool:
    """Whether units that are cut at the edge of the grid make unequal counts, at any time."""
    if strategy.promise != "units" or strategy.frames or strategy.needs:
        return False
    side = config.size // config.patch
    grid = Grid(side, side, patch=config.patch)
    drawn = (strategy.at(p).sample(grid, count=LOOKED_AT).counts for p in strategy.points())
    return any(len(set(counts.tolist())) > 1 for counts in drawn)


def canonical(config: RunConfig) -> RunConfig:
    """Return the configuration with its recipes as they print, and the objective's own mask.

    Raises:
        BadInput: a recipe that cannot be read, or parts that do not go together.
    """
    if config.data.startswith(("/", "~", ".")):
        recipe = f"folder(path={shown(config.data, 300)})"
        raise BadInput(f'data is a path and no recipe; write data="{recipe}".')
    found = setting(config)
    return replace(
        config,
        objective=str(found.objective),
        data=str(found.dataset),
        mask="" if found.strategy is None else str(found.strategy),
        evaluate=";".join(str(each) for each in protocols(config.evaluate, found.dataset)),
    )


def protocols(text: str, data: Dataset | None = None) -> list[Evaluation]:
    """Read recipes of protocols parted by semicolons, such as `knn(k=10);linear_probe`.

    Raises:
        BadInput: no such protocol, or `data` has no classes that one could tell apart.
    """
    found = [EVALUATIONS.parse(part) for part in text.split(";") if part.strip()]
    if found and data is not None and "labelled" not in data.gives:
        raise BadInput(
            f"{data.name} has no classes to tell apart, so {found[0].name} cannot measure a run on "
            'it; leave evaluate empty, or take labelled data such as "digits()".'
        )
    return found


def with_knob(config: RunConfig, field: str, knob: str, value: Any) -> RunConfig:
    """Return the configuration with one knob of one of its recipes changed.

    Args:
        config: the configuration.
        field: "objective", "mask" or "data".
        knob: a knob of the member that the recipe names.
        value: the value, or its text as a recipe holds it.

    Raises:
        BadInput: no such recipe, knob or value.
    """
    registries: dict[str, Registry[Any]] = {
        "objective": OBJECTIVES, "mask": MASKS, "data": DATASETS,
    }  # fmt: skip
    if field not in registries:
        raise BadInput(f"{field}.{knob} is no knob; choose objective, mask or data before the dot.")
    registry = registries[field]
    text = getattr(config, field) or OBJECTIVES.parse(config.objective).default_mask
    member = registry.parse(text)
    if knob not in {each.name: each for each in knobs(type(member))}:
        names = ", ".join(each.name for each in knobs(type(member)))
        take = f"choose one of: {names}" if names else f"it has none; name another {field}"
        raise BadInput(f"{member.name} has no knob {shown(knob)}; {take}.")
    kind = next(each.kind for each in knobs(type(member)) if each.name == knob)
    if isinstance(value, str) and kind not in ("text", "choice"):
        value = _worded(registry, value, type(member), kind)
    return replace(config, **{field: str(replace(member, **{knob: value}))})


def _worded(registry: Registry[Any], text: str, member: type[Any], kind: str) -> Any:
    """A knob's value as typed; a word where a number belongs stays, so that the knob refuses it."""
    if kind == "bool" and text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    try:
        return registry.value(text, member)
    except BadInput:
        if kind not in ("int", "float", "bool") or "(" in text:
            raise
        return text


@dataclass(frozen=True)
class Place:
    """Where and in which precision a run is computed."""

    device: torch.device
    precision: str
    threads: int


def place(config: RunConfig, before: dict[str, Any] | None = None) -> Place:
    """Decide what "auto" means on this machine, as a run's first start decided where given.

    Raises:
        BadInput: a GPU is asked for and there is none.
    """
    told = before or {}
    name = config.device if config.device != "auto" else told.get("device", "auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInput("device is cuda, but torch finds no GPU here; take device=cpu.")
    device = torch.device(name)
    precision = config.precision if config.precision != "auto" else told.get("precision", "")
    if precision not in ("fp32", "bf16"):
        precision = "bf16" if bf16_pays(device) else "fp32"
    threads = config.threads or int(told.get("threads") or 0) or _threads(config)
    return Place(device, precision, threads)


def _threads(config: RunConfig) -> int:
    """Return one thread for small steps, all for the rest.

    On several, small operations wait for the slowest one, which on a busy machine costs more than
    the others bring.
    """
    tokens = (config.size // config.patch) ** 2
    work = 3 * 12 * config.dim**2 * config.depth * tokens * config.batch
    return 1 if work < SMALL_STEP else torch.get_num_threads()


def environment(where: Place) -> dict[str, Any]:
    """Return what a run's numbers may depend on beside its configuration."""
    return {
        "workbench": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name(0) if where.device.type == "cuda" else "",
        "device": where.device.type,
        "precision": where.precision,
        "threads": where.threads,
        "command": [sys.executable, "-m", "workbench"],
    }

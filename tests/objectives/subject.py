"""Eight small pictures, what an objective needs beside them, and its parts made ready."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from workbench.data.sets import DATASETS, Pictures
from workbench.masks import MASKS, Mask
from workbench.objectives import OBJECTIVES, Batch, EncoderShape, Loss, Objective
from workbench.runs.config import RunConfig
from workbench.runs.feeding import Feed
from workbench.runs.setting import Setting

EIGHT = 8
TINY = {"size": 8, "patch": 2, "dim": 32, "depth": 2, "heads": 2, "batch": EIGHT, "warmup": 0,
        "crop": 1.0, "flip": False, "threads": 1, "device": "cpu", "precision": "fp32"}  # fmt: skip


@dataclass
class Ready:
    """An objective with a fresh model, one batch and its mask."""

    config: RunConfig
    setting: Setting
    objective: Objective
    shape: EncoderShape
    model: nn.Module
    batch: Batch
    mask: Mask

    def loss(self, seed: int = 5, progress: float = 0.5) -> torch.Tensor:
        return self.parts(seed, progress).total

    def parts(self, seed: int = 5, progress: float = 0.5) -> Loss:
        torch.manual_seed(seed)
        now = self.objective.at(progress)
        return now.loss(self.model, self.batch, self.mask, 3, progress)


FEW = [
    "digits()", "drawn_pairs(count=10)", "drawn_clips(count=10)", "drawn_modalities(count=10)",
    "drawn_bands(count=10)", "drawn_tasks(count=10)", "drawn_sounds(count=10)",
]  # fmt: skip


def data_for(objective: Objective) -> str:
    """The recipe of the first data set on this machine that gives what the objective takes."""
    for recipe in FEW + [f"{name}()" for name in DATASETS.names()]:
        if recipe != "cifar10()" and objective.takes in DATASETS.parse(recipe).gives:
            return recipe
    raise AssertionError(f"no data set gives {objective.takes}")


def ready(recipe: str, mask: str = "", **knobs: object) -> Ready:
    """Build an objective on eight pictures; `mask` is its own by default."""
    objective = OBJECTIVES.parse(recipe)
    config = RunConfig(**{**TINY, "objective": recipe, "data": data_for(objective), **knobs})
    dataset = DATASETS.parse(config.data)
    pictures: Pictures = dataset.load(config.size, train=True).rows(slice(EIGHT))
    drawn = (mask or objective.default_mask) if objective.masked else ""
    strategy = MASKS.parse(drawn) if drawn else None
    setting = Setting(config, objective, strategy, dataset)
    model = setting.build(pictures, torch.device("cpu"))
    feed = Feed(config, objective, pictures, torch.device("cpu"))
    objective.at(0).prepare(model, feed.sample(EIGHT), config.seed)
    batch, shape = feed.batch(0), setting.shape(pictures)
    hidden = setting.mask(model, batch, objective.grid(shape), 0, 0.5)
    return Ready(config, setting, objective.at(0.5), shape, model, batch, hidden)


def changed(batch: Batch, mask: Mask, objective: Objective, seed: int = 0) -> Batch:
    """The batch with other pixels, labels and depths where the mask hides them."""
    pixels = torch.from_numpy(mask.to_pixels().copy())
    takes, images = objective.takes, batch.images
    if takes in ("pairs", "tasks"):
        return _changed_rows(batch, pixels, takes, seed)
    if takes == "modalities":
        return _changed_maps(batch, pixels, seed)
    where = pixels[:, None] if mask.grid.frames is None else pixels
    if takes == "clips":  # a slot of the grid is several frames
        where = where.repeat_interleave(images.shape[1] // pixels.shape[1], dim=1)[:, :, None]
    generator = torch.Generator().manual_seed(seed)

    def other(images: torch.Tensor) -> torch.Tensor:
        return torch.where(where, torch.rand(images.shape, generator=generator), images)

    views = None if batch.views is None else torch.stack([other(v) for v in batch.views])
    images = other(batch.images) if views is None else views[0]
    return Batch(images, batch.ids, batch.labels, views, batch.extra, batch.seed, batch.step)


def _changed_rows(batch: Batch, pixels: torch.Tensor, takes: str, seed: int) -> Batch:
    """The first view of a pair, or the two targets of a task, changed where they are hidden."""
    images = batch.images.clone()
    other = torch.rand(images.shape, generator=torch.Generator().manual_seed(seed))
    side = images.shape[-2]
    parts = {0: pixels} if takes == "pairs" else {1: pixels[:, :side], 3: pixels[:, side:]}
    for at, where in parts.items():
        images[:, at] = torch.where(where[:, None], other[:, at], images[:, at])
    return replace(batch, images=images)


def _changed_maps(batch: Batch, pixels: torch.Tensor, seed: int) -> Batch:
    """Picture, depth and labels, each changed where it is hidden."""
    other = torch.rand(batch.images.shape, generator=torch.Generator().manual_seed(seed))
    images = torch.where(pixels[:, :1], other, batch.images)
    depth = torch.where(pixels[:, 1], other[:, 1], batch.extra["depth"])
    turned = (batch.extra["labels"] + 1) % 11
    labels = torch.where(pixels[:, 2], turned, batch.extra["labels"])
    return replace(batch, images=images, extra={"depth": depth, "labels": labels})

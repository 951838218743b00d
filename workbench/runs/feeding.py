"""Batches as a pure function of (seed, step): order, augmentation, and which rows they hold."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.data.augment import augmented, plain
from workbench.data.sets import Pictures
from workbench.objectives import Batch, Objective
from workbench.runs.config import RunConfig
from workbench.seeds import Noise

VIEW_NOISE = 12  # branches 12, 13, ...: one a view, apart from those of masks and losses
RESIDENT_SHARE = 0.25  # of a GPU's free memory that decoded pictures may take


class Feed:
    """The batches of a run. Every epoch has an order of its own; batches run on over its end.

    `first` and `rows` choose a part of every batch, for processes that share one.
    """

    def __init__(
        self,
        config: RunConfig,
        objective: Objective,
        pictures: Pictures,
        device: torch.device,
        first: int = 0,
        rows: int | None = None,
    ) -> None:
        self.config, self.objective, self.device = config, objective, device
        self.pictures = pictures
        self.first, self.count = first, config.batch if rows is None else rows
        self.pixels = torch.from_numpy(pictures.images)
        self.here = False
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if self.pixels.nbytes < RESIDENT_SHARE * free:
                self.pixels, self.here = self.pixels.to(device), True

    def ids(self, step: int, *, whole: bool = False) -> NDArray[np.int64]:
        """Return the rows of the data set that step `step` reads, int64 [count].

        With `whole` those of all processes that share the batch.
        """
        n, start = len(self.pictures), step * self.config.batch
        places = np.arange(start, start + self.config.batch)
        if not whole:
            places = places[self.first : self.first + self.count]
        out = np.empty(len(places), np.int64)
        for epoch in np.unique(places // n):
            here = places // n == epoch
            out[here] = _order(self.config.seed, int(epoch), n)[places[here] % n]
        return out

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, on the device."""
        ids, config, views = self.ids(step), self.config, self.objective.views
        raw = self._rows(ids)
        if self.objective.takes not in ("images", "labelled"):
            return self._batch(raw.float().div_(255), ids, None, step)
        seen = [
            augmented(
                raw,
                Noise(config.seed, step, self.first, self.count).branch(VIEW_NOISE + view),
                config.size,
                crop=config.crop,
                flip=config.flip,
                color=config.color,
            )
            for view in range(views)
        ]
        return self._batch(seen[0], ids, torch.stack(seen) if views > 1 else None, step)

    def shown(self, count: int) -> Batch:
        """Return the first rows as they are, for pictures of a run that can be compared."""
        ids = np.arange(min(count, len(self.pictures)), dtype=np.int64)
        raw = self._rows(ids)
        if self.objective.takes not in ("images", "labelled"):
            return self._batch(raw.float().div_(255), ids, None, 0)
        images = plain(raw, self.config.size)
        views = torch.stack([images] * self.objective.views) if self.objective.views > 1 else None
        return self._batch(images, ids, views, 0)

    def sample(self, count: int) -> Tensor:
        """Return evenly spaced rows as they are, [count, 3, size, size], for `prepare`."""
        ids = np.linspace(0, len(self.pictures) - 1, min(count, len(self.pictures)))
        raw = self._rows(ids.astype(np.int64))
        if self.objective.takes not in ("images", "labelled"):
            return raw.float().div_(255)
        return plain(raw, self.config.size)

    def _rows(self, ids: NDArray[np.int64]) -> Tensor:
        index = torch.from_numpy(ids)
        if self.here:
            return self.pixels[index.to(self.device)]
        return self.pixels[index].to(self.device, non_blocking=True)

    def _batch(
        self, images: Tensor, ids: NDArray[np.int64], views: Tensor | None, step: int
    ) -> Batch:
        labels = self.pictures.labels
        extra = {
            name: torch.from_numpy(np.ascontiguousarray(values[ids])).to(self.device)
            for name, values in self.pictures.extra.items()
        }
        return Batch(
            images,
            ids,
            None if labels is None else torch.from_numpy(labels[ids]).to(self.device),
            views,
            extra,
            self.config.seed,
            step,
            self.first,
        )


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The order of one epoch."""
    key = [seed, (epoch << 8) | 1]
    return np.random.Generator(np.random.Philox(key=key)).permutation(n).astype(np.int64)

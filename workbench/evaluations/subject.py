"""What is measured: an encoder, how features are read from it, and labelled pictures."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.data.augment import plain
from workbench.data.sets import Pictures
from workbench.errors import BadInput
from workbench.evaluations.evaluation import Features, Report

# A batch on a CPU stays small enough for its caches: 64 rows take 0.75 of the time of 256.
ROWS = {"cpu": 64, "cuda": 256}


@dataclass(frozen=True)
class Subject:
    """A model with pictures to learn from and others to be tested on.

    `encoder(model)` is the part that may be trained; `features(model, images)` reads [b, d] from
    images float32 [b, 3, size, size] in [0, 1]. `precision`, "fp32" or "bf16", is that of the
    encoder; what learns from its features reads float32. Pictures to learn from are cut to `crop`
    of their area at least, and mirrored where `flip` allows it.

    Raises:
        BadInput: pictures without classes.
    """

    model: nn.Module
    encoder: Callable[[nn.Module], nn.Module]
    features: Callable[[nn.Module, Tensor], Tensor]
    train: Pictures
    test: Pictures
    size: int
    device: torch.device
    precision: str = "fp32"
    name: str = "the data set"
    crop: float = 0.5
    flip: bool = True

    def __post_init__(self) -> None:
        """Check that there are classes."""
        if self.train.labels is None or self.test.labels is None or self.classes < 2:
            raise BadInput(
                f"{self.name} has no classes to tell apart; name labelled data, as in "
                "--data 'digits()', or a folder with a subfolder for each class."
            )

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.train.classes)

    @cached_property
    def encoded(self) -> tuple[Features, Features]:
        """Features of the training and of the test pictures, the model as it is."""
        return self._encoded(lambda share: None)

    def prepare(self, report: Report) -> None:
        """Encode now, which takes longest, and call `report` with the share that is done."""
        if "encoded" not in vars(self):
            vars(self)["encoded"] = self._encoded(report)

    def _encoded(self, report: Report) -> tuple[Features, Features]:
        both = len(self.train) + len(self.test)
        parts = self.train, self.test
        before = 0, len(self.train)
        first, second = (
            self.encode(self.model, part, lambda rows, at=at: report((at + rows) / both))
            for part, at in zip(parts, before, strict=True)
        )
        return first, second

    def copied(self) -> nn.Module:
        """A copy of the model whose encoder can be trained, all of it."""
        model = copy.deepcopy(self.model).requires_grad_(False)
        self.encoder(model).requires_grad_(True)
        return model

    def encode(
        self,
        model: nn.Module,
        pictures: Pictures,
        report: Callable[[int], None] = lambda rows: None,
    ) -> Features:
        """Features of pictures as they are, not cropped or mirrored; `report` is told the rows."""
        assert pictures.labels is not None
        out: list[NDArray[np.float32]] = []
        half = self.precision == "bf16"
        kind = self.device.type
        rows = ROWS.get(kind, ROWS["cuda"])
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=half):
            for at in range(0, len(pictures), rows):
                raw = torch.from_numpy(pictures.images[at : at + rows]).to(self.device)
                found = self.features(model, plain(raw, self.size))
                out.append(found.float().cpu().numpy())
                report(min(at + rows, len(pictures)))
        return Features(np.concatenate(out), pictures.labels)

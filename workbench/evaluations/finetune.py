"""Fine-tuning: a copy of the encoder goes on learning, with labels (BEiT's and MAE's protocol)."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import nn

from workbench.data.augment import augmented
from workbench.evaluations.evaluation import Evaluation, Report, Score, scored
from workbench.evaluations.subject import Subject
from workbench.models.layering import decays, layer_scales
from workbench.objectives.mixing import label_loss, mixed, mixing_share
from workbench.params import Knob
from workbench.seeds import Noise

BRANCH = 21
BETAS = (0.9, 0.999)


@dataclass(frozen=True, kw_only=True)
class Finetune(Evaluation):
    """A linear head on the features, trained together with a copy of the encoder.

    AdamW; the learning rate rises for a tenth of the steps and falls to zero by half a cosine; a
    layer learns at `layer_decay` times the rate of the next one above. The head begins at zero
    and reads features standardised over the batch, as in `main_linprobe.py` there: those of masked
    models differ little beside their mean. Pictures are cropped and mirrored as in pretraining.
    400 steps of 128 take about as long as 400 of supervised training; for a figure to publish take
    the `finetune` presets with `init`, which can be stopped and resumed. He et al., MAE; official
    files `main_finetune.py` and `util/lr_decay.py` of facebookresearch/mae.
    """

    paper: ClassVar[str] = "arXiv:2111.06377"
    tunes: ClassVar[bool] = True

    steps: Annotated[int, Knob("steps", 1, 1_000_000, 50, None, 2000)] = 400
    batch: Annotated[int, Knob("pictures a step", 2, 65_536, 16, None, 512)] = 128
    lr: Annotated[float, Knob("learning rate of the head", 0, 1, 1e-4, None, 0.01)] = 1e-3
    layer_decay: Annotated[float, Knob("rate of a layer over the next above", 0.01, 1, 0.05)] = 0.75
    weight_decay: Annotated[float, Knob("decay of matrices", 0, 10, 0.01, None, 0.3)] = 0.05
    smoothing: Annotated[float, Knob("share of a label spread over all", 0, 1, 0.05)] = 0.1
    mixup: Annotated[float, Knob("alpha of mixed pictures; 0 for none", 0, 10, 0.1, None, 1)] = 0.0
    seed: Annotated[int, Knob("of everything that is random", 0, 2**53, 1, None, 100)] = 0

    def judge(self, subject: Subject, report: Report = lambda share: None) -> Score:
        """Train the copy and count what it tells right; the model itself stays as it is."""
        model, head = subject.copied(), self._head(subject)
        encoder = subject.encoder(model)
        optimiser = torch.optim.AdamW(self._groups(encoder, head), lr=0.0, betas=BETAS)
        encoder.train()
        last: list[float] = []
        for step in range(self.steps):
            report(step / (self.steps + 1))
            last.append(self._step(subject, model, head, optimiser, step))
        model.eval()
        head.eval()
        with torch.inference_mode():
            told = subject.encode(
                model, subject.test, lambda rows: report(
                    (self.steps + rows / len(subject.test)) / (self.steps + 1)
                )
            )  # fmt: skip
            found = torch.from_numpy(told.values)
            said = head(found.to(subject.device)).argmax(1).cpu().numpy()
        assert subject.test.labels is not None
        loss = float(np.mean(last[-20:]))
        return scored(said, subject.test.labels, steps=self.steps, loss=round(loss, 4))

    def _head(self, subject: Subject) -> nn.Sequential:
        with torch.inference_mode():
            picture = torch.zeros(1, 3, subject.size, subject.size, device=subject.device)
            width = subject.features(subject.model, picture).shape[1]
        head = nn.Linear(width, subject.classes)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        scaled = nn.BatchNorm1d(width, affine=False, eps=1e-6)
        return nn.Sequential(scaled, head).to(subject.device)

    def _groups(self, encoder: nn.Module, head: nn.Module) -> list[dict[str, Any]]:
        scales = layer_scales(encoder, self.layer_decay)
        told = [(p, scales[name]) for name, p in encoder.named_parameters()]
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for p, scale in [*told, *((p, 1.0) for p in head.parameters())]:
            decay = self.weight_decay if decays(p) else 0.0
            groups.setdefault((scale, decay), []).append(p)
        return [
            {"params": members, "scale": scale, "weight_decay": decay}
            for (scale, decay), members in groups.items()
        ]

    def _step(
        self,
        subject: Subject,
        model: nn.Module,
        head: nn.Module,
        optimiser: torch.optim.Optimizer,
        step: int,
    ) -> float:
        """One step; everything random in it depends on (seed, step) alone."""
        assert subject.train.labels is not None
        ids, device = self._rows(len(subject.train), step), subject.device
        raw = torch.from_numpy(subject.train.images[ids]).to(device)
        noise = Noise(self.seed, step, 0, len(ids)).branch(BRANCH)
        images = augmented(
            raw, noise, subject.size, crop=subject.crop, flip=subject.flip, color=0.0
        )
        labels = torch.from_numpy(subject.train.labels[ids]).to(device)
        share = mixing_share(self.mixup, self.seed, step)
        torch.manual_seed(self.seed * 1_000_003 + step + 1)
        half = subject.precision == "bf16"
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            said = head(subject.features(model, mixed(images, share))).float()
        loss = label_loss(said, labels, self.smoothing, share)
        loss.backward()
        rate = self.lr * self._scale(step)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return float(loss.detach())

    def _rows(self, n: int, step: int) -> np.ndarray:
        """Rows of a step: every epoch in an order of its own, running on over its end."""
        places = np.arange(step * self.batch, (step + 1) * self.batch)
        out = np.empty(len(places), np.int64)
        for epoch in np.unique(places // n):
            key = [self.seed, (int(epoch) << 8) | 2]
            order = np.random.Generator(np.random.Philox(key=key)).permutation(n)
            here = places // n == epoch
            out[here] = order[places[here] % n]
        return out

    def _scale(self, step: int) -> float:
        rise = max(1, self.steps // 10)
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, self.steps - rise)))

"""What a classifier says when more and more of a picture is missing, by way of removing."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.errors import BadInput, shown
from workbench.evaluations.evaluation import scored
from workbench.explain.attributing import explain
from workbench.explain.removal import Removal, cells_of, removal
from workbench.masks import Grid
from workbench.models.network import Network, network_of
from workbench.models.quick import quick_network
from workbench.seeds import Noise

Order = Literal["random", "salient_first", "salient_last"]
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
RESAMPLES = 400


@dataclass(frozen=True, eq=False)
class Missing:
    """What was said of n pictures: one way of removing, one order, one share of cells removed.

    `probabilities` float32 [n, classes]; `before` int64 [n], the classes of the whole pictures;
    `labels` int64 [n], or None where they are not known.
    """

    operator: str
    order: str
    share: float
    probabilities: NDArray[np.float32]
    before: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None

    @property
    def said(self) -> NDArray[np.int64]:
        """The class of each picture now."""
        return self.probabilities.argmax(1)

    @property
    def histogram(self) -> NDArray[np.int64]:
        """How often each class is said, [classes]."""
        return np.bincount(self.said, minlength=self.probabilities.shape[1])

    def summary(self) -> dict[str, Any]:
        """Plain numbers with 95% intervals.

        `same` is the share of pictures whose class did not change and `accuracy` that of right ones
        (Wilson); `class_entropy` is the entropy of the histogram of classes, in bits: it falls
        where a way of removing pulls everything to few classes (bootstrap over pictures);
        `confidence` and `entropy` are means over pictures of the largest probability and of the
        entropy in bits. `most` is the class said most often.
        """
        counts = self.histogram
        row: dict[str, Any] = {
            "operator": self.operator, "order": self.order, "share": self.share,
            "count": len(self.before), "most": int(counts.argmax()),
            "most_share": float(counts.max() / counts.sum()), "histogram": counts.tolist(),
        }  # fmt: skip
        same = scored(self.said, self.before)
        row["same"], row["same_low"], row["same_high"] = same.accuracy, same.low, same.high
        if self.labels is not None:
            right = scored(self.said, self.labels)
            row["accuracy"] = right.accuracy
            row["accuracy_low"], row["accuracy_high"] = right.low, right.high
        each = {
            "confidence": self.probabilities.max(1).astype(float),
            "entropy": entropy_bits(self.probabilities),
        }
        for name, values in each.items():
            half = 1.96 * values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
            mean = float(values.mean())
            row[name], row[f"{name}_low"], row[f"{name}_high"] = mean, mean - half, mean + half
        row["class_entropy"] = float(entropy_bits(counts[None] / counts.sum())[0])
        row["class_entropy_low"], row["class_entropy_high"] = self._interval()
        return row

    def _interval(self) -> tuple[float, float]:
        rng = np.random.default_rng(0)
        drawn = rng.integers(0, len(self.said), (RESAMPLES, len(self.said)))
        classes = self.probabilities.shape[1]
        counts = np.stack([np.bincount(self.said[each], minlength=classes) for each in drawn])
        found = entropy_bits(counts / len(self.said))
        return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def entropy_bits(shares: NDArray[Any]) -> NDArray[np.float64]:
    """Entropy of each row, in bits."""
    p = shares.astype(float)
    return 0.0 - (p * np.log2(np.where(p > 0, p, 1))).sum(1)  # no minus before a zero


def missingness(
    model: Any,
    pictures: NDArray[np.float32],
    labels: NDArray[np.int64] | None = None,
    *,
    operators: Sequence[str | Removal] = ("grey", "black"),
    orders: Sequence[Order] = ("random",),
    shares: Sequence[float] = SHARES,
    grid: Grid | None = None,
    seed: int = 0,
    batch: int = 16,
) -> Generator[Missing]:
    """Remove growing shares of pictures, cell by cell, and yield what the network then says.

    Jain et al., Missingness Bias in Model Debugging, arXiv:2204.08945: painted-over parts pull
    predictions to few classes; parts that are missing do so less. Cells go at random, or by the
    size of the gradient of the class that was said, most or least salient first; every operator
    gets the same cells. Missing shares are exact: floor(share * cells + 0.5).

    Args:
        model: a classifier, whatever `network_of` understands.
        pictures: float32 [n, 3, h, w] in [0, 1].
        labels: int64 [n], if known.
        operators: fills, "layer_mask" (convnets), "drop_tokens" or "hide_keys" (transformers).
        orders: "random", "salient_first", "salient_last".
        shares: of cells to remove, 0 to below 1.
        grid: cells; by default the network's patches, in a convnet 16 pixels or
            eighths of a small picture.
        seed: of the random order.
        batch: pictures at a time at most.

    Yields:
        One `Missing` for each order, operator and share, in this nesting.

    Raises:
        BadInput: a network without classes, an operator that does not go with it, a bad share.
    """
    network = network_of(model)
    chosen = [removal(each) for each in operators]
    _check(network, chosen, orders, shares)
    cells = grid or cells_of(network, (pictures.shape[2], pictures.shape[3]))
    _check_cells(cells, shares)
    whole = _probabilities(network, removal("grey"), pictures, None, batch)
    before = whole.argmax(1)
    # quicker and equal; hooks and later changes would not reach it, so it lives in here alone
    quick = quick_network(network, torch.from_numpy(pictures[:1]), "fp32")
    for order in orders:
        ranks = _ranks(network, pictures, before, order, cells, seed)
        for operator in chosen:
            for share in shares:
                hidden = ranks < cells.count(share)
                found = whole if not hidden.any() else None
                if found is None:
                    found = _probabilities(quick, operator, pictures, hidden, batch)
                yield Missing(str(operator), order, share, found, before, labels)


def _check(
    network: Network, operators: Sequence[Removal], orders: Sequence[str], shares: Sequence[float]
) -> None:
    for each in operators:
        each.check(network)
    if not network.classes:
        raise BadInput(f"{network.name} has no head, so it says no class; take a classifier.")
    wrong = [each for each in shares if not 0 <= each < 1]
    wrong += [each for each in orders if each not in get_args(Order)]
    if wrong:
        raise BadInput(
            f"{shown(wrong[0])} is no share from 0 to below 1 and no order of "
            f"{', '.join(get_args(Order))}; correct it."
        )


def _check_cells(cells: Grid, shares: Sequence[float]) -> None:
    for share in shares:
        if cells.count(share) == cells.size:
            raise BadInput(
                f"share {share:g} of {cells.size} cells is all of them, wanted one left at least; "
                "take smaller shares or a finer grid."
            )


def _probabilities(
    network: Network,
    operator: Removal,
    pictures: NDArray[np.float32],
    hidden: NDArray[np.bool_] | None,
    batch: int,
) -> NDArray[np.float32]:
    out: list[torch.Tensor] = []
    with torch.no_grad():
        for first in range(0, len(pictures), batch):
            part = slice(first, first + batch)
            if hidden is None:
                out.append(network.logits(pictures[part]).softmax(1))
            else:
                out.append(operator.each(network, pictures[part], hidden[part]).softmax(1))
    return torch.cat(out).float().cpu().numpy()


def _ranks(
    network: Network,
    pictures: NDArray[np.float32],
    classes: NDArray[np.int64],
    order: str,
    cells: Grid,
    seed: int,
) -> NDArray[np.int64]:
    """In which order the cells of each picture go, [n, rows, cols], 0 the first."""
    if order == "random":
        values = Noise(seed, count=len(pictures)).bits(cells.size).astype(np.int64)
    else:
        maps = [
            explain(network, picture, int(number), "saliency").cells(cells).ravel()
            for picture, number in zip(pictures, classes, strict=True)
        ]
        values = np.stack(maps) * (-1 if order == "salient_first" else 1)
    return values.argsort(1, kind="stable").argsort(1).reshape(-1, *cells.shape)

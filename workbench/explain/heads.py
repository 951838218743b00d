"""Which attention heads matter: by gradient in one pass, or greedily, one head after another."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.errors import BadInput
from workbench.explain.class_relevance import class_of
from workbench.interventions import intervene
from workbench.interventions.intervention import exclusively
from workbench.models.network import Images, Network, network_of


def head_importance(model: Any, images: Images, target: int | Tensor | None = None) -> Tensor:
    """Mean over pictures of |dL/dg| for a gate g = 1 on each head (Michel et al. 2019).

    L is the cross entropy of the target, or, without a head, half the squared length of the pooled
    features. At g = 1 the gradient is the sum of what the head gives times the gradient by it.

    Args:
        model: whatever `network_of` understands.
        images: float [b, 3, h, w] in [0, 1].
        target: class, one for all or int64 [b]; None for the highest score.

    Returns:
        float [layers, heads], NaN where a layer has fewer heads.

    Raises:
        BadInput: no transformer, or no such class.
    """
    network = network_of(model)
    network.check_layer(0)
    given: dict[int, Tensor] = {}
    pictures = torch.as_tensor(images, dtype=network.dtype, device=network.device)
    pictures = pictures.detach().clone().requires_grad_(True)

    def keep(layer: int) -> Any:
        def hook(module: Any, args: tuple[Any, ...]) -> None:
            given[layer] = args[0]

        return hook

    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        stack.enter_context(exclusively(network))
        for layer in range(network.depth):
            proj = network.attention(layer).proj
            stack.callback(proj.register_forward_pre_hook(keep(layer)).remove)
        scores = network.logits(pictures)
        if network.classes:
            loss = F.cross_entropy(scores, class_of(scores, target), reduction="sum")
        else:
            loss = scores.square().sum() / 2
        layers = sorted(given)
        gradients = torch.autograd.grad(loss, [given[layer] for layer in layers])
    found = torch.full((network.depth, max(network.heads)), float("nan"))
    for layer, gradient in zip(layers, gradients, strict=True):
        product = (given[layer] * gradient).detach()
        apart = product.unflatten(-1, (network.heads[layer], -1)).sum(-1)
        each = apart.unflatten(0, (len(pictures), -1)).flatten(1, -2).sum(1)  # windows are rows
        found[layer, : network.heads[layer]] = each.abs().mean(0).cpu()
    return found


@dataclass(frozen=True)
class HeadStep:
    """A step of the greedy search; `record` of it is what a later search goes on from.

    `off` are the heads switched off so far, (layer, head) in order, `values` what was left after
    each, `tried` and `total` count evaluations of the whole search.
    """

    off: tuple[tuple[int, int], ...]
    values: tuple[float, ...]
    tried: int
    total: int

    def record(self) -> dict[str, Any]:
        """Plain lists for a file."""
        return {"off": [list(each) for each in self.off], "values": list(self.values)}

    def recipe(self, count: int | None = None) -> str:
        """The first `count` heads as interventions."""
        chosen: dict[int, list[int]] = {}
        for layer, head in self.off[:count]:
            chosen.setdefault(layer, []).append(head)
        parts = [f"heads_off(layer={at}, heads={sorted(heads)})" for at, heads in chosen.items()]
        return " ; ".join(parts)


def which_heads(
    model: Any,
    images: Images,
    target: int | Tensor | None = None,
    *,
    count: int = 8,
    find: str = "needless",
    resume: dict[str, Any] | None = None,
) -> Generator[HeadStep]:
    """Switch heads off one after another, each time the one that matters least, or most.

    What is left of the answer is the mean probability of the target, or, without a head, the mean
    cosine of the pooled features with those of the whole network. Nothing is drawn at random, so a
    search that goes on from a record gives what one without a break gives. Between steps the
    network is as it was.

    Args:
        model: whatever `network_of` understands.
        images: float [b, 3, h, w] in [0, 1].
        target: as in `head_importance`.
        count: heads to switch off.
        find: "needless" keeps as much as can be, "needed" as little.
        resume: the `record` of a step.

    Yields:
        A step after every head that was chosen.

    Raises:
        BadInput: no such class, word or record, or more heads than there are.
    """
    network = network_of(model)
    network.check_layer(0)
    heads = [(at, head) for at in range(network.depth) for head in range(network.heads[at])]
    if find not in ("needless", "needed") or not 1 <= count <= len(heads):
        raise BadInput(
            f"find is {find!r} and count {count}; take needless or needed, and 1 to {len(heads)}."
        )
    off, values = _resumed(resume or {}, heads)
    judge = _judge(network, images, target)
    total = sum(len(heads) - step for step in range(count))
    tried = sum(len(heads) - step for step in range(len(off)))
    while len(off) < count:
        left = [each for each in heads if each not in off]
        scores = [judge([*off, each]) for each in left]
        best = max(range(len(left)), key=lambda at: scores[at] * (1 if find == "needless" else -1))
        off, values = [*off, left[best]], [*values, scores[best]]
        tried += len(left)
        yield HeadStep(tuple(off), tuple(values), tried, total)


def _resumed(
    record: dict[str, Any], heads: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[float]]:
    off = [tuple(each) for each in record.get("off", [])]
    values = [float(each) for each in record.get("values", [])]
    if len(off) != len(values) or len(set(off)) != len(off) or not set(off) <= set(heads):
        raise BadInput("the record is not one of a search on this network; begin a new one.")
    return [(int(layer), int(head)) for layer, head in off], values


def _judge(network: Network, images: Images, target: int | Tensor | None) -> Any:
    with torch.no_grad(), exclusively(network):
        whole = network.logits(images)
    chosen = class_of(whole, target) if network.classes else None

    @torch.no_grad()
    def judge(off: Sequence[tuple[int, int]]) -> float:
        recipe = HeadStep(tuple(off), (), 0, 0).recipe()
        with intervene(network, recipe):
            scores = network.logits(images)
        if chosen is not None:
            return float(scores.softmax(1).gather(1, chosen[:, None]).mean())
        return float(F.cosine_similarity(scores, whole, dim=1).mean())

    return judge

"""Which heads carry a property: discrete codes of heads on pictures and their masked twins."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import BadInput
from workbench.fills import FILLS
from workbench.interventions.intervention import exclusively
from workbench.masks import Mask
from workbench.models.network import Images, Network, network_of
from workbench.models.precision import threads_for

Read = Literal["auto", "class", "outside"]
STEPS, LR, DRAWS = 150, 0.05, 200
QUIET = 0.1  # of a head's spread: twins that differ by less say nothing there
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class HeadCodes:
    """Heads ranked by the codes that are seen on positives only.

    `positive` and `negative` int64 [heads, pictures] are the codes, 0 where a picture and its twin
    hardly differ. `counts` [heads] says how many positives have a code that no negative has,
    `shares` [heads] is the softmax of that. `places` names (layer, head) of each row. `edges` are
    pairs of the first heads with how many positives have a pair of codes that no negative has, the
    most frequent first.
    """

    positive: NDArray[np.int64]
    negative: NDArray[np.int64]
    counts: NDArray[np.int64]
    shares: NDArray[np.float64]
    places: tuple[tuple[int, int], ...]
    edges: tuple[tuple[int, int, int], ...]

    @property
    def order(self) -> NDArray[np.int64]:
        """Rows from the first head to the last; of equal ones those with fewer codes first."""
        codes = [len(set(row.tolist())) for row in self.positive]
        return np.lexsort([np.arange(len(codes)), np.array(codes), -self.counts])

    @property
    def winners(self) -> list[int]:
        """Rows whose code tells four of five positives from all negatives, and more than by luck.

        By luck means with labels exchanged inside pairs at random: the best head of one of 200
        such drawings does as well in less than a twentieth of them.
        """
        floor = max(0.8 * self.positive.shape[1], self._luck())
        return [int(at) for at in self.order if self.counts[at] >= floor]

    def _luck(self) -> float:
        rng = np.random.default_rng(0)
        best = list[int]()
        for _ in range(DRAWS):
            flip = rng.random(self.positive.shape[1]) < 0.5
            pair = self.positive, self.negative
            a, b = (np.where(flip, pair[1 - at], pair[at]) for at in (0, 1))
            best.append(int(_only(a, b).max()))
        return float(np.quantile(best, 0.95)) + 1


def masked_twins(images: Floats, mask: Mask, fill: str = "mean") -> Floats:
    """The same pictures with the region of a property painted over, float32 [b, 3, h, w].

    Args:
        images: float32 [b, 3, h, w] in [0, 1].
        mask: hides the region, one for all or one a picture.
        fill: recipe of the paint.
    """
    hidden = np.broadcast_to(mask.to_pixels(), (len(images), *images.shape[2:]))
    return FILLS.parse(fill).apply(images, np.ascontiguousarray(hidden))


def rank_heads(
    model: Any,
    positives: Images,
    negatives: Images,
    *,
    mask: Mask | None = None,
    read: Read = "auto",
    units: int = 4,
    seed: int = 0,
    watch: Callable[[int, int], bool | None] | None = None,
) -> HeadCodes:
    """Rank attention heads by what they say on pictures and do not say on their masked twins.

    After discrete sparse autoencoders for circuits (K46: a head's output, a sparse autoencoder, the
    strongest unit as an integer, codes seen on positives only, softmax over heads), carried over
    from language models: twins take the place of counterfactual prompts. No official code is known.
    Ours are: the mean of each pair is taken out, so that codes are of what the twin lacks and not
    of what both show; and pictures are counted, not codes, since one code on every positive says
    more than several accidents. What a head gives is read where the picture was not changed (the
    class token, or patches outside of the region), so that only attention can have brought it.

    Args:
        model: a transformer, whatever `network_of` understands.
        positives: [b, 3, h, w] in [0, 1] with the property.
        negatives: their twins without it, row by row.
        mask: the region that differs, for read="outside".
        read: "class" token, patches "outside" of the mask, or whichever there is.
        units: codes of each head.
        seed: of the codes' first directions.
        watch: called with steps done and all.

    Raises:
        BadInput: other counts, or nothing to read.
    """
    network = network_of(model)
    if len(positives) != len(negatives) or len(positives) < 2:
        raise BadInput(
            f"{len(positives)} positives and {len(negatives)} negatives; give at least two pairs."
        )
    given = [said(network, each, mask, read) for each in (positives, negatives)]
    codes = discrete_codes(*given, units=units, seed=seed, watch=watch)
    return ranked(*codes, places_of(network))


def places_of(network: Network) -> tuple[tuple[int, int], ...]:
    """(layer, head) of every head, in the order of `said`."""
    return tuple((at, head) for at in range(network.depth) for head in range(network.heads[at]))


def said(network: Network, images: Images, mask: Mask | None, read: Read) -> Tensor:
    """What every head gives, [heads, b, d], as a mean over the tokens that are read.

    Heads go layer by layer, `read` and `mask` as in `rank_heads`.

    Raises:
        BadInput: nothing to read.
    """
    network.check_layer(0)
    if network.kind != "vit":
        raise BadInput(f"{network.name} attends in windows; take a plain vision transformer.")
    how = ("class" if network.class_token else "outside") if read == "auto" else read
    if (how == "class" and not network.class_token) or (how == "outside" and mask is None):
        raise BadInput(
            f"{network.name} is to be read at {how}, but there is no "
            + ("class token; read outside." if how == "class" else "mask; give the region.")
        )
    kept: dict[int, Tensor] = {}
    with torch.no_grad(), exclusively(network), threads_for(network.work(len(images))):
        handles = [
            network.attention(at).proj.register_forward_pre_hook(
                lambda module, args, at=at: kept.__setitem__(at, args[0])
            )
            for at in range(network.depth)
        ]
        try:
            network.features(images)
        finally:
            for handle in handles:
                handle.remove()
    parts: list[Tensor] = []
    for at in range(network.depth):
        out = kept[at].unflatten(-1, (network.heads[at], -1)).float().cpu()  # b tokens heads d
        parts.append(_pooled(network, out, how, mask).transpose(0, 1))
    return torch.cat(parts)


def _pooled(network: Network, out: Tensor, how: str, mask: Mask | None) -> Tensor:
    if how == "class":
        return out[:, 0]
    assert mask is not None
    cells = mask.hidden.reshape(len(mask.hidden), -1)
    seen = torch.from_numpy(~np.broadcast_to(cells, (len(out), cells.shape[1]))).to(out)
    return torch.einsum("bnhd,bn->bhd", out[:, network.prefix :], seen) / seen.sum(1)[:, None, None]


def discrete_codes(
    positive: Tensor,
    negative: Tensor,
    *,
    units: int = 4,
    seed: int = 0,
    steps: int = STEPS,
    watch: Callable[[int, int], bool | None] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Codes 1 to `units` of paired vectors [heads, n, d], int64 [heads, n] each; 0 for nothing.

    The strongest unit of a sparse autoencoder with a single active unit, one a head, all trained at
    once on what differs in each pair. Directions begin at vectors that are far from each other, so
    that no unit is dead at the start.
    """
    both = torch.cat([positive, negative], 1)
    spread = (both - both.mean(1, keepdim=True)).square().sum(-1).mean(1).sqrt().clamp_min(1e-12)
    half = (positive - negative) / 2 / spread[:, None, None]
    quiet = half.norm(dim=-1) < QUIET
    x = torch.cat([half, -half], 1)
    encoder = F.normalize(_apart(x, units, seed), dim=-1).requires_grad_(True)
    decoder = encoder.detach().clone().requires_grad_(True)
    bias = torch.zeros(*encoder.shape[:2], requires_grad=True)
    adam = torch.optim.Adam([encoder, decoder, bias], LR)
    for at in range(steps):
        with torch.enable_grad(), threads_for(0):
            before = F.relu(torch.einsum("hnd,hud->hnu", x, encoder) + bias[:, None])
            top, best = before.max(-1)
            made = top[..., None] * decoder.gather(1, best[..., None].expand(-1, -1, x.shape[-1]))
            loss = (made - x).square().sum(-1).mean(1).sum()
            adam.zero_grad()
            loss.backward()
        adam.step()
        with torch.no_grad():
            decoder.copy_(F.normalize(decoder, dim=-1))
        if watch is not None and watch(at + 1, steps):
            break
    with torch.no_grad():
        found = (torch.einsum("hnd,hud->hnu", x, encoder) + bias[:, None]).argmax(-1) + 1
    found[torch.cat([quiet, quiet], 1)] = 0
    codes = found.numpy()
    return codes[:, : half.shape[1]], codes[:, half.shape[1] :]


def _apart(x: Tensor, units: int, seed: int) -> Tensor:
    """For each head vectors far from each other, [heads, units, d]: the next is the farthest."""
    noise = torch.Generator().manual_seed(seed)
    first = torch.randint(x.shape[1], (1,), generator=noise)
    chosen = [x[:, first[0]]]
    far = torch.full(x.shape[:2], float("inf"))
    for _ in range(units - 1):
        far = torch.minimum(far, (x - chosen[-1][:, None]).square().sum(-1))
        at = far.argmax(1)
        chosen.append(x[torch.arange(len(x)), at])
    return torch.stack(chosen, 1) + 1e-3 * torch.randn(len(x), units, x.shape[2], generator=noise)


def ranked(
    positive: NDArray[np.int64],
    negative: NDArray[np.int64],
    places: tuple[tuple[int, int], ...],
) -> HeadCodes:
    """Rank heads by their codes [heads, pictures]; see `HeadCodes`."""
    counts = _only(positive, negative)
    shares = np.exp(counts.astype(float) - counts.max())
    best = np.argsort(-counts, kind="stable")[:8]
    edges: list[tuple[int, int, int]] = []
    for i, a in enumerate(best):
        for b in best[i + 1 :]:
            joint = set(zip(negative[a].tolist(), negative[b].tolist(), strict=True))
            pairs = zip(positive[a].tolist(), positive[b].tolist(), strict=True)
            edges.append((int(a), int(b), sum(pair not in joint for pair in pairs)))
    edges.sort(key=lambda each: -each[2])
    return HeadCodes(positive, negative, counts, shares / shares.sum(), places, tuple(edges))


def _only(positive: NDArray[np.int64], negative: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each head how many positives have a code that no negative has."""
    return np.array(
        [int((~np.isin(a, b) & (a > 0)).sum()) for a, b in zip(positive, negative, strict=True)]
    )

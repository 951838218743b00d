"""What each latent of a sparse code stands for: its top pictures, where on them, how often."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import BadInput
from workbench.features.sparse_code import SparseCode
from workbench.features.tokens import patches_of
from workbench.interventions.intervention import exclusively
from workbench.models.network import Images, Network, network_of
from workbench.models.precision import threads_for

CHUNK = 4096
Order = Literal["telling", "often", "photo", "mask"]


@dataclass(frozen=True, eq=False)
class Latents:
    """A code read on the tokens of pictures.

    `peaks` float32 [pictures, latents] is the largest activation on each picture, `rates` [latents]
    the share of patches that use a latent. `explained` is the share of variance that decoding keeps
    and `active` the mean number of latents a patch uses. A latent that no patch uses is dead.
    """

    peaks: NDArray[np.float32]
    rates: NDArray[np.float32]
    explained: float
    active: float

    @property
    def dead(self) -> int:
        """Latents that nothing here uses."""
        return int((self.rates == 0).sum())

    def top(self, latent: int, count: int = 6) -> NDArray[np.int64]:
        """Pictures with the largest activations, best first; none where it is 0.

        Raises:
            BadInput: no such latent.
        """
        if not 0 <= latent < len(self.rates):
            raise BadInput(f"latent {latent} is not there; take 0 to {len(self.rates) - 1}.")
        column = self.peaks[:, latent]
        order = np.argsort(-column, kind="stable")[:count]
        return order[column[order] > 0]

    def telling(self, count: int, pictures: int = 3, rarest: float = 0.0005) -> NDArray[np.int64]:
        """Latents worth a look: strong on some pictures and seldom used, the strongest first.

        Those used by fewer than `rarest` of the patches, or on fewer than `pictures` pictures, come
        last; dead ones are left out.
        """
        ordered = -np.sort(-self.peaks, axis=0)[: max(1, pictures)]
        strength = ordered[-1] * (1 - self.rates) * (self.rates >= rarest)
        strength = np.where(self.rates > 0, strength, -1)
        order = np.argsort(-strength, kind="stable")
        return order[strength[order] >= 0][:count]


@dataclass(frozen=True, eq=False)
class Compared:
    """Latents on one picture and on the same picture with a part hidden.

    `maps` float32 [2, patches, latents] are the activations on the whole and on the masked picture.
    """

    maps: NDArray[np.float32]

    @property
    def peaks(self) -> NDArray[np.float32]:
        """The largest activation of each latent on either, [2, latents]."""
        return self.maps.max(1)

    @property
    def change(self) -> NDArray[np.float32]:
        """How much less of each latent the masked picture holds, as a mean over patches."""
        return self.maps[0].mean(0) - self.maps[1].mean(0)


def ordered(
    latents: Latents, how: Order, count: int, compared: Compared | None = None
) -> NDArray[np.int64]:
    """The first latents of an order; dead ones are left out.

    "telling" as `Latents.telling`; "often" by the share of patches that use them; "photo" by the
    largest activation on a picture; "mask" by how much hiding a part of it changes their mean.

    Raises:
        BadInput: an order that wants a picture, and none is given.
    """
    if how == "telling":
        return latents.telling(count)
    if how == "often":
        worth = latents.rates
    elif compared is None:
        raise BadInput(f"the order {how} is that of one photo, but none is given; name a photo.")
    else:
        worth = compared.peaks[0] if how == "photo" else np.abs(compared.change)
    order = np.argsort(-worth, kind="stable")
    return order[worth[order] > 0][:count]


def read_latents(code: SparseCode, tokens: Tensor) -> Latents:
    """Read a code on tokens [pictures, patches, dim].

    Raises:
        BadInput: tokens of another width.
    """
    _check(code, tokens)
    peaks = torch.zeros(len(tokens), code.shape.latents)
    uses = torch.zeros(code.shape.latents, dtype=torch.float64)
    left = 0.0
    each = max(1, CHUNK // tokens.shape[1])
    with torch.no_grad():
        for first in range(0, len(tokens), each):
            part = tokens[first : first + each]
            z = code.encode(part)
            peaks[first : first + each] = z.amax(1)
            uses += (z > 0).sum((0, 1))
            left += float((code.decode(z) - part).double().square().sum())
    flat = tokens.reshape(-1, tokens.shape[-1]).double()
    whole = float((flat - flat.mean(0)).square().sum())
    return Latents(
        peaks=peaks.numpy(),
        rates=(uses / len(flat)).float().numpy(),
        explained=1 - left / max(whole, 1e-12),
        active=float(uses.sum() / len(flat)),
    )


def patch_maps(
    code: SparseCode, tokens: Tensor, latent: int, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Activations of one latent on each patch of some pictures, [pictures, patches]."""
    _check(code, tokens)
    with torch.no_grad():
        return code.encode(tokens[torch.from_numpy(rows)])[..., latent].numpy()


def _check(code: SparseCode, tokens: Tensor) -> None:
    if tokens.ndim != 3 or tokens.shape[-1] != code.shape.dim:
        raise BadInput(
            f"the tokens are {tuple(tokens.shape)}, wanted [pictures, patches, {code.shape.dim}]; "
            "read them at the layer that the code was trained on."
        )


def spliced(model: Any, images: Images, code: SparseCode, layer: int) -> float:
    """How much of what later layers need the code keeps: 1 all of it, 0 no more than the mean.

    Patch tokens after `layer` are replaced by what the code makes of them. The distance is 1 -
    cosine of the network's scores (without a head, of its pooled features) to those of the plain
    network; it is compared with that of every patch token replaced by the mean over all.
    """
    network = network_of(model)
    at = network.check_layer(layer)
    with torch.no_grad(), threads_for(network.work(len(images))):
        plain = network.logits(images)
        with _changed(network, at, code.forward):
            coded = network.logits(images)
        with _changed(network, at, lambda x: x.mean((0, 1), keepdim=True).expand_as(x)):
            flat = network.logits(images)
    far = [float((1 - torch.cosine_similarity(plain, each)).mean()) for each in (coded, flat)]
    return 1 - far[0] / max(far[1], 1e-12)


@contextmanager
def _changed(network: Network, layer: int, change: Any) -> Generator[None]:
    def replace(module: Any, args: Any, out: Tensor) -> Tensor:
        patches = patches_of(network, out)
        return torch.cat([out[:, : network.prefix], change(patches).to(out)], 1)

    with exclusively(network):
        handle = network.blocks[layer].register_forward_hook(replace)
        try:
            yield
        finally:
            handle.remove()

"""From pictures to a saved sparse code: read tokens, train, keep records, read what was learnt."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.features.breaks import load_record, save_record
from workbench.features.learning import SaeConfig, learn
from workbench.features.pictures import pictures_of
from workbench.features.reading import Compared, Latents, patch_maps, read_latents, spliced
from workbench.features.sparse_code import SparseCode, load_code
from workbench.features.tokens import layer_tokens
from workbench.models.loading import load_network
from workbench.models.network import Network

CODE, BREAK = "code.safetensors", "training.safetensors"
SAVE_EVERY = 200
JUDGED = 32  # pictures on which splicing is measured
Watch = Callable[[str, int, int, str], bool | None]


@dataclass(frozen=True, kw_only=True)
class Studied:
    """Where a code comes from: model, layer, pictures; what a report and a saved code say of it."""

    model: str = "default"
    weights: str | None = None
    layer: int = 6
    data: str = "photos(crops=500)"
    count: int = 400
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Study:
    """A code and what it says of its pictures.

    `images` float32 [n, 3, h, w], `tokens` [n, patches, dim], `kept` see `spliced`.
    """

    studied: Studied
    code: SparseCode
    images: NDArray[np.float32]
    names: list[str]
    tokens: Any
    latents: Latents
    kept: float
    grid: tuple[int, int]

    @classmethod
    def of(
        cls,
        network: Network,
        studied: Studied,
        code: SparseCode,
        images: NDArray[np.float32],
        names: list[str],
        tokens: Any,
    ) -> "Study":
        """Read a code on pictures whose tokens are known."""
        kept = spliced(network, images[:JUDGED], code, studied.layer)
        grid = (network.grid.rows, network.grid.cols)
        latents = read_latents(code, tokens)
        return cls(studied, code, images, names, tokens, latents, kept, grid)

    def compared(self, network: Network, pair: NDArray[np.float32]) -> Compared:
        """The latents on a picture and on its masked version, `pair` [2, 3, h, w] in [0, 1]."""
        with torch.no_grad():
            tokens = layer_tokens(network, pair, self.studied.layer)
            return Compared(self.code.encode(tokens).numpy())

    def report(self) -> dict[str, Any]:
        """Numbers for a file."""
        shape = self.code.shape
        return {
            "model": self.studied.model, "layer": self.studied.layer, "data": self.studied.data,
            "pictures": len(self.images), "latents": shape.latents, "rule": shape.rule,
            "explained": self.latents.explained, "active": self.latents.active,
            "dead": self.latents.dead, "kept_downstream": self.kept,
        }  # fmt: skip

    def maps(self, latent: int, count: int = 6) -> list[tuple[int, NDArray[np.float32]]]:
        """The pictures that a latent answers to most: number and [rows, cols]."""
        rows = self.latents.top(latent, count)
        found = patch_maps(self.code, self.tokens, latent, rows)
        return [(int(row), each.reshape(self.grid)) for row, each in zip(rows, found, strict=True)]


def train(
    studied: Studied,
    config: SaeConfig,
    out: Path,
    *,
    resume: bool = False,
    watch: Watch | None = None,
    load: Callable[..., Network] = load_network,
) -> bool:
    """Train a code on the tokens of a layer and save it in a folder; False where `watch` stopped.

    A stopped training can go on with `resume`: its record stands beside the code.

    Raises:
        BadInput: no such model, layer, data or record.
    """
    network = load(studied.model, weights=studied.weights)
    layer = network.check_layer(studied.layer)
    images, _ = pictures_of(studied.data, network, studied.count, studied.seed)
    tell = watch or (lambda what, done, total, note: None)
    tokens = layer_tokens(
        network, images, layer, watch=lambda done, total: tell("pictures", done, total, "")
    )
    record = load_record(out / BREAK) if resume else None
    about = {**studied.__dict__, "layer": layer}
    if resume and (out / CODE).is_file() and load_code(out / CODE)[1] != about:
        raise BadInput(
            f"{out} holds a training on other pictures; give the same, or another --out."
        )
    last, stopped = None, False
    try:
        for step in learn(tokens, config, record):
            last = step
            note = f", {1 - step.error:.0%} explained, {step.dead} dead"
            stopped = bool(tell("steps", step.step, step.total, note))
            if stopped:
                break
            if step.step % SAVE_EVERY == 0:
                _save(out, last, about)
    except KeyboardInterrupt:
        stopped = True
    if last is not None:
        _save(out, last, about)
    return not stopped


def _save(out: Path, step: Any, about: dict[str, Any]) -> None:
    step.code.save(out / CODE, about)
    save_record(out / BREAK, step.record())


def study(
    path: str | Path,
    data: str | None = None,
    count: int | None = None,
    *,
    load: Callable[..., Network] = load_network,
) -> Study:
    """Read a saved code on the pictures that it was trained on, or on others.

    Args:
        path: of `code.safetensors`, or its folder.
        data: recipe of other pictures.
        count: how many of them.
        load: gives the network of a name and of a file of weights.

    Raises:
        BadInput: no code there, or a model or data that are gone.
    """
    place = Path(path)
    code, about = load_code(place / CODE if place.is_dir() else place)
    try:
        studied = Studied(**about)
    except TypeError as error:
        raise BadInput(f"{path} does not say what it was trained on ({error}).") from None
    studied = studied if data is None else replace(studied, data=data)
    network = load(studied.model, weights=studied.weights)
    images, names = pictures_of(studied.data, network, count or studied.count, studied.seed)
    tokens = layer_tokens(network, images, studied.layer)
    return Study.of(network, studied, code, images, names, tokens)

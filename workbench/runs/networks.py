"""Classifiers that runs have trained, as networks to look inside: `run:ID`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import BadInput
from workbench.models.catalog import RUN_CARD, list_models, newest_weights, own_networks
from workbench.runs.beginning import RUN
from workbench.runs.store import CHECKPOINTS, Run, RunStore

if TYPE_CHECKING:
    from workbench.models.network import Network

# Torch is imported inside functions, and objectives are told by name: menus list runs without it.
LABELLED = ("mic", "mrm", "supervised")
# What these keep is no vision transformer of the shape that a run with labels could begin at: other
# bands or frames, no class token, other layers, a convnet.
NO_BEGINNING = (
    "bm_mae", "crate_mae", "dmt_jepa", "ijepa", "maskalign", "painter", "satvision", "selfie",
    "spark", "tera", "videomae",
)  # fmt: skip


def named_network(source: str, weights: Path | None = None, device: str = "auto") -> "Network":
    """Return a network by any name that people use: `run:ID`, or what `load_network` reads.

    Args:
        source: `run:ID` of any run, a name in the user's folder of models, or a source of
            `workbench.models.load_network`.
        weights: with timm:NAME, a file of its weights.
        device: as for `load_network`; a run's network goes where the run was computed.

    Raises:
        BadInput: nothing of that name, or what cannot be loaded.
    """
    from workbench.models import load_network

    if source.startswith(RUN) and weights is None:
        run = RunStore().get(source.removeprefix(RUN))
        if not (run.path / RUN_CARD).is_file():  # a card is there where a decoder fills in pixels
            return run_network(run.id)
        source = f"{RUN}{run.id}"
    return load_network(own_networks().get(source, source), weights=weights, device=device)


def run_network(name: str, folder: Path | None = None, step: int | str | None = None) -> "Network":
    """Return a run's network as its newest checkpoint holds it, in single precision.

    A run that learnt labels keeps its head and the names of its classes; of others it is the
    encoder that is kept after pretraining, without a head.

    Args:
        name: `run:ID`, or a beginning of the id that is unique.
        folder: of runs; by default that of WORKBENCH_HOME.
        step: of the checkpoint; None for the newest, "initial" for the weights before training.

    Raises:
        BadInput: no such run or checkpoint, or a model whose parts are not found.
    """
    import torch

    from workbench.models.network import network_of
    from workbench.models.patches import IMAGENET_MEAN, IMAGENET_STD
    from workbench.runs.setting import place, setting
    from workbench.runs.trained import trained

    run = RunStore(folder).get(name.removeprefix(RUN))
    parts = setting(run.config)
    # The test part is smaller than the training part and of the same shape and classes.
    pictures = parts.dataset.load(parts.config.size, train=False)
    where = place(run.config, run.environment)
    model, _ = trained(run, parts, where, step, pictures)
    told = parts.objective.name in LABELLED
    kept = model if told else parts.objective.encoder(model)
    if kept is None:
        raise BadInput(f"{run.id} keeps no encoder to look inside; take another run.")
    found = network_of(kept.to(torch.float32).eval(), f"{RUN}{run.id}")
    return replace(
        found,
        labels=tuple(pictures.classes) if found.classes == len(pictures.classes) else (),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        size=(parts.config.size,) * 2,
        patch=parts.config.patch,
    )


def trained_classifiers(folder: Path | None = None) -> list[Run]:
    """Runs that learnt labels and have a checkpoint, the newest first; needs no torch."""
    found = [run for run in RunStore(folder) if _labelled(run)]
    return found[::-1]


def _labelled(run: Run) -> bool:
    """Whether a run was given labels, as far as its folder tells."""
    name = str(run.record.get("objective", "")).partition("(")[0].strip()
    return name in LABELLED and any((run.path / CHECKPOINTS).glob("step-*"))


def weights_time(name: str) -> float:
    """When the weights of a network of that name changed last; 0 where they are fresh or gone."""
    path = own_networks().get(name)
    if name.startswith(RUN):
        try:
            path = newest_weights(RunStore().get(name.removeprefix(RUN)).path)
        except BadInput:
            return 0.0
    elif path is None:
        path = next((each.weights for each in list_models() if each.name == name), None)
    if path is None or not path.exists():
        return 0.0
    inner = path.iterdir() if path.is_dir() else ()
    return max([path.stat().st_mtime, *(each.stat().st_mtime for each in inner)])

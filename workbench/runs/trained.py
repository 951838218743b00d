"""A run's model as one of its checkpoints holds it, or as it was before training."""

from pathlib import Path

import torch
from torch import nn

from workbench.data.sets import Pictures
from workbench.errors import BadInput, shown
from workbench.models.assembly import regridded
from workbench.models.formats import load_encoder
from workbench.models.transformer import ViT
from workbench.objectives import Objective
from workbench.runs import checkpoints
from workbench.runs.beginning import RUN
from workbench.runs.config import RunConfig
from workbench.runs.setting import Place, Setting, place, setting
from workbench.runs.store import CHECKPOINTS, Run, RunStore

INITIAL = "initial"


def load_model(run: Run, step: int | str | None = None) -> tuple[Setting, nn.Module, int | str]:
    """Return a run's setting and its model in evaluation mode, with the step it is of."""
    parts, where = setting(run.config), place(run.config, run.environment)
    model, at = trained(run, parts, where, step)
    return parts, model, at


def trained(
    run: Run,
    parts: Setting,
    where: Place,
    step: int | str | None,
    pictures: Pictures | None = None,
) -> tuple[nn.Module, int | str]:
    """Return a run's model in evaluation mode, with the step it is of.

    Args:
        run: with a checkpoint.
        parts: its setting.
        where: the device.
        step: of the checkpoint; None for the newest, `INITIAL` for the weights before training.
        pictures: its training data, where it is at hand.

    Raises:
        BadInput: no such checkpoint.
    """
    if pictures is None:  # the shape of the data decides the model's
        pictures = parts.dataset.load(parts.config.size, train=True)
    model = parts.build(pictures, where.device).eval()
    if step == INITIAL:
        begin(model, parts.objective.at(0), parts.config, run.path.parent)
        return model, INITIAL
    folder = run.path / CHECKPOINTS
    if step is None:
        found = checkpoints.newest(folder)
        if found is None:
            raise BadInput(f"{run.id} has no checkpoint yet; wait for its first, or train it.")
    else:
        steps = dict(run.checkpoints())
        if step not in steps:
            raise BadInput(f"{run.id} has no checkpoint of step {step}; there are {list(steps)}.")
        found = checkpoints.load(steps[int(step)])
    checkpoints.restore_model(found, model)
    return model, found.step


def begin(model: nn.Module, objective: Objective, config: RunConfig, folder: Path) -> str:
    """Give the encoder of a fresh model the weights that `config.init` names.

    Copies of the encoder that follow it, such as running averages, begin there too. Positions are
    interpolated to the run's grid. What the objective has frozen in its encoder stays as it is:
    MP3's table holds no positions, and others would tell it the answer.

    Returns:
        A sentence about what was done, "" where the weights stay as they are.

    Raises:
        BadInput: there is no such run, checkpoint or file, or its encoder is of another shape.
    """
    if not config.init:
        return ""
    encoder = objective.encoder(model)
    if encoder is None:
        raise BadInput(f"{objective.name} keeps no encoder that could begin elsewhere; drop init.")
    found, origin = _found(config.init, folder)
    if isinstance(encoder, ViT) and isinstance(found, ViT):
        found = regridded(found, encoder.shape.rows, encoder.shape.cols, origin)
    own = {name: p for name, p in encoder.named_parameters() if not p.requires_grad}
    state = {**found.state_dict(), **own}
    followers = [each for each in model.modules() if each is not encoder and _copies(each, encoder)]
    for each in (encoder, *followers):
        try:
            each.load_state_dict(state)
        except RuntimeError as error:
            said = str(error).splitlines()[-1].strip()[:160]
            raise BadInput(
                f"the encoder of {origin} does not fit that of the run ({said})."
            ) from None
    return f"begins at {origin}"


def _found(init: str, folder: Path) -> tuple[nn.Module, str]:
    if not init.startswith(RUN):
        return load_encoder(init).float(), shown(init)
    source = RunStore(folder).get(init.removeprefix(RUN))
    parts, model, step = load_model(source)
    found = parts.objective.encoder(model)
    if found is None:
        raise BadInput(f"{source.id} has no encoder to begin at; name another run.")
    return found, f"step {step} of {source.id}"


def _copies(one: nn.Module, other: nn.Module) -> bool:
    """Whether a frozen part holds what the encoder holds."""
    if type(one) is not type(other) or any(p.requires_grad for p in one.parameters()):
        return False
    mine, theirs = one.state_dict(), other.state_dict()
    return list(mine) == list(theirs) and all(torch.equal(mine[k], theirs[k]) for k in mine)

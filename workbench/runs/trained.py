"""A run's model as one of its checkpoints holds it, or as it was before training."""

from torch import nn

from workbench.data.sets import Pictures
from workbench.errors import BadInput
from workbench.runs import checkpoints
from workbench.runs.setting import Place, Setting, place, setting
from workbench.runs.store import CHECKPOINTS, Run

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

"""Which run another one begins at, checked before it is queued."""

from dataclasses import replace
from pathlib import Path

from workbench.errors import BadInput
from workbench.runs.config import RunConfig
from workbench.runs.store import RunStore

RUN = "run:"
SAME = ("patch", "dim", "depth", "heads", "mlp")


def resolved(config: RunConfig, folder: Path) -> RunConfig:
    """Return the configuration with the run that it begins at by its whole id.

    Raises:
        BadInput: no such run, or it has no checkpoint, or an encoder of another shape.
    """
    if not config.init.startswith(RUN):
        return config
    name = config.init.removeprefix(RUN)
    if not name:
        raise BadInput("init is 'run:' without an id; name the run to begin at, as in init=run:ID.")
    source = RunStore(folder).get(name)
    if not source.checkpoints():
        raise BadInput(f"{source.id} has no checkpoint to begin at; train it first.")
    old = source.config
    other = [knob for knob in SAME if getattr(old, knob) != getattr(config, knob)]
    if other:
        said = ", ".join(f"{k} is {getattr(config, k)} and not {getattr(old, k)}" for k in other)
        take = " ".join(f"{k}={getattr(old, k)}" for k in other)
        raise BadInput(f"the run begins at {source.id}, but its {said}; take {take}.")
    return replace(config, init=f"{RUN}{source.id}")

"""Checkpoints of runs: model and optimiser in one safetensors file, written atomically."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from workbench.errors import BadInput

MODEL, STATE = "model.", "optimiser."


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds: the step it was written after, the run's record, tensors by name.

    `data` is the mark of the pictures it was trained on, {} in files that are too old to hold it.
    """

    step: int
    record: dict[str, Any]
    tensors: dict[str, Tensor]
    numbers: dict[str, Any]
    data: dict[str, Any] = field(default_factory=dict)


def save(
    folder: Path,
    step: int,
    record: Mapping[str, Any],
    model: nn.Module,
    optimisers: "list[torch.optim.Optimizer]",
    keep: int,
    data: Mapping[str, Any] | None = None,
) -> Path:
    """Write `step-N.safetensors` and let go of all but the newest `keep`.

    The file appears whole or not at all, also when the process is killed or the power fails: it is
    written beside its place, flushed to the disk and renamed; older ones go only after that.

    Raises:
        OSError: no room, or no right to write; what was there stays.
    """
    folder.mkdir(exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        tensors[MODEL + name] = value.detach().cpu().contiguous()
    numbers: dict[str, Any] = {}
    for name, value in _flat(optimisers):
        if isinstance(value, Tensor):
            tensors[STATE + name] = value.detach().cpu().contiguous()
        else:
            numbers[name] = value
    told = {"step": str(step), "record": json.dumps(record), "numbers": json.dumps(numbers)}
    told["data"] = json.dumps(dict(data or {}))
    path = folder / f"step-{step:08d}.safetensors"
    temporary = folder / f".{path.name}.{os.getpid()}"
    try:
        save_file(_separate(tensors), temporary, metadata=told)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(folder)
    except SafetensorError as error:  # how its writer tells of a full disk
        _forget(temporary)
        raise OSError(f"{path.name} cannot be written ({error})") from None
    except OSError:
        _forget(temporary)
        raise
    rotate(folder, keep)
    return path


def rotate(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints, and what killed writers left behind."""
    whole = sorted(folder.glob("step-*.safetensors"))
    for old in whole[: max(0, len(whole) - keep)]:
        old.unlink(missing_ok=True)
    for part in folder.glob(".step-*"):
        if not part.name.endswith(f".{os.getpid()}"):
            part.unlink(missing_ok=True)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; nothing in it is run.

    Raises:
        BadInput: missing, damaged, or no checkpoint of a run.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        return Checkpoint(
            int(told["step"]),
            json.loads(told["record"]),
            tensors,
            json.loads(told["numbers"]),
            json.loads(told.get("data", "{}")),
        )
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise BadInput(
            f"{path} is no checkpoint that can be read ({str(error)[:120]}); an older one is "
            "beside it, or start the run anew."
        ) from None


def newest(folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint that can be read, None if there is none at all.

    Raises:
        BadInput: there are some, and none can be read.
    """
    problem: BadInput | None = None
    for path in sorted(folder.glob("step-*.safetensors"), reverse=True):
        try:
            return load(path)
        except BadInput as error:
            problem = problem or error
    if problem is not None:
        raise problem
    return None


def restore_model(found: Checkpoint, model: nn.Module) -> None:
    """Put the weights and buffers of a checkpoint into a model of the same architecture.

    Raises:
        BadInput: it is of another architecture.
    """
    state = {k.removeprefix(MODEL): v for k, v in found.tensors.items() if k.startswith(MODEL)}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        said = str(error).splitlines()[-1].strip()
        raise BadInput(
            f"the checkpoint of step {found.step} is of another model ({said[:120]})"
        ) from None


def restore_optimisers(found: Checkpoint, optimisers: "list[torch.optim.Optimizer]") -> None:
    """Put back the state of the optimisers."""
    states: list[dict[int, dict[str, Any]]] = [{} for _ in optimisers]
    values: dict[str, Any] = {**found.numbers}
    values |= {k.removeprefix(STATE): v for k, v in found.tensors.items() if k.startswith(STATE)}
    for name, value in values.items():
        part, parameter, key = name.split(".", 2)
        states[int(part)].setdefault(int(parameter), {})[key] = value
    for optimiser, state in zip(optimisers, states, strict=True):
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": state, "param_groups": groups})


def _flat(optimisers: "list[torch.optim.Optimizer]") -> Iterator[tuple[str, Any]]:
    for at, optimiser in enumerate(optimisers):
        for parameter, entries in optimiser.state_dict()["state"].items():
            for key, value in entries.items():
                yield f"{at}.{parameter}.{key}", value


def _separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors that share memory, which the format refuses."""
    seen: set[int] = set()
    out: dict[str, Tensor] = {}
    for name, value in tensors.items():
        place = value.untyped_storage().data_ptr()
        shared = value.numel() > 0 and (
            place in seen or value.untyped_storage().nbytes() != value.nbytes
        )
        out[name] = value.clone() if shared else value
        seen.add(place)
    return out


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass

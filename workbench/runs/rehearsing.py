"""What a run will take, by making a few real steps of it: time, memory, disk, and data problems."""

import contextlib
import gc
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.runs import spelling
from workbench.runs.beginning import RUN, resolved
from workbench.runs.config import RunConfig
from workbench.runs.store import RunStore, tail
from workbench.runs.surroundings import surroundings

if TYPE_CHECKING:
    from workbench.runs.setting import Setting

STEPS = 4
LOOK_EVERY = 0.1
LINE_BYTES, PICTURE_BYTES = 200, 40_000
ROOM, SPARED = 1.1, 0.1
HALVES = 6  # a batch of 512 is tried down to 8


def preflight(
    config: RunConfig,
    folder: Path | str | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Measure a run in a process of its own, so that its memory is the run's alone.

    `should_stop` is asked a few times a second.

    Returns:
        seconds: `load`, `step` (median of real steps), `checkpoint`, and `all` of them together;
        bytes: `memory` (peak of each of `processes`), `memory_free`, `disk` (what the run will
        write), `disk_free`, `checkpoint`; `parameters`, `pictures`, `precision`, `threads`,
        `device`; `skipped`, damaged pictures by name; `problems`, sentences about what will go
        wrong; `command` to start it.
        `fits` is the largest batch that fits, where the one asked for does not.

    Raises:
        BadInput: the configuration or its data cannot be used; says why.
        InterruptedError: `should_stop` said yes.
    """
    place = RunStore(folder).folder
    resolved(config, place)
    found = _apart(config, place, "measure", should_stop)
    if found.pop("memory_needed", False):
        fits = found["fits"] = _apart(config, place, "fits", should_stop).get("fits")
        said = f"one of {fits} does (measured): batch={fits}" if fits else "nor does a small one"
        found["problems"] = [f"a batch of {config.batch} does not fit in memory; {said}"]
    if "refused" in found:
        raise BadInput(found["refused"])
    found["command"] = command(config)
    free = shutil.disk_usage(place).free
    found["disk_free"] = free
    if found.get("disk", 0) * ROOM > free:
        found["problems"].append(
            f"the run writes {found['disk'] / 2**20:.0f} MB and {free / 2**20:.0f} MB are free in "
            f"{place}: make room, or keep fewer checkpoints"
        )
    return found


def _apart(
    config: RunConfig, place: Path, task: str, should_stop: Callable[[], bool] = lambda: False
) -> dict[str, Any]:
    """Do a task in a process of its own and return its answer."""
    with tempfile.TemporaryDirectory(prefix=".preflight-", dir=place) as part:
        file, answer, said = (Path(part) / name for name in ("config.json", "answer.json", "log"))
        file.write_text(json.dumps(config.record()), encoding="utf-8")
        with said.open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "workbench.runs.rehearsing", task, str(file), str(answer)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=surroundings(os.environ),
            )  # fmt: skip
        try:
            while child.poll() is None:
                if should_stop():
                    raise InterruptedError("the preflight was stopped")
                time.sleep(LOOK_EVERY)
        finally:
            child.kill()
            child.wait()
        if not answer.is_file():
            last = (tail(said, 1) or ["it was ended from outside"])[-1]
            raise BadInput(f"the preflight ended with status {child.returncode}: {last[:300]}")
        return dict(json.loads(answer.read_text(encoding="utf-8")))


def command(config: RunConfig) -> str:
    """Return the command line that starts a run, with what differs from its preset."""
    return spelling.command(*spelling.spelled(config))


def measure(config: RunConfig) -> dict[str, Any]:
    """Make some real steps in this process; see `preflight`."""
    import psutil

    from workbench.runs import checkpoints
    from workbench.runs.failing import limit_memory
    from workbench.runs.setting import place, setting
    from workbench.runs.trained import begin
    from workbench.runs.training import Trainer

    parts, where = setting(config), place(config)
    free = psutil.virtual_memory().available
    began = time.perf_counter()
    pictures = parts.dataset.load(config.size, train=True)
    load = time.perf_counter() - began
    limit_memory(config.memory)
    trainer = Trainer.ready(_of_one_process(parts), pictures, where)
    if not config.init.startswith(RUN):  # `resolved` has looked at a run
        begin(trainer.model, parts.objective.at(0), config, Path())
    trainer.prepare()
    panels = trainer.shown() if config.picture_every else {}
    times: list[float] = []
    for _ in range(STEPS):
        began = time.perf_counter()
        trainer.make_step()
        times.append(time.perf_counter() - began)
    step = statistics.median(times[1:])
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        model, optimisers = trainer.model, trainer.optimiser.parts
        file = checkpoints.save(Path(folder), STEPS, {}, model, optimisers, 1)
        saving, size = time.perf_counter() - began, file.stat().st_size
    saves = config.steps // config.save_every + 1
    shows = config.steps // config.picture_every + 1 if config.picture_every else 0
    disk = size * (min(config.keep, saves) + 1) + LINE_BYTES * (config.steps // config.log_every)
    disk += PICTURE_BYTES * shows * len(panels)
    memory = peak(where.device.type)
    problems = [each for each in [parts.senseless(pictures)] if each]
    together = memory * config.processes
    if where.device.type == "cpu" and together > free:
        problems.append(f"it takes {together / 2**20:.0f} MB and {free / 2**20:.0f} MB are free")
    return {
        "seconds": {
            "load": load, "step": step, "checkpoint": saving,
            "all": load + step * config.steps + saving * saves,
        },
        "memory": memory, "processes": config.processes, "memory_free": free, "disk": disk,
        "checkpoint": size,
        "rate": config.batch / step,
        "parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "pictures": len(pictures), "device": where.device.type, "precision": where.precision,
        "threads": where.threads, "skipped": [list(each) for each in pictures.skipped],
        "problems": problems,
    }  # fmt: skip


def _of_one_process(parts: "Setting") -> "Setting":
    """Return what each process of a run makes: its share of the rows of every batch."""
    config = parts.config
    own = replace(config, batch=config.batch // config.processes, processes=1)
    return replace(parts, config=own)


def peak(device: str) -> int:
    """Return the most bytes that this process has held: of a GPU, else of memory."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_reserved())
    status = Path("/proc/self/status")
    if status.is_file():  # `getrusage` there counts what the process that started this one held
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return 1024 * int(next(each.split()[1] for each in lines if each.startswith("VmHWM:")))
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def largest_fitting(config: RunConfig, folder: Path | str | None = None) -> int | None:
    """Return the largest batch below the one asked for that fits, by halves and one step between.

    Every answer is measured with two real steps, the second of which holds the optimiser's state,
    in a fresh process: one that ran out of memory has room in other places than a run will have.
    """
    found = _apart(config, RunStore(folder).folder, "fits")
    return found.get("fits")


def measure_fitting(config: RunConfig) -> int | None:
    """Try batches in this process, the smallest first; see `largest_fitting`."""
    from workbench.runs.failing import limit_memory
    from workbench.runs.setting import place, setting
    from workbench.runs.training import Trainer

    parts, where = setting(config), place(config)
    pictures = parts.dataset.load(config.size, train=True)
    limit_memory(round(config.memory * (1 - SPARED)))

    def fits(batch: int) -> bool:
        changed = replace(parts, config=replace(config, batch=batch))
        try:
            trainer = Trainer.ready(_of_one_process(changed), pictures, where)
            trainer.make_step()
            trainer.make_step()
            return True
        except (MemoryError, RuntimeError):
            return False
        finally:
            gc.collect()

    batches = [config.batch >> by for by in range(1, HALVES + 1)]
    batches = [each for each in batches if each and each % config.processes == 0]
    best: int | None = None
    for batch in reversed(batches):
        if not fits(batch):
            break
        best = batch
    else:
        between = batches[0] * 3 // 2 if batches else 0
        between -= between % config.processes
        best = between if best and batches[0] < between < config.batch and fits(between) else best
    return best


def main(task: str, file: str, answer: str) -> None:
    """Do a task for the run of a file and write the answer."""
    from workbench.runs.failing import classify

    config = RunConfig.read(json.loads(Path(file).read_text(encoding="utf-8")))
    found: dict[str, Any] = {}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            found = {"fits": measure_fitting(config)} if task == "fits" else measure(config)
    except BadInput as problem:
        found = {"refused": str(problem)}
    except Exception as problem:
        if classify(problem) != "memory":
            raise
        found = {"memory_needed": True, "fits": None, "skipped": []}
    temporary = Path(answer + ".part")
    temporary.write_text(json.dumps(found), encoding="utf-8")
    temporary.replace(answer)


if __name__ == "__main__":
    main(*sys.argv[1:4])

"""One measured row an objective: its ten-minute preset trained, then k-NN and a linear probe.

    python benchmarks/objectives.py [NAME ...] [--runs DIR]    train and measure what lacks a row
    python benchmarks/objectives.py --speed [NAME ...]         pictures a second
    python benchmarks/objectives.py --table                    write the table again

Without names it takes all objectives that have no row yet. Stopped at any moment and started again
it goes on: runs from their newest checkpoint, objectives from the first without a row. Started
twice, two processes share the work. Rows are `benchmarks/results/objectives/NAME.json`, the table
made from them `benchmarks/results/objectives.md`.

The data are CIFAR-10, looked for in $WORKBENCH_DATA, ./data and the home of the workbench; fetch it
once with `python -c "import torchvision as t; t.datasets.CIFAR10('data', download=True)"`, or take
the bundled digits with `--data 'digits()' --rows DIR`, which keeps their rows apart.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import objectives_table

from workbench.errors import BadInput
from workbench.objectives import OBJECTIVES
from workbench.runs.config import RunConfig
from workbench.runs.evaluating import INITIAL, evaluate_all
from workbench.runs.launching import configured
from workbench.runs.locking import Lock
from workbench.runs.measuring import METRIC
from workbench.runs.presets import run_preset
from workbench.runs.process import DONE
from workbench.runs.setting import place, setting
from workbench.runs.store import Run, RunStore, read_lines, write_json
from workbench.runs.training import Trainer

FIRST = (
    "supervised", "simclr", "mae", "simmim", "beit", "maskfeat", "data2vec", "ijepa", "hpm", "mfm",
    "spark", "droppos", "mp3", "ibot",
)  # fmt: skip
PROTOCOLS = ("knn", "linear_probe")
LEFT_OUT = ("protocol", "data", "time")
PROBED = 10_000
CPU, SPEED = "cpu.jsonl", "speed"
SPEED_STEPS, SPEED_TURN = 30, 5


def preset_of(name: str) -> str:
    """The ten-minute preset of an objective."""
    found = [each for each in OBJECTIVES.get(name).presets if each.endswith(f"{name}_tiny")]
    if not found:
        raise BadInput(f"{name} has no ten-minute preset; it has {OBJECTIVES.get(name).presets}.")
    return next((each for each in found if each.startswith("cifar10")), found[0])


def ordered(names: list[str]) -> list[str]:
    """The named objectives, or all: baselines and the well-known ones first."""
    known = OBJECTIVES.names()
    for name in names:
        if name not in known:
            raise BadInput(f"no objective is called {name!r}; choose of {', '.join(known)}.")
    return names or [*FIRST, *(name for name in known if name not in FIRST)]


def configuration(name: str, data: str) -> RunConfig:
    """The preset on one thread of a CPU, on the data of all rows."""
    told: dict[str, Any] = {
        "name": name, "device": "cpu", "threads": 1, "stall": 900.0, "save_every": 50, "keep": 1,
        "picture_every": 0,
    }  # fmt: skip
    base = run_preset(preset_of(name))
    if data and OBJECTIVES.get(name).takes in ("images", "labelled"):
        told["data"] = data
    return configured(base, told)


def trained(config: RunConfig, store: RunStore) -> Run:
    """Train a run in a process of its own, from where an earlier one stopped; returns it done.

    Raises:
        RuntimeError: it failed; says why.
    """
    found = [each for each in store if each.config.digest == config.digest]
    run = found[-1] if found else store.create(config, {"folder": str(Path.cwd())})
    while run.state()["state"] != "done":
        before, began = _cpu(), run.state().get("step", 0) if run.checkpoints() else 0
        with (run.path / "log.txt").open("a") as log:
            ended = subprocess.run(
                [sys.executable, "-m", "workbench.runs.process", str(run.path)],
                stdout=log,
                stderr=subprocess.STDOUT,
            ).returncode
        state = run.state()
        run.append(CPU, {"from": began, "to": state.get("step"), "seconds": _cpu() - before})
        if state["state"] != "done":
            if ended == DONE:
                raise KeyboardInterrupt
            raise RuntimeError(f"{run.id} is {state['state']}: {state.get('reason')}")
    return run


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(run: Run, protocols: Sequence[str]) -> dict[str, Any]:
    """Measure a done run and its first weights; what was measured before is not measured again."""
    out: dict[str, Any] = {}
    for step, told in ((INITIAL, "initial"), (None, "trained")):
        rows = {row["protocol"].partition("@")[0]: row for row in run.evaluations()
                if (row["step"] == INITIAL) == (step == INITIAL)}  # fmt: skip
        if not set(protocols) <= set(rows):
            found = evaluate_all(run, protocols, step=step, most=PROBED)
            rows = {row["protocol"].partition("@")[0]: row for row in found}
        out[told] = {name: {k: v for k, v in rows[name].items() if k not in LEFT_OUT}
                     for name in protocols}  # fmt: skip
    return out


def row_of(name: str, run: Run) -> dict[str, Any]:
    """All that is measured of a done run, as one record."""
    config, metrics, told = run.config, run.metrics(), run.environment
    spent = list(read_lines(run.path / CPU))
    timed = sum(each["to"] - each["from"] for each in spent)
    objective = OBJECTIVES.parse(config.objective)
    row: dict[str, Any] = {
        "schema": 1, "name": name, "preset": config.preset, "objective": config.objective,
        "mask": config.mask, "data": config.data, "takes": objective.takes,
        "paper": type(objective).paper, "size": config.size,
        "encoder": f"{config.depth} x {config.dim}", "steps": config.steps, "batch": config.batch,
        "seed": config.seed, "precision": told.get("precision"), "threads": told.get("threads"),
        "loss": {
            "start": metrics[0]["loss"],
            "end": statistics.fmean(each["loss"] for each in metrics[-5:]),
        },
        "cpu_seconds": round(sum(each["seconds"] for each in spent), 1),
        "cpu_steps": min(timed, config.steps), "starts": len(spent),
        "parts": {k: v for k, v in metrics[-1].items()
                  if k not in ("step", "loss", "last", "lr", "seconds", "memory")},
        "command": f"python benchmarks/objectives.py {name}",
        "torch": told.get("torch"), "machine": f"{platform.machine()}, {told.get('cpu')}",
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
    }  # fmt: skip
    protocols = [*PROTOCOLS] if objective.takes in ("images", "labelled") else []
    if objective.metric:
        protocols.append(METRIC)
    return {**row, **(measured(run, protocols) if protocols else {})}


def rows(names: list[str], runs: Path, data: str, folder: Path) -> int:
    """Train and measure every named objective without a row; returns how many failed."""
    failed, store = 0, RunStore(runs)
    for name in ordered(names):
        target, lock = folder / f"{name}.json", Lock(runs / f".{name}.lock")
        if target.exists() or not lock.take():
            continue
        try:
            if target.exists():  # written since by the process beside this one
                continue
            _say(f"{name}: {preset_of(name)}")
            row = row_of(name, trained(configuration(name, data), store))
            write_json(target, row)
            objectives_table.write(folder)
            _say(f"{name}: {objectives_table.summary(row)}")
        except (BadInput, RuntimeError, NotImplementedError) as problem:
            failed += 1
            _say(f"{name} has no row: {problem}")
        finally:
            lock.give()
    return failed


def speed(names: list[str], data: str, folder: Path) -> int:
    """Time steps of each objective in turns with MAE's, and note pictures a second and the ratio.

    On a machine that others use too, only the ratio of steps made next to each other means much.
    """
    target = folder / SPEED
    target.mkdir(exist_ok=True)
    mae = _stepper(configuration("mae", data))
    for name in ordered(names):
        if not names and (target / f"{name}.json").exists():
            continue
        try:
            other = _stepper(configuration(name, data))
        except BadInput as problem:
            _say(f"{name} is not timed: {problem}")
            continue
        own: list[float] = []
        beside: list[float] = []
        for _ in range(SPEED_STEPS // SPEED_TURN):
            beside.append(mae(SPEED_TURN))
            own.append(other(SPEED_TURN))
        ratio = statistics.median(b / a for a, b in zip(own, beside, strict=True))
        found = {
            "pictures_per_second": round(statistics.median(own), 1),
            "beside_mae": round(statistics.median(beside), 1),
            "over_mae": round(1 / ratio, 3), "steps": SPEED_STEPS,
            "load": round(os.getloadavg()[0], 1),
        }  # fmt: skip
        write_json(target / f"{name}.json", found)
        objectives_table.write(folder)
        _say(f"{name}: {found}")
    return 0


def _stepper(config: RunConfig) -> Callable[[int], float]:
    """Return a function that makes so many steps and says how many pictures a second that was."""
    parts, where = setting(config), place(config)
    trainer = Trainer.ready(parts, parts.dataset.load(config.size), where)
    trainer.prepare()
    trainer.make_step()

    def steps(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            trainer.make_step()
        return count * config.batch / (time.perf_counter() - began)

    return steps


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}", flush=True)


def main() -> int:
    """Train and measure, time, or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--runs", type=Path, default=Path("runs-of-objectives"))
    parser.add_argument("--data", default="", help="recipe of labelled pictures for all rows")
    parser.add_argument("--rows", type=Path, default=Path(__file__).parent / "results/objectives")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--table", action="store_true")
    told = parser.parse_args()
    told.rows.mkdir(parents=True, exist_ok=True)
    try:
        if told.table:
            objectives_table.write(told.rows)
            return 0
        if told.speed:
            return speed(told.names, told.data, told.rows)
        told.runs.mkdir(parents=True, exist_ok=True)
        return rows(told.names, told.runs, told.data, told.rows)
    except BadInput as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        _say("stopped; the same command goes on")
        return 130


if __name__ == "__main__":
    sys.exit(main())

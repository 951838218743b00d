"""A training killed again and again with SIGKILL, at random points of its life.

    python -m tests.runs.kills [--kills 50] [--seed 0] [--dir FOLDER]

After each kill the newest checkpoint has to load and be no older than the one before, and in the
end the weights and every line of metrics have to equal those of a run that nobody killed. Kills
fall from the start of a process to the end of the run, and a checkpoint is written after every
step, so that many fall into the writer. Prints one JSON document.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.runs.conftest import Trainers, small_config, until
from workbench.runs import checkpoints
from workbench.runs.store import CHECKPOINTS, Run, RunStore

KEEP = 2


def killed(trainers: Trainers, store: RunStore, kills: int, seed: int = 0) -> dict[str, Any]:
    """Kill a training so often and compare it with an unbroken one; returns what was seen."""
    steps = 24 * kills  # a fast machine is a few steps past the wanted one when it is killed
    config = small_config(steps=steps, save_every=1, log_every=1, keep=KEEP)
    whole, broken = store.create(config), store.create(config)
    began = time.monotonic()
    assert trainers.train(whole) == 0, whole.log()
    rng, saved, torn, before_first = random.Random(seed), 0, 0, 0
    for kill in range(kills):
        pid = trainers.start(broken)
        if kill % 10 != 1:  # that one while it starts
            want = min(last(broken) + 1 + rng.randrange(12), steps)
            until(lambda want=want: last(broken) >= want)
        time.sleep(rng.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        trainers.wait(pid)
        assert broken.state()["state"] in ("crashed", "done"), broken.state()
        torn += len(list((broken.path / CHECKPOINTS).glob(".step-*")))
        found = checkpoints.newest(broken.path / CHECKPOINTS)
        names = [step for step, _ in broken.checkpoints()]
        if found is None:
            assert names == [] and saved == 0
            before_first += 1
            continue
        assert found.step == names[-1], "the newest checkpoint does not load"
        assert found.step >= saved and len(names) <= KEEP + 1
        saved = found.step
    assert trainers.train(broken) == 0, broken.log()
    compare(whole, broken)
    return {
        "kills": kills, "before_the_first_checkpoint": before_first, "torn_files": torn,
        "steps": steps, "resumed": sum(1 for line in broken.log(10_000) if "goes on" in line),
        "equal_to_an_unbroken_run": True, "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def last(run: Run) -> int:
    """The newest step that a run has logged."""
    return max((row["step"] for row in run.metrics()), default=0)


def compare(whole: Run, broken: Run) -> None:
    """Same weights, same optimiser, same lines of metrics."""
    one = checkpoints.newest(whole.path / CHECKPOINTS)
    other = checkpoints.newest(broken.path / CHECKPOINTS)
    assert one is not None and other is not None and one.step == other.step
    assert one.tensors.keys() == other.tensors.keys()
    assert all((one.tensors[name] == other.tensors[name]).all() for name in one.tensors)
    assert [r["loss"] for r in whole.metrics()] == [r["loss"] for r in broken.metrics()]


def main() -> None:
    """Kill, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dir", type=Path, default=None, help="keep the two runs here")
    told = parser.parse_args()
    trainers = Trainers()
    try:
        with tempfile.TemporaryDirectory() as folder:
            store = RunStore(told.dir or folder)
            print(json.dumps(killed(trainers, store, told.kills, told.seed), indent=1))
    finally:
        trainers.close()


if __name__ == "__main__":
    sys.exit(main())

"""What the run engine costs beside the steps themselves, and how fast runs are listed.

    python benchmarks/engine.py [--steps 60] [--rounds 5] [--runs 1000] [--data FOLDER]

The same steps are made twice in turns in one process: bare (batch, mask, loss, backward, update),
and through the loop that writes metrics and state. What the loop does beside a step is also timed
alone, because on a busy machine a step varies by more than that: `bookkeeping_us`, and its share.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from workbench.runs.presets import run_preset
from workbench.runs.setting import place, setting
from workbench.runs.store import STOP, Run, RunStore
from workbench.runs.training import Trainer, note, train
from workbench.runs.watching import Spikes
from workbench.runs.writing import Writer


def overhead(preset: str, steps: int, rounds: int, data: str) -> dict[str, float]:
    """Seconds of bare steps and of the loop around the same ones, in turns."""
    config = replace(run_preset(preset), steps=steps, save_every=steps, picture_every=0)
    if data:
        config = replace(config, data=data)
    parts, where = setting(config), place(config)
    pictures = parts.dataset.load(config.size)
    bare: list[float] = []
    whole: list[float] = []
    writing: list[float] = []
    notes: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(folder)
        for _ in range(rounds):
            trainer = Trainer.ready(parts, pictures, where)
            began = time.perf_counter()
            for _ in range(steps):
                trainer.make_step()
            bare.append(time.perf_counter() - began)
            run = store.create(config)
            marks: list[float] = []
            train(run, reading=pictures, should_stop=lambda m=marks: m.append(time.perf_counter()))
            whole.append((marks[-1] - marks[0]) * steps / (steps - 1))
            began = time.perf_counter()
            trainer.save(run)
            trainer.shown()
            writing.append(time.perf_counter() - began)
            notes.append(bookkeeping(run, trainer))
    ratio = statistics.median(w / b for w, b in zip(whole, bare, strict=True))
    return {
        "bare_step_ms": 1000 * statistics.median(bare) / steps,
        "loop_step_ms": 1000 * statistics.median(whole) / steps,
        "ratio": ratio,
        "bookkeeping_us": 1e6 * statistics.median(notes),
        "bookkeeping_share": statistics.median(notes) * steps / statistics.median(bare),
        "checkpoint_and_pictures_ms": 1000 * statistics.median(writing),
        "share_at_every_250_steps": statistics.median(writing)
        / (250 * statistics.median(bare) / steps),
    }


def bookkeeping(run: Run, trainer: Trainer, count: int = 2000) -> float:
    """Seconds a step that go into metrics, state, alerts and the question whether to stop."""
    config = trainer.config
    writer = Writer(run, config.steps, config.batch, trainer.where.device)
    spikes, first = Spikes(), trainer.step
    began = time.perf_counter()
    for i in range(count):
        trainer.step = first + 1 + i % config.log_every
        note(trainer, writer, spikes, {"loss": 1.0}, 0.1)
        (run.path / STOP).exists()
    spent = time.perf_counter() - began
    writer.close()
    return spent / count


def listing(count: int) -> dict[str, float]:
    """Seconds to list so many runs, each with a state and a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(folder)
        config = run_preset("digits_mae_tiny")
        for i in range(count):
            store.create(replace(config, seed=i)).set_state(state="done", step=400)
        times: list[float] = []
        for _ in range(5):
            began = time.perf_counter()
            assert len(RunStore(folder).table()) == count
            times.append(time.perf_counter() - began)
    return {"runs": count, "seconds": statistics.median(times), "best": min(times)}


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--data", type=Path, default=None, help="folder with CIFAR-10")
    told = parser.parse_args()
    found = {"listing": listing(told.runs)}
    found["digits_mae_tiny"] = overhead("digits_mae_tiny", told.steps * 4, told.rounds, "")
    if told.data is not None:
        data = f'cifar10(path="{told.data}")'
        found["cifar10_mae_tiny"] = overhead("cifar10_mae_tiny", told.steps, told.rounds, data)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

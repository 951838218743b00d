"""Small runs in folders of their own, and real processes that train them."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.runs.config import RunConfig
from workbench.runs.presets import run_preset
from workbench.runs.store import Run, RunStore

Small = Callable[..., RunConfig]


def small_config(**knobs: object) -> RunConfig:
    """A run of a few quick steps on digits."""
    usual = {"batch": 16, "steps": 9, "warmup": 2, "save_every": 4, "log_every": 2,
             "picture_every": 0, "dim": 32, "depth": 2, "threads": 1}  # fmt: skip
    return replace(run_preset("digits_mae_tiny"), **{**usual, **knobs})


@pytest.fixture(scope="session")
def small() -> Small:
    return small_config


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


class Trainers:
    """Starts trainers as processes of their own; see forker.py."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.lock = threading.Lock()

    def _ask(self, order: dict[str, object]) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        with self.lock:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            return int(self.process.stdout.readline())

    def start(self, run: Run, variables: dict[str, str] | None = None, **harm: int) -> int:
        """Start a trainer, harmed in one of the forker's ways; returns its process number."""
        return self._ask({"run": str(run.path), "variables": variables or {}, **harm})

    def wait(self, pid: int) -> int:
        """Wait for a trainer's end; returns its status, negative for a signal."""
        return self._ask({"wait": pid})

    def train(self, run: Run, **harm: int) -> int:
        """Train a run to its end; returns the status of its process."""
        return self.wait(self.start(run, **harm))

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def trainers() -> Iterator[Trainers]:
    found = Trainers()
    yield found
    found.close()


def until(true: Callable[[], object], seconds: float = 90) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def picture_folder(place: Path, count: int = 12) -> Path:
    """Pictures of noise; the first ones are the same in every folder."""
    place.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"photo{i}.png")
    return place

"""Small runs in folders of their own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.runs.config import RunConfig
from workbench.runs.presets import run_preset
from workbench.runs.store import RunStore

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

"""Masks as text, so that a reviewer can see what a change does to them; and the doctests."""

import doctest
import importlib
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.masks import MASKS

FOLDER = Path(__file__).parent / "golden"
TEXT = runpy.run_path(str(FOLDER / "write.py"))["text"]
OWN = [name for name in MASKS.names() if MASKS.get(name).__module__.startswith("workbench.")]
DOCUMENTED = [
    "params", "registry", "masks.lattice", "masks.mask", "masks.ranking", "masks.rle",
    "masks.quadtree", "masks.regions", "masks.strategy", "scores.grouping", "schedules",
]  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_the_masks_are_those_of_the_golden_file(name):
    path = FOLDER / f"{name}.txt"
    assert path.exists(), f"new strategy? python tests/golden/write.py --yes {name}"
    assert TEXT(name) == path.read_text()


def test_no_golden_file_is_left_behind():
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == OWN


def test_golden_files_are_written_by_an_explicit_flag_only():
    before = {path: path.stat().st_mtime_ns for path in FOLDER.glob("*.txt")}
    done = subprocess.run([sys.executable, FOLDER / "write.py"], capture_output=True, text=True)
    assert done.returncode == 1 and "--yes" in done.stderr
    assert before == {path: path.stat().st_mtime_ns for path in FOLDER.glob("*.txt")}


@pytest.mark.parametrize("module", DOCUMENTED)
def test_the_examples_in_the_docstrings_hold(module):
    result = doctest.testmod(importlib.import_module(f"workbench.{module}"))
    assert result.attempted > 0 and result.failed == 0

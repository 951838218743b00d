"""The memory that a preflight foretells beside what the run then takes.

    python benchmarks/preflight.py [--presets digits_mae_tiny,...] [--steps 12] [--data FOLDER]

Each preset is rehearsed, then trained for some steps in a process of its own, with checkpoints and
pictures on the way; the peak is the kernel's own count for that process (Linux).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from workbench.data.sets import DATASETS
from workbench.runs.launching import configured
from workbench.runs.rehearsing import preflight
from workbench.runs.store import Run, RunStore
from workbench.runs.surroundings import surroundings

PRESETS = "digits_mae_tiny,cifar10_mae_tiny,cifar10_simmim_tiny"


def peak_of(run: Run) -> int:
    """Train a run; returns the most bytes that its process held until it said that it is done.

    After that it is on its way out, and torch's libraries touch 100 MB of their own files.
    """
    command = [sys.executable, "-m", "workbench.runs.process", str(run.path)]
    most = 0
    with (run.path / "log.txt").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env=surroundings(os.environ))
        while child.poll() is None and run.state()["state"] != "done":
            for line in Path(f"/proc/{child.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    most = 1024 * int(line.split()[1])  # the kernel's figure only rises
            time.sleep(0.02)
    if child.wait():
        raise SystemExit((run.path / "log.txt").read_text())
    return most


def resident() -> int:
    """Bytes that this process holds (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(each.split()[1] for each in lines if each.startswith("VmRSS:")))


def decoded(folder: Path) -> dict[str, float]:
    """Megabytes (10^6) of CIFAR-10's training pictures in memory, and by how much we grew."""
    dataset = DATASETS.parse(f'cifar10(path="{folder}")')
    before = resident()
    pictures = dataset.load(32)
    grown = resident() - before
    return {"pictures": len(pictures), "decoded_mb": pictures.images.nbytes / 1e6,
            "grown_mb": round(grown / 1e6, 1)}  # fmt: skip


def main() -> None:
    """Print one line a preset: foretold and taken in MB, and the quotient."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", default=PRESETS)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--data", type=Path, default=None, help="folder with CIFAR-10")
    told = parser.parse_args()
    if told.data is not None:
        print(json.dumps({"cifar10": decoded(told.data)}), flush=True)
    for name in told.presets.split(","):
        changes = {"steps": told.steps, "save_every": 5, "picture_every": 5, "warmup": 1}
        if told.data is not None and name.startswith("cifar10"):
            changes["data"] = f'cifar10(path="{told.data}")'
        config = configured(name, changes)
        with tempfile.TemporaryDirectory() as folder:
            foretold = preflight(config, folder)["memory"]
            taken = peak_of(RunStore(folder).create(config))
        row = {"preset": name, "foretold_mb": foretold >> 20, "taken_mb": taken >> 20}
        print(json.dumps({**row, "quotient": round(foretold / taken, 3)}), flush=True)


if __name__ == "__main__":
    main()

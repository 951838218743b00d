"""The lab's benchmark runs from one command, and both sides find the same."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "lab.py"


def test_the_loop_and_the_statistics_agree_on_every_strategy():
    few = ["--draws", "50", "--masks", "20", "--rounds", "1", "--json"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *few], capture_output=True, text=True, timeout=120
    )
    rows = json.loads(done.stdout)["rows"]
    assert len(rows) == 6 and all(row["same"] for row in rows), rows
    assert all(row["ratio"] > 0 for row in rows)

"""The benchmark runs from one command, and says so where a peer is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "masks.py"
PEER = """
import numpy as np

class MaskingGenerator:
    def __init__(self, size, goal, min_num_patches):
        assert (size, goal, min_num_patches) == (14, 78, 16)

    def __call__(self):
        return np.zeros((14, 14), dtype=np.int)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--rounds", "1", "--seconds", "0.001", *arguments]
    env = {**os.environ, "PEERS_DIR": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)


def test_without_peers_it_prints_our_rates(tmp_path):
    done = run(tmp_path, "--only", "block")
    assert done.returncode == 0, done.stderr
    assert "no unilm/beit/masking_generator.py in PEERS_DIR" in done.stdout
    assert "inverse_block(ratio=0.75)" in done.stdout


def test_a_peer_written_from_a_paper_is_always_there(tmp_path):
    found = json.loads(run(tmp_path, "--only", "frequency_disc", "--json").stdout)
    (row,) = found["duels"]
    assert row["target"] == 80 and 0 < row["ratio"] < 1e6 and row["missing"] == ""


def test_with_a_peer_it_prints_the_ratio(tmp_path):
    file = tmp_path / "unilm" / "beit" / "masking_generator.py"
    file.parent.mkdir(parents=True)
    file.write_text(PEER)
    found = json.loads(run(tmp_path, "--json", "--only", "BEiT").stdout)
    block = [row for row in found["duels"] if "BEiT" in row["title"]]
    assert [row["target"] for row in block] == [7, 7, 20, 20]
    for row in block:
        assert 0 < row["ratio"] and row["spread"][0] <= row["ratio"] <= row["spread"][1]
        assert abs(row["ours"] / row["peer"] / row["ratio"] - 1) < 1e-6

"""What it costs to start, as ratios to `import torch` in the same run, each in a cold process.

    python benchmarks/imports.py [--rounds 9] [--clock wall|cpu] [--json]

On a busy machine take the processor's time, `--clock cpu`. Wanted: `import workbench` at most
0.10x, the first reconstruction at most 1.25x.
"""

import argparse
import json
import statistics
import subprocess
import sys

CLOCKS = {"wall": "perf_counter", "cpu": "process_time"}
STARTS = {
    "import torch": "import torch",
    "import workbench": "import workbench",
    "import workbench.masks": "import workbench.masks",
    "draw a mask": "from workbench.masks import MASKS, Grid; "
    "MASKS.parse('block(ratio=0.6)').sample(Grid(14, 14))",
    "preview of a scene": "from workbench.scenes import SceneSpec, preview; preview(SceneSpec())",
    "first reconstruction": "from workbench.scenes import SceneSpec, compose; compose(SceneSpec())",
    "import timm": "import timm",
}
WANTED = {"import workbench": 0.10, "first reconstruction": 1.25}


def seconds(code: str, clock: str) -> float:
    """Run `code` in a fresh interpreter and return its own time, the interpreter's start not."""
    now = f"time.{CLOCKS[clock]}()"
    timed = f"import time; started = {now}; {code}; print({now} - started)"
    command = [sys.executable, "-c", timed]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(ran.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for code in STARTS.values():  # files into the page cache, bytecode onto the disk
        seconds(code, options.clock)
    taken: dict[str, list[float]] = {name: [] for name in STARTS}
    for _ in range(options.rounds):  # interleaved, so that a busy minute hits all alike
        for name, code in STARTS.items():
            taken[name].append(seconds(code, options.clock))
    torch = statistics.median(taken["import torch"])
    rows = [
        {
            "start": name,
            "seconds": statistics.median(times),
            "ratio": statistics.median(times) / torch,
            "wanted": WANTED.get(name),
        }
        for name, times in taken.items()
    ]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"median of {options.rounds} cold processes each, interleaved, {options.clock} time")
    for row in rows:
        wanted = "" if row["wanted"] is None else f"  (wanted: at most {row['wanted']:.2f}x)"
        print(f"{row['start']:24} {row['seconds']:7.3f} s  {row['ratio']:6.3f}x{wanted}")


if __name__ == "__main__":
    main()

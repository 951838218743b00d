"""The environment of our processes: whose code they load, how threads wait, how memory is kept."""

import os
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from typing import Any

KEPT = 1 << 30  # bytes; buffers of a step below this stay with the process

# Threads that spin at the end of every operation take the core away from the one they wait for:
# beside other work a step on two threads took more than ten times as long as one whose threads
# sleep, and longer than on one thread.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
# Every step asks for the same buffers. Giving large ones back to the system each time, to get them
# anew and zeroed in pages of 4 kB, cost a tenth of a step.
ALLOCATING = {
    "GLIBC_TUNABLES": ":".join(
        f"glibc.malloc.{name}={value}"
        for name, value in (
            ("mmap_threshold", KEPT), ("trim_threshold", 4 * KEPT), ("hugetlb", 1),
        )
    )
}  # fmt: skip


# What a run keeps of the surroundings it was launched in. No PYTHONPATH: a folder of runs that
# somebody hands on could name its own code.
CARRIED = ("WORKBENCH_HOME", "WORKBENCH_DATA", "OMP_NUM_THREADS")


def surroundings(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process of ours: `given`, and what it does not set itself."""
    return {**WAITING, **ALLOCATING, **_own_code(), **given}


def surroundings_of(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of a run's process: this one's, and what the run carries."""
    told = environment.get("variables")
    kept = {k: v for k, v in told.items() if k in CARRIED} if isinstance(told, dict) else {}
    return surroundings({**os.environ, **{k: v for k, v in kept.items() if isinstance(v, str)}})


@cache
def _own_code() -> dict[str, str]:
    """Keep the folder one stands in out of imports: a `random.py` there would end the process."""
    try:
        metadata.distribution("mask-workbench")
    except metadata.PackageNotFoundError:  # then that folder may be where the package is
        return {}
    return {"PYTHONSAFEPATH": "1"}

"""The environment of a training process: how its threads wait and how it keeps memory."""

from collections.abc import Mapping

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


def surroundings(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a training process: `given`, and what it does not set itself."""
    return {**WAITING, **ALLOCATING, **given}

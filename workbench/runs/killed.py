"""Whether the kernel ended a process because memory had run out: its counters tell."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

GROUPS, MACHINE = Path("/sys/fs/cgroup"), Path("/proc/vmstat")
OWN_GROUPS = Path("/proc/self/cgroup")
COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
BY_KERNEL = "the kernel ended it, for memory had run out"
BY_KERNEL_LIKELY = (
    "it ended without a word while the kernel ended some process of this machine, for memory had "
    "run out: most likely this one"
)


def counted() -> dict[str, int]:
    """Return the file that counts such ends of processes like this one, and its number.

    That of the process's own control group where there is one (`memory.events` of version 2,
    `memory.oom_control` of version 1; admin-guide/cgroup-v2.rst of the kernel), since it counts the
    group's processes whoever lacked memory; else the whole machine's. {} where none is known.
    """
    for file in (*_own(), MACHINE):
        number = _number(file)
        if number is not None:
            return {str(file): number}
    return {}


def ended_by_kernel(before: Mapping[str, Any]) -> str:
    """Return what a number that has risen since `counted` says of a process; "" for none."""
    for name, number in before.items():
        file = Path(name)
        if file != MACHINE and not file.is_relative_to(GROUPS):  # a folder of runs names no others
            continue
        if isinstance(number, int) and (_number(file) or 0) > number:
            return BY_KERNEL_LIKELY if file == MACHINE else BY_KERNEL
    return ""


def _own() -> Iterator[Path]:
    """Counters of this process's group and of those that it lies in, the nearest first."""
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if not kinds:
            root, name = GROUPS, "memory.events"
        elif "memory" in kinds.split(","):
            root, name = GROUPS / "memory", "memory.oom_control"
        else:
            continue
        inside = Path(path.lstrip("/"))
        yield from (root / each / name for each in (inside, *inside.parents))


def _number(file: Path) -> int | None:
    try:
        found = COUNT.search(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return int(found[1]) if found else None

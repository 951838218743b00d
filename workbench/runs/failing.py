"""What kind of failure an exception tells of: no memory, no room on the disk, or something else."""

import errno

import psutil

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
MEMORY_WORDS = (
    "out of memory", "can't allocate memory", "not enough memory", "bad_alloc",
    "could not create a memory", "could not create a primitive", "Cannot allocate memory",
)  # fmt: skip


def classify(problem: BaseException) -> str:
    """Return "memory", "disk" or "failure"."""
    text = str(problem)
    if isinstance(problem, MemoryError) or any(word in text for word in MEMORY_WORDS):
        return "memory"
    if isinstance(problem, OSError) and (problem.errno in NO_ROOM or _full(text)):
        return "disk"
    return "failure"


def _full(text: str) -> bool:
    return any(f"os error {number}" in text for number in NO_ROOM) or "No space left" in text


def limit_memory(megabytes: int) -> None:
    """Allow so many MB of address space beyond what is loaded now; 0 for any."""
    if not megabytes:
        return
    import resource

    limit = psutil.Process().memory_info().vms + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def lift_limit() -> None:
    """Take `limit_memory` back, for what comes after a failure and for child processes."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))

"""What kind of failure an exception tells of, and the sentence that says so."""

import errno
import os
import traceback

import psutil

from workbench.errors import BadInput

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
MEMORY_WORDS = (
    "out of memory", "can't allocate memory", "not enough memory", "bad_alloc",
    "could not create a memory", "could not create a primitive", "Cannot allocate memory",
)  # fmt: skip


class NotFinite(Exception):
    """A loss, gradient or weight that is no number."""


class Lost(Exception):
    """Another process of a team is gone."""


def explain(problem: BaseException) -> tuple[str, str]:
    """Return the kind of a failure (nan, data, input, killed, memory, disk, failure), and why."""
    if isinstance(problem, NotFinite):
        return "nan", f"{problem}; training stopped, and nothing that is no number was saved"
    if isinstance(problem, Lost):
        return "killed", str(problem)
    if isinstance(problem, BadInput):
        return ("data" if _about_data(problem) else "input"), str(problem)
    kind = classify(problem)
    first = (str(problem).splitlines() or [""])[0][:200]
    if kind == "memory":
        return kind, f"out of memory ({first})"
    if kind == "disk":
        said = f"the disk takes no more ({first}); make room and resume: the last checkpoint stays"
        return kind, said
    return kind, f"{type(problem).__name__}: {first}"


def _about_data(problem: BadInput) -> bool:
    frames = traceback.extract_tb(problem.__traceback__)
    return any("workbench/data/" in frame.filename.replace(os.sep, "/") for frame in frames)


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

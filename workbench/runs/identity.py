"""Which process is which: a number and a mark of its start, so that it is never mistaken."""

import os
from pathlib import Path

import psutil

STAT_FIELDS_AFTER_NAME = 19  # field 22 of /proc/PID/stat, counted behind the name's bracket


def start_mark(pid: int) -> str | None:
    """Return what tells a process from every other that ever had its number; None if it is gone.

    On Linux that is the boot's id and the start in clock ticks since the boot: unlike
    `psutil.Process.create_time`, which is used elsewhere, it does not move with the clock.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            ticks = text.rpartition(")")[2].split()[STAT_FIELDS_AFTER_NAME]
            return f"{boot()}:{ticks}"
        except (OSError, IndexError):
            return f"{process.create_time():.2f}"
    except (psutil.Error, ValueError, OverflowError):  # no number that a process can have
        return None


def boot() -> str:
    """Return what the kernel calls the time since the machine was last started (Linux)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def of_earlier_boot(mark: str | None) -> bool:
    """Whether a process ran before the machine was last started; False where nobody can tell."""
    before, sign, _ = (mark or "").rpartition(":")
    try:
        return bool(sign) and before != boot()
    except OSError:
        return False


def alive(pid: int | None, mark: str | None) -> bool:
    """Whether the process that had this number and mark still runs."""
    return bool(pid) and bool(mark) and start_mark(int(pid or 0)) == mark


def me() -> tuple[int, str]:
    """Number and mark of this process."""
    return os.getpid(), start_mark(os.getpid()) or ""


def end_tree(pid: int, mark: str, grace: float = 0.0) -> list[int]:
    """End a process, its group and all it started; returns the numbers of those that had to go.

    Args:
        pid: a leader of its own session.
        mark: its `start_mark`; nothing is done if another process has the number now.
        grace: seconds between asking and insisting.
    """
    if not alive(pid, mark):
        return []
    try:
        leader = psutil.Process(pid)
        family = [leader, *leader.children(recursive=True)]
    except psutil.Error:
        return []
    group = [each for each in psutil.process_iter() if _of_session(each, pid)]
    family += [each for each in group if each not in family]
    if grace > 0:
        for each in family:
            _quietly(each.terminate)
        _, family = psutil.wait_procs(family, timeout=grace)
    for each in family:
        _quietly(each.kill)
    psutil.wait_procs(family, timeout=5)
    return [each.pid for each in family]


def _of_session(process: psutil.Process, leader: int) -> bool:
    try:
        return os.getsid(process.pid) == leader
    except (OSError, psutil.Error):
        return False


def _quietly(act: object) -> None:
    try:
        act()  # pyright: ignore
    except psutil.Error:
        pass

"""Which number format pays on this machine: measured once, never assumed."""

import functools
import time
from collections.abc import Generator
from contextlib import contextmanager

import torch


@functools.cache
def bf16_gain() -> float:
    """How many times faster one core multiplies bf16 matrices than fp32 ones.

    The best of 5 times each on one thread: what others do on the machine at that moment should not
    decide.
    """
    a = torch.randn(256, 768)
    b = torch.randn(768, 768)
    half_a, half_b = a.bfloat16(), b.bfloat16()
    times: dict[bool, list[float]] = {True: [], False: []}
    with threads_for(0):
        for _ in range(6):
            for half in (True, False):
                started = time.perf_counter()
                if half:
                    torch.mm(half_a, half_b)
                else:
                    torch.mm(a, b)
                times[half].append(time.perf_counter() - started)
    return min(times[False][1:]) / min(times[True][1:])


def bf16_pays(device: torch.device) -> bool:
    """Whether bf16 is worth using on `device`: on CUDA if supported, on a CPU if 1.5x faster."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and bf16_gain() >= 1.5


# A call of this many multiply-adds takes about 20 ms on one core.
SMALL_WORK = 2e9


@contextmanager
def threads_for(work: float) -> Generator[None]:
    """Use one thread for small work on a CPU, all of them for the rest.

    Small tensor operations collapse when other processes want the cores too: every operation waits
    for the slower thread. A 144 px reconstruction took 13 ms on one thread and 290 ms on two beside
    a busy machine, and 9 ms on two on a quiet one.

    Args:
        work: multiply-adds, roughly.
    """
    every = _all_threads()
    torch.set_num_threads(1 if work <= SMALL_WORK else every)
    try:
        yield
    finally:
        torch.set_num_threads(every)


@functools.cache
def _all_threads() -> int:
    return torch.get_num_threads()

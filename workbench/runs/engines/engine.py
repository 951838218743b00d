"""What every engine does: take runs, say which it still knows, and end one."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from workbench.registry import Member
from workbench.runs.store import Run


@dataclass(frozen=True, kw_only=True)
class Engine(Member):
    """A scheduler of other machines that see the folder of runs under the same path."""

    always_print: ClassVar[tuple[str, ...]] = ()
    package: ClassVar[str] = ""  # that has to be installed beside the workbench

    @classmethod
    def installed(cls) -> bool:
        """Whether its package is; nothing is imported."""
        return not cls.package or importlib.util.find_spec(cls.package) is not None

    @classmethod
    def absent(cls) -> str:
        """Return why it cannot be asked from this machine; "" where it can."""
        return ""

    def settled(self) -> Self:
        """Return it with what this process's surroundings decide, for others to ask the same."""
        return self

    def submit(self, runs: Sequence[Run]) -> list[str]:
        """Hand runs over; returns the name of a job for each.

        Raises:
            BadInput: it is not there or refuses them, in its own words.
        """
        raise NotImplementedError

    def active(self, folder: str) -> set[str] | None:
        """Return the jobs that wait or run, None if it cannot be asked now."""
        raise NotImplementedError

    def why(self, job: str, folder: str) -> str:
        """Return what it says of a job that it has given up; "" for nothing."""
        return ""

    def end(self, job: str, folder: str) -> None:
        """End a job, waiting or running, without a word to it.

        Raises:
            BadInput: it cannot be asked now, or the job goes on.
        """
        raise NotImplementedError

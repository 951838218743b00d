"""One line of progress on stderr: rewritten on a terminal, now and then elsewhere."""

import sys
import time

import typer

FIRST_SECONDS, TERMINAL_SECONDS, FILE_SECONDS = 1.0, 0.2, 10.0


class Telling:
    """Tells how far long work is; short work stays quiet."""

    def __init__(self, unit: str, rate: bool = True) -> None:
        self.unit, self._paced = unit, rate
        self._live = sys.stderr.isatty()
        self._first: tuple[float, int] | None = None
        self._next = 0.0
        self._open = False

    def tell(self, done: int, total: int, note: str = "") -> None:
        """Write the line if the last one is old enough; the clock starts with the first call."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._next = (now, done), now + FIRST_SECONDS
        if now < self._next:
            return
        began, before = self._first
        self._next = now + (TERMINAL_SECONDS if self._live else FILE_SECONDS)
        rate = (done - before) / (now - began)
        known = done - before > max(2, total / 50)  # the first few say little of the others
        left = f", about {_span(max(total - done, 0) / rate)} to go" if known and rate > 0 else ""
        pace = (
            f"{rate:.0f} a second" if rate >= 2 else f"{1 / rate:.1f} s each" if rate > 0 else "-"
        )
        told = f", {pace}" if self._paced else ""
        line = f"{done} of {total} {self.unit}{told}{left}{note}"
        if self._live:
            typer.echo(f"\r\033[K{line}", err=True, nl=False)
            self._open = True
        else:
            typer.echo(line, err=True)

    def end(self) -> None:
        """Close a line that stands open."""
        if self._open:
            typer.echo("", err=True)
            self._open = False


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

"""One line of progress on stderr: rewritten on a terminal, now and then elsewhere."""

import sys
import time

import typer

FIRST_SECONDS, TERMINAL_SECONDS, FILE_SECONDS = 1.0, 0.2, 10.0


class Telling:
    """Tells how far long work is; short work stays quiet."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
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
        left = max(total - done, 0) / rate if rate > 0 else 0
        pace = (
            f"{rate:.0f} a second" if rate >= 2 else f"{1 / rate:.1f} s each" if rate > 0 else "-"
        )
        line = f"{done} of {total} {self.unit}, {pace}, about {left:.0f} s to go{note}"
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

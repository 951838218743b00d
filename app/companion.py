"""The studio as a child process of the dashboard or of a notebook's kernel."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from workbench.errors import BadInput

STARTS_WITHIN = 90.0
LOW_PRIORITY = 5  # a quarter of the dashboard's share where both want the processor
ROOT = Path(__file__).resolve().parents[1]


class Child:
    """Starts the studio, knows its port, and ends it.

    The child reads its standard input and stops when that closes, so it ends with this process
    even if this one is killed. It runs in a session of its own: interrupting a notebook's cell or
    pressing Ctrl+C does not reach it.
    """

    def __init__(self, **options: Any) -> None:
        """`options` go to `app.studio.server.serve_as_child`."""
        self.options = options
        self._port: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._told = threading.Event()

    @property
    def running(self) -> bool:
        """Whether there is a process, answering already or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def port(self) -> int | None:
        """Where it answers; None while it does not."""
        return self._port if self.running else None

    def start(self) -> None:
        """Start the process if it is not running; returns at once."""
        with self._lock:
            if self.running:
                return
            self._port = None
            self._told = threading.Event()
            path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.studio.server", json.dumps(self.options)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
                env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
            reader = threading.Thread(target=self._listen, args=(self._process, self._told))
            reader.daemon = True
            reader.start()

    def _listen(self, process: "subprocess.Popen[bytes]", told: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                word, _, number = line.partition(b" ")
                if word == b"port":
                    self._port = int(number)
                    told.set()
        process.wait()
        told.set()

    def wait(self, seconds: float = STARTS_WITHIN) -> int:
        """Start if needed, wait until the studio answers, and return its port.

        Raises:
            BadInput: it ended or did not answer in time.
        """
        self.start()
        self._told.wait(seconds)
        port = self.port
        if port is None:
            state = "does not answer yet" if self.running else "ended while it started"
            raise BadInput(
                f"The studio {state}; start it alone with `python -m workbench studio` and read "
                "what it says."
            )
        return port

    def stop(self) -> None:
        """End the process and wait for it."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


class Companion:
    """The dashboard's own studio: started once its model is warm, or by the first visit.

    Two interpreters starting at once would slow the first page, and a machine that is asked for
    the dashboard only should not wait for the studio. Waiting and at low priority it costs the
    dashboard nothing measurable; it takes about 170 MB, and loads torch with its first page only.
    """

    def __init__(self) -> None:
        self.child: Child | None = None

    @property
    def enabled(self) -> bool:
        """Whether this server has a studio."""
        return self.child is not None

    def enable(self, host: str, dashboard: int) -> None:
        """Say that there is to be a studio, for the dashboard on this port."""
        self.child = Child(host=host, dashboard=dashboard, nice=LOW_PRIORITY)

    def start_after(self, ready: Any) -> None:
        """Start the studio in the background once `ready()` is true."""
        if self.child is not None:
            threading.Thread(target=self._start_after, args=(ready,), daemon=True).start()

    def _start_after(self, ready: Any) -> None:
        while not ready():
            time.sleep(0.5)
        if self.child is not None:
            self.child.start()

    def stop(self) -> None:
        """End the studio with the dashboard."""
        child, self.child = self.child, None
        if child is not None:
            child.stop()


companion = Companion()

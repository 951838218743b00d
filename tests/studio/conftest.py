"""A studio in a process of its own, and its client."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.security.conftest import ROOT, Running, free_port

# The server notes every address that it tries to reach beyond this machine, and is refused it.
GUARDED = """
import os, socket, sys
connect, look_up = socket.socket.connect, socket.getaddrinfo
def note(host):
    if str(host) not in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "None"):
        with open(os.environ["REACHED"], "a") as file:
            print(host, file=file)
        raise OSError(f"reached for {host}")
def guarded(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        note(address[0])
    return connect(self, address)
def looked_up(host, *rest, **more):
    note(host.decode() if isinstance(host, bytes) else host)
    return look_up(host, *rest, **more)
socket.socket.connect, socket.getaddrinfo = guarded, looked_up
from app.studio.server import serve
serve(sys.argv[1], int(sys.argv[2]))
"""


class RunningStudio(Running):
    """A studio spoken to without any client that tidies up; `reached` is what it tried to reach."""

    def __init__(self, home: Path, host: str = "127.0.0.1", token: str | None = None) -> None:
        self.port, self.token, self.home = free_port(), token, home
        self.reached_log = home / "reached.txt"
        environment = {
            **os.environ, "WORKBENCH_HOME": str(home), "PYTHONUNBUFFERED": "1",
            "REACHED": str(self.reached_log),
        }  # fmt: skip
        if token is not None:
            environment["WORKBENCH_TOKEN"] = token
        self.log = home / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", GUARDED, host, str(self.port)],
                cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def reached(self) -> str:
        return self.reached_log.read_text() if self.reached_log.exists() else ""


@pytest.fixture(scope="session")
def studio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """One studio for all tests; at the end it has reached for nothing beyond this machine."""
    running = RunningStudio(tmp_path_factory.mktemp("studio-home"))
    yield running
    running.stop()
    assert running.reached == ""
    assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="session")
def client(studio_server: RunningStudio) -> Any:
    """The Python client of that studio."""
    from gradio_client import Client

    return Client(studio_server.url, verbose=False, analytics_enabled=False)


def gone(pid: int, seconds: float) -> bool:
    """Whether a process ends in time; one that is dead and not yet collected counts as gone."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX" and len(list(Path(f"/proc/{pid}/task").iterdir())) < 2:
            return True
        time.sleep(0.05)
    return False

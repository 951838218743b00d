"""A server in its own process, and a client that sends what no browser would."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOKEN = "correct-horse-battery-staple"
START = "import sys; from app.server import serve; serve(sys.argv[1], int(sys.argv[2]))"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A server in its own process, spoken to without any client that tidies up addresses."""

    def __init__(self, home: Path, host: str = "127.0.0.1", token: str | None = None) -> None:
        self.port, self.token = free_port(), token
        environment = {**os.environ, "WORKBENCH_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        environment.pop("WORKBENCH_TOKEN", None)
        if token is not None:
            environment["WORKBENCH_TOKEN"] = token
        self.log = home / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, host, str(self.port)],
                cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if self.ask("GET", "/api/health")[0] == 200:
                    return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.1)
        raise AssertionError(f"the server did not answer: {self.log.read_text()}")

    def ask(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        try:
            link.putrequest(method, "/", skip_host=True, skip_accept_encoding=True)
            # http.client refuses control letters in a target; a hostile client would not
            link._buffer[0] = f"{method} {target} HTTP/1.1".encode("latin-1")
            for name, value in sent.items():
                link.putheader(name, value)
            if body:
                link.putheader("Content-Length", str(len(body)))
            link.endheaders(body.encode() if body else None)
            answer = link.getresponse()
            pairs = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, pairs, answer.read()
        finally:
            link.close()

    def pour(self, target: str, headers: dict[str, str], block: bytes, count: int) -> int:
        """Send blocks without saying how many; returns the status, which may come early."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            link.putrequest("POST", target)
            for name, value in headers.items():
                link.putheader(name, value)
            link.endheaders()
            with contextlib.suppress(ConnectionError):
                for _ in range(count):
                    link.send(b"%x\r\n%b\r\n" % (len(block), block))
            return link.getresponse().status
        finally:
            link.close()

    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def handshake(self, headers: dict[str, str]) -> int:
        return self.ask(
            "GET", "/_stcore/stream",
            {
                "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **headers,
            },
        )[0]  # fmt: skip

    def stop(self) -> float:
        """Stop with SIGTERM; returns the seconds until the port was free."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("home"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("guarded"), host="0.0.0.0", token=TOKEN)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def start_server() -> type[Running]:
    """`start_server(home)` starts one more server; the caller stops it."""
    return Running

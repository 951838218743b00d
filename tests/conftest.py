"""What every test stands on: a private home, loopback only, a real browser, a real app."""

import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]
HOME = Path(tempfile.mkdtemp(prefix="workbench-tests-"))

# Set before anything of ours is imported: nobody's uploads and runs are touched, nothing phones.
os.environ["WORKBENCH_HOME"] = str(HOME)
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["JUPYTER_PLATFORM_DIRS"] = "1"
os.environ.pop("WORKBENCH_TOKEN", None)
os.environ.pop("WORKBENCH_HOSTS", None)

settings.register_profile(
    "workbench",
    max_examples=50,
    derandomize=True,
    deadline=None,  # a shared machine stalls now and then
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("workbench")


class NetworkTouched(AssertionError):
    """A test, or the code under test, reached for an address beyond this machine."""


def _is_local(host: object) -> bool:
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _guard() -> None:
    """Let sockets reach loopback only."""
    connect, connect_ex, look_up = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def check(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise NetworkTouched(f"a connection to {address!r}; tests use loopback only")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(self, address)
        return connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not _is_local(name):
            raise NetworkTouched(f"a look-up of {host!r}; tests use loopback only")
        return look_up(host, *args, **kwargs)

    socket.socket.connect = guarded_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = guarded_look_up


def pytest_configure(config: pytest.Config) -> None:
    _guard()


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(HOME, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tier out unless it is asked for with `-m slow`."""
    if "slow" in (config.option.markexpr or ""):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.fixture
def workbench_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty WORKBENCH_HOME for this test alone."""
    home = tmp_path / "home"
    monkeypatch.setenv("WORKBENCH_HOME", str(home))
    return home


def run_workbench(
    *arguments: str,
    env: dict[str, str] | None = None,
    timeout: float = 240,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m workbench ...` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "workbench", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd or REPOSITORY,
        env={**os.environ, **(env or {})},
    )


@pytest.fixture(scope="session")
def workbench_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`workbench_command("draw", ...)` runs the command line in a process of its own."""
    return run_workbench


# --- the browser -------------------------------------------------------------------------------

QUIET_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium that starts; a missing one fails the run, it never skips it."""
    from workbench import chromium

    found = chromium.find()
    if found is None:
        pytest.fail("No Chromium that starts: run `make browser`, or set CHROMIUM=/path/to/it.")
    return found[0]


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], chromium: str
) -> dict[str, Any]:
    """Drive the Chromium at hand; without its sandbox where root's processes cannot have one."""
    sandbox = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    flags = [*QUIET_FLAGS, *sandbox]
    return {**browser_type_launch_args, "executable_path": chromium, "args": flags}


# --- the app -----------------------------------------------------------------------------------


@dataclass
class RunningApp:
    """A dashboard in a process of its own; `log` grows with what it prints."""

    url: str
    port: int
    home: Path
    process: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)

    def stop(self) -> int:
        """Ask it to end, insist after ten seconds, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait(10)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def launch_app(
    home: Path, *arguments: str, env: dict[str, str] | None = None, wait: float = 90
) -> RunningApp:
    """Start the dashboard on a free port and wait until it answers."""
    port = free_port()
    quiet = ["app", "--no-browser", "--no-studio", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", *quiet, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "WORKBENCH_HOME": str(home), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    app = RunningApp(f"http://127.0.0.1:{port}", port, home, process)
    greeted = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                app.log.append(line.rstrip())
                if re.search(r"http://\S+", line):
                    greeted.set()
        greeted.set()

    threading.Thread(target=read, daemon=True).start()
    if not greeted.wait(wait) or not _answers(app, wait):
        app.stop()
        raise RuntimeError("the app did not start:\n" + "\n".join(app.log))
    return app


def _answers(app: RunningApp, wait: float) -> bool:
    tick = threading.Event()
    for _ in range(int(wait * 10)):
        if app.process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", app.port), timeout=5).close()
            return True
        except OSError:
            tick.wait(0.1)
    return False


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[Callable[..., RunningApp]]:
    """`start_app(*arguments, env={...})` starts an app of this test's own."""
    started: list[RunningApp] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> RunningApp:
        app = launch_app(tmp_path / f"home{len(started)}", *arguments, env=env)
        started.append(app)
        return app

    yield start
    for app in started:
        app.stop()


@pytest.fixture(scope="session")
def app_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """One dashboard for all browser tests, with an empty home of its own."""
    app = launch_app(tmp_path_factory.mktemp("app-home"))
    yield app
    app.stop()

"""Dashboard and studio together: one click there and back, two processes, one end."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from app import companion
from app.access import Gate, make_ticket
from app.companion import Child
from app.server import bind
from tests.browser.visitor import SLOW, drawn, paint, watch
from tests.conftest import RunningApp, launch_app
from tests.security.conftest import TOKEN
from tests.studio.conftest import gone
from workbench.errors import BadInput


def studio_of(pid: int, wait: float = 60) -> psutil.Process:
    """The studio that a process has started, once it is there."""
    end = time.monotonic() + wait
    while time.monotonic() < end:
        for child in psutil.Process(pid).children():
            with contextlib.suppress(psutil.Error):
                if "app.studio.server" in child.cmdline():
                    return child
        time.sleep(0.1)
    raise AssertionError("there is no studio")


def arrive(app: RunningApp, query: str = "", get: Any = urllib.request.urlopen) -> str:
    """Where the dashboard's link to the studio leads once that has started."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        with get(f"{app.url}/api/studio{query}") as answer:
            if not answer.url.startswith(app.url):
                return str(answer.url)
        time.sleep(0.3)
    raise AssertionError("the studio does not answer")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """A dashboard with its studio, as `make app` starts them."""
    app = launch_app(tmp_path_factory.mktemp("together"), "--studio")
    yield app
    app.stop()


def test_one_click_carries_the_scene_there_and_back(browser: Browser, together: RunningApp) -> None:
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(SLOW)
    watch(page, together.url, complaints)
    page.goto(f"{together.url}/?photo=moon&mask=block(ratio=0.6)&seed=3")
    drawn(page, "seed=3")
    paint(page, (0.05, 0.46), (0.95, 0.46))
    mark = drawn(page, 'painted(hide="60-71", over=block(ratio=0.6))')
    expect(page).to_have_url(re.compile("painted"))
    with context.expect_page() as opened:
        page.get_by_role("link", name="Open in the studio").click()
    studio: Page = opened.value
    studio.set_default_timeout(SLOW)
    expect(studio).to_have_title("Mask workbench studio", timeout=SLOW)
    assert drawn(studio, "painted(") == mark
    assert not studio.url.startswith(together.url)
    paint(studio, (0.05, 0.05), (0.95, 0.05))
    changed = drawn(studio, 'painted(hide="0-11,60-71"')
    expect(studio).to_have_url(re.compile("0-11"))
    studio.get_by_role("link", name="Dashboard").click()
    expect(studio).to_have_url(re.compile(re.escape(together.url)))
    assert drawn(studio, "0-11,60-71") == changed
    context.close()
    assert complaints == []


# With `browser` the tests of one dashboard stay together: pytest orders tests by its parameter.
@pytest.mark.usefixtures("browser")
def test_the_studio_is_a_patient_process_of_its_own(together: RunningApp) -> None:
    arrive(together)
    child = studio_of(together.process.pid)
    assert child.nice() > psutil.Process(together.process.pid).nice()
    ports = {each.laddr.port for each in child.net_connections() if each.status == "LISTEN"}
    assert len(ports) == 1
    assert together.port not in ports
    maps = Path(f"/proc/{together.process.pid}/maps").read_text()
    assert "orjson" not in maps  # which Gradio loads: the dashboard never imports it


@pytest.mark.usefixtures("browser")
def test_a_killed_studio_starts_again_by_the_next_click(together: RunningApp) -> None:
    child = studio_of(together.process.pid)
    child.kill()
    assert gone(child.pid, 5)
    with urllib.request.urlopen(f"{together.url}/api/studio?seed=3") as answer:
        assert b"is starting" in answer.read()
    assert studio_of(together.process.pid).pid != child.pid
    assert arrive(together, "?seed=3").endswith("/?seed=3")


def test_a_visitor_who_is_logged_in_need_not_log_in_again(tmp_path: Path) -> None:
    app = launch_app(
        tmp_path / "home", "--studio", "--host", "0.0.0.0", env={"WORKBENCH_TOKEN": TOKEN}
    )
    jar = urllib.request.HTTPCookieProcessor()
    browser = urllib.request.build_opener(jar)
    try:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{app.url}/api/studio")
        browser.open(f"{app.url}/?token={TOKEN}").close()
        seen = arrive(app, "?seed=3", browser.open)
        assert seen.endswith("/?seed=3")
        assert TOKEN not in "".join(app.log)
        names = {cookie.name for cookie in jar.cookiejar}
        assert names == {f"workbench_{app.port}", f"workbench_{urlsplit(seen).port}"}
    finally:
        app.stop()


def test_a_ticket_is_good_once_for_a_minute_and_for_its_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticket = make_ticket(TOKEN)
    assert not Gate(token="another-horse-battery-staple").accepts_ticket(ticket)
    assert not Gate(token=None).accepts_ticket(ticket)
    gate = Gate(token=TOKEN)
    end, nonce, signature = ticket.split(".")
    for forged in (f"{int(end) + 9}.{nonce}.{signature}", f"{end}.{nonce}.", "", "..", "9.é.x"):
        assert not gate.accepts_ticket(forged)
    assert gate.accepts_ticket(ticket)
    assert not gate.accepts_ticket(ticket)
    late = make_ticket(TOKEN)
    monkeypatch.setattr(time, "time", lambda: int(end) + 61.0)
    assert not gate.accepts_ticket(late)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_studio_ends_with_the_dashboard(tmp_path: Path, how: signal.Signals) -> None:
    app = launch_app(tmp_path / "home", "--studio")
    try:
        urllib.request.urlopen(f"{app.url}/api/studio").close()  # starts it at once
        child = studio_of(app.process.pid)
        app.process.send_signal(how)
        app.process.wait(15)
        assert gone(child.pid, 10)
    finally:
        app.stop()


def test_without_a_studio_there_is_none(app_server: RunningApp, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(app_server.url)
    drawn(page)
    expect(page.get_by_role("link", name="Open in the studio")).to_have_count(0)
    page.close()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{app_server.url}/api/studio")
    assert psutil.Process(app_server.process.pid).children() == []


def test_two_servers_that_start_at_once_never_share_a_port() -> None:
    first = bind("127.0.0.1", None, 18_700)
    with first, bind("127.0.0.1", None, 18_700) as second:
        taken = {first.getsockname()[1], second.getsockname()[1]}
        assert len(taken) == 2
        with pytest.raises(BadInput, match="in use"):
            bind("127.0.0.1", first.getsockname()[1])
        with socket.create_connection(first.getsockname(), timeout=5):
            pass  # it waits in line for a server that is still starting


def test_a_studio_that_cannot_start_is_told(
    monkeypatch: pytest.MonkeyPatch, start_child: Callable[..., Child]
) -> None:
    child = start_child(host="0.0.0.0")  # without a token
    with pytest.raises(BadInput, match="ended while it started"):
        child.wait(60)
    assert not child.running


@pytest.fixture
def start_child() -> Iterator[Callable[..., Child]]:
    """`start_child(host=...)` makes a child that is stopped at the end."""
    made: list[Child] = []

    def make(**options: Any) -> Child:
        made.append(Child(**options))
        return made[-1]

    yield make
    for child in made:
        child.stop()


def test_importing_the_studio_loads_neither_gradio_nor_torch() -> None:
    source = (
        "import sys, app.server, app.studio, workbench.cli\n"
        "heavy = {'gradio', 'torch', 'streamlit', 'pandas'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=companion.ROOT, env=os.environ, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")

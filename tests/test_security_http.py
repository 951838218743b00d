"""The running server against hostile requests: paths, hosts, origins, tokens, addresses."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

ROOT = Path(__file__).parents[1]
TOKEN = "correct-horse-battery-staple"
START = "import sys; from app.server import serve; serve(sys.argv[1], int(sys.argv[2]))"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A server in its own process, spoken to without any client that tidies up addresses."""

    def __init__(self, home: Path, host: str = "127.0.0.1", token: str | None = None) -> None:
        self.port = free_port()
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


# ---- test 1: paths

FILE_ROUTES = [
    "/api/script/", "/api/export/", "/api/", "/media/", "/component/workbench/", "/static/",
    "/app/static/", "/_stcore/bidi-components/workbench_results/", "/_stcore/component/x/",
]  # fmt: skip
BAD_PATHS = [
    "../x", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "%2e%2e%2fpyproject.toml",
    "a/../../b", "..\\..\\pyproject.toml", "..%5c..%5cpyproject.toml", "C:\\x", "C:%5cx",
    "\\\\host\\share", "%5c%5chost%5cshare", "x%00.js", "%00", "..%c0%af..%c0%afetc/passwd",
    "....//....//etc/passwd", "%252e%252e%252fetc%252fpasswd", "y" * 5_000,
]  # fmt: skip


@pytest.mark.parametrize("route", FILE_ROUTES)
def test_no_path_reads_a_file(server: Running, route: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("do-not-read-me")
    paths = [*BAD_PATHS, str(secret), "%2f" + quote(str(secret)[1:], safe=""), f"/{secret}"]
    for path in paths:
        status, _, body = server.ask("GET", route + path)
        assert 400 <= status < 500, (route, path, status)
        assert b"do-not-read-me" not in body
        assert b"root:" not in body
        assert b"[build-system]" not in body


@pytest.mark.parametrize("route", ["/api/picture", "/api/thumbnail", "/api/export/mask.npz"])
def test_a_photo_name_is_never_a_path(server: Running, route: str, tmp_path: Path) -> None:
    picture = tmp_path / "upload-x.png"
    picture.write_bytes(b"do-not-read-me")
    for name in [
        "../x",
        "/etc/passwd",
        str(picture),
        "C:\\x",
        "\\\\h\\s",
        "a\0b",
        "upload-",
        "z" * 5000,
    ]:
        status, _, body = server.ask("GET", f"{route}?photo={quote(name, safe='')}")
        assert status == 422, (name, status)
        assert b"do-not-read-me" not in body
        assert b"photo" in body.lower() or b"upload" in body
        assert b"Traceback" not in body


def test_a_recipe_in_the_address_runs_nothing(server: Running, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for recipe in (
        f"__import__('os').system('touch {marker}')",
        f"random(ratio=open('{marker}','w'))",
    ):
        status, _, body = server.ask("GET", f"/api/export/mask.npz?mask={quote(recipe, safe='')}")
        assert status == 422
        assert b"recipe" in body or b"no known strategy" in body
    assert not marker.exists()


# ---- test 7: hosts and origins

MUTATING = [
    ("PUT", "/_stcore/upload_file/session/file"),
    ("DELETE", "/_stcore/upload_file/session/file"),
    ("POST", "/_stcore/agent/interact"),
    ("POST", "/login"),
    ("POST", "/api/health"),
    ("PATCH", "/"),
    ("OPTIONS", "/_stcore/upload_file/session/file"),
]
FOREIGN = [
    "https://evil.example",
    "null",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.1:1",
    "file://",
]


@pytest.mark.parametrize(("method", "path"), MUTATING)
def test_a_foreign_origin_changes_nothing(server: Running, method: str, path: str) -> None:
    for origin in FOREIGN:
        for cookie in ({}, {"Cookie": "_streamlit_xsrf=1; workbench_8501=x"}):
            assert server.ask(method, path, {"Origin": origin, **cookie})[0] == 403, origin
    for headers in ({"Origin": server.origin()}, {}):
        status, _, body = server.ask(method, path, headers)
        assert b"other sites" not in body, status


def test_the_websocket_answers_our_own_pages_only(server: Running) -> None:
    for origin in FOREIGN:
        assert server.handshake({"Origin": origin}) == 403, origin
    assert server.handshake({"Origin": server.origin()}) == 101


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8501",
        "a@127.0.0.1",
        "",
        "127.0.0.1/x",
    ],
)
def test_a_rebound_name_is_refused(server: Running, host: str) -> None:
    for method, path in [("GET", "/"), ("GET", "/api/health"), *MUTATING]:
        assert server.ask(method, path, {"Host": host})[0] in {400, 403}, (method, path)
    assert server.handshake({"Host": host, "Origin": f"http://{host}"}) in {400, 403}


def test_other_sites_cannot_embed_or_read(server: Running) -> None:
    for site in ("cross-site", "same-site"):
        embedded = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
        assert server.ask("GET", "/api/export/mask.npz", embedded)[0] == 403
        link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
        assert server.ask("GET", "/", link)[0] == 200
    _, headers, _ = server.ask("GET", "/")
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert not re.search(r"https?://", policy)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert (
        "access-control-allow-origin"
        not in server.ask("GET", "/_stcore/health", {"Origin": "null"})[1]
    )


# ---- test 8: addresses and the token


def run_refused(host: str, environment: dict[str, str]) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "WORKBENCH_TOKEN"}
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "app", "--host", host, "--port", str(free_port())],
        cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_a_wider_address_without_a_token_stops(host: str) -> None:
    sentence = run_refused(host, {})
    assert "WORKBENCH_TOKEN" in sentence
    assert host in sentence


def test_a_short_token_stops_and_is_not_shown() -> None:
    sentence = run_refused("0.0.0.0", {"WORKBENCH_TOKEN": "hunter2!"})
    assert "8 characters" in sentence
    assert "hunter2" not in sentence


def test_the_default_address_is_this_machine_only(server: Running) -> None:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    local = {
        row[1].split(":")[0]
        for row in rows
        if row[1].endswith(f":{server.port:04X}") and row[3] == "0A"
    }
    assert local == {"0100007F"}
    wide = Path("/proc/net/tcp6").read_text() if Path("/proc/net/tcp6").exists() else ""
    assert f":{server.port:04X} 0000" not in wide


def test_without_the_token_nothing_is_served(guarded: Running) -> None:
    for path in ("/", "/_stcore/health", "/api/picture", "/api/export/mask.npz", "/static/js/x.js"):
        status, _, _ = guarded.ask("GET", path)
        assert status == 401, path
    assert guarded.handshake({"Origin": guarded.origin()}) == 403
    page, headers, _ = guarded.ask("GET", "/?seed=3", {"Accept": "text/html"})
    assert (page, headers["location"]) == (303, "/login?next=%2F%3Fseed%3D3")
    assert guarded.ask("GET", "/api/health")[0] == 200


def test_the_token_becomes_a_cookie_and_leaves_the_link(guarded: Running) -> None:
    status, headers, _ = guarded.ask("GET", f"/?seed=3&token={TOKEN}")
    assert status == 303
    assert headers["location"] == "/?seed=3"
    cookie = headers["set-cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    session = {"Cookie": cookie.split(";")[0]}
    assert guarded.ask("GET", "/", session)[0] == 200
    assert guarded.handshake({"Origin": guarded.origin(), **session}) == 101
    assert guarded.ask("GET", "/", {"Cookie": f"workbench_{guarded.port}=forged"})[0] == 401
    assert guarded.ask("GET", "/?token=wrong", {"Accept": "text/html"})[1]["location"].startswith(
        "/login"
    )


def test_the_login_form(guarded: Running) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    own = {**form, "Origin": guarded.origin()}
    status, headers, body = guarded.ask("POST", "/login", own, f"token={TOKEN}&next=%2F%3Fseed%3D3")
    assert (status, headers["location"]) == (303, "/?seed=3")
    assert TOKEN.encode() not in body
    status, headers, body = guarded.ask("POST", "/login", own, "token=wrong&next=/")
    assert status == 403
    assert b"WORKBENCH_TOKEN" in body
    assert "set-cookie" not in headers
    assert guarded.ask("POST", "/login", {**form, "Origin": "null"}, f"token={TOKEN}")[0] == 403
    assert guarded.ask("POST", "/login", own, "token=" + "x" * 10_000)[0] == 413


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/a%0d%0aX: y"]
)
def test_login_leads_nowhere_else(guarded: Running, target: str) -> None:
    own = {"Content-Type": "application/x-www-form-urlencoded", "Origin": guarded.origin()}
    body = f"token={TOKEN}&next={quote(target, safe='%')}"
    _, headers, _ = guarded.ask("POST", "/login", own, body)
    assert headers["location"] == "/"
    assert "x" not in headers
    page = guarded.ask("GET", '/login?next=/"><script>alert(1)</script>')[2]
    assert b"<script>" not in page


def test_the_token_is_in_no_log(guarded: Running) -> None:
    guarded.ask("GET", f"/?token={TOKEN}")
    guarded.ask("GET", f"/nowhere?token={TOKEN}", {"Host": "evil.example"})
    assert TOKEN not in guarded.log.read_text()


# ---- the server's life


def test_health_and_first_page_need_no_torch(server: Running) -> None:
    report = json.loads(server.ask("GET", "/api/health")[2])
    assert report["status"] == "ok"
    fresh = Running(server.log.parent)
    try:
        assert fresh.ask("GET", "/")[0] == 200
        report = json.loads(fresh.ask("GET", "/api/health")[2])
        assert report["torch"] is False
        assert report["model"] == "waiting"
    finally:
        assert fresh.stop() < 5
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", fresh.port))


def test_a_busy_port_is_said(server: Running) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "app", "--port", str(server.port)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"Port {server.port} is in use" in " ".join(done.stderr.split())

"""Hosts, origins, the token and the address: who may talk to the server."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

ROOT = Path(__file__).parents[2]

# ---- test 7: hosts and origins

MUTATING = [
    ("PUT", "/_stcore/upload_file/session/file"),
    ("DELETE", "/_stcore/upload_file/session/file"),
    ("POST", "/_stcore/agent/interact"),
    ("POST", "/login"),
    ("POST", "/api/upload"),
    ("POST", "/api/mask"),
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
def test_a_foreign_origin_changes_nothing(server: Any, method: str, path: str) -> None:
    for origin in FOREIGN:
        for cookie in ({}, {"Cookie": "_streamlit_xsrf=1; workbench_8501=x"}):
            assert server.ask(method, path, {"Origin": origin, **cookie})[0] == 403, origin
    for headers in ({"Origin": server.origin()}, {}):
        status, _, body = server.ask(method, path, headers)
        assert b"other sites" not in body, status


def test_an_upload_needs_the_header_that_other_sites_cannot_send(server: Any) -> None:
    own = {"Origin": server.origin()}
    assert server.ask("POST", "/api/upload", own, "x")[0] == 403
    status, _, body = server.ask("POST", "/api/upload", {**own, "X-Workbench": "upload"}, "x")
    assert status == 200
    assert "not a picture" in json.loads(body)["problem"]
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Headers": "x-workbench"}
    status, headers, _ = server.ask("OPTIONS", "/api/upload", asked)
    assert status == 403
    assert not any(name.startswith("access-control") for name in headers)


def test_an_upload_without_an_end_is_cut_off(server: Any) -> None:
    head = {"Origin": server.origin(), "X-Workbench": "upload", "Transfer-Encoding": "chunked"}
    for path in ("/api/upload", "/api/mask?file=a.xml"):
        assert server.pour(path, head, b"x" * 2**20, 80) == 413


def test_a_mask_file_is_guarded_as_an_upload_is(server: Any) -> None:
    own = {"Origin": server.origin()}
    assert server.ask("POST", "/api/mask?file=a.xml", own, "<a/>")[0] == 403
    own["X-Workbench"] = "upload"
    for name, content, words in (
        ("../../../etc/passwd", "x", "no known ending"),
        ("..%2f..%2fx.npz", "x", "is no whole .npz mask file"),
        (
            "a.xml",
            '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
            "document type",
        ),
        ("a.json", "[" * 100_000, "no whole"),
        ("", "x", "no known ending"),
    ):
        status, _, body = server.ask("POST", f"/api/mask?file={name}", own, content)
        assert status == 200
        assert words in json.loads(body)["problem"]
    status, _, body = server.ask("POST", "/api/mask?file=a.xml&mask=nope()", own, "<a/>")
    assert status == 200 and "nope" in json.loads(body)["problem"]


def test_the_websocket_answers_our_own_pages_only(server: Any) -> None:
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
def test_a_rebound_name_is_refused(server: Any, host: str) -> None:
    for method, path in [("GET", "/"), ("GET", "/api/health"), *MUTATING]:
        assert server.ask(method, path, {"Host": host})[0] in {400, 403}, (method, path)
    assert server.handshake({"Host": host, "Origin": f"http://{host}"}) in {400, 403}


def test_other_sites_cannot_embed_or_read(server: Any) -> None:
    for site in ("cross-site", "same-site"):
        embedded = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
        assert server.ask("GET", "/api/export/mask.npz", embedded)[0] == 403
        link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
        assert server.ask("GET", "/", link)[0] == 200
    _, headers, _ = server.ask("GET", "/")
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert f"connect-src 'self' ws://127.0.0.1:{server.port} wss:" in policy
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
        [sys.executable, "-m", "workbench", "app", "--host", host, "--port", "8599"],
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


def test_the_default_address_is_this_machine_only(server: Any) -> None:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    local = {
        row[1].split(":")[0]
        for row in rows
        if row[1].endswith(f":{server.port:04X}") and row[3] == "0A"
    }
    assert local == {"0100007F"}
    wide = Path("/proc/net/tcp6").read_text() if Path("/proc/net/tcp6").exists() else ""
    assert f":{server.port:04X} 0000" not in wide


def test_without_the_token_nothing_is_served(guarded: Any) -> None:
    for path in ("/", "/_stcore/health", "/api/picture", "/api/export/mask.npz", "/static/js/x.js"):
        status, _, _ = guarded.ask("GET", path)
        assert status == 401, path
    assert guarded.handshake({"Origin": guarded.origin()}) == 403
    page, headers, _ = guarded.ask("GET", "/?seed=3", {"Accept": "text/html"})
    assert (page, headers["location"]) == (303, "/login?next=%2F%3Fseed%3D3")
    assert guarded.ask("GET", "/api/health")[0] == 200


def test_the_token_becomes_a_cookie_and_leaves_the_link(guarded: Any) -> None:
    token = guarded.token
    status, headers, _ = guarded.ask("GET", f"/?seed=3&token={token}")
    assert status == 303
    assert headers["location"] == "/?seed=3"
    cookie = headers["set-cookie"]
    assert token not in cookie
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    session = {"Cookie": cookie.split(";")[0]}
    assert guarded.ask("GET", "/", session)[0] == 200
    assert guarded.handshake({"Origin": guarded.origin(), **session}) == 101
    assert guarded.ask("GET", "/", {"Cookie": f"workbench_{guarded.port}=forged"})[0] == 401
    assert guarded.ask("GET", "/?token=wrong", {"Accept": "text/html"})[1]["location"].startswith(
        "/login"
    )


def test_the_login_form(guarded: Any) -> None:
    token = guarded.token
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    own = {**form, "Origin": guarded.origin()}
    status, headers, body = guarded.ask("POST", "/login", own, f"token={token}&next=%2F%3Fseed%3D3")
    assert (status, headers["location"]) == (303, "/?seed=3")
    assert token.encode() not in body
    status, headers, body = guarded.ask("POST", "/login", own, "token=wrong&next=/")
    assert status == 403
    assert b"WORKBENCH_TOKEN" in body
    assert "set-cookie" not in headers
    assert guarded.ask("POST", "/login", {**form, "Origin": "null"}, f"token={token}")[0] == 403
    assert guarded.ask("POST", "/login", own, "token=" + "x" * 10_000)[0] == 413


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/a%0d%0aX: y"]
)
def test_login_leads_nowhere_else(guarded: Any, target: str) -> None:
    own = {"Content-Type": "application/x-www-form-urlencoded", "Origin": guarded.origin()}
    body = f"token={guarded.token}&next={quote(target, safe='%')}"
    _, headers, _ = guarded.ask("POST", "/login", own, body)
    assert headers["location"] == "/"
    assert "x" not in headers
    page = guarded.ask("GET", '/login?next=/"><script>alert(1)</script>')[2]
    assert b"<script>" not in page


def test_the_token_is_in_no_log(guarded: Any) -> None:
    token = guarded.token
    guarded.ask("GET", f"/?token={token}")
    guarded.ask("GET", f"/nowhere?token={token}", {"Host": "evil.example"})
    assert token not in guarded.log.read_text()


# ---- the server's life


def test_health_and_first_page_need_no_torch(
    server: Any, start_server: Any, tmp_path: Path
) -> None:
    report = json.loads(server.ask("GET", "/api/health")[2])
    assert report["status"] == "ok"
    fresh = start_server(tmp_path)
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


def test_a_busy_port_is_said(server: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "app", "--port", str(server.port)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"Port {server.port} is in use" in " ".join(done.stderr.split())

"""Who may talk to the studio, and that no message makes it open a file or an address."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

from tests.browser.visitor import png
from tests.security.conftest import ROOT, TOKEN
from tests.security.test_security_access import FOREIGN
from tests.security.test_security_files import BAD_PATHS
from tests.studio.conftest import RunningStudio

WRITES = [
    "/gradio_api/queue/join", "/gradio_api/run/reconstruct", "/gradio_api/call/reconstruct",
    "/gradio_api/upload", "/gradio_api/cancel", "/gradio_api/reset", "/api/upload",
]  # fmt: skip
JSON = {"Content-Type": "application/json"}


def post(server: Any, path: str, message: Any, **headers: str) -> tuple[int, str]:
    given = {**JSON, **headers}
    status, _, body = server.ask("POST", path, given, json.dumps(message))
    return status, body.decode("utf-8", "replace")


def form(content: bytes, name: str = "files") -> tuple[dict[str, str], str]:
    head = f'--cut\r\nContent-Disposition: form-data; name="{name}"; filename="../../x.png"\r\n'
    body = head.encode() + b"Content-Type: image/png\r\n\r\n" + content + b"\r\n--cut--\r\n"
    return {"Content-Type": "multipart/form-data; boundary=cut"}, body.decode("latin-1")


def send_form(server: Any, content: bytes, **headers: str) -> tuple[int, str]:
    import http.client

    head, body = form(content)
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    link.request("POST", "/gradio_api/upload", body.encode("latin-1"), {**head, **headers})
    try:
        answer = link.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        link.close()


def memory(server: Any) -> int:
    """Most memory the server ever had, MB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024  # type: ignore[index]


@pytest.mark.parametrize("path", WRITES)
def test_a_foreign_origin_or_host_changes_nothing(studio_server: Any, path: str) -> None:
    for origin in FOREIGN:
        status, body = post(studio_server, path, {"data": []}, Origin=origin)
        assert (status, "other sites" in body) == (403, True), origin
    for host in ("evil.example", "127.0.0.1.evil.example", "a@127.0.0.1", ""):
        assert post(studio_server, path, {"data": []}, Host=host)[0] in {400, 403}, host
        assert studio_server.ask("GET", "/config", {"Host": host})[0] in {400, 403}, host
    own = studio_server.origin()
    assert "other sites" not in post(studio_server, path, {"data": 5}, Origin=own)[1]


def test_other_sites_cannot_read_embed_or_frame(studio_server: Any) -> None:
    for path in ("/config", "/gradio_api/info", "/api/export/mask.npz", "/theme.css"):
        for site in ("cross-site", "same-site"):
            embedded = {
                "Sec-Fetch-Site": site,
                "Sec-Fetch-Mode": "cors",
                "Origin": "http://localhost",
            }
            status, headers, _ = studio_server.ask("GET", path, embedded)
            assert status == 403, path
            assert not any(name.startswith("access-control") for name in headers)
        _, headers, _ = studio_server.ask("GET", path, {"Origin": "http://127.0.0.1:9"})
        assert not any(name.startswith("access-control") for name in headers)
    _, headers, body = studio_server.ask("GET", "/")
    policy = headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"https?://", policy)
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "'unsafe-inline'" not in scripts
    inline = re.findall(rb"<script(?![^>]*\ssrc=)", body)
    assert scripts.count("'sha256-") == len(inline) > 1
    assert b"huggingface" not in headers["content-security-policy"].encode()


ROUTES = [
    "/gradio_api/file=", "/file=", "/gradio_api/file/", "/gradio_api/proxy=", "/gradio_api/stream/",
    "/static/", "/assets/", "/svelte/", "/api/script/", "/gradio_api/custom_component/1/client/x/",
    "/api/export/", "/",
]  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_no_path_reads_a_file(studio_server: Any, route: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("do-not-read-me")
    paths = [*BAD_PATHS, str(secret), str(secret)[1:], f"/{secret}", str(ROOT / "pyproject.toml")]
    for path in paths:
        status, _, body = studio_server.ask("GET", route + path)
        assert 400 <= status < 500, (route, path, status)
        for leaked in (b"do-not-read-me", b"root:", b"[build-system]"):
            assert leaked not in body


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/vibe-edit", "/gradio_api/process_recording", "/gradio_api/run-history/connect",
        "/gradio_api/component_server", "/login", "/gradio_api/deep_link", "/monitoring", "/docs",
        "/openapi.json", "/gradio_api/runs", "/gradio_api/profiling/clear", "/api/nothing",
        "/gradio_api/stream/x", "/dev/reload", "/logout",
    ],
)  # fmt: skip
def test_what_is_not_needed_is_not_there(studio_server: Any, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert studio_server.ask(method, path, JSON)[0] in {404, 405}, method


def file_data(path: str) -> dict[str, Any]:
    return {"path": path, "orig_name": "x.png", "meta": {"_type": "gradio.FileData"}}


def test_a_message_that_names_a_path_is_refused(studio_server: Any, tmp_path: Path) -> None:
    picture = tmp_path / "private.png"
    picture.write_bytes(png(1))
    for path in (
        str(picture),
        "/etc/passwd",
        "../../x",
        "http://127.0.0.1:9/x.png",
        "",
        "upload-x",
    ):
        for given in (file_data(path), [file_data(path)], {"a": {"b": [1, file_data(path)]}}):
            message = {"data": [given], "session_hash": "s", "fn_index": 0}
            for route in WRITES[:3]:
                status, body = post(studio_server, route, message)
                assert (status, "cannot name a path" in body) == (403, True), (route, given)
    real = {**file_data("upload-" + "0" * 32), "url": "http://127.0.0.1:9/x"}
    assert post(studio_server, WRITES[2], {"data": [real]})[0] == 403
    escaped = '{"data": [{"\\u0070ath": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}]}'
    assert studio_server.ask("POST", WRITES[2], JSON, escaped)[0] == 403
    good = ["astronaut", "random(ratio=0.5)", "grey()", "default", 0, "crop"]
    twice = f'{{"data": [{{"path": "/etc/passwd"}}], "data": {json.dumps(good)}}}'
    assert studio_server.ask("POST", WRITES[2], JSON, twice)[0] == 200  # the last one is checked


@pytest.mark.parametrize("body", ["", "{", "[1, NaN]", "[" * 3000 + "]" * 3000, '"\ud800"'])
def test_what_is_no_message_is_refused(studio_server: Any, body: str) -> None:
    sent = body.encode("utf-8", "surrogatepass").decode("latin-1")
    status = studio_server.ask("POST", WRITES[0], JSON, sent)[0]
    assert 400 <= status < 500


def test_messages_and_uploads_have_limits(studio_server: Any) -> None:
    block = b" " * 2**20
    chunked = {**JSON, "Transfer-Encoding": "chunked", "Origin": studio_server.origin()}
    assert studio_server.pour(WRITES[0], chunked, block, 20) == 413
    multipart = {**chunked, "Content-Type": "multipart/form-data; boundary=cut"}
    assert studio_server.pour("/gradio_api/upload", multipart, block, 80) == 413
    assert studio_server.pour("/api/upload", {**chunked, "X-Workbench": "upload"}, block, 80) == 413


def test_an_upload_is_a_picture_under_an_id_that_nobody_guesses(studio_server: Any) -> None:
    status, body = send_form(studio_server, png(21))
    (name,) = json.loads(body)
    assert status == 200
    assert re.fullmatch(r"upload-[0-9a-f]{32}", name)
    kept = {path.name for path in (studio_server.home / "uploads").iterdir()}
    assert kept - {"secret.key"} >= {name}
    assert not any("x.png" in each for each in kept)
    bomb = bytearray(png(4))
    bomb[16:24] = (50_000).to_bytes(4, "big") * 2
    before = memory(studio_server)
    for content in (bytes(bomb), b"", b"GIF89a" + b"0" * 99, b"\x89PNG\r\n\x1a\n" + b"0" * 99):
        status, body = send_form(studio_server, content)
        assert status == 422
        assert body.strip().endswith(".")
    assert memory(studio_server) - before < 50
    assert send_form(studio_server, png(21), Origin="https://evil.example")[0] == 403
    head = {"Content-Type": "multipart/form-data; boundary=cut"}
    for headers, text in (
        (JSON, "{}"),
        (head, "no form"),
        ({"Content-Type": "multipart/form-data"}, "x"),
    ):
        assert studio_server.ask("POST", "/gradio_api/upload", headers, text)[0] == 400


def test_a_recipe_runs_nothing(client: Any, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for recipe in (
        f"__import__('os').system('touch {marker}')",
        f"random(ratio=open('{marker}','w'))",
    ):
        for name in ("mask", "fill"):
            with pytest.raises(Exception, match=r"recipe|strategy|fill"):
                client.predict(**{name: recipe}, api_name="/reconstruct")
    assert not marker.exists()


def test_the_studio_listens_on_this_machine_only(studio_server: Any) -> None:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [row for row in rows if row[1].endswith(f":{studio_server.port:04X}") and row[3] == "0A"]
    assert {row[1].split(":")[0] for row in ours} == {"0100007F"}


def test_a_wider_address_without_a_token_stops() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "studio", "--host", "0.0.0.0", "--no-browser"],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "WORKBENCH_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    running = RunningStudio(tmp_path_factory.mktemp("wide-home"), "0.0.0.0", TOKEN)
    yield running
    running.stop()


def test_a_wider_address_asks_for_the_token(wide: Any) -> None:
    for path in ("/config", "/gradio_api/info", "/api/picture", "/assets/index.js", "/theme.css"):
        assert wide.ask("GET", path)[0] == 401, path
    for path in WRITES:
        assert post(wide, path, {"data": []})[0] == 401, path
    page, headers, _ = wide.ask("GET", "/?seed=3", {"Accept": "text/html"})
    assert (page, headers["location"]) == (303, "/login?next=%2F%3Fseed%3D3")
    wrong = {"Authorization": "Bearer wrong-horse-battery-staple"}
    assert wide.ask("GET", "/config", wrong)[0] == 401
    client = Client(
        wide.url, headers={"Authorization": f"Bearer {TOKEN}"}, verbose=False,
        analytics_enabled=False,
    )  # fmt: skip
    assert client.predict(rows=2, cols=2, mask="random(ratio=0.5)", api_name="/draw")["hidden"] == [
        2
    ]
    assert TOKEN not in wide.log.read_text()

"""No address, name or recipe reads a file, opens a pickle or runs anything."""

import pickle
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]

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
def test_no_path_reads_a_file(server: Any, route: str, tmp_path: Path) -> None:
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
def test_a_photo_name_is_never_a_path(server: Any, route: str, tmp_path: Path) -> None:
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


def test_a_recipe_in_the_address_runs_nothing(server: Any, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for recipe in (
        f"__import__('os').system('touch {marker}')",
        f"random(ratio=open('{marker}','w'))",
    ):
        status, _, body = server.ask("GET", f"/api/export/mask.npz?mask={quote(recipe, safe='')}")
        assert status == 422
        assert b"recipe" in body or b"no known strategy" in body
    assert not marker.exists()


# ---- tests 2, 3, 4, 9 and 10: links, pickles, commands, model names


def test_a_link_among_the_uploads_is_not_followed(server: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (32, 32), "red").save(secret)
    folder = server.log.parent / "uploads"
    folder.mkdir(mode=0o700, exist_ok=True)
    name = "upload-" + "a" * 32
    (folder / name).symlink_to(secret)
    try:
        for route in ("/api/thumbnail", "/api/picture", "/api/export/composite.png"):
            status, headers, body = server.ask("GET", f"{route}?photo={name}&original=1")
            assert status == 422
            assert headers["content-type"].startswith("text/plain")
            assert b"upload" in body
    finally:
        (folder / name).unlink()


class Marker:
    """A pickle that would create a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("ending", [".pt", ".pth", ".ckpt", ".safetensors"])
def test_a_model_in_a_link_is_looked_up_and_never_opened(
    server: Any, tmp_path: Path, ending: str
) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / f"model{ending}"
    path.write_bytes(pickle.dumps(Marker(marker)))
    for name in (str(path), f"file://{path}", "http://127.0.0.1:9/x", "../default", "org/name"):
        for route in ("/api/picture", "/api/export/composite.png"):
            status, _, body = server.ask("GET", f"{route}?model={quote(name, safe='')}")
            assert status == 422, name
            assert b"default" in body
    assert not marker.exists()


@pytest.mark.parametrize(
    "pattern",
    [
        r"weights_only\s*=\s*False", r"allow_pickle\s*=\s*True", r"trust_remote_code\s*=",
        r"shell\s*=\s*True", r"\bos\.system\(", r"(?<![.\w])(eval|exec)\(", r"\bpickle\.loads?\(",
        r"unsafe_allow_(html|javascript)\s*=\s*True",
    ],
)  # fmt: skip
def test_no_source_opens_a_door(pattern: str) -> None:
    files = [path for name in ("workbench", "app") for path in (ROOT / name).rglob("*.py")]
    assert len(files) > 20
    found = [path for path in files if re.search(pattern, path.read_text(encoding="utf-8"))]
    assert found == []

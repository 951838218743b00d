"""Uploads: private, unguessable, kept for a stated time, whole or not at all."""

import io
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.data import home, uploads
from workbench.errors import BadInput

pytestmark = pytest.mark.usefixtures("workbench_home")


def picture(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_upload_comes_back_to_the_byte_until_it_is_deleted() -> None:
    raw = picture()
    name = uploads.store(raw)
    assert uploads.is_upload(name) and uploads.exists(name)
    assert uploads.load(name) == raw and uploads.notes(name) == []
    assert uploads.store(raw) == name and uploads.usage() == (1, len(raw))
    assert uploads.delete(name) is True and uploads.delete(name) is False
    assert not uploads.exists(name) and uploads.usage() == (0, 0)
    with pytest.raises(BadInput, match=rf"no upload {name}; uploads are kept for 30 days: upload"):
        uploads.load(name)


def test_only_the_owner_may_read_anything() -> None:
    uploads.store(picture())
    folder = home() / "uploads"
    assert stat.S_IMODE(home().stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600} and len(list(folder.iterdir())) == 2  # the picture and the secret


def test_ids_cannot_be_derived_from_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = set()
    for place in "abc":
        monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / place))
        names.add(uploads.store(picture()))
        names.add(uploads.store(picture(1)))
    assert len(names) == 6 and all(re.fullmatch("upload-[0-9a-f]{32}", name) for name in names)


BAD_NAMES = [
    "", ".", "..", "../secret.key", "secret.key", "upload-", "upload-" + "0" * 31,
    "upload-" + "0" * 33, "upload-" + "G" * 32, "UPLOAD-" + "0" * 32, "upload-" + "0" * 32 + "\n",
    "upload-" + "0" * 32 + "\0", "upload-" + "٠" * 32, "/etc/passwd", "..%2fsecret.key",
    "%2e%2e/x", "a/../../b", "..\\secret.key", "C:\\x", "\\\\host\\share", "x" * 5000,
    "upload-" + "../" * 10 + "ab",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_what_is_no_id_reads_and_deletes_nothing(name: str) -> None:
    uploads.store(picture())
    before = sorted(home().rglob("*"))
    for verb in (uploads.load, uploads.delete, uploads.notes):
        with pytest.raises(BadInput, match="is no upload; an upload's id is 'upload-' and 32 hex"):
            verb(name)
    assert not uploads.exists(name) and not uploads.is_upload(name)
    assert sorted(home().rglob("*")) == before


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(picture(3))
    uploads.store(picture())
    name = "upload-" + "a" * 32
    link = home() / "uploads" / name
    link.symlink_to(outside)
    assert not uploads.exists(name) and uploads.usage()[0] == 1
    with pytest.raises(BadInput, match="There is no upload"):
        uploads.load(name)
    uploads.prune(now=time.time() + 10**9)
    assert outside.read_bytes() == picture(3)
    link.unlink()
    os.mkfifo(link)
    with pytest.raises(BadInput, match="There is no upload"):
        uploads.load(name)


def test_a_linked_uploads_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (home() / "uploads").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="is a link, but uploads are only kept in a real folder"):
        uploads.store(picture())
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_storing_replaces_a_link_at_the_same_name(tmp_path: Path) -> None:
    name = uploads.store(picture())
    path, outside = home() / "uploads" / name, tmp_path / "outside"
    path.unlink()
    outside.write_text("mine")
    path.symlink_to(outside)
    assert uploads.store(picture()) == name
    assert outside.read_text() == "mine" and not path.is_symlink()


def test_uploads_end_after_thirty_days() -> None:
    name = uploads.store(picture())
    path = home() / "uploads" / name
    uploads.prune(now=time.time() + 29.9 * 86_400)
    assert uploads.exists(name)
    old = time.time() - 30.1 * 86_400
    os.utime(path, (old, old))
    with pytest.raises(BadInput, match="uploads are kept for 30 days"):
        uploads.load(name)
    assert not uploads.exists(name)
    (home() / "uploads" / ".part-left").write_bytes(b"x")
    os.utime(home() / "uploads" / ".part-left", (old, old))
    other = uploads.store(picture(1))  # storing clears what is over
    assert {path.name for path in (home() / "uploads").iterdir()} == {"secret.key", other}


def test_all_uploads_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    first = uploads.store(picture())
    monkeypatch.setattr(uploads, "QUOTA_BYTES", len(picture()) + 100)
    assert uploads.store(picture()) == first  # no more room is needed
    with pytest.raises(BadInput, match=r"has 0\.0 MB, but uploads already fill 0 of 0 MB; delete"):
        uploads.store(picture(1))
    assert uploads.load(first) == picture()


def test_what_is_no_picture_is_not_kept() -> None:
    with pytest.raises(BadInput, match=r"notes\.png is not a picture"):
        uploads.store(b"just some text, not a picture", name="notes.png")
    with pytest.raises(BadInput, match="damaged or cut off"):
        uploads.store(picture()[:-50])
    assert uploads.usage() == (0, 0)


def test_a_spoilt_secret_is_told() -> None:
    uploads.store(picture())
    (home() / "uploads" / "secret.key").write_bytes(b"short")
    with pytest.raises(BadInput, match=r"secret\.key does not hold .* delete it and upload again"):
        uploads.store(picture())


def test_an_unusable_home_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(BadInput, match=r"WORKBENCH_HOME is .*below, which cannot be used as a fo"):
        home()


STORE = """
import sys
from pathlib import Path
from workbench.data import uploads
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(uploads.store(path.read_bytes()))
"""


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    """Four processes make the secret and the same twenty files at the same time."""
    source = tmp_path / "pictures"
    source.mkdir()
    for k in range(20):
        (source / f"{k:02}.png").write_bytes(picture(k))
    command = [sys.executable, "-c", STORE, str(source)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate(timeout=120)[0].split() for process in started]
    assert all(process.returncode == 0 for process in started)
    assert said[0] == said[1] == said[2] == said[3] and len(set(said[0])) == 20
    for name, path in zip(said[0], sorted(source.iterdir()), strict=True):
        assert uploads.load(name) == path.read_bytes()
    assert len(list((home() / "uploads").iterdir())) == 21

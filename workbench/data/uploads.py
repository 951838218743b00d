"""Pictures that users upload: kept privately under an unguessable id, for a stated time.

A picture lies under WORKBENCH_HOME/uploads as its bytes, in a file that only the owner may read.
Its id is an HMAC-SHA256 of the bytes under a secret of this home: the same picture has the same
id here, and nobody can derive or guess it. Nothing lists ids.
"""

import errno
import hashlib
import hmac
import os
import re
import secrets
import stat
import time
from pathlib import Path

from workbench.data.home import home
from workbench.data.images import MAX_BYTES, open_image
from workbench.errors import BadInput

KEEP_DAYS = 30
QUOTA_BYTES = 2**30
ID = re.compile(r"upload-[0-9a-f]{32}", re.ASCII)
SECRET = "secret.key"
# Neither follow a link nor wait for a pipe; both flags are missing on Windows.
CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def is_upload(name: str) -> bool:
    """Return whether `name` has the form of an upload's id."""
    return ID.fullmatch(name) is not None


def store(raw: bytes, *, name: str = "the upload") -> str:
    """Keep a picture for 30 days and return its id.

    The picture is decoded once to be sure that it can be shown. Storing the same bytes again
    returns the same id and starts the 30 days anew.

    Args:
        raw: the file's bytes, at most 64 MB.
        name: what messages call the picture.

    Raises:
        BadInput: as `open_image`; or the uploads would exceed 1 GB; or the disk refuses.
    """
    open_image(raw, name=name)
    folder = _folder()
    prune()
    digest = hmac.new(_secret(folder), raw, hashlib.sha256).hexdigest()[:32]
    target = folder / f"upload-{digest}"
    used = sum(size for path, size, _ in _entries(folder) if path != target)
    if used + len(raw) > QUOTA_BYTES:
        raise BadInput(
            f"{name} has {len(raw) / 2**20:.1f} MB, but uploads already fill "
            f"{used / 2**20:.0f} of {QUOTA_BYTES // 2**20} MB; delete uploads you no longer need"
        )
    _write(folder, raw, target)
    return target.name


def load(name: str) -> bytes:
    """Return the bytes of an upload.

    Raises:
        BadInput: not an id, or not there (any more).
    """
    path = _path(name)
    gone = BadInput(
        f"There is no upload {name}; uploads are kept for {KEEP_DAYS} days: upload the file again"
    )
    try:
        descriptor = os.open(path, os.O_RDONLY | CAREFUL)
    except OSError:
        raise gone from None
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or _expired(state.st_mtime, time.time()):
            raise gone
        return file.read(MAX_BYTES)


def notes(name: str) -> list[str]:
    """Return what was changed when the upload was decoded, one sentence each.

    Raises:
        BadInput: as `load`.
    """
    return open_image(load(name), name="The upload").notes


def exists(name: str) -> bool:
    """Return whether an upload of that id is kept."""
    try:
        state = _path(name).lstat()
    except (BadInput, FileNotFoundError):
        return False
    return stat.S_ISREG(state.st_mode) and not _expired(state.st_mtime, time.time())


def delete(name: str) -> bool:
    """Delete an upload; returns whether it was there.

    Raises:
        BadInput: not an id.
    """
    try:
        _path(name).unlink()
    except FileNotFoundError:
        return False
    return True


def prune(now: float | None = None) -> int:
    """Delete uploads older than 30 days, and what a killed process left; returns how many.

    Args:
        now: seconds since 1970, for tests; the clock when None.
    """
    now = time.time() if now is None else now
    folder, gone = _folder(), 0
    for path in folder.glob(".part-*"):
        if now - _modified(path) > 3600:
            path.unlink(missing_ok=True)
    for path, _, modified in _entries(folder):
        if _expired(modified, now):
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def usage() -> tuple[int, int]:
    """Return how many uploads are kept and how many bytes they take."""
    sizes = [size for _, size, _ in _entries(_folder())]
    return len(sizes), sum(sizes)


def _folder() -> Path:
    path = home() / "uploads"
    path.mkdir(mode=0o700, exist_ok=True)
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise BadInput(
            f"{path} is a link, but uploads are only kept in a real folder; remove the link"
        )
    return path


def _path(name: str) -> Path:
    if not is_upload(name):
        raise BadInput(
            f"{name[:40]!r} is no upload; an upload's id is 'upload-' and 32 hexadecimal digits: "
            "upload the file again"
        )
    return _folder() / name


def _entries(folder: Path) -> list[tuple[Path, int, float]]:
    """Regular files that bear an id: path, size in bytes, time of the last change."""
    found: list[tuple[Path, int, float]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                state = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # deleted by another process meanwhile
                continue
            if is_upload(entry.name) and stat.S_ISREG(state.st_mode):
                found.append((Path(entry.path), state.st_size, state.st_mtime))
    return found


def _expired(modified: float, now: float) -> bool:
    return now - modified > KEEP_DAYS * 86_400


def _modified(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return time.time()


def _secret(folder: Path) -> bytes:
    path = folder / SECRET
    for _ in range(2):
        try:
            descriptor = os.open(path, os.O_RDONLY | CAREFUL)
        except FileNotFoundError:
            _write(folder, secrets.token_bytes(32), path, replace=False)
            continue
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            break
        with os.fdopen(descriptor, "rb") as file:
            secret = file.read(32)
        if len(secret) == 32:
            return secret
        break
    raise BadInput(f"{path} does not hold this home's 32 secret bytes; delete it and upload again")


def _write(folder: Path, raw: bytes, target: Path, *, replace: bool = True) -> None:
    """Write a private file that appears whole or not at all, whoever else writes it too."""
    part = folder / f".part-{secrets.token_hex(16)}"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | CAREFUL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(descriptor)
        if replace:
            part.replace(target)
        else:
            os.link(part, target)
    except FileExistsError:  # another process made the secret first; theirs is the one
        pass
    except OSError as error:
        raise BadInput(
            f"The upload of {len(raw):,} bytes could not be kept ({error.strerror}); "
            "make room or set WORKBENCH_HOME to another folder"
        ) from None
    finally:
        part.unlink(missing_ok=True)

"""Where everything the user makes lives: WORKBENCH_HOME, or the platform's data folder."""

import errno
import os
import sys
from pathlib import Path

from workbench.errors import BadInput

FOLDER = "mask-workbench"


def home() -> Path:
    """Return the folder for uploads, runs and caches, and make it if it is not there.

    The environment variable WORKBENCH_HOME decides; without it the platform's data folder does
    (`$XDG_DATA_HOME` or `~/.local/share` on Linux, `~/Library/Application Support` on macOS,
    `%LOCALAPPDATA%` on Windows). A folder made here can be read by its owner only.

    Raises:
        BadInput: if the folder cannot be made or read.
    """
    stated = os.environ.get("WORKBENCH_HOME", "")
    path = Path(stated) if stated else _platform_folder() / FOLDER
    try:
        path = path.expanduser()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(path, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except (OSError, RuntimeError) as error:  # the latter where there is no such user
        reason = getattr(error, "strerror", None) or error
        raise BadInput(
            f"WORKBENCH_HOME is {path}, which cannot be used as a folder ({reason}); "
            "set WORKBENCH_HOME to a folder you can write to"
        ) from None
    return path


def _platform_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")

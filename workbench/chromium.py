"""Find the Chromium that browser tests and notebook checks drive; run as a module, tell which."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLAYWRIGHT = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
)


def candidates() -> list[str]:
    """List the programs that may be a Chromium: $CHROMIUM, PATH, then Playwright's own copies."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        return [chosen]
    on_path = [found for name in NAMES if (found := shutil.which(name))]
    caches = (Path("~/.cache/ms-playwright"), Path("~/Library/Caches/ms-playwright"))
    roots = [Path(os.environ["PLAYWRIGHT_BROWSERS_PATH"])] if playwright_path_set() else caches
    own = [
        str(path)
        for root in roots
        for pattern in PLAYWRIGHT
        for path in sorted(root.expanduser().glob(pattern), reverse=True)
    ]
    return on_path + own


def playwright_path_set() -> bool:
    """Tell whether Playwright's browsers were sent to a folder of their own."""
    return os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "0") not in {"", "0"}


def version(program: str) -> str | None:
    """Return what `program --version` prints, or None if it does not start (Ubuntu's stub)."""
    try:
        ran = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() if ran.returncode == 0 and ran.stdout.strip() else None


def find() -> tuple[str, str] | None:
    """Return (path, version) of the first Chromium that starts, or None."""
    for program in candidates():
        if (told := version(program)) is not None:
            return program, told
    return None


if __name__ == "__main__":
    result = find()
    if result is not None:
        print(f"Chromium for the browser tests: {result[0]} ({result[1]})")
    sys.exit(0 if result is not None else 1)

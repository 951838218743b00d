"""`app`: the dashboard in the browser."""

import os
import sys
import threading
import urllib.request
import webbrowser
from typing import Annotated

import typer

from workbench.commands.arguments import number_option

STARTS_WITHIN = 60


def app(
    port: Annotated[
        int | None, number_option("Port; without it 8501 or the next free one.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address; other than this machine's own only with a token.")
    ] = "127.0.0.1",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser, if there is one.")
    ] = True,
    studio: Annotated[
        bool, typer.Option("--studio/--no-studio", help="Serve the Gradio studio beside it.")
    ] = True,
) -> None:
    """Serve the dashboard; Ctrl+C stops it."""
    from app.server import serve

    opened = open_when_up if browser and has_browser() else None
    serve(host, port, on_address=opened, studio=studio)


def has_browser() -> bool:
    """Tell whether somebody sits before a screen: not in a container, over ssh or in a pipe."""
    if not sys.stdout.isatty() or os.environ.get("CI"):
        return False
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return "SSH_CONNECTION" not in os.environ


def open_when_up(address: str) -> None:
    """Open the page once the server answers, without holding it up."""
    threading.Thread(target=_wait_and_open, args=(address,), daemon=True).start()


def _wait_and_open(address: str) -> None:
    tick = threading.Event()
    for _ in range(STARTS_WITHIN * 5):
        try:
            with urllib.request.urlopen(f"{address}/api/health", timeout=5):
                break
        except OSError:
            tick.wait(0.2)
    else:
        return
    webbrowser.open(address)

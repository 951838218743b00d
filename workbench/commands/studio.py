"""`studio`: the Gradio page alone."""

from typing import Annotated

import typer

from workbench.commands.app import has_browser, open_when_up
from workbench.commands.arguments import number_option


def studio(
    port: Annotated[
        int | None, number_option("Port; without it 8601 or the next free one.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address; other than this machine's own only with a token.")
    ] = "127.0.0.1",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser, if there is one.")
    ] = True,
) -> None:
    """Serve the studio, one page and an API, without the dashboard; Ctrl+C stops it."""
    from app.studio.server import serve

    serve(host, port, on_address=open_when_up if browser and has_browser() else None)

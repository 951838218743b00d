"""The dashboard's server: one process, this machine only unless a token is set."""

import asyncio
import base64
import errno
import hashlib
import logging
import os
import re
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app import lending, settings
from app.access import AccessMiddleware, Gate, check_binding, is_loopback
from app.companion import companion
from app.warm import warmer
from workbench.errors import BadInput

DEFAULT_PORT = 8501
_TRIES = 20
_BACKLOG = 2_048
log = logging.getLogger("workbench.app")


def content_policy() -> str:
    """The Content-Security-Policy: own scripts and pictures, nothing from anywhere else.

    Components arrive as blobs; Streamlit's page has inline scripts, which are allowed by hash.
    """
    import streamlit

    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    inline = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [hashlib.sha256(text.encode()).digest() for text in inline]
    scripts = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in hashes)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' blob: {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def build_app(gate: Gate) -> Any:
    """Make the ASGI application: Streamlit, our routes, and the checks in front of both."""
    settings.apply(gate.port)
    import streamlit as st
    from starlette.middleware import Middleware

    from app.compare_routes import COMPARE_ROUTES
    from app.feature_routes import FEATURE_ROUTES
    from app.routes import ROUTES
    from app.run_routes import RUN_ROUTES

    gate.content_policy = content_policy()

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        warmer.start()
        lending.start()
        companion.start_after(lambda: warmer.state in {"ready", "failed"})
        yield

    return st.App(
        Path(__file__).parent / "dashboard.py",
        routes=[*COMPARE_ROUTES, *FEATURE_ROUTES, *RUN_ROUTES, *ROUTES],
        middleware=[Middleware(AccessMiddleware, gate=gate)],
        lifespan=lifespan,
        on_script_error=_report,
    )


def _report(error: Exception) -> bool:
    """Log an unexpected failure and show its log id only."""
    import streamlit as st

    mark = secrets.token_hex(4)
    log.error("Page failed, log id %s", mark, exc_info=error)
    st.error(f"Something failed on this page; the log has it as {mark}. Reload to go on.")
    return True


def bind(host: str, port: int | None, first: int = DEFAULT_PORT) -> socket.socket:
    """Open the listening socket; without a wished port the next free one from `first` is taken.

    It listens at once, so that of two servers that start together only one gets the port.

    Raises:
        BadInput: the address cannot be used.
    """
    wished = range(first, first + _TRIES) if port is None else [port]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in wished:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), candidate))
            listener.listen(_BACKLOG)
            return listener
        except (OSError, OverflowError) as error:
            listener.close()
            if not isinstance(error, OSError) or error.errno != errno.EADDRINUSE:
                raise BadInput(
                    f"Host {host} with port {candidate} cannot be opened ({error}); take for "
                    "example --host 127.0.0.1 --port 8501."
                ) from None
    raise BadInput(
        f"Port {wished[0]} is in use by another program; choose a free one with --port, or leave "
        "--port out to take the next free one."
        if port is not None
        else f"Ports {wished[0]} to {wished[-1]} are all in use; choose a free one with --port."
    )


def serve(
    host: str = "127.0.0.1",
    port: int | None = None,
    on_address: Callable[[str], None] | None = None,
    studio: bool = False,
) -> None:
    """Serve the dashboard until it is stopped by SIGINT or SIGTERM.

    The environment variable WORKBENCH_TOKEN asks every visitor for that token; WORKBENCH_HOSTS
    names further host names of this server, separated by commas. `on_address` is told the page's
    address before the first request can be answered. With `studio` the Gradio page is served too,
    in a process of its own.

    Raises:
        BadInput: a wide address without a token, or a port that is taken.
    """
    token = os.environ.get("WORKBENCH_TOKEN") or None
    check_binding(host, token)
    with bind(host, port) as listener:
        taken = listener.getsockname()[1]
        gate = gate_for(host, taken, token)
        address = shown_address(host, taken)
        if studio:
            companion.enable(host, taken)

        def announce() -> None:
            if port is None and taken != DEFAULT_PORT:
                print(f"Port {DEFAULT_PORT} is in use, so this is port {taken}.", flush=True)
            if token is not None:
                print("The page asks for the token in WORKBENCH_TOKEN.", flush=True)
            print(f"Mask workbench: {address}  (stop with Ctrl+C)", flush=True)
            if on_address is not None:
                on_address(address)

        try:
            asyncio.run(run(build_app(gate), listener, announce))
        finally:
            companion.stop()


def gate_for(host: str, port: int, token: str | None) -> Gate:
    """The rules of a server here; WORKBENCH_HOSTS names its further host names."""
    extra = [name.strip() for name in os.environ.get("WORKBENCH_HOSTS", "").split(",")]
    return Gate(host, port, token, [name for name in extra if name])


def shown_address(host: str, port: int) -> str:
    """The address that a person on this machine opens."""
    shown = "127.0.0.1" if is_loopback(host) or host in {"0.0.0.0", "::"} else host
    return f"http://{shown}:{port}"


async def run(application: Any, listener: socket.socket, announce: Callable[[], None]) -> None:
    """Serve an ASGI application on a socket; `announce` is called once it answers."""
    import uvicorn

    config = uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,  # addresses may hold a token or a private recipe
        server_header=False,
        timeout_graceful_shutdown=1,
        ws_max_size=8 * 2**20,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not (server.started or serving.done()):
        await asyncio.sleep(0.02)
    if server.started:
        announce()
    await serving


if __name__ == "__main__":
    try:
        serve()
    except BadInput as problem:
        sys.exit(str(problem))

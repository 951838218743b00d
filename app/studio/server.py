"""The studio's server: a process of its own, so that the dashboard keeps its latency.

In one process with the dashboard a stroke took 208 ms instead of 113: both would share one
interpreter lock. As a child it ends with its parent, however that ends.
"""

import asyncio
import json
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.access import AccessMiddleware, Gate, check_binding
from app.server import bind, gate_for, run, shown_address
from workbench.errors import BadInput

FIRST_PORT = 8601
ICON = Path(__file__).resolve().parents[1] / "icon.png"


def build_app(gate: Gate, dashboard: int | None = None) -> Any:
    """Make the ASGI application: Gradio, the dashboard's data routes, and the checks before both.

    `dashboard` is the port of the dashboard to lead back to.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gradio as gr
    from fastapi import FastAPI

    # Every open page listens to a stream that only the server ends.
    stops = "Cancel %s running task(s)"
    logging.getLogger("uvicorn.error").addFilter(lambda record: not record.msg.startswith(stops))
    from app import lending
    from app.routes import ROUTES
    from app.studio.doors import Doors
    from app.studio.page import LOOK, build
    from workbench.data.images import MAX_BYTES

    lending.start(looks_after_queue=False)
    parent = FastAPI(openapi_url=None)
    parent.router.routes.extend(ROUTES)
    demo = build(dashboard)
    gr.mount_gradio_app(
        parent, demo, path="/", server_name=gate.host, server_port=gate.port, footer_links=[],
        run_history=False, allowed_paths=[], blocked_paths=["/"], favicon_path=str(ICON),
        show_error=False, max_file_size=MAX_BYTES, ssr_mode=False, enable_monitoring=False,
        pwa=False, mcp_server=False, **LOOK,
    )  # fmt: skip
    demo.has_launched = True  # mounted blocks would skip Gradio's own check of file paths
    doors = Doors(parent, gate.framed)
    gate.content_policy = doors.policy().decode()
    return AccessMiddleware(doors, gate)


def serve(
    host: str = "127.0.0.1",
    port: int | None = None,
    on_address: Callable[[str], None] | None = None,
) -> None:
    """Serve the studio alone until it is stopped by SIGINT or SIGTERM; see `app.server.serve`.

    Raises:
        BadInput: a wide address without a token, or a port that is taken.
    """
    token = os.environ.get("WORKBENCH_TOKEN") or None
    check_binding(host, token)
    with bind(host, port, FIRST_PORT) as listener:
        taken = listener.getsockname()[1]
        address = shown_address(host, taken)

        def announce() -> None:
            if token is not None:
                print("The page asks for the token in WORKBENCH_TOKEN.", flush=True)
            print(f"Mask workbench studio: {address}  (stop with Ctrl+C)", flush=True)
            if on_address is not None:
                on_address(address)

        asyncio.run(run(build_app(gate_for(host, taken, token)), listener, announce))


def serve_as_child(
    host: str, dashboard: int | None = None, framed: bool = False, nice: int = 0
) -> None:
    """Serve until the parent closes our standard input or is gone; tell the port on stdout."""
    parent = os.getppid()
    if nice and hasattr(os, "nice"):
        os.nice(nice)
    threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()
    token = os.environ.get("WORKBENCH_TOKEN") or None
    check_binding(host, token)
    with bind(host, None, FIRST_PORT) as listener:
        taken = listener.getsockname()[1]
        gate = gate_for(host, taken, token)
        gate.framed = framed
        application = build_app(gate, dashboard)
        asyncio.run(run(application, listener, lambda: print(f"port {taken}", flush=True)))


def _end_with(parent: int) -> None:
    """Wait until the parent is gone: its end of our input closes, whatever killed it."""
    while os.getppid() == parent:
        ready, _, _ = select.select([sys.stdin], [], [], 1.0)
        if ready and not os.read(sys.stdin.fileno(), 1024):
            break
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(3)
    os._exit(0)  # a model call or an open page held it up


if __name__ == "__main__":
    try:
        serve_as_child(**json.loads(sys.argv[1]))
    except BadInput as problem:
        sys.exit(str(problem))

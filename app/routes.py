"""The server's own routes: health, scripts, pictures, downloads, and the upload.

Nothing in an address becomes a path: names are looked up in tables and everything else is a
scene's description, checked by `SceneSpec`.
"""

import io
import logging
import os
import re
import secrets
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from app.access import make_ticket
from app.companion import companion
from app.components.scripts import SCRIPTS
from app.jobs import jobs
from app.sentences import whole
from app.warm import warmer
from workbench.errors import BadInput

log = logging.getLogger("workbench.app")
UPLOAD_LIMIT = 64 * 2**20
MASK_LIMIT = 16 * 2**20
_FOREVER = "private, max-age=31536000, immutable"
_PRIVATE = "private, max-age=3600"


async def health(request: Request) -> Response:
    """Tell whether the server lives and how busy its model is; answers without torch."""
    scenes = sys.modules.get("workbench.scenes")
    calls = None if scenes is None else scenes.activity
    report: dict[str, Any] = {
        "status": "ok",
        "model": warmer.state,
        "torch": "torch" in sys.modules,
        "calls": getattr(calls, "calls", 0),
        "running": getattr(calls, "running", 0),
        "most_at_once": getattr(calls, "most_at_once", 0),
        "jobs": jobs.counts(),
    }
    return JSONResponse(report, headers={"cache-control": "no-store"})


async def script(request: Request) -> Response:
    """Serve one of the page's scripts by name; the address carries a hash of its text."""
    text = SCRIPTS.get(request.path_params["name"])
    if text is None:
        return PlainTextResponse("There is no such script.\n", 404)
    kind = "text/javascript; charset=utf-8"
    return Response(text(), media_type=kind, headers={"cache-control": _FOREVER})


def guarded(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Turn bad input into its sentence and anything else into a log id, never a trace."""

    def route(request: Request) -> Response:
        try:
            return answer(request)
        except BadInput as error:
            return PlainTextResponse(f"{whole(str(error))}\n", 422)
        except Exception:
            mark = secrets.token_hex(4)
            log.exception("Request failed, log id %s", mark)
            return PlainTextResponse(f"Something failed here; the log has it as {mark}.\n", 500)

    return route


@guarded
def picture(request: Request) -> Response:
    """The photo of a scene as the painter shows it, JPEG."""
    from workbench import scenes

    shown = scenes.preview(scenes.SceneSpec.from_query(_fields(request))).shown
    return Response(
        as_jpeg(shown, 88), media_type="image/jpeg", headers={"cache-control": _PRIVATE}
    )


@guarded
def thumbnail(request: Request) -> Response:
    """A small square of one photo for the picker, JPEG."""
    from workbench import scenes
    from workbench.data.images import fit
    from workbench.scenes.photos import source

    spec = scenes.SceneSpec.from_query({"photo": _fields(request).get("photo", "")})
    small = fit(source(spec.photo), 96, 96, "crop")
    return Response(
        as_jpeg(small, 82), media_type="image/jpeg", headers={"cache-control": _PRIVATE}
    )


@guarded
def export(request: Request) -> Response:
    """A download: the mask as npz, png or COCO RLE, or a picture with its recipe inside."""
    from app.exports import FILES

    make = FILES.get(request.path_params["name"])
    if make is None:
        return PlainTextResponse(f"There is no such file; ask for {', '.join(FILES)}.\n", 404)
    from workbench import scenes

    fields = _fields(request)
    with_original = fields.pop("original", "0") == "1"
    spec = scenes.SceneSpec.from_query(fields)
    content, kind = make(spec, with_original)
    stem = re.sub(r"[^a-z0-9.]+", "-", f"{spec.mask} seed {spec.seed}".lower()).strip("-")[:80]
    name = f"{stem}-{request.path_params['name']}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(content, media_type=kind, headers=headers)


async def upload(request: Request) -> Response:
    """Keep an uploaded photo, or read the view out of a picture saved here.

    Answers JSON: `query` names the photo or is the whole view, `notes` are sentences; or `problem`
    tells why the file cannot be used. A page of another site cannot send the header `x-workbench`
    without asking first, and it is told no.
    """
    return await _received(request, UPLOAD_LIMIT, lambda _, content: _stored(content))


async def mask_file(request: Request) -> Response:
    """Read a mask file onto the scene of the address, guarded as an upload is; keep nothing.

    Answers JSON: `recipe` is what a layer may hold, `notes` are sentences; or `problem`.
    """
    return await _received(request, MASK_LIMIT, _as_recipe)


async def _received(
    request: Request, limit: int, answer: Callable[[Request, bytes], Response]
) -> Response:
    if request.headers.get("x-workbench") != "upload":
        return PlainTextResponse("Uploads come from the page of this server only.\n", 403)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            told = f"The upload has more than {limit // 2**20} MB; make it smaller and try again.\n"
            return PlainTextResponse(told, 413)
    return await run_in_threadpool(guarded(lambda seen: answer(seen, bytes(content))), request)


def _as_recipe(request: Request, content: bytes) -> Response:
    from workbench import scenes

    fields = _fields(request)
    name = fields.pop("file", "")
    try:
        found = scenes.import_mask(scenes.SceneSpec.from_query(fields), name, content)
    except BadInput as error:
        return JSONResponse({"problem": whole(str(error))})
    return JSONResponse({"recipe": found.recipe, "notes": found.notes})


def _stored(content: bytes) -> Response:
    from workbench import scenes
    from workbench.data import uploads

    try:
        restored = scenes.restore(content)
        if restored is not None:
            view = {"photo": restored.spec.photo, "seed": "0", **restored.spec.to_query()}
            notes = ["The view is restored.", *restored.notes]
        else:
            name = uploads.store(content)
            view, notes = {"photo": name}, uploads.notes(name)
    except BadInput as error:
        return JSONResponse({"problem": whole(str(error))})
    return JSONResponse({"query": urlencode(view), "notes": notes})


STARTING = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh"
content="1"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Studio</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;display:grid;
place-items:center;min-height:90vh;margin:0;padding:1rem}</style>
<p role="status">The studio is starting; it opens by itself in a few seconds.</p></html>"""


async def studio(request: Request) -> Response:
    """Go to the studio with the scene of the address; starts it first if it is not running."""
    child = companion.child
    if child is None:
        return PlainTextResponse("This server has no studio; start it without --no-studio.\n", 404)
    port = child.port
    if port is None:
        await run_in_threadpool(child.start)
        return HTMLResponse(STARTING, headers={"cache-control": "no-store"})
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] != "ticket"]
    if token := os.environ.get("WORKBENCH_TOKEN"):
        pairs.append(("ticket", make_ticket(token)))
    query = f"?{urlencode(pairs)}" if pairs else ""
    host = f"[{request.url.hostname}]" if ":" in str(request.url.hostname) else request.url.hostname
    return RedirectResponse(f"{request.url.scheme}://{host}:{port}/{query}", 303)


async def job(request: Request) -> Response:
    """How a job of this page stands, with its events from `since` on, as JSON."""
    found = jobs.get(request.path_params["mark"])
    if found is None:
        return PlainTextResponse("This work is not known here; start it again.\n", 404)
    since = request.query_params.get("since", "0")
    from_there = int(since) if since.isascii() and since.isdigit() and len(since) < 10 else 0
    return JSONResponse(jobs.report(found, from_there), headers={"cache-control": "no-store"})


async def cancel(request: Request) -> Response:
    """Let a job of this page end after the step in progress."""
    if request.headers.get("x-workbench") != "job":
        return PlainTextResponse("Work is cancelled by the page that started it.\n", 403)
    found = jobs.get(request.path_params["mark"])
    if found is None:
        return PlainTextResponse("This work is not known here; start it again.\n", 404)
    found.cancel()
    return JSONResponse({"state": found.state})


async def missing(request: Request) -> Response:
    """Anything else below /api; without it Streamlit would answer with its page."""
    return PlainTextResponse("There is nothing at this address.\n", 404)


def _fields(request: Request) -> dict[str, str]:
    return dict(request.query_params)


def as_jpeg(pixels: Any, quality: int) -> bytes:
    """A picture uint8 [h, w, 3] as the bytes of a JPEG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


ROUTES = [
    Route("/api/health", health),
    Route("/api/script/{name}", script),
    Route("/api/picture", picture),
    Route("/api/thumbnail", thumbnail),
    Route("/api/export/{name}", export),
    Route("/api/upload", upload, methods=["POST"]),
    Route("/api/studio", studio),
    Route("/api/job/{mark}", job),
    Route("/api/job/{mark}/cancel", cancel, methods=["POST"]),
    Route("/api/mask", mask_file, methods=["POST"]),
    Route("/api/{rest:path}", missing),
]

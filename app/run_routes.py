"""The routes of the runs: rows, one run, its pictures, and what a person may do with them.

Nothing here loads torch but the two doors that check a new run. Names of runs are looked up in the
store, names of pictures among those that the run has.
"""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.asking import asker
from app.preflights import preflights
from app.routes import guarded
from app.run_rows import Pages, fits, rows_of, thumbnail
from app.sentences import whole
from workbench.errors import BadInput
from workbench.runs import launching
from workbench.runs.config import RunConfig
from workbench.runs.judging import start_judging, stop_judging, usual_protocols
from workbench.runs.queue import Queue, ensure_runner
from workbench.runs.removing import delete
from workbench.runs.store import ENDED, ID, Run, RunStore

BODY_LIMIT = 64 * 1024
MOST_ROWS = 200
_PICTURE = "private, max-age=86400, immutable"  # the address carries the file's time


@cache
def _pages(folder: str) -> Pages:
    return Pages(RunStore(folder))


def _run(request: Request) -> Run:
    """The run of an address.

    Raises:
        BadInput: there is none.
    """
    name = request.path_params["run"]
    store = RunStore()
    if not ID.fullmatch(name):
        raise BadInput("This is no name of a run; go back to the list.")
    return store.get(name)


def answer(request: Request, record: Any) -> Response:
    """JSON that a browser which has it already is not sent again."""
    body = json.dumps(record, allow_nan=False, separators=(",", ":")).encode()
    mark = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"etag": mark, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == mark:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@guarded
def listed(request: Request) -> Response:
    """A part of the list, the newest first, with what the queue does; `find` and `state` filter."""
    store = RunStore()
    asker.look(store)
    rows = rows_of(store.folder).all()
    going = sum(row["state"] not in ENDED for row in rows)
    words = request.query_params.get("find", "").lower().split()
    state = request.query_params.get("state", "")
    shown = [row for row in rows if _fits(row, words, state)]
    count = _number(request, "count", 50)
    record = {
        "rows": shown[: min(count, MOST_ROWS)], "fitting": len(shown), "all": len(rows),
        "going": going, "queue": _queue(store, rows), "folder": str(store.folder),
    }  # fmt: skip
    return answer(request, record)


def _fits(row: dict[str, Any], words: list[str], state: str) -> bool:
    if state == "going" and row["state"] in ENDED:
        return False
    if state not in ("", "going") and row["state"] != state:
        return False
    return fits(row, words)


def _number(request: Request, name: str, usual: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else usual


def _queue(store: RunStore, rows: list[dict[str, Any]]) -> dict[str, Any]:
    queue = Queue(store.folder)
    names = {row["id"]: row["name"] or row["preset"] for row in rows}
    jobs = [
        {"run": job["run"], "state": job["state"], "name": names.get(job["run"], "")}
        for job in queue.jobs()
    ]
    return {"jobs": jobs, "settings": queue.settings()}


@guarded
def one(request: Request) -> Response:
    """The page of one run."""
    store = RunStore()
    asker.look(store)
    return answer(request, _pages(str(store.folder)).page(_run(request)))


@guarded
def picture(request: Request) -> Response:
    """A picture of a run, whole as PNG or `small` as JPEG."""
    run, name = _run(request), request.path_params["file"]
    files = {path.name: path for _, _, path in run.pictures()}
    if name not in files:
        return PlainTextResponse("There is no such picture.\n", 404)
    headers = {"cache-control": _PICTURE}
    if request.query_params.get("small"):
        return Response(thumbnail(files[name]), media_type="image/jpeg", headers=headers)
    return Response(files[name].read_bytes(), media_type="image/png", headers=headers)


@guarded
def checkpoint(request: Request) -> Response:
    """A checkpoint of a run as a download."""
    run, name = _run(request), request.path_params["file"]
    files = {path.name: path for _, path in run.checkpoints()}
    if name not in files:
        return PlainTextResponse("There is no such checkpoint any more; reload the page.\n", 404)
    return FileResponse(files[name], filename=f"{run.id}-{name}")


def changing(act: Callable[[Request, dict[str, Any]], Any]) -> Callable[[Request], Any]:
    """A route that does something: asked by our own page only, with a short JSON object."""

    @guarded
    def done(request: Request) -> Response:
        return JSONResponse(act(request, request.state.body))

    async def route(request: Request) -> Response:
        if request.headers.get("x-workbench") != "runs":
            return PlainTextResponse("Runs are changed by the page of this server only.\n", 403)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                return PlainTextResponse("This request is too long.\n", 413)
        try:
            found = json.loads(body or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            return PlainTextResponse("This request is no JSON object.\n", 422)
        request.state.body = found
        return await run_in_threadpool(done, request)

    return route


@changing
def cancel(request: Request, body: dict[str, Any]) -> Any:
    """Stop a run after a checkpoint, or `now`."""
    return launching.cancel(_run(request), now=body.get("now") is True)


@changing
def resume(request: Request, body: dict[str, Any]) -> Any:
    """Put a run that has ended into the queue again."""
    return launching.resume(_run(request)).state()


@changing
def evaluate(request: Request, body: dict[str, Any]) -> Any:
    """Measure the newest checkpoint by protocols, beside random init; or `stop` that."""
    run = _run(request)
    if body.get("stop") is True:
        return stop_judging(run)
    data, protocols = body.get("data", ""), body.get("protocols", list(usual_protocols(run)))
    texts = [data, *protocols] if isinstance(protocols, list) else [None]
    if not all(isinstance(each, str) for each in texts):
        raise BadInput("protocols and data are recipes; send texts.")
    return start_judging(run, protocols, data)


@changing
def remove(request: Request, body: dict[str, Any]) -> Any:
    """Delete a run; the body repeats its id, so that no stray request can."""
    run = _run(request)
    if body.get("confirm") != run.id:
        raise BadInput("Deleting has to be confirmed; press the button again.")
    delete(run)
    return {"deleted": run.id}


@changing
def queue(request: Request, body: dict[str, Any]) -> Any:
    """Pause or continue the queue, set its slots, or move a run in it."""
    store = RunStore()
    found = Queue(store.folder)
    if "run" in body:
        place = body.get("place")
        if type(place) is not int:
            raise BadInput("A place in the queue is a whole number.")
        found.move(str(body["run"]), place)
    values = {name: body[name] for name in ("paused", "slots", "keep_going") if name in body}
    if not all(type(each) is int and 0 <= each <= 64 for each in values.values()):
        raise BadInput("Settings of the queue are whole numbers up to 64.")
    if values:
        found.set(**values)
    ensure_runner(store.folder)
    return {"settings": found.settings()}


def _asked(body: dict[str, Any]) -> RunConfig:
    """The checked configuration of a form."""
    return launching.configured(RunConfig.read(body.get("config") or {}, "The form"), {})


@changing
def start(request: Request, body: dict[str, Any]) -> Any:
    """Put a new run into the queue."""
    engine = body.get("engine", "")
    if not isinstance(engine, str):
        raise BadInput("An engine is a recipe; send a text.")
    return {"id": launching.enqueue(_asked(body), engine=engine).id}


@changing
def check(request: Request, body: dict[str, Any]) -> Any:
    """Begin to measure what a run would take; another measurement of this page ends."""
    preflights.stop(str(body.get("instead", "")))
    return {"mark": preflights.start(_asked(body))}


async def checked(request: Request) -> Response:
    """How a measurement stands."""
    found = preflights.report(request.path_params["mark"])
    if found is None:
        return PlainTextResponse("This measurement is not known here; start it again.\n", 404)
    if found.get("problem"):
        found = {**found, "problem": whole(found["problem"])}
    return JSONResponse(found, headers={"cache-control": "no-store"})


@changing
def uncheck(request: Request, body: dict[str, Any]) -> Any:
    """End a measurement."""
    preflights.stop(request.path_params["mark"])
    return {}


RUN_ROUTES = [
    Route("/api/runs", listed),
    Route("/api/runs/queue", queue, methods=["POST"]),
    Route("/api/runs/start", start, methods=["POST"]),
    Route("/api/runs/check", check, methods=["POST"]),
    Route("/api/runs/check/{mark}", checked),
    Route("/api/runs/check/{mark}/cancel", uncheck, methods=["POST"]),
    Route("/api/runs/{run}", one),
    Route("/api/runs/{run}/picture/{file}", picture),
    Route("/api/runs/{run}/checkpoint/{file}", checkpoint),
    Route("/api/runs/{run}/cancel", cancel, methods=["POST"]),
    Route("/api/runs/{run}/resume", resume, methods=["POST"]),
    Route("/api/runs/{run}/evaluate", evaluate, methods=["POST"]),
    Route("/api/runs/{run}/delete", remove, methods=["POST"]),
]

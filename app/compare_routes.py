"""The routes of the Compare and Sweeps views; only menu, plan and start load torch."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import sweep_rows, worker
from app.asking import asker
from app.compare_rows import Asked, choices, compared
from app.routes import guarded
from app.run_routes import answer, changing
from workbench.errors import BadInput
from workbench.runs.queue import ensure_runner
from workbench.runs.store import RunStore
from workbench.runs.sweeps import SweepStore

MOST_CHOICES = 100


@guarded
def beside(request: Request) -> Response:
    """The runs of an address beside each other, see `app.compare_rows.compared`."""
    store = RunStore()
    asker.look(store)
    return answer(request, compared(store, Asked.read(dict(request.query_params))))


@guarded
def offered(request: Request) -> Response:
    """Runs and sweeps to choose from; `find` holds words that must all be found."""
    words = request.query_params.get("find", "")[:200]
    return answer(request, choices(RunStore(), words, MOST_CHOICES))


@guarded
def sweeps(request: Request) -> Response:
    """All sweeps, the newest first."""
    store = RunStore()
    asker.look(store)
    ensure_runner(store.folder)
    return answer(request, {"sweeps": sweep_rows.rows()})


@guarded
def menu(request: Request) -> Response:
    """Presets and masks for a new sweep."""
    return answer(request, worker.run(sweep_rows.menu))


@changing
def plan(request: Request, body: dict[str, Any]) -> Any:
    """What a form comes to; starts nothing."""
    return worker.run(sweep_rows.plan, body)


@changing
def start(request: Request, body: dict[str, Any]) -> Any:
    """Queue the runs of a form."""
    return worker.run(sweep_rows.start, body)


@changing
def cancel(request: Request, body: dict[str, Any]) -> Any:
    """Take what waits out of the queue and stop what goes on, after a checkpoint or `now`."""
    found = SweepStore().get(request.path_params["sweep"])
    return {"stopped": found.cancel(now=body.get("now") is True)}


@changing
def resume(request: Request, body: dict[str, Any]) -> Any:
    """Go on with what failed, was cancelled or was never queued."""
    count, refused = SweepStore().get(request.path_params["sweep"]).resume()
    return {"queued": count, "refused": refused}


@changing
def remove(request: Request, body: dict[str, Any]) -> Any:
    """Delete a sweep with its runs; the body repeats its id, so that no stray request can."""
    found = SweepStore().get(request.path_params["sweep"])
    if body.get("confirm") != found.id:
        raise BadInput("Deleting has to be confirmed; press the button again.")
    return {"deleted": found.delete()}


COMPARE_ROUTES = [
    Route("/api/compare", beside),
    Route("/api/compare/choices", offered),
    Route("/api/sweeps", sweeps),
    Route("/api/sweeps/menu", menu),
    Route("/api/sweeps/plan", plan, methods=["POST"]),
    Route("/api/sweeps/start", start, methods=["POST"]),
    Route("/api/sweeps/{sweep}/cancel", cancel, methods=["POST"]),
    Route("/api/sweeps/{sweep}/resume", resume, methods=["POST"]),
    Route("/api/sweeps/{sweep}/delete", remove, methods=["POST"]),
]

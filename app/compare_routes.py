"""The routes of the Compare and Sweeps views; nothing here loads torch but the door that starts."""

import hashlib
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.compare_rows import Asked, choices, compared
from app.routes import guarded
from workbench.runs.store import RunStore

MOST_CHOICES = 100


def answer(record: Any) -> Response:
    """JSON with a mark by which a page sees whether anything changed."""
    body = json.dumps(record, allow_nan=False, separators=(",", ":")).encode()
    mark = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"etag": mark, "cache-control": "no-cache"}
    return Response(body, media_type="application/json", headers=headers)


@guarded
def beside(request: Request) -> Response:
    """The runs of an address beside each other, see `app.compare_rows.compared`."""
    return answer(compared(RunStore(), Asked.read(dict(request.query_params))))


@guarded
def offered(request: Request) -> Response:
    """Runs and sweeps to choose from; `find` holds words that must all be found."""
    words = request.query_params.get("find", "")[:200]
    return answer(choices(RunStore(), words, MOST_CHOICES))


COMPARE_ROUTES = [
    Route("/api/compare", beside),
    Route("/api/compare/choices", offered),
]

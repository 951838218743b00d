"""The pictures that features are shown on, each at an address of its own."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import worker
from app.routes import as_jpeg, guarded
from workbench.errors import BadInput


@guarded
def feature_picture(request: Request) -> Response:
    """One picture of the set that a view Features names, JPEG; `row` says which."""
    from workbench.scenes.features import picture
    from workbench.scenes.features_spec import FeaturesSpec

    fields = dict(request.query_params)
    row = fields.pop("row", "")
    if not (row.isascii() and row.isdigit() and len(row) < 7):
        raise BadInput(f"row is {row[:20]!r}, wanted the number of a picture; take 0.")
    pixels = worker.run(picture, FeaturesSpec.from_query(fields), int(row))
    headers = {"cache-control": "private, max-age=3600"}
    return Response(as_jpeg(pixels, 86), media_type="image/jpeg", headers=headers)


FEATURE_ROUTES = [Route("/api/feature", feature_picture)]

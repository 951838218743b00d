"""A photo in a notebook whose patches can be asked what they look at."""

import base64
import json
from importlib import resources
from typing import Any

import anywidget
import numpy as np
import traitlets
from PIL import Image

from workbench.errors import BadInput
from workbench.lessons.attention import cut, head_grid, maps_of, marked, show_heads, weights
from workbench.lessons.watching import uri
from workbench.painter.widget import jpeg_uri, small_png


def _script() -> str:
    here = resources.files(__package__ or "")
    style, script = (
        (here / name).read_text(encoding="utf-8") for name in ("looking.css", "looking.js")
    )
    return f"const LOOKING_CSS = {json.dumps(style)};\n{script}"


class Looking(anywidget.AnyWidget):
    """Click a patch, or move with the arrow keys: all maps follow. `query` can be set, too.

    Where no kernel runs, a picture of the maps stands in the widget's place.
    """

    _esm = _script()
    _view_name: str | None

    photo = traitlets.Unicode("").tag(sync=True)
    maps = traitlets.Unicode("").tag(sync=True)
    said = traitlets.Unicode("").tag(sync=True)
    shape = traitlets.List(traitlets.Int()).tag(sync=True)
    query = traitlets.Int(0).tag(sync=True)
    own_scale = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self, picture: str = "astronaut", query: int = 66, mask: str = "", *, decoder: bool = False
    ) -> None:
        """See `show_heads`."""
        self.picture, self.mask, self.decoder = picture, mask, decoder
        self._found = maps_of(picture, mask, decoder)
        grid = self._found.grid
        super().__init__(shape=[grid.rows, grid.cols], query=query)
        self._follow(None)

    @traitlets.validate("query")
    def _checked(self, proposal: dict[str, Any]) -> int:
        count = self._found.grid.size
        if not 0 <= proposal["value"] < count:
            raise BadInput(f"there is no patch {proposal['value']}; take 0 to {count - 1}.")
        return proposal["value"]

    @traitlets.observe("query", "own_scale")
    def _follow(self, _: object) -> None:
        hidden = None if self._found.hidden is None else self._found.hidden[0]
        said = weights(self._found, self.query)
        row, col = divmod(self.query, self._found.grid.cols)
        words = f"patch {self.query}, row {row + 1}, column {col + 1}"
        with self.hold_sync():
            self.photo = jpeg_uri(marked(cut(self.picture), self.query, hidden))
            if np.isfinite(said).any():
                self.maps = uri(np.asarray(head_grid(said, self.own_scale)))
                self.said = f"What {words} reads."
            else:
                self.said = f"There is no token for {words}: it is hidden. Ask a visible one."

    def static_picture(self) -> Image.Image:
        """The photo and the maps."""
        own = self.own_scale
        return show_heads(
            self.picture, self.query, self.mask, decoder=self.decoder, own_scale=own
        ).picture

    def __repr__(self) -> str:
        """Which patch of which photo asks."""
        return f"Looking({self.picture}, patch {self.query}, {self.mask or 'nothing hidden'})"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The live widget, and behind it the static picture for exports."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        png = base64.b64encode(small_png(self.static_picture())).decode()
        return {**data, "image/png": png}, metadata

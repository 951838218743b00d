"""A few knobs and one picture that follows them, in a notebook."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

import anywidget
import numpy as np
import traitlets
from PIL import Image

from workbench.errors import BadInput
from workbench.lessons.watching import uri
from workbench.notebook import small_png

SLIDES_FROM = 6  # so many choices are a slider where they are numbers


def _script() -> str:
    here = resources.files(__package__ or "")
    style, script = (
        (here / name).read_text(encoding="utf-8") for name in ("trying.css", "trying.js")
    )
    return f"const TRYING_CSS = {json.dumps(style)};\n{script}"


class Trying(anywidget.AnyWidget):
    """Sliders and menus; `at` holds the number of each choice and can be set, too.

    Where no kernel runs, the picture of the first choices stands in the widget's place.
    """

    _esm = _script()
    _view_name: str | None

    knobs = traitlets.List(traitlets.Dict()).tag(sync=True)
    at = traitlets.List(traitlets.Int()).tag(sync=True)
    picture = traitlets.Unicode("").tag(sync=True)
    said = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        draw: Callable[..., tuple[Image.Image, str]],
        options: Mapping[str, Sequence[Any]],
        first: Sequence[int] | None = None,
    ) -> None:
        """Show what `draw` gives for one choice of each.

        Args:
            draw: called with one choice a knob, in order; returns a picture and a sentence.
            options: the choices of each knob by its name.
            first: the number of each first choice; 0 for all without it.
        """
        self._draw, self._options = draw, list(options.values())
        self._drawn: Image.Image | None = None
        knobs = [
            {
                "name": name,
                "options": [str(each) for each in choices],
                "slides": len(choices) >= SLIDES_FROM and not isinstance(choices[0], str),
            }
            for name, choices in options.items()
        ]
        super().__init__(knobs=knobs, at=list(first or [0] * len(knobs)))
        if self._drawn is None:
            self._follow(None)

    @traitlets.validate("at")
    def _checked(self, proposal: dict[str, Any]) -> list[int]:
        at = proposal["value"]
        sizes = [len(each) for each in self._options]
        if len(at) != len(sizes) or any(not 0 <= n < m for n, m in zip(at, sizes, strict=True)):
            raise BadInput(f"at is {at}, wanted one number below each of {sizes}.")
        return at

    @traitlets.observe("at")
    def _follow(self, _: object) -> None:
        if len(self.at) != len(self._options):
            return
        chosen = [each[n] for each, n in zip(self._options, self.at, strict=True)]
        self._drawn, said = self._draw(*chosen)
        with self.hold_sync():
            self.picture, self.said = uri(np.asarray(self._drawn)), said

    def static_picture(self) -> Image.Image:
        """What is shown now."""
        assert self._drawn is not None
        return self._drawn

    def __repr__(self) -> str:
        """What is shown now, in words."""
        return f"Trying({self.said})"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The live widget, and behind it the static picture for exports."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        png = base64.b64encode(small_png(self.static_picture())).decode()
        return {**data, "image/png": png}, metadata

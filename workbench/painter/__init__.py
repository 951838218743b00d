"""The patch painter: one canvas component for Streamlit, notebooks and Gradio.

The browser side is plain JavaScript beside this file; `painter_js` puts its parts and one host's
adapter together. What the component takes and gives stands at the top of `patch_painter.js`.
"""

import json
from functools import cache
from importlib import resources
from typing import Literal

from workbench.errors import BadInput

__all__ = ["ADAPTERS", "painter_js"]

ADAPTERS = ("streamlit", "anywidget", "gradio")
_PARTS = ("strokes.js", "overlay.js", "controls.js", "patch_painter.js", "input.js", "pictures.js")


@cache
def painter_js(adapter: Literal["streamlit", "anywidget", "gradio"] | None = None) -> str:
    """The painter's JavaScript with its style sheet inside, ended by the adapter of one host.

    Without an adapter it only defines `createPatchPainter` and `createPicturePanel`.

    Raises:
        BadInput: an adapter that is not among ADAPTERS.
    """
    if adapter is not None and adapter not in ADAPTERS:
        raise BadInput(f"No painter adapter {adapter!r}; choose one of {', '.join(ADAPTERS)}.")
    here = resources.files(__name__)
    style = (here / "painter.css").read_text(encoding="utf-8")
    names = [*_PARTS, *([f"adapter_{adapter}.js"] if adapter else [])]
    scripts = [(here / name).read_text(encoding="utf-8") for name in names]
    return "\n".join([f"const PAINTER_CSS = {json.dumps(style)};", *scripts])

"""Every strategy at its defaults on one photo; a tile opens it in the first view."""

from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import state, worker
from app.components import photos
from app.components.scripts import component
from workbench import scenes
from workbench.errors import BadInput
from workbench.masks import MASKS
from workbench.scenes import SceneSpec
from workbench.scenes.gallery import KINDS, Tile, tiles

SECTION = "Masks"

KEY = "gallery"


def shown(tile: Tile, spec: SceneSpec) -> dict[str, Any]:
    """A tile as the browser needs it."""
    return {
        "name": tile.name,
        "summary": tile.summary,
        "recipe": tile.recipe,
        "kind": tile.kind,
        "kind_name": KINDS[tile.kind],
        "promise": tile.promise,
        "realised": tile.realised,
        "paper": tile.paper,
        "link": tile.link,
        "problem": tile.problem,
        "picture": "" if tile.picture is None else scenes.data_uri(tile.picture, quality=82),
        "href": "/?" + urlencode(spec.replace(mask=tile.recipe).to_query()),
    }


def drawn(spec: SceneSpec) -> dict[str, Any]:
    """All tiles on one photo."""
    made = tiles(spec)
    first = next((tile.picture for tile in made if tile.picture is not None), None)
    there = {tile.kind for tile in made}
    return {
        "mark": repr(spec),
        "shape": 1 if first is None else first.shape[1] / first.shape[0],
        "kinds": [(key, name) for key, name in KINDS.items() if key in there],
        "tiles": [shown(tile, spec) for tile in made],
    }


def opened() -> None:
    """Take the recipe of the tile that was pressed."""
    recipe = (st.session_state.get(KEY) or {}).get("open")
    if recipe and state.change("mask", mask=recipe):
        st.session_state["gallery_opened"] = True


def page() -> None:
    """The photo, and the tiles."""
    photos.settle()
    with st.container(key="bench"):
        left, right = st.columns([22, 84], gap="medium")
    with left, st.container(key="photo-controls"):
        state.show_problem("link")
        photos.draw()
        for sentence in MASKS.problems().values():
            st.warning(sentence)
    with right, st.container(key="pictures"):
        spec = state.spec()
        bare = SceneSpec(photo=spec.photo, fit=spec.fit, model=spec.model, seed=spec.seed)
        kept = st.session_state.get("gallery_drawn")
        if kept is None or kept["mark"] != repr(bare):
            with st.spinner("Drawing every strategy …"):
                kept = st.session_state["gallery_drawn"] = worker.run(drawn, bare)
        query = urlencode({k: v for k, v in spec.to_query().items() if k != "mask"})
        component("gallery")(key=KEY, data={**kept, "query": query}, on_open_change=opened)


if st.session_state.pop("gallery_opened", False):
    st.switch_page("views/reconstruct.py")
try:
    page()
except BadInput as error:
    st.warning(str(error))

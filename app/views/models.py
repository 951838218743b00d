"""The same photo and mask through several models: side by side, difference, blink, wipe."""

from urllib.parse import urlencode

import streamlit as st

from app import state
from app.components import compare, compute, knobs, painter, photos
from app.components.scripts import component
from workbench.data.home import home
from workbench.errors import BadInput
from workbench.models import list_models
from workbench.models.catalog import broken_cards

SECTION = "Masks"


@st.fragment
def live() -> None:
    """Controls beside the pictures: one fragment, so that a change reruns nothing else."""
    patches = compute.grid().size
    painter.fit_grid(patches)
    photos.settle()
    with st.container(key="bench"):
        left, right = st.columns([25, 81], gap="medium")
    with left:
        controls(patches)
    with right, st.container(key="pictures"):
        compare.choose()
        waiting = st.empty()
        if "compare_last" not in st.session_state:
            waiting.caption("The models are being loaded, once.")
        compare.draw()
        waiting.empty()
        share()
        own_models()


def controls(patches: int) -> None:
    """The photo, and the mask that all models get."""
    with st.container(key="photo-controls"):
        state.show_problem("link")
        photos.draw()
    with st.container(key="mask-controls"):
        knobs.draw_mask(patches)
        state.show_problem("mask")
    spec = state.spec()
    with st.container(key="more-controls"):
        st.caption(f"{spec.mask} · seed {spec.seed} · {spec.photo}, {spec.fit}")
        st.page_link("views/reconstruct.py", label="Paint it by hand", icon=":material/brush:")


def share() -> None:
    """The link of this view, and the same in Python."""
    spec, chosen = state.spec(), compare.current()
    fields = {key: value for key, value in spec.to_query().items() if key != "model"}
    python = (
        "from workbench.scenes import SceneSpec\n"
        "from workbench.scenes.models import beside, difference\n\n"
        f"entries = beside({spec.replace(model='default')!r}, {list(chosen.models)!r})\n"
        "for entry in entries:\n"
        "    print(entry.name, entry.problem or entry.scene.metrics)\n"
    )
    query = urlencode({**fields, **chosen.to_query()})
    component("link")(key="link", data={"query": query, "python": python})


def own_models() -> None:
    """How more models come in, and what those lack that cannot be used."""
    broken, alone = broken_cards(), len(list_models()) < 2
    try:
        folder = home() / "models"
    except BadInput as error:
        st.warning(str(error))
        return
    title = "Models of your own" + (f": {len(broken)} cannot be used" if broken else "")
    with st.expander(title, expanded=alone):
        st.markdown(
            f"Put them into `{folder}` and reload this page: `.pth` files of "
            "facebookresearch/mae with their decoder, folders of transformers' "
            "`ViTMAEForPreTraining`, models of ours (`.safetensors` with `.json`), and folders of "
            "trainings of the bundled kind. Runs that fill in pixels are in the menu by "
            "themselves. Or train one: `python -m workbench train default --data PHOTOS --out "
            f"'{folder / 'mine'}'`."
        )
        for sentence in broken:
            st.warning(sentence)


live()

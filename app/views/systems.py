"""Find a published system and try what it hides."""

from urllib.parse import urlencode

import streamlit as st

from app import state
from workbench.atlas import System, find, systems
from workbench.masks import MASKS

SECTION = "Masks"


def address(row: System) -> str:
    """Where the mask is shown best: clips and spectra in the mask lab, the rest on the photo."""
    strategy = MASKS.parse(row.mask)
    plain = not strategy.frames and strategy.domain != "frequency"
    query = {k: v for k, v in state.spec().to_query().items() if k != "mask"} | {"mask": row.mask}
    return f"/{'' if plain else 'mask_lab'}?{urlencode(query)}"


words = st.text_input(
    "Search", key="system_words", placeholder="a name, a word of the title, a strategy",
    label_visibility="collapsed",
)  # fmt: skip
found = find(words)
st.caption(f"{len(found)} of {len(systems())} systems")
if found:
    st.dataframe(
        [
            {"System": r.system, "Try": address(r), "What is hidden": r.note, "Recipe": r.mask,
             "Paper": r.title}
            for r in found
        ],
        hide_index=True,
        height="content",
        column_config={
            "System": st.column_config.Column(width=170),
            "Try": st.column_config.LinkColumn(display_text="open", width=60),
            "What is hidden": st.column_config.Column(width=340),
            "Recipe": st.column_config.Column(width=360),
        },
    )  # fmt: skip
else:
    st.info("No system holds all of these words; try one of them alone.")

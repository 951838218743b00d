"""The page around every view: found by file name in `app/views`, named by their docstrings."""

import ast
from functools import cache
from pathlib import Path

import streamlit as st

from app.companion import companion
from app.components.scripts import component
from app.style import CSS
from app.warm import warmer

VIEWS = Path(__file__).resolve().parent / "views"
ICON = Path(__file__).resolve().parent / "icon.png"
FIRST = "reconstruct"


@cache
def summary(path: Path) -> str:
    """The first line of a view's docstring."""
    lines = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()
    return lines[0] if lines else ""


def pages() -> list[st.Page]:
    """One page for every file; the first one answers at the bare address."""
    found = [path for path in sorted(VIEWS.glob("[!_]*.py"))]
    found.sort(key=lambda path: path.stem != FIRST)
    return [
        st.Page(
            path, title=path.stem.replace("_", " ").capitalize(), url_path=path.stem,
            default=path.stem == FIRST, help=summary(path),
        )
        for path in found
    ]  # fmt: skip


st.set_page_config(page_title="Mask workbench", page_icon=str(ICON), layout="wide")
st.html(CSS)
page = st.navigation(pages(), position="top")
with st.container(key="title", horizontal=True, vertical_alignment="center"):
    st.markdown("#### Mask workbench", width="content")
    st.caption(summary(VIEWS / f"{page.url_path or FIRST}.py"))
    if companion.enabled:
        component("studio")(key="studio-link", data={}, width="content")
page.run()
warmer.page_served.set()

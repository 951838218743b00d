"""The page around every view: found by file name in `app/views`, named by their docstrings."""

import ast
from functools import cache
from pathlib import Path

import streamlit as st

from app.companion import companion
from app.components.scripts import component
from app.style import CSS
from app.warm import warmer
from workbench.syntax import module

VIEWS = Path(__file__).resolve().parent / "views"
ICON = Path(__file__).resolve().parent / "icon.png"
NAME, FIRST = "Mask workbench", "reconstruct"
SECTIONS = ("", "Masks", "Inside a network", "Training")


@cache
def section(path: Path) -> str:
    """The menu that a view stands in: its constant `SECTION`; "" for none."""
    for node in module(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SECTION":
            return str(ast.literal_eval(node.value))
    return ""


@cache
def summary(path: Path) -> str:
    """The first line of a view's docstring."""
    lines = (ast.get_docstring(module(path.read_text(encoding="utf-8"))) or "").splitlines()
    return lines[0] if lines else ""


def pages() -> dict[str, list[st.Page]]:
    """One page for every file, by section; the first one answers at the bare address."""
    found: dict[str, list[st.Page]] = {name: [] for name in SECTIONS}
    for path in sorted(VIEWS.glob("[!_]*.py")):
        page = st.Page(
            path, title=path.stem.replace("_", " ").capitalize(), url_path=path.stem,
            default=path.stem == FIRST, help=summary(path),
        )  # fmt: skip
        found.setdefault(section(path), []).append(page)
    return {name: inside for name, inside in found.items() if inside}


page = st.navigation(pages(), position="top")
title = f"{page.title} – {NAME}" if page.url_path else NAME
st.set_page_config(page_title=title, page_icon=str(ICON), layout="wide")
st.html(CSS)
with st.container(key="title", horizontal=True, vertical_alignment="center"):
    st.markdown(f"#### {page.title if page.url_path else NAME}", width="content")
    st.caption(summary(VIEWS / f"{page.url_path or FIRST}.py"))
    if companion.enabled:
        component("studio")(key="studio-link", data={}, width="content")
page.run()
warmer.page_served.set()

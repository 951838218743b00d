"""The painter inside real hosts: a slow Streamlit page and a Gradio page."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from playwright.sync_api import expect

from workbench.errors import BadInput
from workbench.painter import ADAPTERS, painter_js

STREAMLIT = """
import time
import streamlit as st
from workbench.painter import painter_js

paint = st.components.v2.component("painter", js=painter_js("streamlit"))

@st.fragment
def view():
    edit = (st.session_state.get("p") or {}).get("edit") or {"hide": "0" * 64, "show": "0" * 64}
    time.sleep(0.7)
    data = dict(grid=[8, 8], base="0" * 64, label="slow", image=IMAGE, **edit)
    paint(key="p", data=data, on_edit_change=lambda: None)
    st.text("python counts " + str(edit["hide"].count("1")))

view()
"""
GRADIO = """
import gradio as gr
from workbench.painter import painter_js

empty = "0" * 64
value = dict(grid=[8, 8], base=empty, hide=empty, show=empty, seq=0, label="page", image=IMAGE)
with gr.Blocks() as demo:
    html = "<div class='root'></div>"
    paint = gr.HTML(value, html_template=html, js_on_load=painter_js("gradio"))
    count = gr.Textbox(label="count", elem_id="count")
    tell = lambda edit: "python counts " + str(edit["hide"].count("1"))
    paint.input(tell, paint, count, trigger_mode="always_last")
demo.launch(server_name="127.0.0.1", server_port=PORT, quiet=True)
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def serve(tmp_path):
    """Start a script as a page of its own and return its address once it answers."""
    started = []

    def start(source, *command):
        port = free_port()
        script = tmp_path / "page.py"
        script.write_text(source.replace("PORT", str(port)))
        words = [word.format(script=script, port=port) for word in command]
        quiet = {"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}
        started.append(
            subprocess.Popen(
                [sys.executable, *words],
                env={**os.environ, **quiet},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        url = f"http://127.0.0.1:{port}/"
        for _ in range(600):
            try:
                urllib.request.urlopen(url, timeout=5).close()
                return url
            except OSError:
                assert started[-1].poll() is None, "the page ended by itself"
                time.sleep(0.1)
        raise AssertionError("the page does not answer")

    yield start
    for process in started:
        process.terminate()
        process.wait(20)


def drag(page, row, first, last):
    canvas = page.get_by_test_id("patch-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    y = box["y"] + (row + 0.5) * box["height"] / 8
    x, x2 = (box["x"] + (col + 0.5) * box["width"] / 8 for col in (first, last))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x2, y, steps=8)
    page.mouse.up()


def test_a_slow_streamlit_page_never_erases_the_brush(page, serve, tools):
    source = STREAMLIT.replace("IMAGE", repr(tools.picture_uri()))
    server = ["--server.headless=true", "--server.address=127.0.0.1", "--server.port={port}"]
    page.goto(serve(source, "-m", "streamlit", "run", "{script}", *server))
    count = page.get_by_test_id("painter-count")
    expect(count).to_have_text("0 of 64 patches hidden (0.0%)", timeout=30000)
    for row in range(6):
        drag(page, row, 1, 6)
        expect(count).to_contain_text(f"{6 * (row + 1)} of 64", timeout=400)
    seen = set()
    for _ in range(40):
        seen.add(count.text_content().split(" (")[0])
        page.wait_for_timeout(50)
    assert seen == {"36 of 64 patches hidden"}
    expect(page.get_by_text("python counts 36")).to_be_visible(timeout=20000)
    page.get_by_test_id("painter-undo").click()
    expect(page.get_by_text("python counts 30")).to_be_visible(timeout=20000)
    assert page.get_by_test_id("patch-canvas").count() == 1


def test_a_gradio_page_gets_the_edit(page, serve, tools):
    page.goto(serve(GRADIO.replace("IMAGE", repr(tools.picture_uri())), "{script}"))
    count = page.get_by_test_id("painter-count")
    expect(count).to_have_text("0 of 64 patches hidden (0.0%)", timeout=30000)
    drag(page, 2, 1, 6)
    drag(page, 4, 1, 3)
    answer = page.locator("#count").locator("textarea, input")
    expect(answer).to_have_value("python counts 9", timeout=20000)
    assert page.get_by_test_id("patch-canvas").count() == 1


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_script_ends_with_the_adapter_and_holds_no_outside_address(adapter):
    script = painter_js(adapter)
    assert script.startswith(painter_js())
    assert script.replace("http://www.w3.org/2000/svg", "").count("://") == 0
    assert "innerHTML" not in script
    assert "eval(" not in script


def test_an_unknown_adapter_is_refused_with_the_choices():
    with pytest.raises(BadInput, match=r"'qt'.*streamlit, anywidget, gradio"):
        painter_js("qt")

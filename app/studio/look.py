"""The studio's look: the dashboard's colours in light and dark, and fonts of this machine only."""

from typing import Any

from app.settings import colours
from app.style import MASK_CARD

HEADER = """<header><h1>Mask workbench studio</h1>
<p>Hide parts of a photo and see what a trained model makes of the rest.</p>
<a id="to-dashboard" data-port="PORT" href="/">Dashboard</a></header>"""

# The scene goes along: the address of this page always holds it.
HEADER_SCRIPT = """
const link = element.querySelector("#to-dashboard");
const port = link.dataset.port;
link.hidden = port === "0";
const there = `${location.protocol}//${location.hostname}:${port}/`;
const aim = () => { link.href = there + location.search; };
for (const event of ["pointerdown", "focus", "pointerenter"]) link.addEventListener(event, aim);
"""

_NAMES = {
    "background_fill_primary": "backgroundColor",
    "background_fill_secondary": "secondaryBackgroundColor",
    "body_background_fill": "backgroundColor",
    "body_text_color": "textColor",
    "block_background_fill": "backgroundColor",
    "block_label_text_color": "textColor",
    "block_title_text_color": "textColor",
    "border_color_primary": "borderColor",
    "color_accent": "primaryColor",
    "input_background_fill": "secondaryBackgroundColor",
    "input_background_fill_focus": "secondaryBackgroundColor",
    "input_border_color": "borderColor",
    "input_border_color_focus": "primaryColor",
    "slider_color": "primaryColor",
    "link_text_color": "primaryColor",
    "block_info_text_color": "textColor",
    "checkbox_label_background_fill": "secondaryBackgroundColor",
    "checkbox_label_background_fill_hover": "secondaryBackgroundColor",
    "checkbox_label_background_fill_selected": "secondaryBackgroundColor",
}

STYLE = (
    """
.gradio-container > .main.main { padding: 1rem 1.6rem; }
.gradio-container { max-width: 1700px !important; margin: 0 auto; padding: 0 !important;
  width: 100%; overflow-x: clip;
  --st-text-color: var(--body-text-color); --st-background-color: var(--background-fill-primary);
  --st-secondary-background-color: var(--background-fill-secondary);
  --st-border-color: var(--border-color-primary); --st-primary-color: var(--color-accent);
  --st-font: var(--font); --st-red-text-color: #b3261e; --st-orange-color: #c77700; }
.dark { --color-accent: ACCENT; }
.dark .gradio-container, .gradio-container.dark { --st-red-text-color: #ff9d95; }
#header, #header .html-container { padding: 0; }
#header header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.2rem 0.9rem; }
#header h1 { font-size: 1.25rem; font-weight: 600; margin: 0; }
#header p { margin: 0; opacity: 0.72; font-size: 0.88rem; }
#header a { margin-left: auto; color: var(--color-accent); }
#bench { gap: 1.6rem; align-items: stretch; }
#bench > *, #bench .block, #bench .html-container, #bench .root { min-width: 0; max-width: 100%; }
#bench .form { background: none; border: 0; box-shadow: none; gap: 0.8rem; overflow: visible; }
#bench label > span, #bench [data-testid="block-info"] { margin-bottom: 0.25rem; }
#fit .wrap { gap: 0.4rem; }
#fit label { padding: 0.3rem 0.5rem; gap: 0.35rem; flex: 1 1 auto; }
#fit label span { margin: 0; }
#controls, #painting, #pictures { gap: 0.8rem; }
#controls .block, #painting .block { border: 0; padding: 0; background: none; overflow: visible; }
#bench .html-container { padding: 0; }
.trouble p { margin: 0; padding: 0.5rem 0.75rem; border-radius: 8px; font-size: 0.88rem;
  border-left: 4px solid var(--st-orange-color); background: var(--background-fill-secondary); }
#recipe textarea { font-family: ui-monospace, Consolas, monospace; font-size: 0.86rem; }
@media (max-width: 1150px) {
  #bench { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1rem 1.4rem;
    grid-template-rows: auto 1fr; }
  #bench > * { width: 100%; min-width: 0 !important; }
  #painting { grid-area: 1 / 1; } #controls { grid-area: 2 / 1; }
  #pictures { grid-area: 1 / 2 / 3; }
}
@media (max-width: 720px) {
  #bench { display: flex; flex-direction: column; flex-wrap: nowrap; }
  #bench > * { flex: none; }
  #painting { order: 1; } #controls { order: 2; } #pictures { order: 3; }
}
@media (max-width: 640px) { .gradio-container > .main.main { padding: 0.8rem; } }
"""
    + MASK_CARD
).replace("ACCENT", colours("dark")["primaryColor"])


def theme() -> Any:
    """Gradio's plain theme in our colours."""
    import gradio as gr

    light, dark = colours("light"), colours("dark")
    values = {name: light[ours] for name, ours in _NAMES.items()}
    values |= {f"{name}_dark": dark[ours] for name, ours in _NAMES.items()}
    base = gr.themes.Base(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "Consolas", "monospace"]
    )
    # Names without a dark twin in Gradio's theme take the light value's variable.
    known = {name for name in values if hasattr(base, name) or not name.endswith("_dark")}
    return base.set(**{name: values[name] for name in known})

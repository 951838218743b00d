"""The browser side of each component, served by name and mounted by a one-line loader."""

import hashlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from workbench.painter import painter_js

_HERE = Path(__file__).parent
# What stands before a component's own script, beside `shared`; not components themselves.
PARTS = {
    "matrix": ("job",),
    "ticker": ("job",),
    "search": ("job",),
    "layercurves": ("job", "linechart"),
    "shapeleak": ("job",),
    "weights": ("job",),
    "merge": ("job",),
    "subspace": ("job",),
    "weightcurve": ("job", "linechart"),
    "runs": ("orders", "naming", "axes", "chart", "runlist", "runpage"),
    "train": ("orders",),
    "comparing": ("naming", "choice", "axes", "overlay", "strips", "board"),
    "sweeps": ("orders", "naming", "sweepform"),
    "attribution": ("job", "judged"),
    "features": ("job",),
    "headcodes": ("job",),
    "facets": ("job",),
}
_INNER = {"shared", *(part for parts in PARTS.values() for part in parts)}
_NAMES = sorted(path.stem for path in _HERE.glob("*.js") if path.stem not in _INNER)


@cache
def _read(name: str) -> str:
    parts = ("shared", *PARTS.get(name, ()), name)
    return "\n".join((_HERE / f"{part}.js").read_text(encoding="utf-8") for part in parts)


@cache
def _painter() -> str:
    return painter_js("streamlit")


SCRIPTS: dict[str, Callable[[], str]] = {
    **{f"{name}.js": partial(_read, name) for name in _NAMES},
    "painter.js": _painter,
}

# Streamlit repeats a component's script in every message, so the script itself is fetched once by
# its address and the message carries these lines only. The painter's photo is fetched the same way.
_LOADER = """
const address = new URL("/api/script/{name}.js?{digest}", location.origin);
const module = await import(address);
export default module.default;
"""
_PAINTER_LOADER = """
const address = new URL("/api/script/{name}.js?{digest}", location.origin);
const module = await import(address);
const photos = new Map();
async function photo(url) {{
  if (!photos.has(url)) {{
    for (const [old, made] of photos) {{ photos.delete(old); made.then(URL.revokeObjectURL); }}
    photos.set(url, fetch(url).then((answer) => {{
      if (!answer.ok) throw new Error("no photo");
      return answer.blob();
    }}).then((blob) => URL.createObjectURL(blob)));
  }}
  return photos.get(url);
}}
const latest = new WeakMap();
export default function (host) {{
  latest.set(host.parentElement, host.data);
  const done = module.default(host);
  photo(host.data.photo).then((image) => {{
    const data = latest.get(host.parentElement);
    if (data?.photo === host.data.photo) module.default({{...host, data: {{...data, image}}}});
  }}, () => photos.delete(host.data.photo));
  return () => {{ latest.delete(host.parentElement); done?.(); }};
}}
"""


@cache
def component(name: str) -> Callable[..., Any]:
    """The mounting function of the component `name`."""
    import streamlit as st  # the studio serves the same scripts without it

    digest = hashlib.sha256(SCRIPTS[f"{name}.js"]().encode()).hexdigest()[:12]
    loader = _PAINTER_LOADER if name == "painter" else _LOADER
    return st.components.v2.component(
        f"workbench_{name}", js=loader.format(name=name, digest=digest)
    )

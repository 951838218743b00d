"""The pictures, the error map and the numbers of one scene."""

from typing import Any

import streamlit as st

from app import state, worker
from app.components.scripts import component
from app.sentences import whole
from app.warm import warmer
from workbench import scenes
from workbench.analysis.metrics import Metrics
from workbench.errors import BadInput
from workbench.scenes import Scene, SceneSpec

LOADING = "The model is being loaded, once; painting works already."


def draw() -> None:
    """Make the scene and show it; a scene that cannot be made leaves the last one standing."""
    data: dict[str, Any] = {"asked": _asked(), "scene": st.session_state.get("scene")}
    if warmer.busy:
        component("results")(key="results", data={**data, "loading": LOADING}, on_ask_change=_ask)
        return
    try:
        data["scene"] = st.session_state["scene"] = worker.run(composed, state.spec())
    except BadInput as error:
        data["problem"] = _sentence(str(error))
    except Exception as error:
        data["problem"] = state.unexpected(error)
    component("results")(key="results", data=data, on_ask_change=_ask)


def composed(spec: SceneSpec) -> dict[str, Any]:
    """Make a scene, as the browser needs it."""
    return payload(scenes.compose(spec))


def payload(made: Scene) -> dict[str, Any]:
    """What the browser needs to draw a scene."""
    height, width = made.photo.shape[:2]
    pictures = {
        "original": made.photo,
        "masked": made.masked,
        "reconstruction": made.reconstruction,
        "composite": made.composite,
    }
    return {
        "mark": mark(made.spec),
        "shape": width / height,
        "pictures": {name: scenes.data_uri(picture) for name, picture in pictures.items()},
        "error": {
            "rows": made.grid.rows,
            "cols": made.grid.cols,
            "values": [round(float(value), 5) for value in made.error.ravel()],
            "hidden": made.bits,
        },
        "numbers": numbers(made),
        "caption": caption(made),
        "notes": list(made.notes),
        "machine": f"{made.device}, {made.precision}, {made.milliseconds:.0f} ms a picture",
    }


def mark(spec: SceneSpec) -> str:
    """A text that differs whenever the scene does."""
    return repr(spec)


def caption(made: Scene) -> str:
    """Recipe, seed, model and machine: what is needed to believe the picture."""
    spec = made.spec
    return (
        f"{spec.mask} · seed {spec.seed} · {spec.photo}, {spec.fit} to "
        f"{made.photo.shape[1]} × {made.photo.shape[0]} px · model {spec.model} "
        f"({made.model_hash[:8]})"
    )


def numbers(made: Scene) -> dict[str, str]:
    """The metrics of hidden pixels, with units and counts."""
    metrics, card = made.metrics, made.card
    return {
        "mse": shown(metrics.mse, 4),
        "psnr": f"{shown(metrics.psnr_db, 2)} dB",
        "ssim": shown(metrics.ssim, 3),
        "counts": f"paste-back, over {counted(metrics.pixels)} hidden pixels in {card.hidden} of "
        f"{card.total} patches; RGB in 0 to 1",
    }


def counted(number: int) -> str:
    """A count with thin spaces between its thousands."""
    return f"{number:,}".replace(",", "\u202f")


def shown(value: float | None, digits: int) -> str:
    """A number with its digits, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def leak_rows(meter: scenes.LeakMeter) -> dict[str, Any]:
    """The leak meter for the browser; bars are shares of the largest error."""
    most = max((row.mse or 0.0 for _, row in meter.rows), default=0.0) or 1.0
    return {
        "rows": [
            {
                "name": name,
                "model": at == 0,
                "mse": shown(row.mse, 4),
                "share": round(100 * (row.mse or 0.0) / most, 1),
                "detail": _detail(row),
            }
            for at, (name, row) in enumerate(meter.rows)
        ],
        "verdict": f"{meter.best} alone explains {meter.explained:.0%} of what the mean colour "
        f"leaves open (MSE on {counted(meter.rows[0][1].pixels)} hidden pixels).",
    }


def _detail(row: Metrics) -> str:
    return f"MSE {shown(row.mse, 4)}, PSNR {shown(row.psnr_db, 2)} dB, SSIM {shown(row.ssim, 3)}"


def _sentence(text: str) -> str:
    last = " The last picture stays." if "scene" in st.session_state else ""
    return whole(text) + last


def _asked() -> int:
    return st.session_state.get("asked", 0)


def _ask() -> None:
    st.session_state["asked"] = _asked() + 1

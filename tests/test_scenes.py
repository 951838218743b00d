"""Scenes: the one value behind URL, CLI, notebook and picture."""

import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.data import uploads
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.scenes import (
    SceneSpec,
    compose,
    data_uri,
    export_png,
    leak,
    preview,
    restore,
    split_paint,
    with_paint,
    with_strategy,
)

SPECS = [
    SceneSpec(),
    SceneSpec(photo="coffee", fit="letterbox", mask="block(ratio=0.6)", seed=7),
    SceneSpec(mask='painted(hide="3-5", over=random(ratio=0.5), lock=0.75)', fill="black()"),
    SceneSpec(photo="drawn-3", precision="fp32", device="cpu", fill="blur(sigma=2.0)"),
]


@pytest.mark.parametrize("spec", SPECS)
def test_query_and_code_and_command_restore_the_spec(spec: SceneSpec) -> None:
    assert SceneSpec.from_query(spec.to_query()) == spec
    names: dict[str, object] = {}
    line = next(x for x in spec.python().splitlines() if x.startswith("scene ="))
    inner = line.removeprefix("scene = compose(").removesuffix(")")
    exec("from workbench.scenes import SceneSpec", names)
    assert eval(inner, names) == spec
    words = shlex.split(spec.command())
    assert words[:5] == ["python", "-m", "workbench", "reconstruct", spec.photo]
    options = dict(zip(words[5:-2:2], words[6:-2:2], strict=True))
    back = {name.removeprefix("--"): value for name, value in options.items()}
    assert SceneSpec.from_query({"photo": spec.photo, **back}) == spec


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"mask": "random(ratio=1.5)"}, "ratio is 1.5"),
        ({"mask": "random(ratio=-0.1)"}, "ratio is -0.1"),
        ({"mask": "__import__('os').system('x')"}, "no recipe"),
        ({"mask": "sparkle()"}, "choose one of"),
        ({"fit": "squash"}, "crop, letterbox, resize"),
        ({"seed": "-1"}, "seed is '-1'"),
        ({"seed": "9" * 40}, "whole number"),
        ({"device": "tpu"}, "auto, cpu, cuda"),
        ({"photo": ""}, "must be a name"),
        ({"model": "../../somewhere/model.pth"}, "is no model here; choose one of default"),
    ],
)
def test_junk_in_a_link_is_refused_in_a_sentence(query: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence.replace("(", r"\(")):
        SceneSpec.from_query(query)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "upload-" + "0" * 32, "nope"])
def test_a_photo_name_never_becomes_a_path(name: str) -> None:
    with pytest.raises(BadInput, match=r"choose one of|There is no upload"):
        preview(SceneSpec(photo=name))


def test_preview_needs_no_torch() -> None:
    code = (
        "import sys; from workbench.scenes import SceneSpec, preview; preview(SceneSpec());"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_preview_is_the_sampler_s_mask_to_the_bit() -> None:
    spec = SceneSpec(mask="block(ratio=0.4)", seed=11)
    shown = preview(spec)
    batch = MASKS.parse(spec.mask).sample(shown.grid, count=64, seed=11)
    assert np.array_equal(shown.hidden, batch.hidden[0])
    assert shown.card.hidden == int(shown.hidden.sum()) == shown.bits.count("1")


def test_masked_picture_shows_the_fill_and_nothing_else_changes() -> None:
    shown = preview(SceneSpec(fill="black()"))
    hidden = shown.mask.to_pixels()[0]
    assert np.all(shown.masked[hidden] == 0)
    assert np.array_equal(shown.masked[~hidden], shown.photo[~hidden])
    clear = preview(SceneSpec(fill="none()"))
    assert np.array_equal(clear.masked[..., 3] == 0, hidden)


def test_composite_keeps_visible_pixels_and_numbers_count_hidden_ones_only() -> None:
    scene = compose(SceneSpec(photo="chelsea", precision="fp32"))
    hidden = scene.mask.to_pixels()[0]
    assert np.array_equal(scene.composite[~hidden], scene.photo[~hidden])
    difference = (scene.composite.astype(float) - scene.photo)[hidden] / 255
    assert scene.metrics.mse == pytest.approx(float((difference**2).mean()), rel=0.01)
    assert scene.metrics.pixels == hidden.sum() == 108 * 144
    patches = scene.reconstruction.astype(float) - scene.photo
    by_patch = (patches.reshape(12, 12, 12, 12, 3) / 255) ** 2
    assert np.allclose(scene.error, by_patch.mean(axis=(1, 3, 4)), atol=2e-3)


@pytest.mark.parametrize("ratio", [0, 1])
def test_nothing_or_everything_hidden_is_shown_but_not_reconstructed(ratio: int) -> None:
    spec = SceneSpec(mask=f"random(ratio={ratio}.0)")
    assert preview(spec).card.ratio == ratio
    with pytest.raises(BadInput, match=r"hid"):
        compose(spec)
    with pytest.raises(BadInput, match="move the ratio"):
        leak(spec)


def test_paint_is_one_recipe_and_comes_apart_again() -> None:
    base = SceneSpec(mask="random(ratio=0.5)", seed=3)
    hide, show = "1" * 5 + "0" * 139, "0" * 100 + "1" * 3 + "0" * 41
    painted = with_paint(base, hide, show)
    assert painted.mask == 'painted(hide="0-4", show="100-102", over=random(ratio=0.5))'
    parts = split_paint(painted, 144)
    assert (parts.base, parts.hide, parts.show, parts.lock) == (base.mask, hide, show, None)
    hidden = preview(painted).hidden.ravel()
    assert hidden[:5].all() and not hidden[100:103].any()
    rest = np.r_[5:100, 103:144]
    assert np.array_equal(hidden[rest], preview(base).hidden.ravel()[rest])
    assert with_paint(painted, "0" * 144, "0" * 144) == base
    assert preview(with_paint(base, hide, show, lock=0.75)).card.hidden == 108
    other = with_strategy(painted, "block(ratio=0.4)")
    assert other.mask == 'painted(hide="0-4", show="100-102", over=block(ratio=0.4))'


def test_paint_from_another_grid_is_refused() -> None:
    with pytest.raises(BadInput, match="0 to 143"):
        preview(SceneSpec(mask='painted(hide="200")'))


def test_exported_picture_restores_its_scene() -> None:
    spec = SceneSpec(photo="coffee", mask="block(ratio=0.6)", seed=5)
    scene = compose(spec)
    png = export_png(scene)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), scene.composite)
    back = restore(png)
    assert back is not None and back.spec == spec and back.notes == ()
    header = json.loads(Image.open(io.BytesIO(png)).info["workbench"])
    assert header["model_hash"] == scene.model_hash and header["hidden"] == scene.card.hidden


def test_original_inside_the_picture_brings_the_photo_back() -> None:
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (90, 120, 3)).astype(np.uint8)).save(buffer, "PNG")
    spec = SceneSpec(photo=uploads.store(buffer.getvalue()), fit="resize")
    scene = compose(spec)
    bare, full = export_png(scene), export_png(scene, with_original=True)
    uploads.delete(spec.photo)
    with pytest.raises(BadInput, match="not on this machine"):
        restore(bare)
    back = restore(full)
    assert back is not None and back.spec == spec
    assert uploads.load(spec.photo) == buffer.getvalue()


def test_a_stranger_s_picture_is_not_a_scene(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    assert restore(buffer.getvalue()) is None
    assert restore(b"\x89PNG\r\n\x1a\n" + b"\xff" * 100) is None
    assert restore(b"not a picture") is None


def test_leak_meter_measures_all_on_the_same_pixels() -> None:
    meter = leak(SceneSpec(photo="coffee"))
    assert [name for name, _ in meter.rows] == [
        "model default", "mean", "nearest", "harmonic", "telea",
    ]  # fmt: skip
    assert len({metrics.pixels for _, metrics in meter.rows}) == 1
    errors = {name: metrics.mse or 0 for name, metrics in meter.rows}
    best = min(errors[name] for name in ("nearest", "harmonic", "telea"))
    assert meter.explained == pytest.approx(1 - best / errors["mean"])


def test_data_uri_is_a_picture_a_browser_reads() -> None:
    shown = preview(SceneSpec())
    assert data_uri(shown.photo).startswith("data:image/jpeg;base64,")
    clear = preview(SceneSpec(fill="none()"))
    assert data_uri(clear.masked).startswith("data:image/png;base64,")


def test_grid_follows_the_model_s_card() -> None:
    assert preview(SceneSpec()).grid == Grid(12, 12, patch=12)

"""The studio from the Python client: image in, recipe in, arrays out."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import app.studio
from app.studio import array
from tests.browser.visitor import png
from workbench.data.images import open_image
from workbench.masks import MASKS, Grid
from workbench.scenes import SceneSpec, compose


def arrays(result: dict[str, Any]) -> dict[str, Any]:
    names = ("photo", "masked", "reconstruction", "composite")
    return {name: array(result[name]) for name in names}


def test_image_in_recipe_in_arrays_out(client: Any) -> None:
    result = client.predict(
        photo="coffee", mask="block(ratio=0.6)", seed=3, api_name="/reconstruct"
    )
    scene = compose(SceneSpec(photo="coffee", mask="block(ratio=0.6)", seed=3))
    assert result["bits"] == scene.bits
    assert result["recipe"] == "block(ratio=0.6)"
    assert result["query"] == {"photo": "coffee", "mask": "block(ratio=0.6)", "seed": "3"}
    for name, theirs in arrays(result).items():
        ours = getattr(scene, name)
        assert theirs.shape == ours.shape
        assert np.abs(theirs.astype(int) - ours).max() <= 2, name  # threads may differ in rounding
    error = array(result["error"])
    assert (error.shape, error.dtype) == ((12, 12), np.float32)
    assert np.abs(error - scene.error).max() < 1e-3
    hidden = np.array(list(result["bits"])).reshape(12, 12) == "1"
    assert hidden.sum() == 86  # floor(0.6 * 144 + 0.5)
    pictures = arrays(result)
    big = np.kron(hidden, np.ones((12, 12), bool))
    assert (pictures["composite"][~big] == pictures["photo"][~big]).all()
    squared = ((pictures["composite"] / 255 - pictures["photo"] / 255) ** 2)[big].mean()
    assert result["metrics"]["mse"] == pytest.approx(squared, rel=0.02)
    assert result["metrics"]["psnr_db"] == pytest.approx(-10 * np.log10(squared), abs=0.1)
    assert result["metrics"]["pixels"] == big.sum()


def test_a_photo_comes_as_file_data_uri_or_lists(client: Any, tmp_path: Path) -> None:
    raw = png(11, side=150)
    path = tmp_path / "my cat.png"
    path.write_bytes(raw)
    pixels = open_image(raw).pixels
    given = {
        "file": handle_file(path),
        "uri": "data:image/png;base64," + base64.b64encode(raw).decode(),
        "bytes": pixels.tolist(),
        "floats": (pixels[:40, :40] / 255).round(4).tolist(),
    }
    results = {
        name: client.predict(photo=photo, seed=1, api_name="/reconstruct")
        for name, photo in given.items()
    }
    scene = compose(SceneSpec(seed=1), pixels)
    for name in ("file", "uri", "bytes"):
        assert (array(results[name]["photo"]) == scene.photo).all(), name
        assert results[name]["metrics"] == results["uri"]["metrics"], name
    assert results["floats"]["metrics"]["pixels"] == 108 * 144
    assert re.fullmatch(r"upload-[0-9a-f]{32}", results["file"]["query"]["photo"])
    assert results["uri"]["query"] is None
    for photo in (results["file"]["query"]["photo"], results["uri"]["photo"]):
        again = client.predict(photo=photo, api_name="/reconstruct")
        assert again["photo"] == results["uri"]["photo"]


def test_drawn_masks_are_those_of_python_to_the_bit(client: Any) -> None:
    result = client.predict(
        mask="block(ratio=0.6)", rows=14, cols=10, count=5, seed=7, api_name="/draw"
    )
    ours = MASKS.parse("block(ratio=0.6)").sample(Grid(14, 10), count=5, seed=7)
    assert result["bits"] == [each.to_bits() for each in (ours[i] for i in range(5))]
    assert result["hidden"] == ours.counts.tolist() == [84] * 5
    assert result["ratio"] == pytest.approx(0.6)


def test_a_recipe_that_looks_at_the_picture(client: Any) -> None:
    recipe = 'guided(scores="edges()", ratio=0.5)'
    scene = compose(SceneSpec(photo="coffee", mask=recipe))
    assert (
        client.predict(photo="coffee", mask=recipe, api_name="/reconstruct")["bits"] == scene.bits
    )
    given = {"mask": recipe, "rows": 12, "cols": 12, "patch": 12}
    drawn = client.predict(**given, photo="coffee", count=2, api_name="/draw")
    assert drawn["bits"][0] == scene.bits
    assert drawn["hidden"] == [72, 72]
    with pytest.raises(AppError, match="map"):
        client.predict(**given, api_name="/draw")


def test_strategies_are_listed_with_their_knobs(client: Any) -> None:
    found = {each["name"]: each for each in client.predict(api_name="/strategies")}
    assert set(found) == set(MASKS.names())
    ratio = next(knob for knob in found["random"]["knobs"] if knob["name"] == "ratio")
    assert (ratio["minimum"], ratio["maximum"], ratio["default"]) == (0, 1, 0.75)


def test_the_api_is_these_three_endpoints(client: Any) -> None:
    told = client.view_api(return_format="dict")
    assert set(told["named_endpoints"]) == {"/reconstruct", "/draw", "/strategies"}
    assert told["unnamed_endpoints"] == {}
    names = [
        each["parameter_name"] for each in told["named_endpoints"]["/reconstruct"]["parameters"]
    ]
    assert names == ["photo", "mask", "fill", "model", "seed", "fit"]


@pytest.mark.parametrize(
    ("endpoint", "given", "words"),
    [
        ("/reconstruct", {"mask": "blok(ratio=0.6)"}, "no known strategy"),
        ("/reconstruct", {"mask": "random(ratio=2)"}, "ratio is 2"),
        ("/reconstruct", {"photo": "nowhere"}, "no photo here"),
        ("/reconstruct", {"photo": "data:image/png;base64,%%%"}, "data URI"),
        ("/reconstruct", {"photo": [[1, 2], [3]]}, "nested lists"),
        ("/reconstruct", {"photo": [[[300, 0, 0]] * 9] * 9}, "0 to 255"),
        ("/reconstruct", {"photo": 5}, "nested lists"),
        ("/reconstruct", {"photo": {"shape": [9, 9, 3], "dtype": "O", "base64": ""}}, "lists"),
        ("/reconstruct", {"model": "../../default"}, "no model here"),
        ("/reconstruct", {"seed": -1}, "(?i)seed is"),
        ("/reconstruct", {"mask": "random(ratio=0)"}, "hides nothing|hidden"),
        ("/draw", {"rows": 0}, "cells"),
        ("/draw", {"rows": 4000, "cols": 4000}, "cells"),
        ("/draw", {"mask": "__import__('os').system('true')"}, "recipe|strategy"),
    ],
)
def test_bad_input_is_one_sentence(client: Any, endpoint: str, given: Any, words: str) -> None:
    with pytest.raises(AppError) as caught:
        client.predict(**given, api_name=endpoint)
    sentence = str(caught.value)
    assert re.search(words, sentence), sentence
    assert sentence.endswith(".")
    assert "Traceback" not in sentence


def test_what_is_no_picture_is_refused_while_it_is_uploaded(client: Any, tmp_path: Path) -> None:
    bomb = bytearray(png(4))
    bomb[16:24] = (50_000).to_bytes(4, "big") * 2
    animated = io.BytesIO()
    Image.new("RGB", (9, 9)).save(animated, "GIF")
    for name, content in (("b.png", bytes(bomb)), ("a.png", animated.getvalue()), ("e.png", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Exception, match="422"):
            client.predict(photo=handle_file(tmp_path / name), api_name="/reconstruct")


def test_the_documented_example_runs(
    client: Any, studio_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cat.png").write_bytes(png(12))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", app.studio.__doc__ or "", re.DOTALL)
    source = next(block for block in blocks if "gradio_client" in block)
    source = source.replace("http://127.0.0.1:8601", studio_server.url)
    shown: dict[str, Any] = {"print": lambda *values: None}
    exec(compile(source, "example", "exec"), shown)
    assert shown["masked"].shape == (144, 144, 3)
    assert shown["error"].shape == (12, 12)
    assert len(shown["drawn"]["bits"]) == 8
    assert "block" in shown["names"]

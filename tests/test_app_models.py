"""The page of models side by side without a browser: links, bad links, one model, a refusal."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest
from torch import zeros

from app.components import compare
from workbench.models.catalog import BUNDLED
from workbench.scenes import SceneSpec, compose, forget_models

VIEW = Path(__file__).parents[1] / "app" / "views" / "models.py"


@pytest.fixture
def home(workbench_home: Path):
    """A home with a second name for the default model."""
    folder = workbench_home / "models"
    folder.mkdir(parents=True)
    for suffix in (".json", ".safetensors"):
        (folder / f"twin{suffix}").symlink_to((BUNDLED / "default").with_suffix(suffix))
    forget_models()
    yield workbench_home
    forget_models()


def open_page(**query: str) -> AppTest:
    page = AppTest.from_string(
        "import runpy, streamlit as st\n"
        "st.page_link = lambda *a, **k: None\n"
        f"runpy.run_path({str(VIEW)!r})\n",
        default_timeout=120,
    )
    for name, value in query.items():
        page.query_params[name] = value
    return page.run()


def given(page: AppTest, component: str) -> dict[str, Any]:
    found = [element.proto for element in page.get("bidi_component")]
    (proto,) = [each for each in found if each.component_name.endswith(f"_{component}")]
    return json.loads(proto.json)


def test_a_link_restores_models_look_and_pair(home: Path) -> None:
    query = {"models": "twin,default", "look": "difference", "scale": "absolute", "seed": "4"}
    page = open_page(**query, pair="default,twin", range="own")
    assert not page.exception
    data = given(page, "compare")
    assert [model["name"] for model in data["models"]] == ["twin", "default"]
    wanted = compose(SceneSpec(seed=4)).metrics
    for model in data["models"]:
        assert dict(model["numbers"])["MSE"].startswith(f"{wanted.mse:.4f}")
    assert data["choice"]["pair"] == ["default", "twin"]
    assert "mean 0.0000, largest 0.000" in data["difference"]["words"]
    assert "nearer to the photo on 50%" in data["difference"]["words"]
    link = given(page, "link")["query"]
    for part in ("models=twin%2Cdefault", "look=difference", "range=own", "seed=4"):
        assert part in link
    code = given(page, "link")["python"]
    space: dict[str, Any] = {}
    exec(code, space)
    assert [entry.name for entry in space["entries"]] == ["twin", "default"]


def test_a_bad_link_gives_way_in_a_sentence(home: Path) -> None:
    page = open_page(models="nowhere,default", look="upside", pair="default,default", scale="x")
    assert not page.exception
    assert "No model here is called nowhere; take of: default, twin." in page.error[0].value
    assert page.session_state["compared"] == compare.Compared(("default",))


def test_without_other_models_the_page_tells_how_to_get_them(workbench_home: Path) -> None:
    folder = workbench_home / "models"
    folder.mkdir(parents=True)
    save_file({"patch_embed.proj.weight": zeros(1)}, folder / "vit.safetensors")
    page = open_page()
    assert not page.exception
    assert [model["name"] for model in given(page, "compare")["models"]] == ["default"]
    assert page.expander[0].label == "Models of your own: 1 cannot be used"
    assert str(folder) in page.expander[0].markdown[0].value
    assert "lacks a decoder" in page.expander[0].warning[0].value


def test_a_mask_that_hides_nothing_is_told_for_each_model(home: Path) -> None:
    page = open_page(mask="random(ratio=0)", models="default,twin")
    assert not page.exception
    for model in given(page, "compare")["models"]:
        assert "hides no patch" in model["problem"]


def test_another_choice_of_models_keeps_what_still_fits(home: Path) -> None:
    page = open_page(models="default,twin", pair="twin,default", look="wipe")
    page.multiselect(key="compared_models").set_value(["twin"]).run()
    assert page.session_state["compared"] == compare.Compared(("twin",), (), "wipe")
    page.multiselect(key="compared_models").set_value([]).run()
    assert "no model is chosen" in page.error[0].value.lower()
    assert page.session_state["compared"].models == ("twin",)

"""The Attribution page without a browser: its menus, what it starts, what a bad link says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
from streamlit.testing.v1 import AppTest

from tests.interventions.subjects import scramble
from workbench.models import network_of, save_network

DASHBOARD = Path(__file__).parents[1] / "app" / "dashboard.py"
CLASSES = ("10", "2", "cat")  # as folders called by numbers are sorted


def open_page(**query: str) -> AppTest:
    page = AppTest.from_file(DASHBOARD, default_timeout=120)
    page.switch_page("views/attribution.py")
    for name, value in query.items():
        page.query_params[name] = value
    return page.run()


def given(page: AppTest) -> dict[str, Any]:
    found = [element.proto for element in page.get("bidi_component")]
    (proto,) = [each for each in found if each.component_name.endswith("_attribution")]
    return json.loads(proto.json)


@pytest.fixture
def own(workbench_home: Path) -> None:
    model = scramble(timm.create_model("convnext_atto", num_classes=3))
    small = replace(network_of(model), size=(32, 32))
    save_network(small, workbench_home / "models" / "mine", "convnext_atto", CLASSES)


def test_menus_tell_what_is_not_possible_and_names_may_be_numbers(own: None) -> None:
    page = open_page(network="mine", methods="saliency()", mask='painted(hide="0-20")')
    assert not page.exception and not page.error
    removals = page.selectbox(key="attribution_remove").options
    assert "Drop tokens – only in vision transformers" in removals and "Layer mask" in removals
    methods = page.multiselect(key="attribution_methods").options
    assert any(each.startswith("Attention rollout – needs attention") for each in methods)
    assert page.toggle(key="attribution_with_mask").value is True
    page.selectbox(key="attribution_target").select("2").run()
    assert given(page)["target"] == "1"  # the class called 2 is the second one
    assert page.selectbox(key="attribution_target").value == "2"
    page.selectbox(key="attribution_target").select("cat").run()
    assert given(page)["target"] == "cat"
    page.selectbox(key="attribution_remove").select("hide_keys").run()
    assert any("not possible here: only in vision" in each.value for each in page.caption)
    page.segmented_control(key="attribution_precision").set_value("bf16").run()
    (link,) = [e.proto for e in page.get("bidi_component") if "_link" in e.proto.component_name]
    told = json.loads(link.json)
    assert "precision=bf16" in told["query"] and "--precision bf16" in told["command"]
    page.multiselect(key="attribution_methods").set_value([]).run()
    assert any("0 methods are named" in each.value for each in page.error)
    assert given(page)["methods"] == ["saliency()"]


def test_a_bad_link_is_told_and_the_rest_of_it_counts(workbench_home: Path) -> None:
    page = open_page(network="nowhere", methods="guess()", remove="black", judge="1", draws="1")
    assert not page.exception
    told = " ".join(each.value for each in page.error)
    assert "No network here is called 'nowhere'" in told and "'guess' is no known method" in told
    assert given(page)["judge"] is True and "remove='black()'" in given(page)["mark"]
    assert given(page)["networks"] == ["cifar10_vit"]

"""The dashboard's pages without a browser: both ends of every slider, an empty home, bad links."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from workbench import scenes
from workbench.fills import FILLS
from workbench.masks import MASKS
from workbench.params import KnobSpec, knobs

DASHBOARD = Path(__file__).parents[1] / "app" / "dashboard.py"


def open_page(**query: str) -> AppTest:
    page = AppTest.from_file(DASHBOARD, default_timeout=120)
    for name, value in query.items():
        page.query_params[name] = value
    return page.run()


def given(page: AppTest, component: str) -> list[dict[str, Any]]:
    """What the page gave to each of its components of one name."""
    found = [element.proto for element in page.get("bidi_component")]
    return [
        json.loads(proto.json) for proto in found if proto.component_name.endswith(f"_{component}")
    ]


def ends(member: type) -> list[str]:
    """The member's recipe with each of its sliders at both ends."""
    recipes = []
    for knob in knobs(member):
        for value in slider_ends(knob):
            try:
                recipes.append(str(member(**{knob.name: value})))
            except ValueError:
                continue  # the two ends of a pair of knobs may exclude each other
    return recipes or [str(member())]


def slider_ends(knob: KnobSpec) -> list[Any]:
    high = knob.maximum if knob.soft_maximum is None else knob.soft_maximum
    if knob.kind not in {"float", "int"}:
        return list(knob.choices or ((True, False) if knob.kind == "bool" else ()))
    return [value for value in (knob.minimum, high) if value is not None]


@pytest.mark.parametrize("name", MASKS.names())
def test_every_strategy_at_both_ends_of_its_sliders(name: str, workbench_home: Path) -> None:
    for recipe in ends(MASKS.get(name)):
        page = open_page(mask=recipe)
        assert not page.exception, recipe
        assert page.session_state["spec"].mask == recipe
        (results,) = given(page, "results")
        card = scenes.preview(page.session_state["spec"]).card
        if 0 < card.hidden < card.total:
            assert results["scene"]["error"]["hidden"].count("1") == card.hidden, recipe
        else:
            assert "hides" in results["problem"], recipe
        mask_knobs = given(page, "knobs")[0]
        assert {row["name"] for row in mask_knobs["knobs"]} >= {"seed", "lock"}


@pytest.mark.parametrize("name", FILLS.names())
def test_every_fill_at_both_ends_of_its_sliders(name: str, workbench_home: Path) -> None:
    for recipe in ends(FILLS.get(name)):
        page = open_page(fill=recipe)
        assert not page.exception, recipe
        scene = given(page, "results")[0]["scene"]
        assert scene["pictures"]["masked"].startswith("data:image/")


def test_the_menus_offer_every_member_for_a_photo(workbench_home: Path) -> None:
    page = open_page()
    members = [MASKS.get(name) for name in MASKS.names() if name != "layers"]
    assert page.selectbox(key="strategy").options == [
        "By hand only" if each.name == "painted" else each.name.replace("_", " ").capitalize()
        for each in members
        if not each.frames and not each.domain
    ]
    assert len(page.selectbox(key="fill").options) == len(FILLS.names())


def test_an_empty_home_shows_a_whole_scene(workbench_home: Path) -> None:
    page = open_page()
    assert not page.exception
    assert not page.error
    scene = given(page, "results")[0]["scene"]
    made = scenes.compose(scenes.SceneSpec())
    assert scene["numbers"]["mse"] == f"{made.metrics.mse:.4f}"
    assert scene["numbers"]["psnr"] == f"{made.metrics.psnr_db:.2f} dB"
    assert "108 of 144 patches" in scene["numbers"]["counts"]
    assert scene["error"]["values"] == [round(float(value), 5) for value in made.error.ravel()]
    assert "random(ratio=0.75) · seed 0" in scene["caption"]
    (painter,) = given(page, "painter")
    assert painter["hidden"] == painter["base"] == made.bits


def test_another_strategy_keeps_the_ratio_and_the_hand_edits(workbench_home: Path) -> None:
    page = open_page(mask='painted(hide="0-3", over=random(ratio=0.4))')
    page.selectbox(key="strategy").select("block").run()
    assert page.session_state["spec"].mask == 'painted(hide="0-3", over=block(ratio=0.4))'
    page.selectbox(key="strategy").select("painted").run()
    assert page.session_state["spec"].mask == 'painted(hide="0-3")'


def test_a_scheduled_knob_is_shown_as_text_and_its_beginning_as_the_picture(
    workbench_home: Path,
) -> None:
    recipe = 'color_noise(ratio=ramp(0.5, 0.9), color=steps("green", 0.25, "blue"))'
    page = open_page(mask=recipe)
    assert not page.exception
    rows = {row["name"]: row for row in given(page, "knobs")[0]["knobs"]}
    assert (rows["ratio"]["kind"], rows["ratio"]["value"]) == ("schedule", "ramp(0.5, 0.9)")
    assert rows["color"]["value"] == 'steps("green", 0.25, "blue")'
    assert rows["sigma"]["kind"] == "float"
    assert any("progress 0" in caption.value for caption in page.caption)
    assert given(page, "results")[0]["scene"]["error"]["hidden"].count("1") == 72


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"mask": "nope()"}, ["nope", "choose one of", "random"]),
        ({"mask": "random(ratio=1.5)"}, ["ratio", "1.5", "0 to 1"]),
        ({"mask": "random(ratio=-0.1)"}, ["ratio", "-0.1", "0 to 1"]),
        ({"mask": "random(size=3)"}, ["size", "no knob", "ratio"]),
        ({"mask": "__import__('os').system('x')"}, ["no recipe"]),
        ({"seed": "-1"}, ["seed", "-1", "whole number"]),
        ({"fit": "stretch"}, ["fit", "stretch", "crop"]),
        ({"device": "tpu"}, ["device", "tpu", "cpu"]),
        ({"photo": "../../etc/passwd"}, ["passwd", "astronaut"]),
        ({"photo": "upload-" + "0" * 32}, ["upload"]),
        ({"model": "nowhere"}, ["nowhere", "default"]),
        ({"mask": 'painted(hide="999")'}, ["999", "143"]),
    ],
)  # fmt: skip
def test_a_bad_link_is_told_in_a_sentence(
    query: dict[str, str], words: list[str], workbench_home: Path
) -> None:
    page = open_page(**query)
    assert not page.exception
    told = [element.value for element in (*page.error, *page.warning)]
    told += [each.get("problem") for name in ("results", "photos") for each in given(page, name)]
    told = [sentence for sentence in told if sentence]
    assert told
    for word in words:
        assert any(word.lower() in sentence.lower() for sentence in told), (word, told)
    assert not any("Traceback" in sentence for sentence in told)


def test_a_failure_nobody_foresaw_shows_a_log_id(
    workbench_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    page = open_page()
    monkeypatch.setattr(scenes, "compose", lambda spec: 1 / 0)
    page.selectbox(key="fill").select("black").run()
    (results,) = given(page, "results")
    assert "the log has it as" in results["problem"]
    assert "division" not in results["problem"]
    assert results["scene"] is not None  # the last good picture stays
    mark = results["problem"].split("log has it as ")[1][:8]
    assert mark in caplog.text


def test_pages_share_nothing(workbench_home: Path) -> None:
    one, other = open_page(seed="1"), open_page(seed="2")
    one.selectbox(key="fill").select("black").run()
    assert one.session_state["spec"].seed == 1
    assert other.run().session_state["spec"] == scenes.SceneSpec(seed=2)


def test_the_link_restores_the_scene(workbench_home: Path) -> None:
    spec = scenes.SceneSpec(photo="coffee", mask="block(ratio=0.6)", fill="blur()", seed=7)
    page = open_page(**spec.to_query())
    assert page.session_state["spec"] == spec
    (share,) = given(page, "share")
    assert "block(ratio=0.6)" in share["python"]
    assert "--seed 7" in share["command"]


def test_a_view_is_found_by_its_file_name() -> None:
    views = sorted(path.stem for path in DASHBOARD.with_name("views").glob("[!_]*.py"))
    assert "reconstruct" in views
    sections = re.findall(
        r'"([^"]*)"', re.findall(r"^SECTIONS = (.*)$", DASHBOARD.read_text(), re.M)[0]
    )
    page = AppTest.from_file(DASHBOARD, default_timeout=120).run()
    for name in views:
        told = re.findall(
            r'^SECTION = "(.*)"$', (DASHBOARD.with_name("views") / f"{name}.py").read_text(), re.M
        )
        assert told == ([] if name == "reconstruct" else told[:1]) and set(told) <= set(sections)
        page = page.switch_page(f"views/{name}.py").run()
        assert not page.exception


def test_one_bad_field_of_a_link_leaves_the_others(workbench_home: Path) -> None:
    page = open_page(mask="nope()", photo="coffee", seed="5", fit="stretch")
    assert page.session_state["spec"] == scenes.SceneSpec(photo="coffee", seed=5)
    assert "nope" in page.error[0].value
    assert "stretch" in page.error[0].value


def test_a_photo_that_is_gone_gives_way_to_the_first_one(workbench_home: Path) -> None:
    page = open_page(photo="upload-" + "0" * 32, seed="5")
    assert page.session_state["spec"] == scenes.SceneSpec(seed=5)
    (photos,) = given(page, "photos")
    assert "upload the file again" in photos["problem"]
    assert given(page, "results")[0]["scene"]["mark"] == repr(scenes.SceneSpec(seed=5))

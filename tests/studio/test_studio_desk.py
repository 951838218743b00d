"""What a visitor's controls do to the scene, without any page."""

import pytest

from app.studio import desk as desks
from app.studio.desk import Desk
from tests.browser.visitor import png
from workbench.data import uploads
from workbench.scenes import SceneSpec, preview

COFFEE = {"photo": "coffee", "mask": "random(ratio=0.5)", "seed": "2"}


@pytest.fixture
def desk() -> Desk:
    return desks.opened(COFFEE)


def test_a_page_that_outlived_its_server_keeps_its_scene(desk: Desk) -> None:
    assert desks.recalled(Desk(), desks.shared(desk)).spec == desk.spec
    assert desks.recalled(desk, {"query": "seed=9"}) is desk
    for told in (None, {}, {"query": ""}, {"query": "mask=blok()&seed=x"}):
        assert desks.recalled(Desk(), told).spec == SceneSpec()


def test_strokes_of_another_grid_or_of_other_letters_are_passed_over(desk: Desk) -> None:
    for hide, show in (("1" * 196, "0" * 196), ("2" * 144, "0" * 144), ("", "")):
        assert desks.painted(desk, {"hide": hide, "show": show, "seq": 4}).spec == desk.spec
    edit = {"hide": "1" * 12 + "0" * 132, "show": "0" * 144, "seq": 4, "strokes": []}
    made = desks.painted(desk, edit)
    assert made.spec.mask == 'painted(hide="0-11", over=random(ratio=0.5))'
    canvas = desks.canvas(made, preview(made.spec))
    assert (canvas["seq"], canvas["hide"]) == (4, edit["hide"])
    assert canvas["hidden"].count("1") > 72


def test_another_strategy_keeps_what_it_can(desk: Desk) -> None:
    edit = {"hide": "1" + "0" * 143, "show": "0" * 144, "seq": 1}
    made = desks.chose_strategy(desks.painted(desk, edit), "block")
    assert made.spec.mask == 'painted(hide="0", over=block(ratio=0.5))'
    locked = desks.tuned_mask(made, {"owner": "block", "values": {"lock": 0.25, "seed": 7.0}})
    assert locked.spec.seed == 7
    assert preview(locked.spec).card.hidden == 36
    assert desks.tuned_mask(locked, {"owner": "random", "values": {"ratio": 0.1}}) is locked


def test_what_is_refused_stands_beside_its_control(desk: Desk) -> None:
    wrong = desks.tuned_mask(desk, {"owner": "random", "values": {"ratio": 3, "seed": -1}})
    assert wrong.spec == desk.spec
    assert set(wrong.problems) == {"mask.ratio", "mask.seed"}
    typed = desks.typed_recipe(wrong, "stripes(")
    assert typed.spec == desk.spec
    assert set(typed.problems) == {"recipe"}
    beyond = desks.typed_recipe(desk, 'painted(hide="150")')
    assert set(beyond.problems) == {"recipe"}
    assert desks.typed_recipe(typed, "grid()").problems == {}


def test_an_upload_is_deleted_where_it_is_shown_only(desk: Desk) -> None:
    name = uploads.store(png(41))
    mine = desks.picked(desk, "upload", f"photo={name}")
    assert (mine.spec.photo, mine.uploads) == (name, (name,))
    for photo in (name, "coffee", "../coffee"):
        assert desks.picked(desk, "remove", photo) == desk
    assert uploads.exists(name)
    gone = desks.picked(mine, "remove", name)
    assert not uploads.exists(name)
    assert (gone.spec.photo, gone.uploads) == ("astronaut", ())
    back = desks.possible(mine)  # another tab of the same visitor
    assert back.spec.photo == "astronaut"
    assert "photo" in back.problems

import subprocess
import sys
import textwrap
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Strategy
from workbench.masks.block import Block
from workbench.masks.painted import Painted
from workbench.masks.random import Random
from workbench.params import TEXT_LIMIT, knobs
from workbench.registry import Registry

MEMBER = '''
"""Hide every other patch."""
from dataclasses import dataclass
import numpy as np
from workbench.masks.strategy import Ratio, Strategy

@dataclass(frozen=True, kw_only=True)
class {name}(Strategy):
    """Hide every other patch."""
    counts = "free"
    ratio: Ratio = 0.5

    def draw(self, grid, noise, maps):
        cells = np.arange(grid.size).reshape(grid.shape) % 2 == 1
        return np.repeat(cells[None], noise.count, axis=0)
'''


@dataclass(frozen=True, kw_only=True)
class Nameless(Strategy):
    name = "nameless"


def test_recipes_parse_and_print():
    assert MASKS.parse("block(ratio=0.6, min_patches=4)") == Block(ratio=0.6, min_patches=4)
    assert str(Block(ratio=0.6, min_patches=4)) == "block(ratio=0.6, min_patches=4)"
    assert str(MASKS.parse(" random ")) == str(MASKS.parse("random()")) == "random(ratio=0.75)"
    assert MASKS.parse("random(ratio=+1)").ratio == 1
    assert MASKS.parse(Random(ratio=0.5)) == Random(ratio=0.5)
    nested = 'painted(hide="3-5", over=block(ratio=0.6), lock=0.75)'
    assert str(MASKS.parse(nested)) == nested
    assert MASKS.parse(nested).over == Block(ratio=0.6)


SAFE_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.data())
def test_every_recipe_parses_back_equal(data):
    member = MASKS.get(data.draw(st.sampled_from([n for n in MASKS.names() if n != "painted"])))
    values = {}
    for knob in knobs(member):
        if knob.kind == "float":
            values[knob.name] = data.draw(st.floats(knob.minimum, knob.maximum))
        elif knob.kind == "int":
            values[knob.name] = data.draw(st.integers(knob.minimum, knob.maximum))
        elif knob.kind == "bool":
            values[knob.name] = data.draw(st.booleans())
        elif knob.kind == "choice":
            values[knob.name] = data.draw(st.sampled_from(knob.choices))
    try:
        recipe = member(**values)
    except BadInput:  # knobs that contradict each other
        recipe = member()
    assert MASKS.parse(str(recipe)) == recipe
    over = Painted(hide="1-3, 7", over=recipe, lock=0.25)
    assert MASKS.parse(str(over)) == over


@given(SAFE_TEXT)
def test_any_text_is_a_recipe_or_one_sentence(text):
    try:
        MASKS.parse(text)
    except BadInput as error:
        assert "\n" not in str(error)


HOSTILE = [
    "__import__('os').system('touch marker')",
    "random(ratio=__import__('os').getpid())",
    "random(ratio=open('marker', 'w'))",
    "random(ratio=(lambda: 1)())",
    "random(ratio=[1 for _ in 'x'])",
    "random.__class__(ratio=1)",
    "random().__init__",
    "random(ratio=().__class__)",
    "random(ratio=f'{1}')",
    "random(ratio=1+1)",
    "random(ratio=1 if True else 2)",
    "random(ratio=b'1')",
    "random(ratio=1j)",
    "random(ratio=...)",
    "random(ratio=[0.5])",
    "random(ratio={0.5})",
    "random(ratio=--0.5)",
    "random(ratio=not 1)",
    "random(ratio=nan)",
    "random(ratio=1e999)",
    "random(**{'ratio': 0.5})",
    "random(*[0.5])",
    "random(0.5)",
    "random(ratio=0.5, ratio=0.6)",
    "random(ratio=0.5); random()",
    "random(ratio:=0.5)",
    "random(__class__=1)",
    "random(name='block')",
    "random(paper='x')",
    "Random(ratio=0.5)",
    "Strategy()",
    "lattice()",
    "../random()",
    "random(ratio=0.5)\0",
    "random(ratio=" + "9" * 10_000 + ")",
    "painted(over=random)",
    "painted(over=Strategy)",
    "painted(over=painted)(hide='1')",
    "painted(over='random()')",
    "painted(over=grey())",
    "x" * (TEXT_LIMIT + 1),
    "(" * 5_000 + ")" * 5_000,
    "-" * 15_000 + "1",
    "random(ratio=" + "-" * 900 + "1)",
    "random(" + "not " * 900 + "1)",
    "random(ratio=1" + "+1" * 1_000 + ")",
    "block(min_patches=0x" + "f" * 5_000 + ")",
    "painted(hide='\u0663')",
    "painted(over=" * 2_000,
    "a." * 7_000 + "a",
    "",
    "   ",
    "#",
    "'random()'",
    "5",
    None,
    5,
    ["random()"],
]


@pytest.mark.parametrize("recipe", HOSTILE, ids=lambda value: repr(value)[:40])
def test_a_recipe_can_run_nothing(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput) as caught:
        MASKS.parse(recipe)
    assert not list(tmp_path.iterdir())
    sentence = str(caught.value)
    assert "\n" not in sentence and len(sentence) < 700 and sentence.endswith(".")


def test_nesting_is_bounded():
    def nested(depth):
        return "painted(over=" * depth + "random()" + ")" * depth

    assert str(MASKS.parse(nested(5))).count("painted") == 5
    with pytest.raises(BadInput, match="at most 16384 and 8 are read"):
        MASKS.parse(nested(9))


def test_the_unknown_is_named_with_the_known():
    with pytest.raises(BadInput, match=r"'blok' is no known strategy; choose one of: .*block, c"):
        MASKS.parse("blok(ratio=0.5)")
    with pytest.raises(BadInput, match=r"random: 'ration' is no knob of it; choose one of: ratio"):
        MASKS.parse("random(ration=0.5)")
    with pytest.raises(BadInput, match=r"random: '0.5' stands without a name"):
        MASKS.parse("random(0.5)")
    with pytest.raises(BadInput, match=r"random: ratio is 1.5, but must be a number from 0 to 1"):
        MASKS.parse("random(ratio=1.5)")


def test_the_description_is_plain_and_whole():
    import json

    rows = {row["name"]: row for row in MASKS.describe()}
    assert sorted(rows) == MASKS.names()
    assert json.loads(json.dumps(list(rows.values())))[0]["name"] == MASKS.names()[0]
    block = rows["block"]
    assert block["summary"] == "Hide rectangles until the ratio is reached (BEiT)."
    assert (block["paper"], block["counts"]) == ("arXiv:2106.08254", "exact")
    assert [knob["name"] for knob in block["knobs"]] == [
        "ratio", "min_patches", "min_aspect", "legacy",
    ]  # fmt: skip
    for row in rows.values():
        assert row["summary"].endswith(".")
        assert all(knob["help"] for knob in row["knobs"])


def test_a_file_dropped_into_a_package_is_a_member(tmp_path, monkeypatch):
    package = tmp_path / "atelier_a"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "every_other.py").write_text(MEMBER.format(name="EveryOther"))
    (package / "support.py").write_text("from workbench.masks.strategy import Strategy\nx = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    atelier = Registry("atelier_a", Strategy, "none.of.these")
    assert atelier.names() == ["every_other"]
    assert str(atelier.parse("every_other")) == "every_other(ratio=0.5)"
    assert atelier.describe()[0]["summary"] == "Hide every other patch."
    mask = atelier.parse("every_other()").sample(Grid(2, 3), count=2)
    assert mask[1].to_bits() == "010101"
    with pytest.raises(BadInput, match="'support' is no known strategy; choose one of: every_oth"):
        atelier.get("support")


def _distribution(folder, name, entries, **modules):
    """Lay out an installed distribution by hand."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[workbench.masks]\n{textwrap.dedent(entries)}")
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)


def test_other_distributions_add_members_and_broken_ones_hurt_nobody(tmp_path, monkeypatch):
    _distribution(
        tmp_path,
        "guests",
        """\
        guest_a = guest_a:Guest
        guest_b = guest_b
        gone = no_such_module:Thing
        broken = guest_broken
        other = guest_a:Guest
        random = guest_a:Guest
        nothing = guest_nothing
        """,
        guest_a=MEMBER.format(name="Guest"),
        guest_b=MEMBER.format(name="Guest"),
        guest_broken="1 / 0",
        guest_nothing="x = 1",
    )
    monkeypatch.syspath_prepend(tmp_path)
    masks = Registry("workbench.masks", Strategy, "workbench.masks")
    assert set(masks.names()) == {*MASKS.names(), "guest_a", "guest_b"}
    assert str(masks.parse("guest_b(ratio=0.25)")) == "guest_b(ratio=0.25)"
    over = masks.parse('painted(hide="0", over=guest_a())').sample(Grid(1, 4))
    assert over.to_bits() == "1101"
    assert masks.get("random") is Random
    assert set(masks.problems()) == {"gone", "broken", "other", "nothing"}
    with pytest.raises(BadInput, match="the plug-in 'broken' cannot be used: division by zero"):
        masks.parse("broken()")
    with pytest.raises(BadInput, match="its class is named guest_a; the names must agree"):
        masks.parse("other()")


def test_two_members_in_one_file_are_an_authors_mistake(tmp_path, monkeypatch):
    package = tmp_path / "atelier_b"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "both.py").write_text(MEMBER.format(name="One") + MEMBER.format(name="Two"))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TypeError, match="defines 2 members; one a file"):
        Registry("atelier_b", Strategy, "none").names()


def test_import_is_light():
    code = """
        import sys
        import numpy as np
        from workbench import scores
        from workbench.masks import MASKS, Grid
        for name in MASKS.names():
            strategy = MASKS.parse(name)
            maps = dict.fromkeys(strategy.needs, np.zeros((2, 6, 6)))
            strategy.sample(Grid(6, 6), count=2, maps=maps)
        heavy = {"torch", "scipy", "skimage", "cv2", "PIL", "pycocotools", "matplotlib"}
        print(sorted(heavy & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

"""The mask lab without a browser: its description, its measures, policies side by side."""

import shlex

import numpy as np
import pytest

from workbench import cli
from workbench.analysis.mask_statistics import co_masking, statistics
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.scenes import SceneSpec, compose, lab, policies
from workbench.scenes.compose import grid_of
from workbench.scenes.frequency import frequency_pictures, spectrum_picture
from workbench.scenes.lab import LabSpec, histogram, measured, same_ratio
from workbench.scenes.photos import fitted

FULL = LabSpec(
    scene=SceneSpec(photo="coffee", seed=7),
    policies=("block(ratio=0.6)", "random(ratio=0.6)", "grid()", "tubes()"),
    grid="8x14x14",
    draws=500,
    cell=11,
)


@pytest.mark.parametrize("spec", [LabSpec(), FULL, FULL.replace(grid="spectrum", cell=None)])
def test_a_link_restores_the_lab(spec: LabSpec):
    query = spec.to_query()
    again = LabSpec.from_query(query, SceneSpec.from_query(query))
    assert again.replace(scene=spec.scene) == spec
    assert again.scene == spec.scene.replace(mask=spec.policies[0])
    assert again.to_query() == query


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"policies": ()}, "0 policies were given; compare 1 to 4"),
        ({"policies": ("random",) * 5}, "5 policies were given"),
        ({"policies": ("nope()",)}, "'nope' is no known strategy"),
        ({"grid": "14"}, "grid is '14', but must be model, spectrum, ROWSxCOLS"),
        ({"grid": "0x14"}, "must be a whole number from 1"),
        ({"grid": "900x900"}, "too many cells to be drawn live"),
        ({"draws": 0}, "draws is 0, but must be a whole number from 1"),
        ({"draws": "many"}, "draws is 'many'"),
        ({"cell": -1}, "cell is -1, but must be a patch"),
    ],
)
def test_bad_fields_are_refused(changes: dict[str, object], words: str):
    with pytest.raises(BadInput, match=words):
        LabSpec().replace(**changes)


def test_bad_links_are_refused():
    for query in ({"draws": "1e4"}, {"cell": "-3"}, {"grid": "x"}, {"second": "nope"}):
        with pytest.raises(BadInput):
            LabSpec.from_query(query, SceneSpec())


def test_each_policy_gets_the_grid_it_can_use():
    model = grid_of(SceneSpec())
    spec = FULL.replace(policies=("random", "block", "frequency_disc"))
    assert [spec.lattice(at).shape for at in range(3)] == [(8, 14, 14), (14, 14), model.pixels]
    assert spec.lattice(2).domain == "frequency"
    assert LabSpec().lattice(0) == model
    assert LabSpec(grid="spectrum").lattice(0) == spec.lattice(2)
    assert LabSpec(draws=20_000).drawn(0) == 20_000
    assert spec.replace(draws=20_000).drawn(0) == lab.CELLS // 8 // (8 * 14 * 14)
    assert LabSpec(policies=("guided",)).drawn(0) == lab.CELLS // 8 // model.size


def test_the_measures_are_those_of_the_statistics():
    spec = LabSpec(policies=("block(ratio=0.4)",), grid="14x14", draws=400, cell=50)
    made = measured(spec)
    found = statistics(MASKS.parse("block(ratio=0.4)"), Grid(14, 14), 400)
    assert np.array_equal(made.found.occupancy, found.occupancy)
    drawn = MASKS.parse("block(ratio=0.4)").sample(Grid(14, 14), 400)
    assert np.array_equal(made.samples.hidden, drawn.hidden[:12])
    assert made.together == pytest.approx(co_masking(drawn, 50))
    assert measured(spec.replace(cell=None)).cell == 7 * 14 + 7
    assert measured(spec.replace(cell=5_000)).cell == 195
    clip = measured(spec.replace(policies=("tubes",), grid="3x6x6", cell=None))
    assert clip.cell == 36 + 3 * 6 + 3 and clip.together.shape == (3, 6, 6)
    assert (clip.together[:, 3, 3] == 1).all()  # a tube hides the same patch of every frame


def test_a_strategy_that_looks_sees_the_photo():
    spec = LabSpec(scene=SceneSpec(photo="coffee"), policies=("guided(ratio=0.5)",), draws=50)
    made = measured(spec)
    scene = compose(SceneSpec(photo="coffee", mask="guided(ratio=0.5)"))
    assert np.array_equal(made.found.occupancy, scene.hidden.astype(float))
    other = measured(spec.replace(scene=SceneSpec(photo="astronaut")))
    assert not np.array_equal(other.found.occupancy, made.found.occupancy)


def test_python_and_command_measure_the_same(
    capsys: pytest.CaptureFixture[str],
):
    spec = LabSpec(policies=("multi_block()", "block(ratio=0.6)"), draws=300)
    found = measured(spec, 1).found
    exec(compile(spec.python(1), "copied", "exec"), {})
    told = capsys.readouterr().out.split()
    numbers = [found.ratios.mean(), found.pieces.mean(), found.mean_distance]
    assert [float(each) for each in told] == pytest.approx(numbers)
    words = shlex.split(spec.command(1))
    assert words[:3] == ["python", "-m", "workbench"]
    assert cli.run([*words[3 : words.index("--photos")]]) == 0
    assert f"{found.border.mean():.1f}" in capsys.readouterr().out


def test_the_histogram_holds_every_draw():
    exact = histogram(measured(LabSpec(draws=200)).found)
    assert len(exact) == 1 and exact[0][2] == 1
    assert exact[0][0] < 0.75 < exact[0][1]
    free = measured(LabSpec(policies=("multi_block",), grid="16x16", draws=3_000)).found
    bars = histogram(free)
    assert sum(share for _, _, share in bars) == pytest.approx(1)
    assert len(bars) <= 40 and bars[0][0] <= free.ratios.min() <= free.ratios.max() <= bars[-1][1]
    middle = bars[len(bars) // 2]
    inside = (free.ratios > middle[0]) & (free.ratios < middle[1])
    assert middle[2] == pytest.approx(inside.mean())


def test_the_same_ratio_for_all_that_have_one():
    recipes = ("block(ratio=0.6)", "multi_block()", "color_noise()", "random(ratio=0.9)")
    wanted = ("block(ratio=0.9)", "multi_block()", 'color_noise(ratio=0.9, color="green")')
    assert same_ratio(recipes, 3) == (*wanted, "random(ratio=0.9)")
    assert same_ratio(recipes, 1) == recipes


def test_policies_are_scenes_on_the_same_photo():
    spec = LabSpec(scene=SceneSpec(photo="coffee", seed=3), policies=("random", "block(ratio=0.6)"))
    for at, recipe in enumerate(spec.policies):
        made = policies.policy(spec, at)
        scene = compose(SceneSpec(photo="coffee", seed=3, mask=recipe))
        assert made.kind == "picture" and made.metrics == scene.metrics
        assert np.array_equal(dict(made.pictures)["paste-back"], scene.composite)
        assert np.array_equal(dict(made.pictures)["masked"], scene.masked)


def test_a_clip_is_filled_in_frame_by_frame():
    spec = LabSpec(
        scene=SceneSpec(photo="drawn-1"), policies=("cross_view(ratio=0.5)", "tubes"),
        grid="2x12x12",
    )  # fmt: skip
    made = policies.policy(spec, 0)
    clip = policies.clip_of(spec.scene, 2)
    assert made.kind == "clip" and len(made.strip) == 2
    assert not np.array_equal(clip[0], clip[1])  # drawn scenes move
    first, second = made.strip
    assert second.composite is None and np.array_equal(second.masked, clip[1])  # a whole view
    hidden = MASKS.parse("cross_view(ratio=0.5)").sample(spec.lattice(0)).hidden[0, 0]
    pixels = hidden.repeat(12, 0).repeat(12, 1)
    assert np.array_equal(first.composite[~pixels], clip[0][~pixels])
    squares = np.square((first.composite - clip[0].astype(float)) / 255)[pixels]
    assert made.metrics.mse == pytest.approx(squares.mean(), rel=1e-4)
    assert made.metrics.pixels == pixels.sum()
    still = policies.policy(spec.replace(scene=SceneSpec(photo="coffee")), 1)
    assert "does not move" in still.notes[1]


def test_frequencies_show_what_is_left_clamped_and_not():
    spec = LabSpec(policies=("frequency_disc(radius=9, low=1)",))
    made = policies.policy(spec, 0)
    photo = fitted("astronaut", *grid_of(spec.scene).pixels, "crop")
    mask = MASKS.parse(spec.policies[0]).sample(spec.lattice(0))
    wanted = (spectrum_picture(photo, mask), *frequency_pictures(photo, mask))
    assert made.kind == "frequency" and made.metrics is None
    for (_, picture), other in zip(made.pictures, wanted, strict=True):
        assert np.array_equal(picture, other)

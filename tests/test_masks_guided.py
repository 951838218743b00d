"""Guided masks, parts, objects, superpixels and quadtrees: the checks of their cards."""

import math

import numpy as np
import pytest

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask
from workbench.masks.quadtree import leaf_labels
from workbench.scores import maps_for

GRID = Grid(14, 14)
N = GRID.size


def draw(recipe: str, maps: np.ndarray, seed: int = 0, **where) -> Mask:
    return MASKS.parse(recipe).sample(GRID, len(maps), seed=seed, maps=maps, **where)


def some_maps(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 14, 14))


def same_map(count: int, seed: int = 0) -> np.ndarray:
    return np.repeat(some_maps(1, seed), count, axis=0)


def flat(mask: Mask) -> np.ndarray:
    return mask.hidden.reshape(len(mask), -1)


# --- one operator -------------------------------------------------------------------------------


@pytest.mark.parametrize("hide", ["top", "bottom", "sample", "sample_keep"])
@pytest.mark.parametrize("ratio", [0, 0.3, 0.75, 1])
def test_share_0_is_random_to_the_bit(hide: str, ratio: float) -> None:
    guided = draw(f'guided(ratio={ratio}, hide="{hide}", share=0)', some_maps(50), seed=4, first=9)
    plain = MASKS.parse(f"random(ratio={ratio})").sample(GRID, 50, seed=4, first=9)
    assert guided == plain


def test_top_and_bottom_are_the_ends_of_the_map() -> None:
    maps = some_maps(20)
    order = np.argsort(maps.reshape(20, -1), axis=1)
    for hide, wanted in (("top", order[:, -147:]), ("bottom", order[:, :147])):
        hidden = flat(draw(f'guided(hide="{hide}")', maps))
        assert np.take_along_axis(hidden, wanted, axis=1).all() and (hidden.sum(1) == 147).all()


@pytest.mark.parametrize(("epoch", "guided"), [(0, 0), (99, 36), (199, 73)])
def test_hard_patches_ramp_up_as_hpm_does(epoch: int, guided: int) -> None:
    """HPM: alpha = 0.5 (epoch + 1) / E of the budget; at epoch 0 of 200 floor(0.0025 x 147) = 0."""
    maps, share = some_maps(30), 0.5 * (epoch + 1) / 200
    hidden = flat(draw(f"guided(share={share!r})", maps))
    ranks = np.argsort(np.argsort(-maps.reshape(30, -1), axis=1), axis=1)
    assert guided == math.floor(share * 147)
    assert hidden[ranks < guided].all() and (hidden.sum(1) == 147).all()
    # what the map did not decide are the first of random's own order among the others
    assert (hidden & (ranks >= guided) <= flat(MASKS.parse("random").sample(GRID, 30))).all()


def test_a_schedule_goes_from_easy_to_hard() -> None:
    maps = some_maps(20)
    strategy = MASKS.parse("guided(share=ramp(0, 0.5))")
    early = strategy.sample(GRID, 20, progress=0.0, maps=maps)
    late = strategy.sample(GRID, 20, progress=1.0, maps=maps)
    assert early == MASKS.parse("random").sample(GRID, 20)
    assert late == MASKS.parse("guided(share=0.5)").sample(GRID, 20, maps=maps)
    top = np.argsort(-maps.reshape(20, -1), axis=1)[:, :73]
    assert np.take_along_axis(flat(late), top, axis=1).all()


def test_attmask_high_hint_and_low() -> None:
    """AttMask: High is a superset of Hint, whose count is int(rN) - int(0.1 r N); mass falls."""
    maps, ratio = some_maps(200), 0.3
    high = draw(f"guided(ratio={ratio})", maps)
    hint = draw(f"guided(ratio={ratio}, hint=0.1)", maps)
    low = draw(f'guided(ratio={ratio}, hide="bottom")', maps)
    count = GRID.count(ratio)
    assert (flat(high) >= flat(hint)).all()
    assert set(hint.counts.tolist()) == {count - int(0.1 * ratio * N)}
    assert MASKS.parse("guided(hint=0.1)").promise == "free"
    shown_again = flat(high) & ~flat(hint)
    top = np.argsort(-maps.reshape(200, -1), axis=1)[:, : int(0.1 * N)]
    assert np.take_along_axis(shown_again, top, axis=1).sum() == shown_again.sum()
    plain = MASKS.parse(f"random(ratio={ratio})").sample(GRID, 200)
    mass = [float((maps * one.hidden).sum() / one.hidden.sum()) for one in (high, plain, low)]
    assert mass[0] > mass[1] > mass[2]
    frequency = np.take_along_axis(shown_again, top, axis=1).mean(axis=0)
    assert np.ptp(frequency) < 0.25  # which of the top are shown again is random


def test_keeping_by_importance_is_monotone_and_uniform_maps_are_random() -> None:
    """MILAN and MaskAlign: draw what stays, without replacement, by weight."""
    steps = np.repeat([[1.0, 2.0, 4.0, 8.0]], 49, axis=0).ravel().reshape(14, 14)
    maps = np.repeat(steps[None], 3_000, axis=0)
    kept = 1 - flat(draw('guided(hide="sample_keep")', maps)).mean(axis=0)
    by_weight = [kept[steps.ravel() == each].mean() for each in (1, 2, 4, 8)]
    assert by_weight == sorted(by_weight) and by_weight[3] > 2.5 * by_weight[0]
    even = 1 - flat(draw('guided(hide="sample_keep")', np.ones((4_000, 14, 14)))).mean(axis=0)
    assert np.abs(even - 0.25).max() < 4.5 * math.sqrt(0.25 * 0.75 / 4_000)
    zeros = draw('guided(ratio=0.5, hide="sample_keep")', np.zeros((5, 14, 14)))
    assert set(zeros.counts.tolist()) == {98}
    lone = np.zeros((50, 14, 14))
    lone[:, 3, 4] = 1  # fewer weights than patches to keep: the one is kept, others fill up
    assert not draw('guided(hide="sample_keep")', lone).hidden[:, 3, 4].any()


def test_a_draw_without_replacement_has_the_frequencies_of_the_formula() -> None:
    """Two of three by weights 1, 2, 3: P(i) = w_i / 6 + sum_j w_j / 6 * w_i / (6 - w_j)."""
    grid, n = Grid(1, 3), 60_000
    weights = np.array([1.0, 2.0, 3.0])
    maps = np.repeat(weights[None, None], n, axis=0)
    drawn = MASKS.parse('guided(ratio=0.66, hide="sample")').sample(grid, n, maps=maps)
    found = drawn.hidden.reshape(n, 3).mean(axis=0)
    wanted = [
        w / 6 + sum(v / 6 * w / (6 - v) for j, v in enumerate(weights) if j != i)
        for i, w in enumerate(weights)
    ]
    assert found == pytest.approx(wanted, abs=5 * 0.5 / math.sqrt(n))


@pytest.mark.parametrize("softmax", [True, False])
def test_an_infinite_temperature_is_random_and_a_low_one_is_the_top(softmax: bool) -> None:
    maps = same_map(4_000)
    hot = draw(f'guided(hide="sample", temperature=1e6, softmax={softmax})', maps)
    assert np.abs(flat(hot).mean(axis=0) - 0.75).max() < 4.5 * math.sqrt(0.75 * 0.25 / 4_000)
    spaced = np.argsort(np.argsort(maps[:50].reshape(50, -1), axis=1), axis=1) + 1.0
    spaced = (1.5 ** (spaced / 4)).reshape(50, 14, 14)
    cold = draw(f'guided(hide="sample", temperature=0.001, softmax={softmax})', spaced)
    assert cold == draw("guided()", spaced)


def test_softmax_of_attention_as_coded_is_nearly_random() -> None:
    """I2P-MAE: probabilities in a second softmax at temperature 1 differ by exp(max) at most."""
    attention = np.zeros((6_000, 14, 14)) + 0.9 / 195
    attention[:, 0, 0] = 0.1
    recipe = 'guided(hide="sample_keep", softmax=True{})'
    kept = 1 - flat(draw(recipe.format(""), attention)).mean(axis=0)
    assert 1.0 < kept[0] / kept[1:].mean() < math.exp(0.1) + 0.06
    sharp = 1 - flat(draw(recipe.format(", temperature=0.01"), attention)).mean(axis=0)
    assert sharp[0] > 0.99


def test_an_affordance_drawn_by_hand_is_hidden_whole_and_the_rest_at_random() -> None:
    """Lift3D: with a hand-drawn map all top cells are hidden, plus random ones."""
    drawn = 'drawn(patches="30-39,44-53")'
    strategy = MASKS.parse(f"guided(ratio=0.5, share=0.2, scores={drawn!r})")
    maps = maps_for(strategy, np.zeros((300, 3, 28, 28), np.float32), GRID)
    hidden = flat(strategy.sample(GRID, 300, maps=maps))
    painted = np.zeros(N, bool)
    painted[30:40] = painted[44:54] = True
    more = hidden[:, ~painted].mean(axis=0)
    assert (hidden.sum(1) == 98).all()
    assert hidden[:, painted].sum(1).min() >= 19  # floor(0.2 x 98) of the 20 by the map
    assert np.abs(more - more.mean()).max() < 5 * math.sqrt(0.25 / 300)
    full = MASKS.parse(f"guided(ratio=0.5, share=0.21, scores={drawn!r})")
    assert flat(full.sample(GRID, 300, maps=maps))[:, painted].all()


def test_equal_scores_are_ordered_at_random_and_an_empty_prompt_is_random() -> None:
    """TGM: a generic prompt says nothing, so that the mask overlaps with random as chance does."""
    strategy = MASKS.parse('guided(scores="text_similarity()")')
    maps = maps_for(strategy, np.zeros((2_000, 3, 28, 28), np.float32), GRID)
    hidden = flat(strategy.sample(GRID, 2_000, maps=maps))
    assert np.abs(hidden.mean(axis=0) - 0.75).max() < 4.7 * math.sqrt(0.75 * 0.25 / 2_000)
    plain = flat(MASKS.parse("random").sample(GRID, 2_000))
    assert (hidden & plain).sum() / plain.sum() == pytest.approx(0.75, abs=0.01)


def test_the_hidden_set_is_more_similar_than_the_visible_one() -> None:
    maps = some_maps(100)
    hidden = draw('guided(ratio=0.5, hide="sample", temperature=0.3)', maps).hidden
    assert ((maps * hidden).sum((1, 2)) > (maps * ~hidden).sum((1, 2))).mean() > 0.95


def test_a_drawn_map_is_ranked_by_its_patches() -> None:
    mask = MASKS.parse("guided(ratio=0.1, scores='drawn(patches=\"0-19\")')")
    found = mask.sample(GRID, maps=maps_for(mask, np.zeros((1, 3, 14, 14), np.float32), GRID))
    assert flat(found)[0, :20].all() and found.counts[0] == 20


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ('guided(scores="")', "scores is '', but must be the recipe of a score map"),
        ("guided(scores='__import__(\"os\").x')", "must be the recipe of a score map"),
        ("guided(temperature=0)", "temperature is 0, but must be a number from 0.001"),
        ('parts(scores="1+1")', 'take for example scores="edges\\(\\)"'),
    ],
)
def test_a_bad_guide_is_refused(recipe: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        MASKS.parse(recipe)


def test_a_map_of_no_numbers_is_refused_and_a_bare_name_is_a_recipe() -> None:
    bad = some_maps(2)
    bad[1, 3, 3] = np.nan
    with pytest.raises(BadInput, match="holds values that are no numbers"):
        draw("guided()", bad)
    assert MASKS.parse('guided(scores="entropy")') == MASKS.parse('guided(scores="entropy()")')


# --- parts, objects, superpixels, quadtrees -----------------------------------------------------


def part_maps(count: int, parts: int = 7) -> np.ndarray:
    return np.random.default_rng(3).integers(0, parts, (count, 14, 14)).astype(float)


def test_semmaes_two_ends() -> None:
    labels = part_maps(60)
    for ratio in (0.25, 0.75):
        even = flat(draw(f"parts(ratio={ratio}, spread=1)", labels))
        whole = flat(draw(f"parts(ratio={ratio}, spread=0)", labels))
        assert set(even.sum(1)) == set(whole.sum(1)) == {GRID.count(ratio)}
        for row, plane in enumerate(labels.reshape(60, -1)):
            cut = 0
            for part in range(7):
                inside = plane == part
                assert abs(even[row, inside].mean() - ratio) <= 1 / inside.sum() + 1e-9
                cut += 0 < whole[row, inside].sum() < inside.sum()
            assert cut <= 1


def test_between_the_ends_each_part_lies_between_them() -> None:
    labels = part_maps(40)
    plane = labels.reshape(40, -1)
    ends = [flat(draw(f"parts(spread={spread})", labels)) for spread in (0, 0.5, 1)]
    for part in range(7):
        first, middle, last = ((end & (plane == part)).sum(1) for end in ends)
        assert (np.minimum(first, last) - 1 <= middle).all()
        assert (middle <= np.maximum(first, last) + 1).all()
    assert (ends[1].sum(1) == 147).all()


def test_every_part_goes_first_equally_often() -> None:
    labels = np.repeat(part_maps(1), 3_000, axis=0)
    hidden = flat(draw("parts(ratio=0.3)", labels))
    shares = [hidden[:, labels[0].ravel() == part].mean() for part in range(7)]
    assert np.ptp(shares) < 0.06


def test_objects_are_hidden_one_all_or_not_at_all() -> None:
    labels = np.zeros((400, 14, 14))
    labels[:, 2:5, 2:5], labels[:, 8:12, 6:13] = 3, 9
    one, rest = draw("objects()", labels), draw('objects(hide="background")', labels)
    assert {9, 28} == set(one.counts.tolist()) and 140 < (one.counts == 9).sum() < 260
    assert (rest.hidden == (labels == 0)).all()
    both = draw('objects(hide="all")', labels)
    assert (both.hidden == ~rest.hidden).all()
    exact = draw('objects(hide="all", ratio=0.5)', labels)
    assert set(exact.counts.tolist()) == {98} and (exact.hidden >= both.hidden).all()
    less = draw('objects(hide="all", ratio=0.1)', labels)
    assert set(less.counts.tolist()) == {20} and (less.hidden <= both.hidden).all()
    assert not draw("objects()", np.zeros((3, 14, 14))).hidden.any()


def test_superpixels_go_whole() -> None:
    labels = np.kron(np.arange(49).reshape(7, 7), np.ones((2, 2)))[None].repeat(30, axis=0)
    cut = draw("superpixels(ratio=0.5)", labels)
    tiles = cut.hidden.reshape(30, 7, 2, 7, 2).sum((2, 4)).reshape(30, -1)
    assert set(cut.counts.tolist()) == {98} and (((tiles > 0) & (tiles < 4)).sum(1) <= 1).all()
    whole = draw("superpixels(ratio=0.5, whole=True)", labels)
    assert set(whole.hidden.reshape(30, 7, 2, 7, 2).sum((2, 4)).ravel().tolist()) == {0, 4}
    assert (np.abs(whole.counts - 98) <= 2).all()


def test_a_quadtree_is_fine_where_the_score_is_and_its_leaves_are_boxes() -> None:
    scores = np.zeros((16, 16))
    scores[2:4, 3:5] = 1
    labels = leaf_labels(scores, 25)
    sizes = np.bincount(labels.ravel())
    assert len(sizes) >= 25 and sizes[labels[2, 3]] == 1 and sizes[labels[12, 12]] >= 16
    for leaf in range(len(sizes)):
        rows, cols = np.nonzero(labels == leaf)
        assert sizes[leaf] == (np.ptp(rows) + 1) * (np.ptp(cols) + 1)
    assert leaf_labels(scores, 1).max() == 0
    assert len(np.unique(leaf_labels(np.zeros((5, 3)), 4096))) == 15


def test_a_quadtree_hides_leaves() -> None:
    maps = some_maps(20) ** 6
    hidden = draw("quadtree(ratio=0.5)", maps).hidden
    assert (hidden.sum((1, 2)) == 98).all()
    for mask, scores in zip(hidden, maps, strict=True):
        labels = leaf_labels(scores, 28)
        share = np.bincount(labels.ravel(), mask.ravel()) / np.bincount(labels.ravel())
        assert ((share > 0) & (share < 1)).sum() <= 1


def test_a_bag_of_instances_loses_its_most_attended_first() -> None:
    """MHIM-MIL: the top few and random ones go, fewer and fewer of them as training goes on."""
    bag = Grid(1, 40, patch=1, domain="sequence")
    attention = np.random.default_rng(1).random((30, 1, 40))
    strategy = MASKS.parse("guided(ratio=ramp(0.5, 0.1), share=0.25)")
    top = np.argsort(-attention[:, 0], axis=1)
    for progress, count in ((0.0, 20), (0.5, 12), (1.0, 4)):
        mask = strategy.sample(bag, 30, progress=progress, maps=attention)
        assert set(mask.counts.tolist()) == {count}
        few = top[:, : count // 4]
        assert np.take_along_axis(mask.hidden[:, 0], few, axis=1).all()

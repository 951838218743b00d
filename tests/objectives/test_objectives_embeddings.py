"""Cards of the objectives that predict embeddings (I-JEPA, DMT-JEPA, iBOT), and of MTO."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.objectives.subject import changed, ready
from workbench.masks import Mask
from workbench.models.averages import cosine_momentum, follow
from workbench.models.jepa import LocalHead, neighbours, padded, target_blocks
from workbench.models.patches import normalise, patchify
from workbench.models.prototypes import Centre, PrototypeHead, cross_entropy, entropy
from workbench.models.transformer import ViTShape
from workbench.objectives.mto import entropy as token_entropy
from workbench.objectives.mto import gap


def test_momenta_end_where_the_average_stands_still() -> None:
    assert cosine_momentum(0.996, 0) == pytest.approx(0.996)
    assert cosine_momentum(0.996, 1) == 1 and cosine_momentum(0.996, 0.5) == pytest.approx(0.998)
    one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    expected = 0.9 * one.weight.detach() + 0.1 * other.weight.detach()
    follow(one, other, 0.9)
    assert torch.allclose(one.weight, expected)


# --- I-JEPA ------------------------------------------------------------------------------------


def test_padding_names_set_cells_in_order_and_says_which_are_real() -> None:
    cells = torch.tensor([[0, 1, 0, 1, 1], [0, 0, 0, 0, 1]]).bool()
    index, real = padded(cells)
    assert index.shape == (2, 3) and index[0].tolist() == [1, 3, 4] and index[1, 0] == 4
    assert real.tolist() == [[True, True, True], [True, False, False]]


@pytest.mark.parametrize("name", ["ijepa", "dmt_jepa"])
def test_a_picture_with_a_smaller_context_is_predicted_as_if_it_were_alone(name: str) -> None:
    made = ready(f"{name}()")
    assert len(set(made.mask.counts.tolist())) > 1  # the contexts differ in size
    made.model.eval()
    with torch.no_grad():
        together = made.objective.predictions(made.model, made.batch, made.mask)
        blocks = target_blocks(made.mask, made.batch.images)
        for row in range(4):
            lone = made.batch.images[row : row + 1]
            batch = type(made.batch)(lone, made.batch.ids[row : row + 1])
            alone = made.objective.predictions(made.model, batch, made.mask[row])
            for block in range(4):
                count = int(blocks[row, block].sum())
                both = together[4 * row + block, :count], alone[block, :count]
                assert torch.allclose(*both, atol=1e-5)


@pytest.mark.parametrize("name", ["ijepa", "dmt_jepa"])
def test_targets_come_detached_from_whole_pictures_and_context_and_targets_are_disjoint(
    name: str,
) -> None:
    made = ready(f"{name}()")
    assert made.mask.targets is not None
    assert not (made.mask.targets & ~made.mask.hidden[:, None]).any()
    patches = patchify(normalise(made.batch.images), made.shape.patch)
    target = made.objective.target(made.model, patches)
    assert not target.requires_grad
    other = changed(made.batch, made.mask, made.objective)
    again = made.objective.target(made.model, patchify(normalise(other.images), made.shape.patch))
    assert not torch.allclose(again, target)
    made.loss().backward()
    assert all(p.grad is None for p in made.model.teacher.parameters())


def test_ijepa_is_the_smooth_l1_of_normalised_features_at_the_targets() -> None:
    made = ready("ijepa()")
    with torch.no_grad():
        said = made.objective.predictions(made.model, made.batch, made.mask)
        patches = patchify(normalise(made.batch.images), made.shape.patch)
        whole = F.layer_norm(made.model.teacher(patches), (32,))
        total, count = 0.0, 0
        for row in range(8):
            for block in range(4):
                places = np.flatnonzero(made.mask.targets[row, block])
                error = F.smooth_l1_loss(
                    said[4 * row + block, : len(places)], whole[row, places], reduction="none"
                )
                total += error.mean(-1).sum().item()
                count += len(places)
    assert made.loss().item() == pytest.approx(total / count, rel=1e-5)


def test_a_mask_without_targets_is_one_block() -> None:
    made = ready("ijepa()", "bernoulli_blocks(ratio=0.5)")
    blocks = target_blocks(made.mask, made.batch.images)
    assert torch.equal(blocks[:, 0], torch.from_numpy(made.mask.hidden.reshape(8, -1).copy()))
    everything = np.ones_like(made.mask.hidden)
    made.mask = Mask(everything, made.mask.grid)
    assert torch.isfinite(made.loss())  # no context at all is no division by zero


@pytest.mark.parametrize("progress", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("name", ["ijepa", "dmt_jepa"])
def test_the_momentum_rises_to_one_in_a_line(name: str, progress: float) -> None:
    made = ready(f"{name}(momentum=0.9)")
    model = made.model
    pairs = [(model.teacher, model.encoder)] if name == "ijepa" else [
        (model.teacher["encoder"], model.encoder), (model.teacher["local"], model.local),
    ]  # fmt: skip
    for teacher, student in pairs:
        for p in teacher.parameters():
            p.zero_()
        with torch.no_grad():
            for p in student.parameters():
                p.fill_(1.0)
    made.objective.after_step(model, progress)
    moved = 0.1 * (1 - progress)  # by hand: 0.9, 0.925 and 1 of itself are kept
    for teacher, _ in pairs:
        for p in teacher.parameters():
            assert torch.allclose(p, torch.full_like(p, moved), atol=1e-6)


# --- DMT-JEPA ----------------------------------------------------------------------------------


def test_neighbours_end_at_the_border() -> None:
    index, there = neighbours(4, 5)
    counts = there.sum(1).view(4, 5)
    assert counts[0, 0] == counts[3, 4] == 3 and counts[0, 2] == counts[2, 4] == 5
    assert (counts[1:-1, 1:-1] == 8).all()
    rows, cols = torch.arange(20) // 5, torch.arange(20) % 5
    far = torch.maximum((rows[index] - rows[:, None]).abs(), (cols[index] - cols[:, None]).abs())
    assert (far[there] == 1).all()


def test_the_most_similar_neighbours_are_chosen() -> None:
    shape = ViTShape(rows=3, cols=3, patch=2, dim=4, depth=1, heads=1, hidden=8)
    head = LocalHead(shape, 2)
    x = torch.zeros(1, 9, 4)
    x[..., 0] = 1
    x[0, :, 1] = torch.tensor([9.0, 1, 9, 9, 0, 2, 9, 9, 9])  # 1 and 5 are the most like 4
    numbers, there = head.chosen(x)
    assert sorted(numbers[0, 4].tolist()) == [1, 5] and there.all()
    out = head.local(x)
    other = x.clone()
    other[0, 8] += torch.tensor([0.0, 0, 1, 0])
    other[0, 0] -= torch.tensor([0.0, 0, 1, 0])  # the mean token stays
    assert torch.allclose(head.local(other)[0, 4], out[0, 4], atol=1e-6)


# --- iBOT --------------------------------------------------------------------------------------


def test_ibot_is_the_two_cross_entropies_at_the_stated_places() -> None:
    made = ready("ibot(prototypes=16)", color=0.8)
    model, objective = made.model.eval(), made.objective  # centres stand still
    one, two = (patchify(normalise(v), made.shape.patch) for v in made.batch.views)
    hidden = torch.from_numpy(made.mask.hidden.reshape(8, -1).copy())
    with torch.no_grad():
        model.class_centre.mean.copy_(torch.linspace(-0.1, 0.1, 16))
        model.patch_centre.mean.copy_(torch.linspace(0.1, -0.1, 16))
        said, whole = model.said(one, hidden), model.said(two, torch.zeros_like(hidden))
        theirs = [model.teacher["head"](model.teacher["encoder"](v)) for v in (one, two)]

        def ce(teacher, centre, student):
            p = ((teacher - centre) / 0.04).softmax(-1)
            return -(p * (student / 0.1).log_softmax(-1)).sum(-1)

        centre = model.class_centre.mean
        across = ce(theirs[1][:, 0], centre, said[:, 0]) + ce(theirs[0][:, 0], centre, whole[:, 0])
        patches = ce(theirs[0][:, 1:], model.patch_centre.mean, said[:, 1:])
        within = torch.stack([patches[i][hidden[i]].mean() for i in range(8)]).mean()
        found = objective.loss(model, made.batch, made.mask, 0, 0.5)
    assert found.parts["across"].item() == pytest.approx(across.mean().item() / 2, rel=1e-4)
    assert found.parts["within"].item() == pytest.approx(within.item(), rel=1e-4)
    assert found.total >= found.parts["floor"]


def test_the_centre_follows_in_training_and_stops_one_prototype_from_winning() -> None:
    centre = Centre(4)
    answers = torch.tensor([[3.0, 0, 0, 0]]).repeat(5, 1)
    for _ in range(100):
        centre.follow(answers)
    assert torch.allclose(centre.mean, answers[0], atol=1e-3)
    wanted = centre.probabilities(answers, 0.04)
    assert torch.allclose(wanted, torch.full((5, 4), 0.25), atol=0.05)
    assert torch.allclose(entropy(wanted), torch.tensor(math.log(4)), atol=0.01)
    centre.eval().follow(torch.zeros(1, 4))
    assert torch.allclose(centre.mean, answers[0], atol=1e-3)
    uniform = torch.zeros(1, 4)
    assert cross_entropy(wanted[:1], uniform, 0.1).item() == pytest.approx(math.log(4), rel=1e-4)


def test_the_head_gives_cosines() -> None:
    head = PrototypeHead(8, 16, 4, 10)
    said = head(torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0)))
    assert said.shape == (3, 5, 10) and said.abs().max() <= 1 + 1e-6


# --- MTO ---------------------------------------------------------------------------------------


def test_mto_with_all_weights_at_zero_is_simmim() -> None:
    plain = ready("simmim()").loss()
    off = ready("mto(sparse=0, apart=0, restored=0, recalibrate=0)").parts()
    torch.testing.assert_close(off.total, plain, rtol=1e-5, atol=0)
    on = ready("mto(recalibrate=0)").parts()
    torch.testing.assert_close(on.parts["pixels"], plain, rtol=1e-5, atol=0)
    added = sum(0.1 * on.parts[name] for name in ("sparse", "apart", "restored"))
    assert on.total.item() == pytest.approx((plain + added).item())


def test_heterogeneity_is_told_for_every_layer() -> None:
    parts = ready("mto()").parts().parts
    assert {"gap_0", "gap_1", "gap_2"} <= set(parts) and "gap_3" not in parts
    tokens = torch.tensor([[[0.0] * 8, [100.0] + [0.0] * 7]])
    assert torch.allclose(token_entropy(tokens), torch.tensor([[math.log(8), 0]]), atol=1e-4)
    found = gap(token_entropy(tokens), torch.tensor([[True, False]]))
    assert found.item() == pytest.approx(math.log(8), rel=1e-4)
    assert gap(token_entropy(tokens), torch.tensor([[True, True]])) == 0


def test_recalibration_keeps_the_mean_weight_at_one() -> None:
    made = ready("mto(recalibrate=1)")
    last = torch.rand(8, 16, generator=torch.Generator().manual_seed(0))
    hidden = torch.from_numpy(made.mask.hidden.reshape(8, -1).copy())
    weights = made.objective.weights(last, hidden)
    assert weights[hidden].mean().item() == pytest.approx(1, rel=1e-5)
    assert (weights >= 0).all()

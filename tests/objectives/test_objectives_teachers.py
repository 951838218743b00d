"""Cards of the objectives that learn from themselves: cMIM, MIC, OBoW."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.objectives.subject import Ready, changed, ready
from workbench.errors import BadInput
from workbench.masks import Mask
from workbench.models.patches import normalise, patchify
from workbench.objectives.cmim import told_apart
from workbench.objectives.obow import bag


def patches_of(made: Ready) -> torch.Tensor:
    return patchify(normalise(made.batch.images), made.shape.patch)


def parts_of(made: Ready) -> dict[str, float]:
    torch.manual_seed(5)
    loss = made.objective.loss(made.model, made.batch, made.mask, 0, 0.5)
    return {name: float(v.detach()) for name, v in {**loss.parts, "total": loss.total}.items()}


def test_collapsed_codes_cost_the_log_of_the_batch_and_separate_ones_nothing() -> None:
    same = torch.ones(12, 4)
    assert told_apart(same, same, 0.1)[0].item() == pytest.approx(math.log(12), rel=1e-5)
    loss, right = told_apart(torch.eye(12), 3 * torch.eye(12), 0.05)
    assert loss < 1e-6 and right == 1


def test_cmim_is_the_sum_of_its_terms_and_each_has_a_say() -> None:
    made = ready("cmim(prior=0.5, contrast=2)")
    found = parts_of(made)
    known = found["rebuilt"] + 0.5 * found["machine"] + 2 * found["contrast"]
    assert found["total"] == pytest.approx(known, rel=1e-5)
    mean, spread = made.model.code(patches_of(made))
    torch.manual_seed(5)
    z = mean + spread * torch.randn_like(mean)
    q, p = torch.distributions.Normal(mean, spread), torch.distributions.Normal(0.0, 1.0)
    log_two_pi = math.log(2 * math.pi)  # a constant that the loss leaves out, twice
    known = -(q.log_prob(z) + p.log_prob(z) + log_two_pi).mean().item() / 2
    assert abs(known - found["machine"]) < 1e-5


def test_the_teacher_of_mic_never_sees_the_mask() -> None:
    made = ready("mic(threshold=0)")
    before = parts_of(made)
    made.mask = Mask(~made.mask.hidden, made.mask.grid)
    after = parts_of(made)
    assert before["supervised"] == after["supervised"] and before["sure"] == after["sure"] == 1
    assert before["consistency"] != after["consistency"]
    made.mask = Mask(np.zeros_like(made.mask.hidden), made.mask.grid)
    teacher, patches = made.model.teacher, patches_of(made)
    logits = made.model.head(made.model.pooled(patches))
    wanted = teacher.head(teacher.pooled(patches)).argmax(1)  # at first the student itself
    known = F.cross_entropy(logits, wanted).item()
    assert parts_of(made)["consistency"] == pytest.approx(known, rel=1e-5)


@pytest.mark.parametrize("name", ["mic", "mrm"])
def test_a_teacher_is_the_mean_of_all_students_at_first(name: str) -> None:
    made = ready(f"{name}(momentum=0.9)")
    students = [made.model.head.weight.detach().clone()]
    for step in range(20):
        with torch.no_grad():
            made.model.head.weight += step + 1
        made.objective.after_step(made.model, 0.0)
        students.append(made.model.head.weight.detach().clone())
        if step < 9:  # 1 - 1 / (step + 2) is below the momentum until here
            mean = torch.stack(students).mean(0)
            assert torch.allclose(made.model.teacher.head.weight, mean, atol=1e-4)
    assert not torch.allclose(made.model.teacher.head.weight, torch.stack(students).mean(0))


def test_an_unsure_teacher_of_mic_does_not_teach() -> None:
    made = ready("mic(threshold=1, labelled=1)")
    found = parts_of(made)
    assert found["sure"] == 0 and found["total"] == pytest.approx(found["supervised"])


def test_mic_uses_the_labels_of_the_stated_share_and_always_the_same() -> None:
    made = ready("mic(labelled=0.3)")
    many = replace(made.batch, ids=np.arange(2000))
    known = made.objective.known(many)
    assert abs(known.mean() - 0.3) < 4 * math.sqrt(0.21 / 2000)
    shuffled = np.random.default_rng(0).permutation(2000)
    again = made.objective.known(replace(many, ids=shuffled, step=9))
    assert np.array_equal(again, known[shuffled])
    made.batch = replace(made.batch, ids=np.flatnonzero(~known)[:8])
    assert parts_of(made)["supervised"] == 0


def test_a_bag_of_words_adds_up_to_one_and_follows_the_formula() -> None:
    torch.manual_seed(0)
    features, words = torch.randn(3, 4, 5), torch.randn(7, 5)
    found = bag(features, words, 15.0)
    assert torch.allclose(found.sum(1), torch.ones(3)) and (found >= 0).all()
    d = ((features[:, :, None] - words) ** 2).sum(-1)
    share = torch.softmax(-15 * d / d.min(2).values.mean(), 2).max(1).values
    assert torch.allclose(found, share / share.sum(1, keepdim=True), atol=1e-5)


def test_the_teacher_of_obow_reads_the_whole_and_its_border_is_cropped() -> None:
    made = ready("obow(words=32)")
    maps = made.model.seen(made.batch.views[0])
    assert len(maps) == 2 and maps[0].shape == (8, 4, 4, 32) and not maps[0].requires_grad
    other = changed(made.batch, made.mask, made.objective)
    assert not torch.allclose(made.model.seen(other.views[0])[0], maps[0], atol=1e-3)
    before = parts_of(made)["total"]
    seen = copy.deepcopy(maps)
    for each in seen:
        each[:, 0] = each[:, -1] = each[:, :, 0] = each[:, :, -1] = 7.0
    made.model.seen = lambda images: seen
    assert parts_of(made)["total"] == pytest.approx(before, rel=1e-5)


def test_the_loss_of_obow_is_zero_when_the_bag_is_said_and_collapse_is_told() -> None:
    made = ready("obow(words=32)")
    assert 1 < parts_of(made)["perplexity"] <= 32
    wanted = [
        bag(x[:, 1:-1, 1:-1].flatten(1, 2), words, 15.0)
        for x, words in zip(
            made.model.seen(made.batch.views[0]), made.model.vocabularies(), strict=True
        )
    ]
    said = torch.stack(wanted).log()
    object.__setattr__(made.objective, "predictions", lambda *args: said)
    assert abs(parts_of(made)["total"]) < 1e-5


def test_words_are_a_queue_that_one_feature_of_each_picture_enters() -> None:
    made = ready("obow(words=20)")
    model = made.model
    start = [words.normal_().clone() for words in model.vocabularies()]
    for step in range(3):
        made.loss()
        made.objective.after_step(model, 0.5)
        same = (model.words_0 == start[0]).all(1)
        assert int((~same).sum()) == min(20, 8 * (step + 1))
        assert int(model.oldest) == 8 * (step + 1) % 20
    made.objective.after_step(model, 0.5)  # nothing new
    assert int(model.oldest) == 4


def test_obow_wants_patches_to_average_over() -> None:
    with pytest.raises(BadInput, match=r"4 x 4 pixels have 2 x 2; take size=6 or more"):
        ready("obow(words=8)", size=4)
    assert math.isfinite(parts_of(ready("obow(words=8)", size=6))["total"])

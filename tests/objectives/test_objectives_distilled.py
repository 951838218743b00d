"""Cards of the objectives with a decoder or a teacher over visible patches."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.objectives.subject import Ready, ready
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.models.patches import normalise, patchify
from workbench.models.transformer import gather_tokens
from workbench.objectives import OBJECTIVES, indices
from workbench.objectives.cae import Cae
from workbench.objectives.dmae import Dmae
from workbench.objectives.hpm import order_loss
from workbench.objectives.hybrid import projected, relation_loss, taught
from workbench.objectives.lut import others
from workbench.runs.presets import run_presets


def parts_of(made: Ready) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    patches = patchify(normalise(made.batch.images), made.shape.patch)
    return (patches, *indices(made.mask, patches))


def gradients(made: Ready) -> dict[str, torch.Tensor]:
    made.model.zero_grad()
    made.loss().backward()
    return {k: p.grad.clone() for k, p in made.model.named_parameters() if p.grad is not None}


# --- HPM ---------------------------------------------------------------------------------------


def test_hpm_orders_pairs_as_the_formula_says_and_ignores_a_constant() -> None:
    generator = torch.Generator().manual_seed(0)
    foretold, losses = torch.randn(2, 3, 6, generator=generator).unbind(0)
    total, pairs = 0.0, 0
    for b in range(3):
        for i in range(6):
            for j in range(6):
                if i != j:
                    p = 1 / (1 + np.exp(-(foretold[b, i] - foretold[b, j]).item()))
                    total -= np.log(p if losses[b, i] > losses[b, j] else 1 - p)
                    pairs += 1
    assert order_loss(foretold, losses).item() == pytest.approx(total / pairs, rel=1e-5)
    assert torch.allclose(order_loss(foretold + 9, losses), order_loss(foretold, losses))
    assert order_loss(foretold, torch.ones_like(losses)) == 0


def test_hpm_hides_the_hardest_for_half_of_its_budget_at_the_end_and_none_at_first() -> None:
    strategy, grid = MASKS.parse(OBJECTIVES.parse("hpm()").default_mask), Grid(14, 14)
    scores = np.random.default_rng(0).random((4, 14, 14))
    first = strategy.sample(grid, 4, progress=0, maps=scores)
    assert first == MASKS.parse("random(ratio=0.75)").sample(grid, 4)
    last = strategy.sample(grid, 4, progress=1, maps=scores).hidden.reshape(4, -1)
    assert (last.sum(1) == 147).all()
    hardest = np.argsort(-scores.reshape(4, -1), axis=1)[:, :73]
    assert np.take_along_axis(last, hardest, axis=1).all()


def test_hpm_foretells_from_whole_pictures_by_its_averages() -> None:
    made = ready("hpm()")
    grid = made.objective.grid(made.shape)
    needs = ("predicted_loss()", "edges()")
    maps = made.objective.maps(made.model, made.batch, grid, needs, 0.5)
    assert set(maps) == {"predicted_loss()"} and maps["predicted_loss()"].shape == (8, 4, 4)
    with torch.no_grad():
        for p in made.model.encoder.parameters():
            p += 1  # the student does not matter
    again = made.objective.maps(made.model, made.batch, grid, needs, 0.5)
    assert np.array_equal(maps["predicted_loss()"], again["predicted_loss()"])
    detached = gradients(made)
    assert not any(name.startswith("teacher") for name in detached)


def test_hpm_averages_leave_the_first_weights_within_the_tiny_preset() -> None:
    preset = run_presets()["cifar10_hpm_tiny"]
    hpm, steps = OBJECTIVES.parse(preset.objective), preset.steps
    kept = np.prod([hpm.momentum_at(step / (steps - 1)) for step in range(steps)])
    assert kept < 0.05
    assert 1 / (1 - hpm.momentum_at(1)) == pytest.approx(0.04 * steps, rel=0.1)
    official = OBJECTIVES.parse("hpm()")
    assert (official.momentum_at(0), official.momentum_at(1)) == (0.999, 0.9999)


# --- MR-MAE ------------------------------------------------------------------------------------


def test_mr_mae_has_two_losses_at_disjoint_places_that_do_not_touch_each_other() -> None:
    both = gradients(ready("mr_mae()"))
    mimic, pixels = gradients(ready("mr_mae(reconstruct=0)")), gradients(ready("mr_mae(mimic=0)"))
    assert mimic["mimic.weight"].abs().sum() > 0 and pixels["mimic.weight"].abs().sum() == 0
    assert mimic["decoder_pred.weight"].abs().sum() == 0
    for name, gradient in both.items():
        assert torch.allclose(gradient, mimic[name] + pixels[name], atol=1e-6), name
    made = ready("mr_mae()")
    _, visible, hidden = parts_of(made)
    places = torch.cat([visible, hidden], 1).sort(1).values
    assert torch.equal(places, torch.arange(16).expand(8, -1))
    seen = []
    made.model.mimic.register_forward_hook(lambda m, args, out: seen.append(out.shape[1]))
    made.model.decoder_pred.register_forward_hook(lambda m, args, out: seen.append(out.shape[1]))
    made.loss()
    assert seen == [visible.shape[1], hidden.shape[1]]


# --- DMAE --------------------------------------------------------------------------------------


def test_dmae_stops_its_teacher_at_the_aligned_block_with_the_same_feature() -> None:
    assert Dmae().blocks(24) == 17 + 1 and Dmae().blocks(12) == 8 + 1  # the paper's pair
    made = ready("dmae()")
    _, visible, _ = parts_of(made)
    teacher, ran = made.model.teacher, []
    for i, block in enumerate(teacher.encoder.blocks):
        block.register_forward_hook(lambda m, args, out, i=i: ran.append((i, out.shape[1])))
    whole = teacher.states(made.batch.images, None, visible)
    ran.clear()
    made.loss()
    assert ran == [(i, 1 + visible.shape[1]) for i in range(9)]  # cost of the kept tokens alone
    assert torch.equal(teacher.states(made.batch.images, 9, visible)[-1], whole[8])


def test_dmae_compares_unit_features_at_equal_patches() -> None:
    made = ready("dmae(align=1)")
    patches, visible, _ = parts_of(made)
    model = made.model
    with torch.no_grad():
        states = model.encoder.states(model.encoder.embed(patches, visible))
        said = F.normalize(model.aligning(states[made.objective.blocks(2) - 1]), dim=-1)
        wanted = F.normalize(model.teacher.states(made.batch.images, 9, visible)[-1], dim=-1)
        loss = made.objective.loss(model, made.batch, made.mask, 0, 0.5)
    assert loss.parts["align"].item() == pytest.approx((said - wanted).abs().mean().item())
    assert (loss.total - loss.parts["align"]).item() == pytest.approx(loss.parts["pixels"].item())


# --- LUT ---------------------------------------------------------------------------------------


def test_lut_shows_disjoint_parts_and_its_average_sees_everything() -> None:
    made = ready("lut()")
    _, visible, hidden = parts_of(made)
    second = others(made.batch, visible, hidden)
    assert second.shape == visible.shape
    for one, two in zip(visible.tolist(), second.tolist(), strict=True):
        assert len(set(one) | set(two)) == 2 * len(one)
    seen = []
    made.model.teacher["encoder"].register_forward_hook(lambda m, a, out: seen.append(out.shape))
    loss = made.objective.loss(made.model, made.batch, made.mask, 0, 0.5)
    assert [shape[1] for shape in seen] == [17, 17]  # all 16 patches, twice: two crossed pairs
    expected = loss.parts["pixels"] + 0.25 * loss.parts["broader"]
    assert loss.total.item() == pytest.approx(expected.item())
    assert 0 <= loss.parts["broader"].item() <= 4
    lut = made.objective
    assert "at least half" in (lut.refuses(MASKS.parse("random(ratio=0.4)")) or "")
    assert "at least half" in (lut.refuses(MASKS.parse("random(ratio=ramp(0.7, 0.3))")) or "")
    assert lut.refuses(MASKS.parse("block(ratio=0.5)")) is None
    with pytest.raises(BadInput, match=r"0\.5 or more"):
        others(made.batch, hidden, visible)


def test_lut_reconstructs_the_first_view_alone() -> None:
    made = ready("lut(broader=0)", color=0.8)
    assert not torch.equal(made.batch.views[0], made.batch.views[1])
    before = made.loss()
    made.batch.views[1].uniform_(0, 1)
    assert torch.equal(made.loss(), before)
    made.batch.views[0].uniform_(0, 1)
    assert not torch.equal(made.loss(), before)


# --- CAE ---------------------------------------------------------------------------------------


def test_cae_decodes_from_regressed_latents_alone_and_aligns_with_the_encoder() -> None:
    made = ready("cae(codes=16)")
    model, (patches, visible, hidden) = made.model, parts_of(made)
    latent = model.regressed(patches, visible, hidden)
    cut = latent.detach().requires_grad_()
    model.decoded(cut, hidden).sum().backward()
    assert model.encoder.patch_embed.proj.weight.grad is None and cut.grad.abs().sum() > 0
    wanted = model.wanted(patches, hidden)
    assert not wanted.requires_grad
    other = torch.where(made_visible(made), torch.rand_like(patches), patches)
    assert torch.equal(model.wanted(other, hidden), wanted)  # reads hidden patches alone
    model.regressed = lambda *places: wanted
    assert Cae.loss(made.objective, model, made.batch, made.mask, 0, 0.5).parts["align"] == 0


def made_visible(made: Ready) -> torch.Tensor:
    return torch.from_numpy(~made.mask.hidden.reshape(8, -1))[:, :, None]


# --- MaskAlign ---------------------------------------------------------------------------------


def test_maskalign_gathers_teacher_and_student_at_the_same_patches() -> None:
    made = ready("maskalign()")
    model, (patches, visible, _) = made.model, parts_of(made)
    assert not any("mask_token" in name for name in model.state_dict())
    assert torch.allclose(model.mixture, torch.eye(2) + 0.01)
    said, wanted = model(patches, visible), made.objective.wanted(model, made.batch.images, visible)
    assert [a.shape == b.shape for a, b in zip(said, wanted, strict=True)] == [True, True]
    last = model.teacher.states(made.batch.images)[-1]
    known = F.layer_norm(torch.cat([last[:, :1], gather_tokens(last[:, 1:], visible)], 1), (192,))
    assert torch.allclose(wanted[-1], known)
    expected = torch.stack([2 * F.smooth_l1_loss(a, b) for a, b in zip(said, wanted, strict=True)])
    assert made.loss().item() == pytest.approx(expected.mean().item())


def test_maskalign_shows_what_its_teacher_attends_to() -> None:
    made = ready("maskalign()")
    grid = made.objective.grid(made.shape)
    found = made.objective.maps(made.model, made.batch, grid, ("attention()",), 0)["attention()"]
    assert found.shape == (8, 4, 4) and (found > 0).all() and (found.sum((1, 2)) < 1).all()
    kept = np.zeros((8, 4, 4))
    for step in range(300):
        mask = made.setting.strategy.sample(grid, 8, step=step, maps=found)
        kept += ~mask.hidden
    strong = np.argsort(found.reshape(8, -1), axis=1)[:, -4:]
    weak = np.argsort(found.reshape(8, -1), axis=1)[:, :4]
    take = lambda where: np.take_along_axis(kept.reshape(8, -1), where, axis=1).mean()  # noqa: E731
    assert take(strong) > take(weak)


# --- Hybrid ------------------------------------------------------------------------------------


def test_relations_do_not_change_when_all_features_are_turned() -> None:
    generator = torch.Generator().manual_seed(0)
    mine = list(torch.randn(3, 2, 5, 8, generator=generator))
    theirs = list(torch.randn(3, 2, 5, 12, generator=generator))
    turn = torch.linalg.qr(torch.randn(8, 8, generator=generator))[0]
    turned = [each @ turn for each in mine]
    first = relation_loss(mine, theirs)
    assert first > 0 and torch.allclose(relation_loss(turned, theirs), first, rtol=1e-4)
    assert relation_loss(theirs, theirs).abs() < 1e-6
    stretched = [each * torch.linspace(0.5, 2, 8) for each in mine]
    assert not torch.allclose(relation_loss(stretched, theirs), first, rtol=1e-2)


def test_relations_come_from_the_middle_block() -> None:
    made = ready("hybrid()")
    block = made.model.teacher.encoder.blocks[6]
    seen = []
    block.attn.qkv.register_forward_hook(lambda m, args, out: seen.append(out))
    made.model.teacher.features(made.batch.images)
    entering = made.model.teacher.entering(made.batch.images, 6)
    known = seen[0][:, 1:].chunk(3, dim=-1)
    found = projected(block, entering, 1)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(known, found, strict=True))


def test_relations_are_compared_in_fp32_under_autocast() -> None:
    generator = torch.Generator().manual_seed(0)
    mine = list(torch.randn(3, 2, 16, 32, generator=generator))
    theirs = [each + 1e-3 * torch.randn(each.shape, generator=generator) for each in mine]
    exact = relation_loss(mine, theirs)
    with torch.autocast("cpu", torch.bfloat16):
        halved = relation_loss(mine, theirs)
    assert abs(halved - exact) < 1e-5
    assert torch.equal(halved, exact)


def test_one_pass_of_a_teacher_serves_both_parts_to_the_bit() -> None:
    made = ready("hybrid()")
    teacher, images = made.model.teacher, made.batch.images
    features, entering = taught(teacher, teacher, images)
    assert torch.equal(features, teacher.features(images))
    assert torch.equal(entering, teacher.entering(images, 6))
    ran = []
    teacher.encoder.blocks[0].register_forward_hook(lambda m, args, out: ran.append(1))
    made.loss()
    assert ran == [1]

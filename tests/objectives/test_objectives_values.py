"""Losses recomputed from patches, teachers and masks: right places, right pairs, right weights."""

import pytest
import torch
import torch.nn.functional as F

from tests.objectives.subject import Ready, ready
from workbench.models.patches import normalise, patchify
from workbench.objectives import OBJECTIVES
from workbench.objectives.lut import others

Places = tuple[torch.Tensor, torch.Tensor]


def patches_of(made: Ready) -> torch.Tensor:
    return patchify(normalise(made.batch.images), made.shape.patch)


def places_of(made: Ready) -> Places:
    """Visible and hidden patches, row by row from the mask's cells."""
    cells = torch.from_numpy(made.mask.hidden.reshape(8, -1).copy())
    found = [torch.stack([row.nonzero()[:, 0] for row in each]) for each in (~cells, cells)]
    return found[0], found[1]


def at(tokens: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return torch.stack([row[where] for row, where in zip(tokens, places, strict=True)])


def disturbed(module: torch.nn.Module) -> None:
    """Make an average differ from its model, which it equals at first."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for p in module.parameters():
            p += 0.1 * torch.randn(p.shape, generator=generator)


@torch.no_grad()
def test_lut_compares_each_view_with_the_whole_of_the_other() -> None:
    made = ready("lut()", color=0.8)
    model, (visible, hidden) = made.model, places_of(made)
    disturbed(model.teacher)
    one, two = (patchify(normalise(view), made.shape.patch) for view in made.batch.views)
    second = others(made.batch, visible, hidden)
    total = 0.0
    for seen, where, whole in ((one, visible, two), (two, second, one)):
        mine = model.predictor(model.head(model.encoder(seen, where)[:, 1:].mean(1)))
        target = model.teacher["head"](model.teacher["encoder"](whole)[:, 1:].mean(1))
        total += (2 - 2 * F.cosine_similarity(mine, target)).mean().item() / 2
    assert made.parts().parts["broader"].item() == pytest.approx(total, rel=1e-5)


@torch.no_grad()
def test_hybrid_takes_both_parts_at_the_visible_patches() -> None:
    made = ready("hybrid(relations=3)")
    model, (visible, _), seen = made.model, places_of(made), []
    for encoder, block in ((model.teacher.encoder, 6), (model.encoder, 1)):
        encoder.blocks[block].attn.qkv.register_forward_hook(lambda m, args, out: seen.append(out))
    whole = model.teacher.features(made.batch.images)
    said = model.head(model.encoder(patches_of(made), visible)[:, 1:])
    features = (said - F.layer_norm(at(whole, visible), (192,))).square().mean().item()
    theirs, mine = at(seen[0][:, 1:], visible).chunk(3, -1), seen[1][:, 1:].chunk(3, -1)
    relations = 0.0
    for a, b in ((0, 1), (2, 2)):
        wanted = torch.softmax(theirs[a] @ theirs[b].mT / 192**0.5, -1)
        own = torch.softmax(mine[a] @ mine[b].mT / 32**0.5, -1)
        relations += (wanted * (wanted / own).log()).sum(-1).mean().item() / 2
    found = made.parts()
    assert found.parts["features"].item() == pytest.approx(features, rel=1e-5)
    assert found.parts["relations"].item() == pytest.approx(relations, rel=1e-4)
    assert found.total.item() == pytest.approx(features + 3 * relations, rel=1e-4)


@pytest.mark.parametrize("coded", ["patches", "features"])
@torch.no_grad()
def test_beit_tells_the_code_of_the_hidden_patch_itself(coded: str) -> None:
    made = ready(f'beit(codes=16, coded="{coded}")')
    model, book, total = made.model, made.model.codebook, []
    vectors = patches_of(made) if coded == "patches" else model.teacher.features(made.batch.images)
    codes = torch.cdist((vectors - book.mean) / book.spread, book.centres.expand(8, -1, -1))
    said = made.objective.predictions(model, made.batch, made.mask).log_softmax(-1)
    cells = made.mask.hidden.reshape(8, -1)
    wanted = codes.argmin(-1)
    assert len(wanted.unique()) > 4
    for row, place in zip(*cells.nonzero(), strict=True):
        total.append(-said[row, place, wanted[row, place]])
    found = made.parts()
    assert found.total.item() == pytest.approx(torch.stack(total).mean().item(), rel=1e-5)
    right = (said.argmax(-1) == wanted)[torch.from_numpy(cells.copy())].float().mean()
    assert found.parts["accuracy"].item() == pytest.approx(right.item())


def test_beit_with_codes_of_features_trains_and_draws_nothing() -> None:
    made = ready('beit(codes=16, coded="features")')
    made.loss().backward()
    assert made.model.head.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in made.model.teacher.parameters())
    assert made.objective.picture(made.model, made.batch, made.mask) == {}


@torch.no_grad()
def test_eva_compares_with_the_teacher_at_the_hidden_patch_itself() -> None:
    made = ready("eva()")
    said = made.objective.predictions(made.model, made.batch, made.mask)
    whole, errors = made.model.teacher.features(made.batch.images), []
    for row, place in zip(*made.mask.hidden.reshape(8, -1).nonzero(), strict=True):
        one, other = said[row, place], whole[row, place]
        errors.append(2 - 2 * one @ other / one.norm() / other.norm())
    assert made.loss().item() == pytest.approx(torch.stack(errors).mean().item(), rel=1e-5)


@torch.no_grad()
def test_cae_tells_codes_of_the_hidden_patches_and_weighs_latents_twice() -> None:
    made = ready("cae(codes=16)")
    model, (visible, hidden), patches = made.model, places_of(made), patches_of(made)
    flat = (at(patches, hidden) - model.codebook.mean) / model.codebook.spread
    wanted = torch.cdist(flat, model.codebook.centres.expand(8, -1, -1)).argmin(-1)
    latent = model.regressed(patches, visible, hidden)
    said = model.decoded(latent, hidden)
    codes = F.cross_entropy(said.flatten(0, 1), wanted.flatten()).item()
    align = (latent - model.encoder(patches, hidden)[:, 1:]).square().mean().item()
    found = made.parts()
    assert found.parts["codes"].item() == pytest.approx(codes, rel=1e-5)
    assert found.parts["align"].item() == pytest.approx(align, rel=1e-5)
    assert found.total.item() == pytest.approx(codes + 2 * align, rel=1e-5)


@torch.no_grad()
def test_maskalign_mixes_blocks_in_order_and_pairs_the_last_with_the_last() -> None:
    made = ready("maskalign(layers=2)", depth=3)
    model, (visible, _) = made.model, places_of(made)
    weights = torch.tensor([[0.01, 1.01, 0.01], [0.01, 0.01, 1.01]])
    assert torch.allclose(model.mixture, weights)
    states = model.encoder.states(model.encoder.embed(patches_of(made), visible))
    teacher, total = model.teacher.states(made.batch.images)[-2:], 0.0
    for i in range(2):
        mixed = sum(weights[i, b] * states[b] for b in range(3))
        last = torch.cat([teacher[i][:, :1], at(teacher[i][:, 1:], visible)], 1)
        error = F.smooth_l1_loss(model.heads[i](mixed), F.layer_norm(last, (192,)))
        total += 2 * error.item() / 2
    assert made.loss().item() == pytest.approx(total, rel=1e-5)


@torch.no_grad()
def test_spark_wants_the_hidden_cell_itself_normalised() -> None:
    made = ready("spark()", "random(ratio=0.5)", size=32, patch=8)
    rows, cols = made.shape.rows, made.shape.cols
    pictures, keep = normalise(made.batch.images), torch.from_numpy(~made.mask.hidden)[:, None]
    said, errors = made.model(pictures, keep), []
    for b, row, col in zip(*made.mask.hidden.nonzero(), strict=True):
        here = (b, slice(None), slice(8 * row, 8 * row + 8), slice(8 * col, 8 * col + 8))
        cell = pictures[here]
        wanted = (cell - cell.mean()) / (cell.var() + 1e-6).sqrt()
        errors.append((said[here] - wanted).square().mean())
    assert (rows, cols) == (4, 4)
    assert made.loss().item() == pytest.approx(torch.stack(errors).mean().item(), rel=1e-4)


@pytest.mark.parametrize(
    ("recipe", "lent"),
    [
        ("mae()", True), ("hpm()", True), ("croco()", True), ("videomae()", True),
        ("spark()", True), ("mae(norm_pix=False)", False), ("simmim()", False),
        ("multimae()", False),
    ],
)  # fmt: skip
def test_pictures_that_borrow_the_true_mean_say_so(recipe: str, lent: bool) -> None:
    assert ("not predicted" in OBJECTIVES.parse(recipe).picture_note) is lent

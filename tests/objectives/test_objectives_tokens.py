"""Cards of the objectives with mask tokens: SimMIM, BEiT, EVA, data2vec, hand-made targets."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.objectives.subject import ready
from workbench.masks import Mask
from workbench.models import load_encoder
from workbench.models.codebook import Codebook
from workbench.models.patches import normalise, patchify, unpatchify
from workbench.models.teachers import Teacher
from workbench.objectives import OBJECTIVES
from workbench.objectives.targets import TARGETS


def hidden_everywhere(mask: Mask) -> Mask:
    return Mask(np.ones_like(mask.hidden), mask.grid)


def test_simmim_is_the_official_formula_and_its_head_has_the_stated_size() -> None:
    made = ready("simmim()", "random(ratio=0.5)")
    model, patch, dim = made.model, made.shape.patch, made.shape.dim
    assert sum(p.numel() for p in model.head.parameters()) == (dim + 1) * patch**2 * 3
    pictures, said = normalise(made.batch.images), model(*inputs(made))
    pixels = torch.from_numpy(made.mask.to_pixels())[:, None].float()
    shape = (made.shape.rows, made.shape.cols, patch)
    error = (pictures - unpatchify(said, *shape)).abs() * pixels
    assert made.loss().item() == pytest.approx((error.sum() / pixels.sum() / 3).item(), rel=1e-5)


def inputs(made) -> tuple[torch.Tensor, torch.Tensor]:
    patches = patchify(normalise(made.batch.images), made.shape.patch)
    return patches, torch.from_numpy(made.mask.hidden.reshape(len(patches), -1).copy())


def test_a_picture_hidden_whole_gives_one_embedding_at_every_place() -> None:
    made = ready("simmim()")
    made.mask = hidden_everywhere(made.mask)
    with torch.no_grad():
        x = made.model.embedded(*inputs(made))[:, 1:] - made.model.encoder.pos_embed[:, 1:]
    assert torch.allclose(x, made.model.mask_token.expand_as(x), atol=1e-6)


@pytest.mark.parametrize("name", ["simmim", "beit", "eva", "data2vec", "maskfeat"])
def test_the_loss_stands_at_hidden_patches_alone(name: str) -> None:
    """A gradient reaches what is said of hidden patches and nothing else.

    SimMIM asks for hidden patches alone where every picture hides as many.
    """
    free = "bernoulli_blocks(ratio=0.5)"
    made = ready(f"{name}()", free if name == "simmim" else "random(ratio=0.5)")
    kept = []
    made.model.head.register_forward_hook(
        lambda module, args, out: (out.retain_grad(), kept.append(out))[0]
    )
    made.loss().backward()
    reached = kept[0].grad.abs().sum(-1) > 0
    prefix = reached.shape[1] - made.shape.tokens
    assert torch.equal(reached[:, prefix:], inputs(made)[1])


def test_codes_are_those_of_an_independent_k_means() -> None:
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 3)) * 10
    truth = rng.integers(0, 5, 400)
    vectors = torch.tensor(centres[truth] + rng.normal(size=(400, 3)) * 0.1).float()
    book = Codebook(8, 3)
    book.fit(vectors, seed=0, rounds=20)
    codes = book.codes(vectors)
    inertia = (vectors - book.vectors(codes)).square().sum()
    spread = (vectors - vectors.mean(0)).square().sum()
    assert inertia < 0.2 * spread and adjusted_rand_score(truth, codes.numpy()) > 0.6
    again = Codebook(8, 3)
    again.fit(vectors, seed=0, rounds=20)
    assert torch.equal(again.centres, book.centres)


def test_beit_wants_the_nearest_code_of_the_whole_patch() -> None:
    made = ready("beit(codes=16)")
    book, patches = made.model.codebook, inputs(made)[0]
    flat = (patches.flatten(0, 1) - book.mean) / book.spread
    nearest = torch.cdist(flat, book.centres).argmin(1).view(patches.shape[:2])
    assert torch.equal(nearest, book.codes(patches)) and len(nearest.unique()) > 4


def test_eva_lies_in_0_to_4_and_ignores_the_length_of_features() -> None:
    made = ready("eva()")
    first = made.loss().item()
    assert 0 <= first <= 4
    with torch.no_grad():
        made.model.head.weight *= 7
        made.model.head.bias *= 7
    assert made.loss().item() == pytest.approx(first, rel=1e-5)
    teacher = made.model.teacher
    wanted = teacher.features(made.batch.images)
    teacher.features = lambda images: wanted * 3
    assert made.loss().item() == pytest.approx(first, rel=1e-5)
    teacher.features = lambda images: torch.zeros_like(wanted)
    assert made.loss().item() == pytest.approx(2)


def test_a_teacher_sees_whole_pictures_normalised_its_own_way() -> None:
    encoder = load_encoder("default").float()
    rows, cols = encoder.shape.rows, encoder.shape.cols
    teacher = Teacher("default", rows, cols).train()
    assert not teacher.training and not any(p.requires_grad for p in teacher.parameters())
    images = torch.rand(2, 3, *(12 * 12,) * 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        known = encoder(patchify(normalise(images), 12))[:, 1:]
    assert torch.allclose(teacher.features(images), known, atol=1e-4)
    with torch.no_grad():
        teacher.mean.fill_(0.3)
    assert not torch.allclose(teacher.features(images), known, atol=1e-2)
    assert Teacher("default", 4, 5).features(images[:, :, :8, :10]).shape == (2, 20, 192)


def test_a_teacher_asked_for_its_attention_has_its_states_at_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    teacher = Teacher("default", 4, 4)
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    alone, maps = teacher.states(images), []
    with torch.no_grad():
        teacher.encoder(teacher.patches(images), None, maps)
    attention = teacher.attention(images)
    assert torch.allclose(attention, maps[-1][:, :, :1, 1:].mean((1, 2)), atol=1e-5)
    seen = []
    monkeypatch.setattr(teacher, "patches", lambda x: seen.append(x) or Teacher.patches(teacher, x))
    kept = teacher.states(images)
    assert not seen and len(kept) == len(alone)
    assert all(map(torch.equal, kept, alone))
    # neither a second time, nor for other pictures, nor for a part of these
    assert torch.equal(teacher.states(images, 2)[1], alone[1]) and len(seen) == 1
    teacher.attention(images)
    other = teacher.states(images.clone().flip(3))
    assert len(seen) == 3 and not torch.allclose(other[-1], alone[-1], atol=1e-3)
    teacher.attention(images)
    assert teacher.states(images, visible=torch.zeros(2, 3, dtype=torch.int64))[0].shape[1] == 4


def test_data2vec_learns_from_the_whole_picture_through_a_detached_average() -> None:
    made = ready("data2vec(layers=1)")
    target = made.objective.target(made.model.teacher, made.batch.images)
    assert not target.requires_grad
    with torch.no_grad():
        whole = made.model.encoder.states(made.model.encoder.embed(inputs(made)[0]))[-1][:, 1:]
    known = F.layer_norm(F.layer_norm(whole, whole.shape[-1:]), whole.shape[-1:])
    assert torch.allclose(target, known, atol=1e-5)  # at first the average is the model itself


def test_data2vec_averages_normalised_blocks_and_is_smooth_l1_of_them() -> None:
    made = ready("data2vec(layers=2, beta=0.7)", depth=3)

    def normal(x: torch.Tensor) -> torch.Tensor:
        apart = x - x.mean(-1, keepdim=True)
        return apart / (apart.square().mean(-1, keepdim=True) + 1e-5).sqrt()

    encoder, (patches, hidden) = made.model.encoder, inputs(made)
    with torch.no_grad():
        for i, block in enumerate(encoder.blocks):  # blocks that differ in scale, too
            block.mlp.fc2.weight *= 3.0**i
        made.model.teacher.load_state_dict(encoder.state_dict())
        x, blocks = encoder.embed(patches), []
        for block in encoder.blocks:
            x = block(x)
            blocks.append(x[:, 1:])
        known = normal((normal(blocks[1]) + normal(blocks[2])) / 2)
        found = made.objective.target(made.model.teacher, made.batch.images)
        assert torch.allclose(found, known, atol=1e-4)
        assert not torch.allclose(found, normal(blocks[2]), atol=0.1)
        d = (made.model(patches, hidden) - known).abs()
        error = torch.where(d < 0.7, d.square() / 1.4, d - 0.35).mean(-1)
        assert (d > 0.7).any() and (d < 0.7).any()
    assert made.loss().item() == pytest.approx(error[hidden].mean().item(), rel=1e-4)


def test_maskfeat_is_the_squared_error_of_hidden_patches_pixel_by_pixel() -> None:
    made = ready('maskfeat(target="gray()")', "bernoulli_blocks(ratio=0.5)")
    patches, hidden = inputs(made)
    assert len(set(hidden.sum(1).tolist())) > 1  # every patch counts the same, not every picture
    with torch.no_grad():
        said = made.model(patches, hidden).numpy()
    images, patch, errors = made.batch.images.numpy(), made.shape.patch, []
    for row, where in zip(*np.nonzero(made.mask.hidden.reshape(8, -1)), strict=True):
        top, left = patch * (where // made.shape.cols), patch * (where % made.shape.cols)
        cut = images[row, :, top : top + patch, left : left + patch]
        grey = (2 * (0.299 * cut[0] + 0.587 * cut[1] + 0.114 * cut[2]) - 1).ravel()
        errors.append(np.square(said[row, where] - grey).mean())
    assert made.loss().item() == pytest.approx(np.mean(errors), rel=1e-4)


def pictures(seed: int = 0) -> torch.Tensor:
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(seed)) * 0.5 + 0.2


@pytest.mark.parametrize("name", TARGETS.names())
@pytest.mark.parametrize("patch", [4, 8, 16])
def test_a_target_has_the_width_of_its_head(name: str, patch: int) -> None:
    target = TARGETS.parse(name)
    said = target(pictures(), patch)
    assert said.shape == (2, 32 * 48 // patch**2, target.width(patch))
    assert torch.isfinite(said).all() and said.std() > 0
    assert str(target) in str(OBJECTIVES.parse(f'maskfeat(target="{name}()")').target)


def test_hog_ignores_brightness_and_contrast_and_finds_a_direction() -> None:
    hog = TARGETS.parse("hog()")
    assert TARGETS.parse("hog()").width(16) == 108  # 9 bins, 2 x 2 cells, 3 colours
    whole = pictures()
    assert torch.allclose(hog(whole, 16), hog(whole + 0.2, 16), atol=1e-3)
    assert torch.allclose(hog(whole, 16), hog(0.6 * whole, 16), atol=1e-3)
    flat = torch.full((1, 3, 16, 16), 0.3)
    assert hog(flat, 16).abs().max() == 0
    slope = torch.linspace(0, 1, 16)
    across = slope.expand(1, 3, 16, 16)
    for picture, bin in ((across, 0), (across.transpose(2, 3), 4)):
        cells = hog(picture.contiguous(), 16).view(-1, 2, 2, 3, 9)
        assert (cells.argmax(-1) == bin).all()


def test_other_targets_are_what_they_are_called() -> None:
    whole = pictures()
    edges = TARGETS.parse("edges()")
    assert torch.allclose(edges(whole + 0.1, 8), edges(whole, 8), atol=1e-5)
    grey = whole.mean(1, keepdim=True).expand_as(whole)
    assert torch.allclose(
        TARGETS.parse("gray()")(grey, 8), 2 * patchify(grey[:, :1], 8) - 1, atol=1e-5
    )
    everything = TARGETS.parse("low_pass(cut=0.75)")(whole, 8)
    assert torch.allclose(everything, patchify(normalise(whole), 8), atol=1e-5)
    mean = TARGETS.parse("low_pass(cut=0)")(whole, 8).view(2, 24, 64, 3)
    assert torch.allclose(
        mean, normalise(whole).mean((2, 3))[:, None, None].expand_as(mean), atol=1e-5
    )


@pytest.mark.parametrize("name", TARGETS.names())
def test_targets_are_the_same_float32_under_autocast(name: str) -> None:
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    target = TARGETS.parse(name)
    with torch.autocast("cpu", torch.bfloat16):
        found = target(images, 8)
    assert found.dtype == torch.float32 and torch.equal(found, target(images, 8))


def test_masks_of_unequal_counts_are_welcome() -> None:
    made = ready("simmim()", "bernoulli_blocks(ratio=0.5)")
    assert len(set(made.mask.counts.tolist())) > 1 and torch.isfinite(made.loss())
    visible = replace(made, mask=Mask(np.zeros_like(made.mask.hidden), made.mask.grid))
    visible.model = copy.deepcopy(made.model)
    assert visible.loss().item() == 0

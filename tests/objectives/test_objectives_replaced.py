"""Cards of ELECTRA on patches and of CRATE-MAE."""

import math

import pytest
import torch

from tests.objectives.subject import Ready, ready
from workbench.models.crate import Ista, SubspaceAttention, coding_rate
from workbench.models.patches import normalise, patchify
from workbench.objectives import EncoderShape
from workbench.objectives.crate_mae import CrateMae
from workbench.objectives.electra import drawn
from workbench.objectives.mae import Mae


def patches_of(made: Ready) -> torch.Tensor:
    return patchify(normalise(made.batch.images), made.shape.patch)


def test_a_right_guess_is_original_and_a_wrong_one_has_the_code_it_was_guessed_to_have() -> None:
    made = ready("electra(codes=8)")
    model, patches = made.model, patches_of(made)
    true = model.codebook.codes(patches)
    hidden = torch.from_numpy(made.mask.hidden.reshape(8, -1).copy())
    same, none = model.corrupted(patches, true, true, hidden)
    assert torch.equal(same, patches) and not none.any()
    guessed = (true + 1) % 8
    shown, replaced = model.corrupted(patches, true, guessed, hidden)
    assert torch.equal(replaced, hidden) and torch.equal(shown[~hidden], patches[~hidden])
    there = torch.isin(guessed, true) & hidden
    assert there.sum() > 10 and torch.equal(model.codebook.codes(shown)[there], guessed[there])
    known = {tuple(each) for each in patches.flatten(0, 1).tolist()}
    assert all(tuple(each) in known for each in shown[there].tolist())  # real patches, no centres


def test_the_verdict_is_asked_of_every_patch_and_the_generator_of_hidden_ones() -> None:
    made = ready("electra(codes=16)")
    kept = []

    def keep(module: object, args: object, out: torch.Tensor) -> torch.Tensor:
        out.retain_grad()
        kept.append(out)
        return out

    made.model.generator.head.register_forward_hook(keep)
    made.model.head.register_forward_hook(keep)
    made.loss().backward()
    hidden = torch.from_numpy(made.mask.hidden.reshape(8, -1).copy())
    reached = kept[0].grad.abs().sum(-1) > 0
    assert torch.equal(reached[:, -16:], hidden)
    assert (kept[1].grad.abs() > 0).all() and kept[1].shape == (8, 16, 1)


def test_no_gradient_goes_through_the_draw() -> None:
    made = ready("electra(codes=16)")
    torch.manual_seed(5)
    parts = made.objective.loss(made.model, made.batch, made.mask, 0, 0.5).parts
    generator = list(made.model.generator.parameters())
    assert all(
        each is None
        for each in torch.autograd.grad(
            parts["detector"], generator, allow_unused=True, retain_graph=True
        )
    )
    total = parts["generator"] + 50 * parts["detector"]
    assert total.item() == pytest.approx(made.loss().item(), rel=1e-5)


def test_codes_that_no_patch_has_are_never_put_in() -> None:
    made = ready("electra()")  # 512 codes, but 128 patches
    model, patches = made.model, patches_of(made)
    used = model.codebook.used()
    assert torch.equal(used.nonzero()[:, 0], model.codebook.codes(patches).unique())
    with torch.no_grad():
        model.generator.head.bias[~used] = 20.0  # a generator that would say nothing else
    read = []
    model.encoder.patch_embed.register_forward_pre_hook(lambda module, args: read.append(args[0]))
    assert torch.isfinite(made.loss()) and made.parts().parts["replaced"] > 0.2
    assert all(torch.isin(each, patches).all() for each in read)
    seen = made.objective.picture(model, made.batch, made.mask)["seen"]
    assert torch.isin(seen, made.batch.images.clamp(0, 1)).float().mean() > 0.5


def test_codes_are_drawn_as_often_as_they_are_likely() -> None:
    torch.manual_seed(0)
    odds = torch.tensor([0.6, 0.3, 0.1])
    share = torch.bincount(drawn(odds.log().expand(1, 20_000, 3))[0]) / 20_000
    assert (share - odds).abs().max() < 4 * math.sqrt(0.25 / 20_000)


def test_the_sparse_step_is_the_formula() -> None:
    torch.manual_seed(0)
    step = Ista(6)
    z, d = torch.randn(1, 1, 6), step.dictionary.detach()
    x = z[0, 0]
    known = (x + 0.1 * (d.T @ x - d.T @ d @ x) - 0.1 * 0.1).clamp(min=0)
    assert torch.allclose(step(z)[0, 0], known, atol=1e-6) and (step(z) >= 0).all()
    with torch.no_grad():
        step.dictionary.copy_(torch.eye(6))
    assert torch.allclose(step(z), (z - 0.01).clamp(min=0), atol=1e-6)


def test_attention_of_crate_has_one_projection() -> None:
    torch.manual_seed(0)
    attention = SubspaceAttention(8, 2)
    assert attention.qkv.weight.shape == (8, 8) and attention.qkv.bias is None
    x = torch.randn(2, 5, 8)
    w = (x @ attention.qkv.weight.T).view(2, 5, 2, 4).transpose(1, 2)
    known = ((w @ w.transpose(2, 3)) / 2).softmax(-1) @ w
    known = attention.proj(known.transpose(1, 2).reshape(2, 5, 8))
    assert torch.allclose(attention(x), known, atol=1e-6)
    assert torch.allclose(attention(x, 2), known[:, -2:], atol=1e-6)


def test_crate_has_less_than_a_third_of_the_weights_of_mae() -> None:
    shape = EncoderShape(rows=14, cols=14, patch=16, dim=384, depth=12, heads=6, hidden=1536)
    count = [
        sum(p.numel() for p in made.build(shape, 0).encoder.blocks.parameters())
        for made in (CrateMae(), Mae())
    ]
    assert 0.2 < count[0] / count[1] < 0.33


def test_the_coding_rate_is_that_of_its_singular_values() -> None:
    torch.manual_seed(0)
    attention, tokens = SubspaceAttention(8, 2), torch.randn(3, 20, 8)
    unit = torch.nn.functional.normalize(tokens, dim=-1)
    known = torch.zeros(3)
    for head in range(2):
        part = unit @ attention.qkv.weight[4 * head : 4 * head + 4].T
        known += (1 + torch.linalg.svdvals(part).square() * 4 / (20 * 0.25)).log().sum(1) / 2
    assert torch.allclose(coding_rate(tokens, attention), known, atol=1e-4)
    same = tokens[:, :1].expand(-1, 20, -1)
    assert (coding_rate(same, attention) < coding_rate(tokens, attention)).all()


def zeros_and_rates(made: Ready) -> tuple[list[float], list[float]]:
    """Share of zeros behind every block of the encoder, and the coding rate before it."""
    x, zeros, rates = made.model.encoder.embed(patches_of(made)), [], []
    with torch.no_grad():
        for block in made.model.encoder.blocks:
            rates.append(coding_rate(block.norm1(x), block.attn).mean().item())
            x = block(x)
            zeros.append((x == 0).float().mean().item())
    return zeros, rates


@pytest.mark.parametrize("seed", [0, 1])
def test_crate_learns_to_be_sparse_and_to_compress_with_depth(seed: int) -> None:
    """Half of a fresh model's numbers are 0, too, and its rates fall a little: training adds."""
    made = ready("crate_mae()", depth=4, seed=seed)
    zeros_before, before = zeros_and_rates(made)
    optimiser = torch.optim.AdamW(made.model.parameters(), lr=2e-3)
    for _ in range(30):
        made.loss().backward()
        optimiser.step()
        optimiser.zero_grad()
    zeros, rates = zeros_and_rates(made)
    assert sum(zeros) > sum(zeros_before) + 0.08, (zeros_before, zeros)
    assert rates[-1] < 0.8 * rates[0] and before[-1] > 0.85 * before[0], (before, rates)

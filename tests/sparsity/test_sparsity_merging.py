"""Merging: vectors add up, learnt scales beat plain sums, transport undoes a shuffle."""

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from workbench.errors import BadInput
from workbench.sparsity.feature_gates import feature_gates
from workbench.sparsity.merging import TaskVector, add_vectors, concrete_mask, fuse, scale_blocks
from workbench.sparsity.merging.concrete import ConcreteMask, drawn, masked
from workbench.sparsity.merging.transport import costs, solve


def network(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def trained(base, x, y, steps=80):
    net = network(0)
    net.load_state_dict(base)
    learner = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(steps):
        learner.zero_grad()
        F.cross_entropy(net(x), y).backward()
        learner.step()
    return {name: each.detach() for name, each in net.state_dict().items()}


@pytest.fixture(scope="module")
def tasks():
    """Two tasks on other inputs, and what training on each makes of one base."""
    draw = torch.Generator().manual_seed(0)
    base = {name: each.clone() for name, each in network(0).state_dict().items()}
    rule = torch.randn(8, 4, generator=draw)
    data, tuned = [], []
    for half in (slice(0, 4), slice(4, 8)):
        x = torch.zeros(400, 8)
        x[:, half] = torch.randn(400, 4, generator=draw)
        data.append((x, (x @ rule).argmax(1)))
        tuned.append(trained(base, *data[-1]))
    vectors = [TaskVector.between(base, each) for each in tuned]
    return base, data, tuned, vectors


def accuracy(state, data):
    with torch.no_grad():
        hits = [
            (torch.func.functional_call(network(0), state, (x,)).argmax(1) == y).float().mean()
            for x, y in data
        ]
    return [float(each) for each in hits]


def test_a_vector_adds_back_to_its_network(tasks):
    base, _, tuned, vectors = tasks
    back = add_vectors(base, vectors[:1], 1.0)
    assert all(torch.allclose(back[name], tuned[0][name], atol=1e-7) for name in base)
    gone = add_vectors(add_vectors(base, vectors[:1], 1.0), vectors[:1], -1.0)
    assert all(torch.allclose(gone[name], base[name], atol=1e-6) for name in base)
    with pytest.raises(BadInput, match=r"2\.weight is .*one architecture"):
        TaskVector.between(base, {**base, "2.weight": torch.zeros(5, 16)})


def test_scales_of_one_are_the_tuned_network_and_learnt_ones_beat_task_arithmetic(tasks):
    base, data, tuned, vectors = tasks
    seen = []
    pairs = (torch.cat([x[:40] for x, _ in data]), torch.cat([y[:40] for _, y in data]))
    scales = scale_blocks(network(0), base, vectors, lambda _: pairs, steps=60, watch=seen.append)
    assert scales.values.shape == (2, 4) and seen[-1].loss < seen[0].loss
    ones = type(scales)(torch.tensor([[1.0] * 4, [0.0] * 4]), scales.names)
    back = ones.applied(base, vectors)
    assert all(torch.allclose(back[name], tuned[0][name], atol=1e-7) for name in base)
    zero = type(scales)(torch.zeros(2, 4), scales.names).applied(base, vectors)
    assert all(torch.equal(zero[name], base[name]) for name in base)
    learnt = sum(accuracy(scales.applied(base, vectors), data))
    assert learnt > sum(accuracy(add_vectors(base, vectors, 0.3), data))


def test_a_concrete_mask_keeps_the_mean_and_becomes_task_arithmetic(tasks):
    base, data, _, vectors = tasks
    wide = {name: torch.full_like(each, 50.0) for name, each in vectors[0].change.items()}
    merged = ConcreteMask(wide).applied(base, vectors, 0.3)
    plain = add_vectors(base, vectors, 0.3)
    assert all(torch.allclose(merged[name], plain[name], atol=1e-6) for name in base)
    noise, name = torch.Generator().manual_seed(0), "2.weight"
    zero = {key: torch.zeros_like(each) for key, each in vectors[0].change.items()}
    draws = [masked(vectors[0], drawn(zero, noise)).change[name] for _ in range(3000)]
    wanted = vectors[0].change[name]
    assert float((torch.stack(draws).mean(0) - wanted).norm() / wanted.norm()) < 0.05
    pairs = (torch.cat([x[:40] for x, _ in data]), None)
    seen = []
    mask = concrete_mask(network(0), base, vectors, lambda _: pairs, steps=60, watch=seen.append)
    assert seen[-1].loss < seen[0].loss and 0 < mask.masks().ratio < 1


def vit():
    return timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=8, depth=2, embed_dim=24, num_heads=3,
        num_classes=5,
    ).eval()  # fmt: skip


def shuffled(model):
    """The same function with other places for the stream, heads, numbers in heads, hidden units."""
    draw = torch.Generator().manual_seed(5)
    state = {name: each.clone() for name, each in model.state_dict().items()}
    p = torch.randperm(24, generator=draw)
    for name in state:
        if name == "patch_embed.proj.weight":
            state[name] = state[name][p]
        elif name not in ("head.bias",) and not any(
            part in name for part in ("qkv.bias", "fc1.bias")
        ):
            state[name] = state[name][..., p] if "fc2.weight" not in name and (
                "proj.weight" not in name
            ) else state[name][p]  # fmt: skip
    for i in range(2):
        at = f"blocks.{i}"
        h = torch.randperm(96, generator=draw)
        state[f"{at}.mlp.fc1.weight"] = state[f"{at}.mlp.fc1.weight"][h]
        state[f"{at}.mlp.fc1.bias"] = state[f"{at}.mlp.fc1.bias"][h]
        state[f"{at}.mlp.fc2.weight"] = state[f"{at}.mlp.fc2.weight"][:, h]
        heads = torch.randperm(3, generator=draw)
        asking, values = (
            torch.stack([torch.randperm(8, generator=draw) for _ in range(3)]) for _ in range(2)
        )
        places = torch.arange(24).reshape(3, 8)
        ask = torch.cat([places[j][asking[j]] for j in heads.tolist()])
        say = torch.cat([places[j][values[j]] for j in heads.tolist()])
        for kind in ("weight", "bias"):
            q, k, v = state[f"{at}.attn.qkv.{kind}"].chunk(3)
            state[f"{at}.attn.qkv.{kind}"] = torch.cat([q[ask], k[ask], v[say]])
        state[f"{at}.attn.proj.weight"] = state[f"{at}.attn.proj.weight"][:, say]
    made = vit()
    made.load_state_dict(state)
    return made


def test_transport_undoes_a_shuffle_where_averaging_does_not():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        a = vit()
        for each in a.parameters():
            nn.init.normal_(each, std=0.15)
        x = torch.randn(16, 3, 32, 32)
    b = shuffled(a)
    with torch.no_grad():
        wanted = a(x)
        assert torch.allclose(b(x), wanted, atol=1e-5)
        fused = torch.func.functional_call(a, fuse(a, b, x), (x,))
        carried = torch.func.functional_call(a, fuse(a, b, x, share=1.0), (x,))
        mean = {n: (w + b.state_dict()[n]) / 2 for n, w in a.state_dict().items()}
        averaged = torch.func.functional_call(a, mean, (x,))
    assert torch.allclose(fused, wanted, atol=1e-5) and torch.allclose(carried, wanted, atol=1e-5)
    assert float((averaged - wanted).abs().mean()) > 0.1 * float(wanted.abs().mean())
    soft = fuse(a, b, x, solver="sinkhorn", reg=0.01)
    with torch.no_grad():
        gap = torch.func.functional_call(a, soft, (x,)) - wanted
    assert float(gap.abs().mean()) < 0.25 * float((averaged - wanted).abs().mean())


def test_transport_between_unequal_widths_keeps_both_margins():
    draw = torch.Generator().manual_seed(0)
    cost = costs(torch.randn(50, 6, generator=draw), torch.randn(50, 9, generator=draw))
    found = solve(cost, "sinkhorn", 0.08)
    assert found.plan.sum(0).tolist() == pytest.approx([1 / 6] * 6, abs=1e-6)
    assert found.plan.sum(1).tolist() == pytest.approx([1 / 9] * 9, abs=1e-4)
    with pytest.raises(BadInput, match="equal widths"):
        solve(cost, "assignment", 0.08)
    with pytest.raises(BadInput, match="choose assignment or sinkhorn"):
        solve(cost, "best", 0.08)


def test_fusion_says_what_it_needs():
    with pytest.raises(BadInput, match="plain vision transformers"):
        fuse(network(0), network(1), torch.zeros(2, 8))


def test_gates_open_where_a_pair_agrees():
    draw = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 40, 24, generator=draw)
    first[:, :4] += 4.0
    second[:, :4] += 4.0  # alike here
    first[:, 4:12] += 4.0
    second[:, 4:12] -= 4.0  # as unlike as can be here
    others = 2 * torch.randn(200, 24, generator=draw)
    found = feature_gates(first, second, others)
    assert sorted(found.chosen()[:4]) == [0, 1, 2, 3]
    assert not set(found.chosen()) & set(range(4, 12))
    assert found.after[0] > 0.8 > 0 > found.before[0]
    with pytest.raises(BadInput, match="three groups"):
        feature_gates(first, second[:0], others)

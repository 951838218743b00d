"""Weight masks: exact counts, the library's own baselines, learnt masks beside brute force."""

from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune

from workbench.errors import BadInput
from workbench.models.transformer import ViT, ViTShape
from workbench.sparsity import SPARSIFIERS, Task, WeightMasks, hiding, maskable
from workbench.sparsity.gates import divergence
from workbench.sparsity.groups import grouped, spread
from workbench.sparsity.mask_tuning import agreeing

SHAPE = ViTShape(rows=3, cols=4, patch=4, dim=24, depth=2, heads=3, hidden=48)


class Classifier(nn.Module):
    """A small ViT of ours with a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ViT(SHAPE)
        self.head = nn.Linear(24, 3)

    def forward(self, x):
        return self.head(self.encoder(x)[:, 0])


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = Classifier()
        for each in made.parameters():
            nn.init.normal_(each, std=0.1)
    return made


@pytest.fixture
def task():
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(4, 8, 12, 48, generator=draw)
    y = torch.randint(0, 3, (4, 8), generator=draw)
    return Task(lambda step: (x[step % 4], y[step % 4]))


QUICK = {
    "mask_llm": "mask_llm(steps=3)",
    "mask_tuning": "mask_tuning(steps=3)",
    "vib_gates": "vib_gates(steps=3)",
    "gradient": "gradient(batches=2)",
}


@pytest.mark.parametrize("name", SPARSIFIERS.names())
def test_every_choice_repeats_and_leaves_the_network_alone(name, model, task):
    member = SPARSIFIERS.parse(QUICK.get(name, name))
    assert SPARSIFIERS.parse(str(member)) == member
    before = {key: value.clone() for key, value in model.state_dict().items()}
    steps = []
    masks = member.choose(model, task, seed=3, watch=steps.append)
    again = member.choose(model, task, seed=3)
    assert masks.recipe == str(member)
    assert all(torch.equal(bits, again.hidden[key]) for key, bits in masks.hidden.items())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert set(masks.hidden) <= set(maskable(model))
    assert "head.weight" not in masks.hidden and not any("patch" in key for key in masks.hidden)
    assert bool(steps) == member.learns
    if member.learns:
        with pytest.raises(BadInput, match="give it a task"):
            member.choose(model)


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 1.0])
def test_magnitude_is_torchs_own_pruning(ratio, model):
    masks = SPARSIFIERS.parse(f"magnitude(ratio={ratio})").choose(model)
    for name, bits in masks.hidden.items():
        layer = model.get_submodule(name.removesuffix(".weight"))
        assert int(bits.sum()) == int(ratio * bits.numel() + 0.5)
        prune.l1_unstructured(layer, "weight", amount=int(bits.sum()))
        assert torch.equal(layer.weight_mask == 0, bits)
    together = SPARSIFIERS.parse(f"magnitude(ratio={ratio}, together=True)").choose(model)
    assert together.count == int(ratio * together.total + 0.5)


def test_rows_are_torchs_structured_pruning(model):
    masks = SPARSIFIERS.parse("rows(ratio=0.25)").choose(model)
    for name, bits in masks.hidden.items():
        layer = model.get_submodule(name.removesuffix(".weight"))
        prune.ln_structured(layer, "weight", amount=0.25, n=2, dim=0)
        assert torch.equal(layer.weight_mask == 0, bits)


def test_random_takes_every_weight_equally_often(model):
    masks = [SPARSIFIERS.parse("random(ratio=0.25)").choose(model, seed=s) for s in range(200)]
    name = next(iter(masks[0].hidden))
    often = torch.stack([each.hidden[name].float() for each in masks]).mean(0)
    assert abs(float(often.mean()) - 0.25) < 1e-6
    assert float((often - 0.25).abs().max()) < 6 * (0.25 * 0.75 / 200) ** 0.5


def test_gradient_is_weight_times_slope_and_finds_what_does_nothing():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 1, bias=False))
    x = torch.randn(64, 6)
    x[:, 3:] = 0  # inputs that are never there: their weights change nothing, whatever their size
    y = torch.randn(64, 1)
    masks = SPARSIFIERS.parse("gradient(ratio=0.5, batches=1)").choose(
        net, Task(lambda step: (x, y), F.mse_loss)
    )
    assert masks.hidden["0.weight"][0].tolist() == [False] * 3 + [True] * 3


@pytest.mark.parametrize("name", ["n_m", "n_m(keep=1, group=8)", "n_m(keep=1, group=2)"])
def test_every_group_keeps_exactly_n(name, model):
    member = SPARSIFIERS.parse(name)
    masks = member.choose(model)
    for key, bits in masks.hidden.items():
        groups = (~bits).reshape(-1, member.group)
        assert set(groups.sum(1).tolist()) == {member.keep}
        weights = maskable(model)[key].detach().abs().reshape(-1, member.group)
        kept, gone = weights.masked_fill(~groups, torch.inf), weights.masked_fill(groups, -1)
        assert (kept.amin(1) >= gone.amax(1)).all()


def test_groups_of_a_convolution_run_along_its_channels():
    weight = torch.arange(2 * 8 * 3 * 3.0).reshape(2, 8, 3, 3)
    groups = grouped({"w": weight}, 4)["w"]
    assert groups[0].tolist() == weight[0, :4, 0, 0].tolist()
    assert torch.equal(spread(groups, weight.shape), weight)


def brute_force(x, y, weight, loss):
    """The best two of four weights, by trying all six."""
    tried = {}
    for kept in combinations(range(4), 2):
        bits = torch.tensor([float(at in kept) for at in range(4)])
        tried[kept] = float(loss(x @ (weight * bits).T, y))
    return tried


def test_mask_llm_finds_the_pattern_of_brute_force():
    right, beaten = 0, 0
    for seed in range(8):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            net = nn.Sequential(nn.Linear(4, 1, bias=False))
            x = torch.randn(256, 4) @ torch.randn(4, 4)  # inputs that hang together
        weight = net[0].weight.detach()
        y = x @ weight.T
        tried = brute_force(x, y, weight, F.mse_loss)
        best = min(tried, key=tried.__getitem__)
        batches = Task(lambda step, x=x, y=y: (x, y), F.mse_loss)
        found = SPARSIFIERS.parse("mask_llm(steps=150, lr=0.02)").choose(net, batches)
        kept = tuple((~found.hidden["0.weight"])[0].nonzero().flatten().tolist())
        one_shot = (~SPARSIFIERS.parse("n_m").choose(net).hidden["0.weight"])[0].nonzero()
        right += kept == best
        beaten += tried[kept] < tried[tuple(one_shot.flatten().tolist())]
        assert tried[kept] < 2 * tried[best]
    assert right >= 6 and beaten >= 2


def test_tuning_begins_with_the_network_as_it_was(model, task):
    first = []
    SPARSIFIERS.parse("mask_tuning(steps=2)").choose(model, task, watch=first.append)
    with torch.no_grad():
        assert first[0].loss == pytest.approx(float(task.of(model, 0)), abs=1e-6)
    assert first[0].notes["kl"] == pytest.approx(0, abs=1e-6) and first[0].ratio == 0


def test_tuning_learns_by_hiding_alone():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
        x = torch.randn(256, 8)
    batches = Task(lambda step: (x, (x[:, 0] > 0).long()))
    member = SPARSIFIERS.parse('mask_tuning(steps=150, lr=0.001, where="all")')
    masks = member.choose(net, batches)
    with torch.no_grad():
        before = float(batches.of(net, 0))
        with hiding(net, masks):
            after = float(batches.of(net, 0))
        by_lot = []
        for seed in range(5):
            drawn = SPARSIFIERS.parse(f"random(ratio={masks.ratio})").choose(net, seed=seed)
            with hiding(net, drawn):
                by_lot.append(float(batches.of(net, 0)))
    assert 0.02 < masks.ratio < 0.8 and after < 0.85 * min(before, *by_lot)


@pytest.mark.parametrize(("times", "share"), [(1.0, 1.0), (-3.0, 0.25), (-1e9, 0.0)])
def test_contradicting_gradients_are_dropped_as_often_as_the_formula_says(times, share):
    own = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    out = agreeing([own], [times * own], 1.0, torch.Generator().manual_seed(1))[0]
    assert float((out == own).float().mean()) == pytest.approx(share, abs=0.012)
    assert set((out / own).round().tolist()) <= {0.0, 1.0}


def test_gates_keep_exactly_the_inputs_that_inform():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = torch.randn(512, 20)
        y = (x[:, :5].sum(1) > 0).long()
        net = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 2))
        learner = torch.optim.Adam(net.parameters(), 0.01)
        for _ in range(300):
            learner.zero_grad()
            F.cross_entropy(net(x), y).backward()
            learner.step()
    masks = SPARSIFIERS.parse("vib_gates(steps=400)").choose(net, Task(lambda step: (x, y)))
    assert masks.hidden["0.weight"].all(0).tolist() == [False] * 5 + [True] * 15
    aimed = SPARSIFIERS.parse("vib_gates(steps=400, beta=0, target=0.5)")
    assert aimed.choose(net, Task(lambda step: (x, y))).ratio == pytest.approx(0.5, abs=0.25)


def test_heads_are_gated_whole(model, task):
    member = SPARSIFIERS.parse('vib_gates(steps=60, lr=0.1, beta=1, where="attention")')
    bits = member.choose(model, task).hidden["encoder.blocks.0.attn.proj.weight"]
    heads = bits.reshape(24, 3, 8)
    assert bits.any() and (heads == heads[:, :, :1]).all() and (heads == heads[:1]).all()


def test_the_price_of_a_gate_is_the_integral():
    mean, spread_ = 0.7, 0.3
    assert float(divergence(torch.tensor([mean]), torch.tensor([spread_**2]).log())) == (
        pytest.approx(0.5 * torch.log(torch.tensor(1 + mean**2 / spread_**2)).item())
    )


def test_hidden_weights_are_zero_inside_and_back_afterwards(model, task, tmp_path):
    masks = SPARSIFIERS.parse("magnitude(ratio=0.9)").choose(model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(RuntimeError, match="stop"), hiding(model, masks):
        for name, bits in masks.hidden.items():
            assert torch.equal(model.get_parameter(name) == 0, bits)
        raise RuntimeError("stop")
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    masks.save(tmp_path / "masks.npz")
    read = WeightMasks.load(tmp_path / "masks.npz")
    assert read.recipe == masks.recipe and read.agreement(masks) == 1.0
    assert all(torch.equal(bits, read.hidden[key]) for key, bits in masks.hidden.items())


def test_a_file_that_is_none_says_so(tmp_path):
    for content in (b"", b"PK\x03\x04 cut short", b"text"):
        (tmp_path / "no.npz").write_bytes(content)
        with pytest.raises(BadInput, match="holds no weight masks"):
            WeightMasks.load(tmp_path / "no.npz")


def test_masks_of_another_network_are_refused(model):
    other = nn.Sequential(nn.Linear(4, 4))
    masks = SPARSIFIERS.parse("random").choose(other)
    with pytest.raises(BadInput, match="choose the masks on this network"), hiding(model, masks):
        pass
    with pytest.raises(BadInput, match="compare masks of one network"):
        masks.agreement(SPARSIFIERS.parse("random").choose(model))


def test_what_may_be_hidden(model):
    assert len(maskable(model, "attention")) == 4 and len(maskable(model, "mlp")) == 4
    with pytest.raises(BadInput, match="no weights in 'convolutions'"):
        maskable(model, "convolutions")
    with pytest.raises(BadInput, match="hides nothing"):
        SPARSIFIERS.parse("mask_llm(keep=4)")
    with pytest.raises(BadInput, match="keep <= group"):
        SPARSIFIERS.parse("n_m(keep=5)")

"""What makes steps fast changes no number: each short cut beside the plain way."""

import os
import subprocess
import sys

import pytest
import torch

from workbench.models.initial import initialise
from workbench.models.targets import patch_targets
from workbench.models.token_encoder import TokenEncoder
from workbench.models.transformer import ViTShape, gather_tokens
from workbench.runs.surroundings import surroundings


@pytest.mark.parametrize("count", [0, 5, 8])
def test_a_head_on_hidden_tokens_alone_says_what_the_whole_one_says(count: int) -> None:
    torch.manual_seed(0)
    shape = ViTShape(
        rows=3, cols=3, patch=2, dim=16, depth=2, heads=2, hidden=32, registers=2, pre_norm=True
    )
    model = TokenEncoder(shape, 7)
    initialise(model, 0)
    torch.nn.init.normal_(model.mask_token)
    torch.nn.init.normal_(model.encoder.pos_embed)
    patches = torch.randn(4, 9, 12)
    order = torch.rand(4, 9).argsort(1)
    visible, hidden = order[:, :count], order[:, count:]
    flags = torch.zeros(4, 9, dtype=torch.bool).scatter(1, hidden, True)
    plain = model(patches, flags)
    wanted = plain.gather(1, hidden[..., None].expand(-1, -1, 7))
    said = model.of_hidden(patches, visible, hidden)
    torch.testing.assert_close(said, wanted, rtol=1e-5, atol=1e-6)
    grads = [torch.autograd.grad(each.square().sum(), list(model.parameters()), allow_unused=True)
             for each in (said, wanted)]  # fmt: skip
    for mine, plain_one in zip(*grads, strict=True):
        assert (mine is None) == (plain_one is None)
        if mine is not None and plain_one is not None:
            torch.testing.assert_close(mine, plain_one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shared", [False, True])
def test_tokens_are_picked_as_gather_picks_them(shared: bool) -> None:
    torch.manual_seed(0)
    table = torch.randn(1 if shared else 3, 6, 4, requires_grad=True)
    tokens = table.expand(3, -1, -1)
    index = torch.rand(3, 6).argsort(1)[:, :4]
    wanted = tokens.gather(1, index[..., None].expand(-1, -1, 4))
    found = gather_tokens(tokens, index)
    assert torch.equal(found, wanted)
    weight = torch.randn_like(wanted)
    one, other = (torch.autograd.grad((each * weight).sum(), table)[0] for each in (found, wanted))
    torch.testing.assert_close(one, other)


def test_normalised_targets_are_those_of_the_formula_also_on_flat_patches() -> None:
    torch.manual_seed(0)
    patches = torch.randn(2, 5, 768) * torch.logspace(-4, 2, 5)[:, None] + 3
    patches[0, 0] = 0.7
    exact = patches.double()
    mean, variance = exact.mean(-1, keepdim=True), exact.var(-1, keepdim=True)
    wanted = (exact - mean) / (variance + 1e-6).sqrt()
    torch.testing.assert_close(patch_targets(patches, True).double(), wanted, rtol=1e-4, atol=2e-4)


def test_a_training_process_sleeps_where_it_waits_and_what_a_user_sets_stays() -> None:
    told = surroundings({"OMP_WAIT_POLICY": "ACTIVE", "HOME": "here"})
    assert told["OMP_WAIT_POLICY"] == "ACTIVE" and told["HOME"] == "here"
    script = (
        "import resource, torch\n"
        "def fault():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(20):\n"
        "        torch.zeros(4_000_000).sum()\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "fault(); print(fault())"
    )
    faults = subprocess.run(
        [sys.executable, "-c", script], env=surroundings(os.environ), capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert int(faults.stdout) < 4000  # 20 buffers of 16 MB anew are 78,125 pages of 4 kB


def test_a_foretold_peak_is_that_of_the_process_alone() -> None:
    """A process started by a large one must not count what that one holds."""
    ballast = torch.ones(100_000_000)  # 400 MB
    script = "from workbench.runs.rehearsing import peak; print(peak('cpu'))"
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert 10 * 2**20 < int(told.stdout) < ballast.nbytes

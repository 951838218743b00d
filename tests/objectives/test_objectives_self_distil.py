"""Self-distillation's card: the student begins where its teacher began, not where that ended."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.objectives.subject import TINY, ready
from workbench.errors import BadInput
from workbench.models import load_encoder
from workbench.models.patches import normalise, patchify
from workbench.objectives import OBJECTIVES, EncoderShape
from workbench.runs.config import RunConfig
from workbench.runs.store import RunStore
from workbench.runs.training import train


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = RunStore(tmp_path_factory.mktemp("runs"))
    knobs = {**TINY, "objective": "self_distil()", "data": "digits()", "steps": 6, "lr": 0.01}
    run = store.create(RunConfig(**knobs, picture_every=0))
    assert train(run) == "done"
    return run.path


def test_the_student_begins_at_the_start_and_not_at_the_teacher(first_run: Path) -> None:
    first = ready("self_distil()").model
    second = ready(f'self_distil(teacher="{first_run}")').model
    student, teacher = second.encoder.state_dict(), second.teacher.state_dict()
    assert all(torch.equal(value, student[k]) for k, value in first.encoder.state_dict().items())
    assert all(not p.requires_grad for p in second.teacher.parameters())
    moved = [not torch.equal(value, teacher[k]) for k, value in student.items()]
    assert all(moved)


def test_the_loss_is_mae_and_the_distance_of_states_of_whole_pictures(first_run: Path) -> None:
    made = ready(f'self_distil(teacher="{first_run}", weight=2)')
    patches = patchify(normalise(made.batch.images), 2)
    model = made.model
    distance = F.mse_loss(model.encoder(patches), model.teacher(patches))
    plain = ready("self_distil()")
    known = plain.loss().item() + 2 * distance.item()
    assert distance > 0.01 and made.loss().item() == pytest.approx(known, rel=1e-5)
    assert plain.loss().item() == pytest.approx(ready("mae(decoder_depth=2)").loss().item())
    made.loss().backward()
    assert all(p.grad is None for p in model.teacher.parameters())


def test_a_trained_encoder_is_the_start_and_positions_fit_the_grid() -> None:
    known = load_encoder("default").float()
    s = known.shape
    sizes = {"patch": s.patch, "dim": s.dim, "depth": s.depth, "heads": s.heads}
    made = OBJECTIVES.parse('self_distil(start="default")')
    model = made.build(EncoderShape(rows=s.rows, cols=s.cols, hidden=s.hidden, **sizes), 0)
    for name, value in model.encoder.state_dict().items():
        assert torch.allclose(value, known.state_dict()[name], atol=1e-6), name
    small = made.build(EncoderShape(rows=3, cols=4, hidden=s.hidden, **sizes), 0)
    assert small.encoder.pos_embed.shape[1] == 12 + s.prefix
    with pytest.raises(BadInput, match=f"dim={s.dim}"):
        made.build(EncoderShape(rows=3, cols=4, hidden=64, **{**sizes, "dim": 24}), 0)


def test_a_teacher_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="first run"):
        ready(f'self_distil(teacher="{tmp_path}")')
    (tmp_path / "x.safetensors").write_bytes(b"no weights")
    with pytest.raises(BadInput, match="first run"):
        ready(f'self_distil(teacher="{tmp_path}/x.safetensors")')

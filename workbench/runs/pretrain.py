"""Train a masked autoencoder on a folder of photos; stops, resumes and says how long it takes."""

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from workbench.data.crops import PhotoPool, load_pool, write_manifest
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.models.catalog import read_json
from workbench.models.mae import DecoderShape, MaskedAutoencoder
from workbench.models.patches import normalise
from workbench.models.precision import bf16_pays
from workbench.models.transformer import ViTShape
from workbench.objectives.mae import mae_loss
from workbench.runs.presets import Preset
from workbench.scores import maps_for


@dataclass(frozen=True)
class Progress:
    """Where a run stands: step of steps, running loss, crops a second, seconds left."""

    step: int
    steps: int
    loss: float
    rate: float
    seconds_left: float


def build(preset: Preset) -> MaskedAutoencoder:
    """The model of a preset with freshly initialised weights."""
    side = preset.size // preset.patch
    shape = ViTShape(
        rows=side,
        cols=side,
        patch=preset.patch,
        dim=preset.dim,
        depth=preset.depth,
        heads=preset.heads,
        hidden=4 * preset.dim,
    )
    decoder = DecoderShape(
        dim=preset.decoder_dim,
        depth=preset.decoder_depth,
        heads=preset.decoder_heads,
        hidden=4 * preset.decoder_dim,
    )
    model = MaskedAutoencoder(shape, decoder)
    model.initialise(preset.seed)
    return model


class Optimiser:
    """Muon for the matrices of the transformer blocks, AdamW for everything else."""

    def __init__(self, model: nn.Module, preset: Preset) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, p in model.named_parameters():
            if p.requires_grad:
                (matrices if "blocks." in name and p.ndim == 2 else others).append(p)
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                matrices,
                lr=preset.muon_lr,
                weight_decay=preset.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(
                others, lr=preset.adam_lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True
            ),
        ]
        self.rates = (preset.muon_lr, preset.adam_lr)

    def step(self, scale: float) -> None:
        """One update with both learning rates scaled by `scale` (0 to 1)."""
        for part, rate in zip(self.parts, self.rates, strict=True):
            for group in part.param_groups:
                group["lr"] = rate * scale
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, object]]:
        """State of both parts."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, state: list[dict[str, object]]) -> None:
        """Undo `state_dict`."""
        for part, saved in zip(self.parts, state, strict=True):
            part.load_state_dict(saved)


def learning_rate_scale(step: int, preset: Preset) -> float:
    """Linear warm-up, a plateau, then a linear fall to zero over the last `cooldown` share."""
    rise = min(1.0, (step + 1) / max(1, preset.warmup))
    fall = (preset.steps - step) / max(1.0, preset.cooldown * preset.steps)
    return min(rise, fall, 1.0)


def progress(step: int, preset: Preset) -> float:
    """How far a run is at a step, 0 at the first and 1 at the last."""
    return min(1.0, step / max(1, preset.steps - 1))


def batch_loss(
    model: MaskedAutoencoder, pool: PhotoPool, preset: Preset, step: int, device: torch.device
) -> Tensor:
    """The loss of one step on crops and masks that depend on (seed, step) alone.

    Schedules in the masks' recipes run from the first step to the last one of the preset.
    """
    crops = pool.crops(preset.batch, preset.size, preset.seed, step, smallest=preset.smallest_crop)
    images = torch.from_numpy(crops).to(device).permute(0, 3, 1, 2).float().div_(255)
    side = preset.size // preset.patch
    strategy = MASKS.parse(preset.masks[step % len(preset.masks)]).at(progress(step, preset))
    grid = Grid(side, side, patch=preset.patch)
    maps = maps_for(strategy, images.cpu().numpy(), grid, seed=preset.seed)
    mask = strategy.sample(grid, count=preset.batch, seed=preset.seed, step=step, maps=maps)
    visible = torch.from_numpy(mask.visible_indices()).to(device)
    hidden = torch.from_numpy(mask.hidden_indices()).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16_pays(device)):
        return mae_loss(model, normalise(images), visible, hidden, preset.norm_pix)


def pretrain(
    preset: Preset,
    data: Sequence[Path | str],
    out: Path,
    *,
    device: str = "auto",
    report: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    left_out: Callable[[str], None] | None = None,
) -> MaskedAutoencoder:
    """Run or continue a pretraining in the folder `out`.

    Writes `preset.json`, `manifest.csv`, `metrics.jsonl` and, every `save_every` steps, at the end
    and when `should_stop` says so, `state.pt` (replaced atomically). A folder that holds a state is
    continued from it; the same preset but for `steps` is required.

    Args:
        preset: the set-up.
        data: folders of photos.
        out: folder of the run.
        device: "auto", "cpu" or "cuda".
        report: called after every step.
        should_stop: asked after every step.
        left_out: called with a sentence for each photo that cannot be opened.

    Raises:
        BadInput: the folder holds a run with another set-up, one that is already beyond
            `preset.steps`, or a damaged one; see also `load_pool`.
    """
    out.mkdir(parents=True, exist_ok=True)
    _check_set_up(out, preset)
    place = torch.device(
        ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    )
    pool = load_pool(data, left_out=left_out)
    model = build(preset).to(place)
    optimiser = Optimiser(model, preset)
    step = _restore(out, model, optimiser)
    if step > preset.steps:
        raise BadInput(
            f"{out} has made {step} steps, more than the {preset.steps} asked for; ask for more, "
            "or choose another folder"
        )
    (out / "preset.json").write_text(json.dumps(asdict(preset), indent=1) + "\n")
    write_manifest(pool.records, out / "manifest.csv")
    started, first, mean = time.monotonic(), step, 0.0
    while step < preset.steps:
        loss = batch_loss(model, pool, preset, step, place)
        loss.backward()
        optimiser.step(learning_rate_scale(step, preset))
        value = float(loss.detach())
        mean = value if step == first else 0.98 * mean + 0.02 * value
        step += 1
        spent = time.monotonic() - started
        pace = spent / (step - first)
        if report is not None:
            left = pace * (preset.steps - step)
            report(Progress(step, preset.steps, mean, preset.batch / pace, left))
        if step % 50 == 0 or step == preset.steps:
            line = {"step": step, "loss": value, "mean_loss": mean, "seconds": round(spent, 1)}
            with (out / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
        stop = should_stop is not None and should_stop()
        if stop or step % preset.save_every == 0 or step == preset.steps:
            _save(out, model, optimiser, step)
        if stop:
            break
    return model.eval()


def _check_set_up(out: Path, preset: Preset) -> None:
    path = out / "preset.json"
    if not path.is_file():
        return
    old, mine = read_json(path), json.loads(json.dumps(asdict(preset)))
    differing = [k for k in mine if k != "steps" and old.get(k) != mine[k]]
    if differing:
        said = ", ".join(f"{k}={old.get(k)!r} not {mine[k]!r}" for k in differing)
        raise BadInput(f"{out} holds a run with another set-up ({said}); choose another folder")


def _save(out: Path, model: nn.Module, optimiser: Optimiser, step: int) -> None:
    temporary = out / "state.pt.tmp"
    state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
    try:
        torch.save(state, temporary)
        temporary.replace(out / "state.pt")
    except (OSError, RuntimeError) as error:  # torch's writer raises the latter on a full disk
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise BadInput(
            f"{out} takes no state after step {step} ({str(error).splitlines()[0][:80]}); the last "
            "one written stays: make room and resume"
        ) from None


def _restore(out: Path, model: nn.Module, optimiser: Optimiser) -> int:
    path = out / "state.pt"
    if not path.is_file():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        return int(state["step"])
    except Exception:  # a broken file may raise anything from the reader's depth
        raise BadInput(
            f"{path} is damaged or of another program, wanted the state of this run; choose "
            "another folder"
        ) from None

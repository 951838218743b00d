"""A setting changes -> encoded pictures: our engine beside the masked-autoencoder notebook path.

Both run the same architecture (that of the bundled model) on one 144 px photo, batch 1, in one
process, taking turns. The peer is what MAE demos do: `ViTMAEForPreTraining` of transformers (or the
official code, if PEERS_DIR holds a checkout of facebookresearch/mae in `mae/`), then a matplotlib
figure of four pictures saved as PNG.

Run: python benchmarks/interactive.py
"""

import importlib
import io
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
ROUNDS = 40


def notebook_figure(pictures: list[np.ndarray]) -> bytes:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(12, 3))
    for axis, picture, title in zip(axes, pictures, "abcd", strict=True):
        axis.imshow(picture)
        axis.set_title(title)
        axis.axis("off")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    return buffer.getvalue()


def transformers_path(photo: np.ndarray) -> Callable[[int], bytes]:
    import torch
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    config = ViTMAEConfig(
        image_size=144, patch_size=12, hidden_size=192, num_hidden_layers=12,
        num_attention_heads=3, intermediate_size=768, decoder_hidden_size=128,
        decoder_num_hidden_layers=4, decoder_num_attention_heads=4, decoder_intermediate_size=512,
    )  # fmt: skip
    model = ViTMAEForPreTraining(config).eval()
    x = torch.from_numpy(photo.transpose(2, 0, 1).astype(np.float32) / 255)[None]

    def run(seed: int) -> bytes:
        torch.manual_seed(seed)
        with torch.no_grad():
            out = model(pixel_values=x)
            y = model.unpatchify(out.logits)
            hidden = model.unpatchify(out.mask.unsqueeze(-1).repeat(1, 1, 432))
            four = [x, x * (1 - hidden), y, x * (1 - hidden) + y * hidden]
        return notebook_figure([t[0].permute(1, 2, 0).clip(0, 1).numpy() for t in four])

    return run


def official_path(folder: Path, photo: np.ndarray) -> Callable[[int], bytes]:
    import torch

    # The official file pins a timm of 2021; one argument was removed since, and numpy's `float`.
    text = (folder / "models_mae.py").read_text().replace("qk_scale=None, ", "")
    vars(np).setdefault("float", float)
    patched = Path(tempfile.mkdtemp()) / "models_mae.py"
    patched.write_text(text)
    sys.path[:0] = [str(patched.parent), str(folder)]
    module = importlib.import_module("models_mae")
    model = module.MaskedAutoencoderViT(
        img_size=144, patch_size=12, embed_dim=192, depth=12, num_heads=3,
        decoder_embed_dim=128, decoder_depth=4, decoder_num_heads=4,
    ).eval()  # fmt: skip
    x = torch.from_numpy(photo.transpose(2, 0, 1).astype(np.float32) / 255)[None]

    def run(seed: int) -> bytes:
        torch.manual_seed(seed)
        with torch.no_grad():
            _, y, mask = model(x, mask_ratio=0.75)
            y, hidden = model.unpatchify(y), model.unpatchify(mask.unsqueeze(-1).repeat(1, 1, 432))
            four = [x, x * (1 - hidden), y, x * (1 - hidden) + y * hidden]
        return notebook_figure([t[0].permute(1, 2, 0).clip(0, 1).numpy() for t in four])

    return run


def our_path(precision: str) -> Callable[[int], bytes]:
    from workbench.scenes import SceneSpec, compose, data_uri

    spec = SceneSpec(photo="astronaut", mask="random(ratio=0.75)", precision=precision)

    def run(seed: int) -> bytes:
        scene = compose(spec.replace(seed=seed))
        pictures = (scene.masked, scene.reconstruction, scene.composite)
        return "".join(map(data_uri, pictures)).encode() + scene.error.tobytes()

    return run


def main() -> None:
    """Time all paths in turn and print medians, p95 and ratios."""
    from workbench.data.images import fit
    from workbench.data.samples import photo
    from workbench.models.precision import bf16_gain

    picture = fit(photo("astronaut"), 144, 144, "crop")

    ours = {f"ours {p}": our_path(p) for p in ("auto", "fp32")}
    peers = {"transformers + matplotlib": transformers_path(picture)}
    folder = Path(os.environ.get("PEERS_DIR", "")) / "mae"
    if (folder / "models_mae.py").is_file():
        peers["facebookresearch/mae + matplotlib"] = official_path(folder, picture)
    paths = {**ours, **peers}
    for run in paths.values():
        run(0)
        run(1)
    seconds: dict[str, list[float]] = {name: [] for name in paths}
    for turn in range(ROUNDS):
        for name, run in paths.items():
            started = time.perf_counter()
            run(100 + turn)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    best_peer = min(medians[name] for name in peers)
    print(f"bf16 multiplies {bf16_gain():.1f}x as fast as fp32 here; {ROUNDS} rounds, one process")
    for name, values in seconds.items():
        p95 = sorted(values)[int(0.95 * len(values))]
        print(
            f"{name:36s} median {1000 * medians[name]:7.1f} ms   p95 {1000 * p95:7.1f} ms   "
            f"best peer / this {best_peer / medians[name]:6.2f}x"
        )


if __name__ == "__main__":
    main()

"""A setting changes -> encoded pictures: our engine beside the masked-autoencoder notebook path.

All run the same architecture (that of the bundled model) on one 144 px photo, batch 1, in one
process, taking turns. The peers are `ViTMAEForPreTraining` of transformers and, if PEERS_DIR holds
a checkout of facebookresearch/mae in `mae/`, the official code; each draws its four pictures with
matplotlib, once as the official notebook does and once in as small a figure as is useful.

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
from typing import Any

import numpy as np

warnings.filterwarnings("ignore")
ROUNDS = 40
Figure = Callable[[list[np.ndarray]], bytes]
Run = Callable[[int], bytes]


def official_figure(pictures: list[np.ndarray]) -> bytes:
    """The figure of `demo/mae_visualize.ipynb`, as Jupyter shows it (72 dots an inch, tight)."""
    import matplotlib.pyplot as plt

    with plt.rc_context({"figure.figsize": [24, 24]}):
        for at, picture in enumerate(pictures):
            plt.subplot(1, 4, at + 1)
            plt.imshow((picture * 255).astype(np.int64))
            plt.title("original", fontsize=16)
            plt.axis("off")
        return saved(plt.gcf(), dpi=72, bbox_inches="tight")


def small_figure(pictures: list[np.ndarray]) -> bytes:
    """Half the width and no second pass for the margins: as small as a useful figure gets."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(12, 3))
    for axis, picture in zip(axes, pictures, strict=True):
        axis.imshow(picture)
        axis.set_title("original")
        axis.axis("off")
    return saved(figure, dpi=100)


def saved(figure: Any, **options: Any) -> bytes:
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", **options)
    plt.close(figure)
    return buffer.getvalue()


def transformers_path(photo: np.ndarray, figure: Figure) -> Run:
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
        return figure([t[0].permute(1, 2, 0).clip(0, 1).numpy() for t in four])

    return run


def official_path(folder: Path, photo: np.ndarray, figure: Figure) -> Run:
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
        return figure([t[0].permute(1, 2, 0).clip(0, 1).numpy() for t in four])

    return run


def our_path(precision: str) -> Run:
    from workbench.scenes import SceneSpec, compose, data_uri

    spec = SceneSpec(photo="astronaut", mask="random(ratio=0.75)", precision=precision)

    def run(seed: int) -> bytes:
        scene = compose(spec.replace(seed=seed))
        pictures = (scene.masked, scene.reconstruction, scene.composite)
        return "".join(map(data_uri, pictures)).encode() + scene.error.tobytes()

    return run


def main() -> None:
    """Time all paths in turn and print medians, p95 and ratios."""
    import matplotlib

    from workbench.data.images import fit
    from workbench.data.samples import photo
    from workbench.models.precision import bf16_gain

    matplotlib.use("Agg")
    picture = fit(photo("astronaut"), 144, 144, "crop")

    figures = {"notebook figure": official_figure, "small figure": small_figure}
    paths = {f"ours, {precision}": our_path(precision) for precision in ("auto", "fp32")}
    folder = Path(os.environ.get("PEERS_DIR", "")) / "mae"
    for name, figure in figures.items():
        paths[f"transformers, {name}"] = transformers_path(picture, figure)
        if (folder / "models_mae.py").is_file():
            paths[f"facebookresearch/mae, {name}"] = official_path(folder, picture, figure)
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
    best = [min(medians[n] for n in paths if n.endswith(figure)) for figure in figures]
    print(f"bf16 multiplies {bf16_gain():.1f}x as fast as fp32 here; {ROUNDS} rounds, one process")
    print(f"{'':38s}{'median ms':>10s}{'p95 ms':>9s}   best peer / this: notebook, small figure")
    for name, values in seconds.items():
        p95 = 1000 * sorted(values)[int(0.95 * len(values))]
        ratios = "".join(f"{peer / medians[name]:9.2f}x" for peer in best)
        print(f"{name:38s}{1000 * medians[name]:10.1f}{p95:9.1f}   {ratios}")


if __name__ == "__main__":
    main()

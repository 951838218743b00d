"""Models and pictures that the scores are asked about."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from workbench.data import photo
from workbench.data.images import fit
from workbench.models import load_reconstructor
from workbench.models.reconstruction import Reconstructor


def picture(name: str, side: int = 144) -> np.ndarray:
    """A bundled photo, float32 [3, side, side] in [0, 1]."""
    return fit(photo(name), side, side, "crop").transpose(2, 0, 1).astype(np.float32) / 255


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    return np.stack([picture(name) for name in ("astronaut", "coffee", "rocket")])


@pytest.fixture(scope="session")
def model() -> Reconstructor:
    """The bundled model in exact precision."""
    return load_reconstructor("default", device="cpu", precision="fp32")


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of random weights for 4 x 4 patches, with a tokenizer of single letters."""
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("clip") / "tiny"
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{each}</w>" for each in letters)]
    small: dict[str, Any] = {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }  # fmt: skip
    config = CLIPConfig(
        text_config={**small, "vocab_size": len(words), "max_position_embeddings": 12,
                     "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1},
        vision_config={**small, "image_size": 48, "patch_size": 12},
        projection_dim=16,
    )  # fmt: skip
    torch.manual_seed(0)
    network: Any = CLIPModel(config)
    network.save_pretrained(folder)
    words_of: Any = CLIPTokenizer(vocab={word: at for at, word in enumerate(words)}, merges=[])
    words_of.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]})
    )
    return folder

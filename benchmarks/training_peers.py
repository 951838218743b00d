"""The peers of `training.py`: imported, built to a run's architecture, given our weights."""

import functools
import importlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.objectives import OBJECTIVES
from workbench.runs.config import RunConfig


class Peer:
    """A peer's model, its loss, and how our weights get into it."""

    module: nn.Module

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.places = (config.size // config.patch) ** 2

    @staticmethod
    def here() -> bool:
        """Whether it can be imported."""
        return True

    def loss(self, images: Tensor, hidden: Tensor | None) -> Tensor:
        """The loss under a mask, bool [b, n], or one that it draws itself."""
        raise NotImplementedError

    def copy(self, mine: nn.Module) -> None:
        """Take the weights of our model."""
        raise NotImplementedError

    @property
    def decoder(self) -> tuple[int, int, int]:
        """Width, depth and heads of the decoder."""
        told: Any = OBJECTIVES.parse(self.config.objective)
        return told.decoder_dim, told.decoder_depth, told.decoder_heads


def noise_for(hidden: Tensor) -> Tensor:
    """Numbers whose smallest are those of the visible patches, in order."""
    order = torch.arange(hidden.shape[1], device=hidden.device) / hidden.shape[1]
    return hidden.float() + order * 0.5


class FacebookMae(Peer):
    """`models_mae.py` of facebookresearch/mae, unchanged but for names removed from timm, numpy."""

    @staticmethod
    def here() -> bool:
        """Whether it can be imported."""
        return (Path(os.environ.get("PEERS_DIR", "")) / "mae" / "models_mae.py").is_file()

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        folder = Path(os.environ["PEERS_DIR"]) / "mae"
        if not hasattr(np, "float"):
            setattr(np, "float", float)  # noqa: B010
        text = (folder / "models_mae.py").read_text().replace("qk_scale=None, ", "")
        patched = Path(tempfile.mkdtemp()) / "models_mae.py"
        patched.write_text(text)
        sys.path[:0] = [str(patched.parent), str(folder)]
        module: Any = importlib.import_module("models_mae")
        del sys.path[:2]
        dim, depth, heads = self.decoder
        self.module = module.MaskedAutoencoderViT(
            img_size=config.size, patch_size=config.patch, embed_dim=config.dim,
            depth=config.depth, num_heads=config.heads, decoder_embed_dim=dim,
            decoder_depth=depth, decoder_num_heads=heads, norm_pix_loss=True,
            norm_layer=functools.partial(nn.LayerNorm, eps=1e-6),
        )  # fmt: skip

    def loss(self, images: Tensor, hidden: Tensor | None) -> Tensor:
        """The loss under a mask, or one that it draws itself."""
        if hidden is None:
            return self.module(images)[0]
        usual, noise = torch.rand, noise_for(hidden)
        torch.rand = lambda *_, **__: noise
        try:
            return self.module(images)[0]
        finally:
            torch.rand = usual

    def copy(self, mine: nn.Module) -> None:
        """Take the weights of our model."""
        state = {name.removeprefix("encoder."): v for name, v in mine.state_dict().items()}
        self.module.load_state_dict(state)


class TransformersMae(Peer):
    """`ViTMAEForPreTraining`."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        from transformers import ViTMAEConfig, ViTMAEForPreTraining

        dim, depth, heads = self.decoder
        self.module = ViTMAEForPreTraining(ViTMAEConfig(
            hidden_size=config.dim, num_hidden_layers=config.depth,
            num_attention_heads=config.heads, intermediate_size=4 * config.dim,
            image_size=config.size, patch_size=config.patch, decoder_hidden_size=dim,
            decoder_num_hidden_layers=depth, decoder_num_attention_heads=heads,
            decoder_intermediate_size=4 * dim, norm_pix_loss=True, layer_norm_eps=1e-6,
        ))  # fmt: skip

    def loss(self, images: Tensor, hidden: Tensor | None) -> Tensor:
        """The loss under a mask, or one that it draws itself."""
        told: Any = {} if hidden is None else {"noise": noise_for(hidden)}
        return self.module(pixel_values=images, **told).loss


class LightlyMae(Peer):
    """lightly's MAE modules, put together as its documentation does."""

    @staticmethod
    def here() -> bool:
        """Whether it can be imported."""
        return importlib.util.find_spec("lightly") is not None

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        from lightly.models.modules import MAEDecoderTIMM, MaskedVisionTransformerTIMM
        from timm.models.vision_transformer import VisionTransformer

        dim, depth, heads = self.decoder
        vit = VisionTransformer(
            img_size=config.size, patch_size=config.patch, embed_dim=config.dim,
            depth=config.depth, num_heads=config.heads, num_classes=0,
        )  # fmt: skip
        decoder = MAEDecoderTIMM(
            num_patches=self.places, patch_size=config.patch, embed_dim=config.dim,
            decoder_embed_dim=dim, decoder_depth=depth, decoder_num_heads=heads,
        )  # fmt: skip
        parts = {"encoder": MaskedVisionTransformerTIMM(vit=vit), "decoder": decoder}
        self.module = nn.ModuleDict(parts)

    def loss(self, images: Tensor, hidden: Tensor | None) -> Tensor:
        """The loss under a mask, or one that it draws itself."""
        from lightly.models import utils

        encoder: Any = self.module.get_submodule("encoder")
        decoder: Any = self.module.get_submodule("decoder")
        size = (len(images), encoder.sequence_length)
        kept, masked = utils.random_token_mask(size=size, mask_ratio=0.75, device=images.device)
        latent = decoder.embed(encoder.encode(images=images, idx_keep=kept))
        tokens = utils.repeat_token(decoder.mask_token, size)
        tokens = utils.set_at_index(tokens, kept, latent.type_as(tokens))
        said = decoder.predict(utils.get_at_index(decoder.decode(tokens), masked))
        target = utils.get_at_index(utils.patchify(images, self.config.patch), masked - 1)
        target = utils.normalize_mean_var(target, dim=-1)
        return nn.functional.mse_loss(said, target)


class TransformersSimmim(Peer):
    """`ViTForMaskedImageModeling`."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        from transformers import ViTConfig, ViTForMaskedImageModeling

        self.module = ViTForMaskedImageModeling(ViTConfig(
            hidden_size=config.dim, num_hidden_layers=config.depth,
            num_attention_heads=config.heads, intermediate_size=4 * config.dim,
            image_size=config.size, patch_size=config.patch, encoder_stride=config.patch,
            layer_norm_eps=1e-6,
        )).train()  # fmt: skip
        self.fixed: Tensor | None = None

    def loss(self, images: Tensor, hidden: Tensor | None) -> Tensor:
        """The loss under a mask, or one that it draws itself."""
        if hidden is None:
            if self.fixed is None:
                count = round(0.6 * self.places)
                order = torch.rand(len(images), self.places).argsort(1)
                self.fixed = (order < count).to(images.device)
            hidden = self.fixed
        return self.module(pixel_values=images, bool_masked_pos=hidden).loss

    def copy(self, mine: nn.Module) -> None:
        """Take the weights of our model."""
        own = mine.state_dict()
        names = {
            "vit.embeddings.cls_token": "encoder.cls_token",
            "vit.embeddings.mask_token": "mask_token",
            "vit.embeddings.position_embeddings": "encoder.pos_embed",
            "vit.embeddings.patch_embeddings.projection.": "encoder.patch_embed.proj.",
            "vit.layernorm.": "encoder.norm.",
        }
        state: dict[str, Tensor] = {}
        for theirs, ours in names.items():
            for name, value in own.items():
                if name.startswith(ours) if ours.endswith(".") else name == ours:
                    state[theirs + name.removeprefix(ours)] = value
        inner = {
            "norm1": "layernorm_before", "norm2": "layernorm_after", "mlp.fc1": "mlp.fc1",
            "mlp.fc2": "mlp.fc2", "attn.proj": "attention.o_proj",
        }  # fmt: skip
        for at in range(self.config.depth):
            for kind in ("weight", "bias"):
                for ours, theirs in inner.items():
                    state[f"vit.layers.{at}.{theirs}.{kind}"] = own[
                        f"encoder.blocks.{at}.{ours}.{kind}"
                    ]
                three = own[f"encoder.blocks.{at}.attn.qkv.{kind}"].chunk(3)
                for letter, part in zip("qkv", three, strict=True):
                    state[f"vit.layers.{at}.attention.{letter}_proj.{kind}"] = part
        p = self.config.patch  # our head says (y, x, channel), theirs (channel, y, x)
        for kind in ("weight", "bias"):
            value = own[f"head.{kind}"].view(p, p, 3, -1).permute(2, 0, 1, 3)
            shape = self.module.get_parameter(f"decoder.0.{kind}").shape
            state[f"decoder.0.{kind}"] = value.reshape(shape)
        self.module.load_state_dict(state)


PEERS: dict[str, type[Peer]] = {
    "facebookresearch_mae": FacebookMae,
    "transformers_mae": TransformersMae,
    "lightly_mae": LightlyMae,
    "transformers_simmim": TransformersSimmim,
}

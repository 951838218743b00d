"""Our plain ViT as timm's, so that its weights can be used anywhere."""

from typing import Any

from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.models.transformer import ViT

BASE, EPS = "vit_tiny_patch16_224", 1e-6


def as_timm(encoder: ViT, head: nn.Module | None = None) -> tuple[nn.Module, str, dict[str, Any]]:
    """Return the ViT as a timm model with copied weights, which gives the same features and scores.

    Args:
        encoder: of square patches, for pictures in RGB.
        head: a linear layer on the mean of the patch tokens; None for features alone.

    Returns:
        The model in evaluation mode, and the name and arguments by which `timm.create_model` makes
        it again. Its features are the mean of the patch tokens after the last norm.

    Raises:
        BadInput: a head or a norm that timm's ViT does not have.
    """
    import timm

    shape = encoder.shape
    if shape.pre_norm or not shape.final_norm or shape.eps != EPS:
        raise BadInput(
            f"the encoder norms otherwise than timm's {BASE} (pre_norm {shape.pre_norm}, "
            f"final_norm {shape.final_norm}, eps {shape.eps}); keep its own checkpoint."
        )
    if head is not None and not isinstance(head, nn.Linear):
        raise BadInput(
            f"the head is a {type(head).__name__}, wanted one linear layer; keep its own "
            "checkpoint."
        )
    arguments: dict[str, Any] = {
        "patch_size": shape.patch,
        "embed_dim": shape.dim,
        "depth": shape.depth,
        "num_heads": shape.heads,
        "mlp_ratio": shape.hidden / shape.dim,
        "class_token": shape.class_token,
        "reg_tokens": shape.registers,
        "no_embed_class": not shape.positions_for_prefix,
        "qkv_bias": shape.qkv_bias,
        "global_pool": "avg",
        "fc_norm": False,
    }
    if shape.layer_scale:
        arguments["init_values"] = 1e-5
    size = (shape.rows * shape.patch, shape.cols * shape.patch)
    classes = 0 if head is None else head.out_features
    made: Any = timm.create_model(
        BASE, pretrained=False, img_size=size, num_classes=classes, **arguments
    )
    state: dict[str, Tensor] = dict(encoder.state_dict())
    if head is not None:
        state["head.weight"] = head.weight
        state["head.bias"] = head.bias
    made.load_state_dict(state)
    return made.eval(), BASE, arguments

"""How much each patch looks like a sentence, by any CLIP the user has."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.data.home import home
from workbench.errors import BadInput, shown
from workbench.masks import Grid
from workbench.params import Knob
from workbench.scores.context import Context
from workbench.scores.looking import onto
from workbench.scores.score import Images, Score

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
NEXT = (
    "put the folder of a transformers CLIPModel (config.json, model.safetensors and its tokenizer) "
    "into {place}, or name it with --clip FOLDER"
)


@dataclass(frozen=True, kw_only=True)
class TextSimilarity(Score):
    """Cosine of each patch's embedding with a sentence's, -1 to 1.

    Patches take the way of the class token: last norm, then the projection. An empty prompt gives
    the same score everywhere, so that a mask guided by it is random. The CLIP is the folder that
    the caller names, else the one called `clip` (or the only one) in WORKBENCH_HOME/clip.
    """

    paper: ClassVar[str] = "arXiv:2408.00759"
    wants: ClassVar[tuple[str, ...]] = ("clip",)
    always_print: ClassVar[tuple[str, ...]] = ("prompt",)

    prompt: Annotated[str, Knob("what to look for, such as: a face")] = ""
    clip: Annotated[str, Knob("name of a CLIP of yours")] = ""

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Embed patches and sentence, compare."""
        if not self.prompt.strip():
            return np.zeros((len(images), grid.rows, grid.cols))
        folder = context.clip or _own(self.clip)
        return onto(_similar(folder, images, self.prompt), grid)


def _own(name: str) -> Path:
    """The folder of one of the user's CLIPs; a name never becomes another path."""
    place = home() / "clip"
    found = sorted(path.name for path in place.glob("*") if (path / "config.json").is_file())
    if name and (not NAME.fullmatch(name) or name not in found):
        raise BadInput(
            f"text_similarity: there is no CLIP called {shown(name)} (there: "
            f"{', '.join(found) or 'none'}); {NEXT.format(place=place)}."
        )
    if not name and len(found) != 1:
        many = f"there are several CLIPs ({', '.join(found)}): write clip=NAME"
        none = f"no CLIP is here; {NEXT.format(place=place)}"
        raise BadInput(f"text_similarity: {many if found else none}.")
    return place / (name or found[0])


def _similar(folder: Path, images: Images, prompt: str) -> NDArray[np.float64]:
    """Cosines of patches with the sentence, float64 [b, rows, cols] of the CLIP's own grid."""
    import torch

    from workbench.models.taps import quietly, resized

    model, tokenizer, mean, std = _loaded(str(folder))
    side = int(model.config.vision_config.image_size)
    words = int(model.config.text_config.max_position_embeddings)
    with quietly(0):
        pictures = resized(torch.from_numpy(np.array(images, np.float32)), (side, side))
        scale = [torch.tensor(x).view(1, 3, 1, 1) for x in (mean, std)]
        seen = model.vision_model(pixel_values=(pictures - scale[0]) / scale[1])
        patches = model.visual_projection(
            model.vision_model.post_layernorm(seen.last_hidden_state[:, 1:])
        )
        tokens = tokenizer(prompt, return_tensors="pt", truncation=True, max_length=words)
        said = model.text_projection(model.text_model(**tokens).pooler_output)
        cosines = torch.nn.functional.cosine_similarity(patches, said[:, None], dim=-1)
    count = round(cosines.shape[1] ** 0.5)
    return cosines.double().numpy().reshape(len(images), count, count)


@lru_cache(maxsize=1)
def _loaded(folder: str) -> tuple[Any, Any, tuple[float, ...], tuple[float, ...]]:
    """Read a CLIP from its folder: safetensors only, no download, none of its code runs."""
    from transformers import CLIPModel, CLIPTokenizer

    path = Path(folder)
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        if config.get("model_type") != "clip":
            raise BadInput(
                f"{shown(path.name)} is a {shown(config.get('model_type'))}, wanted a CLIPModel of "
                "transformers; open_clip's and timm's files must be converted to it first."
            )
        member: Any = CLIPModel
        model = member.from_pretrained(path, local_files_only=True, use_safetensors=True)
        words: Any = CLIPTokenizer
        tokenizer = words.from_pretrained(path, local_files_only=True)
        note = path / "preprocessor_config.json"
        told = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
        mean, std = (tuple(map(float, told.get(key, own))) for key, own in (
            ("image_mean", MEAN), ("image_std", STD)))  # fmt: skip
    except BadInput:
        raise
    except Exception as error:  # transformers raises whatever its readers raise
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise BadInput(
            f"the CLIP in {shown(path.name)} cannot be read ({reason}); it needs config.json, "
            "model.safetensors and its tokenizer's files."
        ) from None
    return model.eval().float(), tokenizer, mean, std

"""A training's record on disk, so that it can go on after a break; tensors only, no pickles."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from workbench.errors import BadInput


def save_record(path: str | Path, record: dict[str, Any]) -> None:
    """Write the `record` of a step."""
    tensors = {"unused": record["unused"]}
    tensors |= {f"code.{name}": each.contiguous() for name, each in record["code"].items()}
    for at, kept in enumerate(record["adam"]):
        tensors |= {f"adam.{at}.{name}": each.contiguous() for name, each in kept.items()}
    told = {"config": record["config"], "step": record["step"], "adam": len(record["adam"])}
    save_file(tensors, path, {"workbench": json.dumps(told)})


def load_record(path: str | Path) -> dict[str, Any]:
    """Read what `save_record` wrote.

    Raises:
        BadInput: no such file, or another one.
    """
    try:
        with safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {})["workbench"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        parts: list[dict[str, Any]] = [{} for _ in range(told["adam"])]
        code = dict[str, Any]()
        for name, each in tensors.items():
            first, _, rest = name.partition(".")
            if first == "code":
                code[rest] = each
            elif first == "adam":
                at, _, value = rest.partition(".")
                parts[int(at)][value] = each
        return {"config": told["config"], "step": told["step"], "unused": tensors["unused"],
                "code": code, "adam": parts}  # fmt: skip
    except (OSError, SafetensorError, KeyError, ValueError, IndexError, TypeError) as error:
        raise BadInput(f"{path} holds no training that can go on ({error}); begin anew.") from None

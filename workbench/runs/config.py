"""A run as recipes, all knobs and a seed: one JSON, read and compared without torch."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from workbench.errors import BadInput, nearest, shown
from workbench.params import Knob, check_width, knobs, validate

SCHEMA = 1
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16")
OPTIMISERS = ("adamw", "muon")
# What may differ when a run goes on: none of it changes a number that is trained.
OPERATIONAL = frozenset(
    {
        "name", "group", "save_every", "picture_every", "log_every", "keep", "memory", "stall",
        "evaluate", "mirror",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides a run.

    Sizes are in pixels, `stall` in seconds, `memory` in MB beside libraries and decoded data.
    `objective`, `mask` and `data` are recipes; an empty mask is the objective's own. The learning
    rate rises over `warmup` steps, stays, and falls to zero over the last `cooldown` share (1 and
    "cosine" for the usual half period). `muon` uses Muon for the matrices of the blocks with
    `muon_lr` and AdamW with `lr` for the rest. A `layer_decay` below 1 lets early layers of the
    encoder learn less, as in fine-tuning: `init=run:ID` begins at what another run of the same
    folder has learnt, the name or path of a model at that one's encoder. The
    encoder's MLP is `mlp` times as wide as `dim`.

    Raises:
        BadInput: a value of the wrong type or out of range.
    """

    objective: Annotated[str, Knob("recipe of what is learnt")] = "mae()"
    mask: Annotated[str, Knob("recipe of what is hidden; empty for the objective's own")] = ""
    data: Annotated[str, Knob("recipe of the data set")] = "digits()"
    init: Annotated[str, Knob("what the encoder begins at: run:ID or a file; empty: fresh")] = ""
    size: Annotated[int, Knob("side of the pictures", 4, 4096, 4, None, 256)] = 32
    patch: Annotated[int, Knob("side of a patch", 1, 256, 1, None, 32)] = 4
    dim: Annotated[int, Knob("width of the encoder", 8, 8192, 8, None, 768)] = 192
    depth: Annotated[int, Knob("blocks of the encoder", 1, 128, 1, None, 24)] = 6
    heads: Annotated[int, Knob("heads of the encoder", 1, 128, 1, None, 16)] = 3
    mlp: Annotated[float, Knob("width of the MLP over that of the encoder", 0.25, 16, 0.5)] = 4.0
    batch: Annotated[int, Knob("pictures a step", 1, 1 << 20, 8, None, 1024)] = 128
    steps: Annotated[int, Knob("steps", 1, 100_000_000, 100, None, 100_000)] = 1000
    optimiser: Annotated[str, Knob("how weights are updated", choices=OPTIMISERS)] = "adamw"
    lr: Annotated[float, Knob("learning rate of AdamW", 0, 10, 1e-4, None, 0.01)] = 1e-3
    muon_lr: Annotated[float, Knob("learning rate of Muon", 0, 10, 1e-4, None, 0.05)] = 5e-3
    weight_decay: Annotated[float, Knob("decay of matrices", 0, 10, 0.01, None, 0.3)] = 0.05
    beta2: Annotated[float, Knob("memory of AdamW's second moment", 0, 0.99999, 0.01)] = 0.95
    layer_decay: Annotated[float, Knob("rate of a layer over the next above", 0.01, 1, 0.05)] = 1.0
    warmup: Annotated[int, Knob("steps until the full rate", 0, 10**7, 10, None, 5000)] = 100
    cooldown: Annotated[float, Knob("share of the steps in which it falls to 0", 0, 1, 0.05)] = 1.0
    schedule: Annotated[str, Knob("how it falls", choices=("cosine", "linear"))] = "cosine"
    clip: Annotated[float, Knob("largest gradient norm; 0 for any", 0, 1e6, 0.5, None, 10)] = 0.0
    crop: Annotated[float, Knob("smallest crop, share of the area; 1 = whole", 0.01, 1, 0.05)] = 0.3
    flip: Annotated[bool, Knob("mirror half of the pictures")] = True
    color: Annotated[float, Knob("strength of colour changes", 0, 2, 0.1)] = 0.0
    field: Annotated[float, Knob("strength of changes by random fields", 0, 2, 0.1)] = 0.0
    seed: Annotated[int, Knob("of everything that is random", 0, 2**53, 1, None, 100)] = 0
    device: Annotated[str, Knob("where it is computed", choices=DEVICES)] = "auto"
    precision: Annotated[str, Knob("of the matrix products", choices=PRECISIONS)] = "auto"
    threads: Annotated[int, Knob("threads of the CPU; 0 for all", 0, 4096, 1, None, 64)] = 0
    processes: Annotated[int, Knob("processes that share a batch", 1, 1024, 1, None, 8)] = 1
    save_every: Annotated[int, Knob("steps between checkpoints", 1, 10**8, 50, None, 5000)] = 250
    picture_every: Annotated[
        int, Knob("steps between pictures; 0 for none", 0, 10**8, 50, None, 5000)
    ] = 250
    log_every: Annotated[int, Knob("steps between lines of metrics", 1, 10**6, 1, None, 200)] = 10
    keep: Annotated[int, Knob("newest checkpoints kept", 1, 10_000, 1, None, 20)] = 3
    stall: Annotated[
        float, Knob("seconds without a step until an alert", 1, 1e6, 10, None, 1800)
    ] = 120.0
    memory: Annotated[int, Knob("MB for a CPU; 0 for any", 0, 1 << 30, 256, None, 65_536)] = 0
    evaluate: Annotated[str, Knob("protocols at its end, parted by semicolons")] = ""
    mirror: Annotated[str, Knob("tracker that is told of it, too", choices=("", "trackio"))] = ""
    name: Annotated[str, Knob("what people call it")] = ""
    preset: Annotated[str, Knob("the set-up that it came from")] = ""
    group: Annotated[str, Knob("the sweep that it belongs to")] = ""

    def __post_init__(self) -> None:
        """Check all values, and those that depend on each other."""
        validate(self, "run")
        if self.size % self.patch:
            raise BadInput(
                f"run: size is {self.size} and patch {self.patch}, but the size must be a multiple "
                f"of the patch; take size={self.size - self.size % self.patch or self.patch}."
            )
        check_width("run", self.dim, self.heads, ("dim", "heads"))
        if self.batch % self.processes:
            raise BadInput(
                f"run: a batch of {self.batch} does not split evenly over {self.processes} "
                f"processes; take batch={self.batch // self.processes * self.processes or 1}."
            )

    def record(self) -> dict[str, Any]:
        """Return all fields as plain data; `RunConfig.read(record)` gives it back."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

    @staticmethod
    def read(record: Mapping[str, Any], origin: object = "the configuration") -> "RunConfig":
        """Return the run that a record describes.

        Raises:
            BadInput: of a newer schema, or with unknown or wrong values.
        """
        if record.get("schema", SCHEMA) != SCHEMA:
            raise BadInput(
                f"{origin} has schema {shown(record.get('schema'))}, this version reads {SCHEMA}; "
                "update the workbench."
            )
        known = {each.name for each in knobs(RunConfig)}
        unknown = sorted(set(record) - known - {"schema"})
        if unknown:
            raise BadInput(f"{origin} holds {shown(unknown[0])}, which is no knob of a run.")
        return RunConfig(**{name: value for name, value in record.items() if name in known})

    def changed(self, overrides: Mapping[str, Any]) -> "RunConfig":
        """Return the run with some knobs changed; texts are read as the knob's kind.

        >>> RunConfig().changed({"steps": "200", "mask": "block(ratio=0.5)"}).steps
        200

        Raises:
            BadInput: no such knob, or a value that it does not take.
        """
        kinds = {each.name: each for each in knobs(RunConfig)}
        values: dict[str, Any] = {}
        for name, value in overrides.items():
            if name not in kinds:
                raise BadInput(
                    f"{shown(name)} is no knob of a run; choose one of: "
                    f"{', '.join(kinds)}{nearest(name, kinds)}."
                )
            values[name] = _read(name, kinds[name].kind, value)
        return dataclasses.replace(self, **values)

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the numbers: all but the operational knobs."""
        told = {k: v for k, v in self.record().items() if k not in OPERATIONAL}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _read(name: str, kind: str, value: Any) -> Any:
    """A value as typed on a command line, in the type of its knob."""
    if not isinstance(value, str) or kind in ("text", "choice", "recipe"):
        return value
    text = value.strip()
    if kind == "bool":
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in words:
            raise BadInput(f"{name} is {shown(value)}, but must be true or false.")
        return words[text.lower()]
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        wanted = "a whole number" if kind == "int" else "a number"
        raise BadInput(f"{name} is {shown(value)}, but must be {wanted}.") from None


def completed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the knobs that it is too old to hold, at what they were then."""
    return {**RunConfig().record(), **record}


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what differs between two records of runs: knob -> (first, second)."""
    names = [*one, *(name for name in other if name not in one)]
    return {
        name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)
    }


def pairs(texts: "list[str] | tuple[str, ...]") -> dict[str, str]:
    """Read `key=value` arguments; a value may hold further equals signs.

    Raises:
        BadInput: one without an equals sign, or a key given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise BadInput(f"{shown(text)} is no key=value; write for example steps=200.")
        if key in found:
            raise BadInput(f"{key} is given twice; give it once.")
        found[key] = value
    return found

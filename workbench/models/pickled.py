"""What a file of torch.save holds, read from its pickle's operations: nothing in it is run.

A pickle is a list of operations for a machine with a stack. Here a machine that knows data alone
follows them: a name that pickle would import stays a name, a call stays a note of the call.
"""

import io
import pickletools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import BadInput

HEADER_LIMIT = 8 << 20
OPERATIONS_LIMIT = 1_000_000  # a model of a thousand tensors takes 40,000
TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
# What `torch.load(weights_only=True)` lets through, besides torch's own.
HARMLESS = {
    "argparse.Namespace", "collections.OrderedDict", "collections.Counter", "_codecs.encode",
    "collections.defaultdict", "builtins.set", "builtins.bytearray", "builtins.complex",
    "builtins.dict", "builtins.list",
}  # fmt: skip
LEGACY_PARTS = 3  # magic number, protocol and machine stand before the object in old files


@dataclass(frozen=True)
class Described:
    """A tensor as its file describes it."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Named:
    """Something that pickle would import."""

    name: str


@dataclass
class Made:
    """What a call would have made; `state` is what would be set on it."""

    name: str
    state: dict[str, Any] = field(default_factory=dict[str, Any])


class _Mark:
    """Where a list of values begins on the stack."""


def read_description(path: Path) -> Any:
    """The object in a .pth, .pt, .ckpt or .bin file, with `Described` where tensors stand.

    Returns:
        Dictionaries, lists, tuples, text and numbers as they are; `Described` for tensors, `Made`
        for other objects.

    Raises:
        BadInput: no file of torch.save, a cut one, or one that holds more than data.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            if start != b"PK\x03\x04":
                return _old(io.BytesIO(file.read(HEADER_LIMIT)), start)
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if info.filename.endswith("/data.pkl")]
            if len(infos) != 1 or infos[0].file_size > HEADER_LIMIT:
                raise ValueError("it is no archive of torch.save")
            with archive.open(infos[0]) as member:
                return followed(io.BytesIO(member.read(HEADER_LIMIT)))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check the file.") from None
    except BadInput:
        raise
    except Exception as error:  # a damaged file may fail anywhere
        said = " ".join(str(error).split())[:80] or type(error).__name__
        raise BadInput(
            f"{path} cannot be read as weights of torch.save ({said}); it is truncated or of "
            "another kind, fetch it again or use safetensors."
        ) from None


def _old(stream: io.BytesIO, start: bytes) -> Any:
    """Files of before PyTorch 1.6: several pickles, then the numbers."""
    if start[:1] != b"\x80":
        raise ValueError(f"it starts with {start!r}")
    for _ in range(LEGACY_PARTS):
        followed(stream)
    return followed(stream)


def followed(stream: io.BytesIO) -> Any:
    """Follow one pickle's operations up to its end; raises ValueError for an unknown one."""
    machine = _Machine()
    for done, (operation, argument, _) in enumerate(pickletools.genops(stream)):
        if done > OPERATIONS_LIMIT:
            raise ValueError(f"it has more than {OPERATIONS_LIMIT} operations")
        if operation.name == "STOP":
            return machine.stack.pop()
        machine.step(operation.name, argument)
    raise ValueError("it has no end")


class _Machine:
    """Pickle's stack and memory, for data alone."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _PLAIN:
            self.stack.append(argument)
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"it holds the operation {name}")

    def top(self) -> list[Any]:
        """Take the values above the last mark."""
        at = max(at for at, value in enumerate(self.stack) if value is _Mark)
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def remember(self, at: Any) -> None:
        self.memory[len(self.memory) if at is None else at] = self.stack[-1]

    def take(self, count: int) -> None:
        values = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(values)

    def named(self, argument: Any) -> None:
        if argument is None:
            self.take(2)
            argument = " ".join(self.stack.pop())
        name = argument.replace(" ", ".").replace("__builtin__.", "builtins.")
        if name not in HARMLESS and not name.startswith("torch."):
            raise ValueError(f"it asks for {name}, and a pickle can run code")
        self.stack.append(Named(name))

    def call(self, _: Any) -> None:
        values, what = self.stack.pop(), self.stack.pop()
        name = what.name if isinstance(what, Named) else "?"
        if name in TENSORS:
            self.stack.append(Described(tuple(int(side) for side in values[2])))
        elif name == "torch._utils._rebuild_parameter":
            self.stack.append(values[0])
        elif name == "collections.OrderedDict":
            self.stack.append({})
        else:
            self.stack.append(Made(name))

    def build(self, _: Any) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Made) and isinstance(state, dict):
            self.stack[-1].state.update(state)

    def store(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            target.update(zip(pairs[::2], pairs[1::2], strict=True))

    def extend(self, values: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(values)


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "MARK": _Mark}
_PLAIN = {
    "BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip
_STEPS: dict[str, Callable[[_Machine, Any], Any]] = {
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_SET": lambda m, _: m.stack.append([]),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.top())),
    "TUPLE1": lambda m, _: m.take(1),
    "TUPLE2": lambda m, _: m.take(2),
    "TUPLE3": lambda m, _: m.take(3),
    "POP": lambda m, _: m.stack.pop(),
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "MEMOIZE": _Machine.remember,
    "BINGET": lambda m, at: m.stack.append(m.memory[at]),
    "LONG_BINGET": lambda m, at: m.stack.append(m.memory[at]),
    "GLOBAL": _Machine.named,
    "STACK_GLOBAL": _Machine.named,
    "BINPERSID": lambda m, _: m.stack.append(Made("storage", {"id": m.stack.pop()})),
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
    "SETITEM": lambda m, _: m.store([m.stack.pop(-2), m.stack.pop()]),
    "SETITEMS": lambda m, _: m.store(m.top()),
    "APPEND": lambda m, _: m.extend([m.stack.pop()]),
    "APPENDS": lambda m, _: m.extend(m.top()),
    "ADDITEMS": lambda m, _: m.extend(m.top()),
}

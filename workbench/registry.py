"""Members found by file name, and recipes: members with their knobs as text that parses back."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from workbench.errors import BadInput, nearest, shown
from workbench.params import TEXT_LIMIT, knobs, validate
from workbench.schedules import FORMS
from workbench.syntax import expression

DEPTH_LIMIT = 8
Forms = Mapping[str, Callable[..., Any]]


def _plain_only(check: Callable[[Any], None]) -> Callable[[Any], None]:
    """Let a check see plain values only: a recipe with schedules is checked at their ends."""

    @wraps(check)
    def checked(self: Any) -> None:
        moving = tuple(name for name, each in vars(self).items() if getattr(each, "moving", ()))
        if not moving:
            return check(self)
        validate(self, self.name)
        object.__setattr__(self, "moving", moving)
        made = [self.at(progress) for progress in self.points()]
        for name in vars(made[0]).keys() - {*moving, "moving"}:  # as the check has written them
            object.__setattr__(self, name, getattr(made[0], name))
        return None

    return checked


@dataclass(frozen=True, kw_only=True)
class Member:
    """Base of everything that a recipe can name: a frozen dataclass of knobs.

    `name` is the file's name. `str(member)` is the canonical recipe: the knobs of `always_print`
    and all that differ from their default, in declaration order. Where `schedules` is true a knob
    may hold a schedule; `moving` names the knobs that do, themselves or in a recipe below them.
    `forms` are the calls other than members that a recipe may hold as values.
    """

    name: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    schedules: ClassVar[bool] = False
    moving: ClassVar[tuple[str, ...]] = ()
    forms: ClassVar[Forms] = FORMS
    always_print: ClassVar[tuple[str, ...]] = ("ratio",)
    described: ClassVar[tuple[str, ...]] = ("paper",)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the name from the file, unless the class states its own."""
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__module__.rpartition(".")[2]
        own = cls.__dict__.get("__post_init__")
        if own is not None:
            cls.__post_init__ = _plain_only(own)  # pyright: ignore[reportAttributeAccessIssue]
        if "at" in cls.__dict__ and "moving" not in cls.__dict__:
            cls.moving = ("",)  # it has a way of its own to follow the progress

    @_plain_only
    def __post_init__(self) -> None:
        """Check all knobs."""
        validate(self, self.name)

    def at(self, progress: float) -> Self:
        """Return the recipe for a point of training, 0 to 1: every schedule becomes its value."""
        if not self.moving:
            return self
        if not 0 <= progress <= 1:
            raise BadInput(f"progress is {shown(progress)}, but must be from 0 to 1; take 0.")
        now = {name: getattr(self, name).at(progress) for name in self.moving}
        return dataclasses.replace(self, **now)

    def points(self) -> tuple[float, ...]:
        """Progresses at which the recipe has to be legal so that it is everywhere."""
        parts = [getattr(self, name).points() for name in self.moving if name]
        return tuple(sorted({0.0, 1.0}.union(*parts)))

    def __str__(self) -> str:
        """Return the canonical recipe, for example `block(ratio=0.6, min_patches=4)`."""
        parts: list[str] = []
        for knob in knobs(type(self)):
            value = getattr(self, knob.name)
            if value != knob.default or knob.name in self.always_print:
                parts.append(f"{knob.name}={_literal(value)}")
        return f"{self.name}({', '.join(parts)})"


def _literal(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        return str(value)
    if isinstance(value, tuple):
        return repr(list(cast("tuple[Any, ...]", value)))
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    plain = text.isprintable() and '"' not in text and "\\" not in text
    return f'"{text}"' if plain else repr(text)


M = TypeVar("M", bound=Member)


class Registry(Generic[M]):
    """Members of one kind: one file each in a package, plus those that other distributions offer.

    A file of the package is a member when it defines a public subclass of `base`. Third parties
    add members through the entry-point group `group` (entry name = member name; the value is the
    class or the module that holds it). A broken third-party member is left out of `names()` and
    told by `problems()`; it never takes the others down.
    """

    def __init__(self, package: str, base: type[M], group: str) -> None:
        self.package, self.base, self.group = package, base, group
        self._found: dict[str, type[M]] = {}
        self._problems: dict[str, str] = {}

    @cached_property
    def _files(self) -> tuple[str, ...]:
        path = importlib.import_module(self.package).__path__
        return tuple(info.name for info in pkgutil.iter_modules(path) if not info.ispkg)

    @cached_property
    def _offers(self) -> dict[str, Any]:
        return {entry.name: entry for entry in entry_points(group=self.group)}

    def names(self) -> list[str]:
        """Return all member names, sorted."""
        known = {name for name in self._files if self._from_file(name) is not None}
        known.update(name for name in self._offers if self._from_offer(name) is not None)
        return sorted(known)

    def problems(self) -> dict[str, str]:
        """Return why third-party members could not be used: name -> sentence."""
        self.names()
        return dict(self._problems)

    def get(self, name: str) -> type[M]:
        """Return the member's class.

        Raises:
            BadInput: no member of that name; the sentence lists the known ones.
        """
        found = self._from_file(name) if name in self._files else None
        if found is None and name in self._offers:
            found = self._from_offer(name)
        if found is None:
            kind = self.base.__name__.lower()
            known = self.names()
            reason = self._problems.get(name, f"{shown(name)} is no known {kind}")
            raise BadInput(f"{reason}; choose one of: {', '.join(known)}{nearest(name, known)}.")
        return found

    def _from_file(self, name: str) -> type[M] | None:
        if name not in self._found:
            module = importlib.import_module(f"{self.package}.{name}")
            members = self._members(module)
            if not members:
                return None
            if len(members) > 1:
                raise TypeError(f"{module.__name__} defines {len(members)} members; one a file")
            self._found[name] = members[0]
        return self._found[name]

    def _members(self, module: ModuleType) -> list[type[M]]:
        here = (value for value in vars(module).values() if inspect.isclass(value))
        return [
            value
            for value in here
            if issubclass(value, self.base)
            and value is not self.base
            and value.__module__ == module.__name__
            and not value.__name__.startswith("_")
        ]

    def _from_offer(self, name: str) -> type[M] | None:
        if name in self._found or name in self._problems:
            return self._found.get(name)
        try:
            if name in self._files:
                raise TypeError(f"a member called {name} is built in")
            loaded = self._offers[name].load()
            members = self._members(loaded) if inspect.ismodule(loaded) else [loaded]
            if len(members) != 1 or not issubclass(members[0], self.base):
                raise TypeError(f"it holds no {self.base.__name__}")
            if members[0].name != name:
                raise TypeError(f"its class is named {members[0].name}; the names must agree")
            knobs(members[0])
        except Exception as error:  # a stranger's code may raise anything
            self._problems[name] = f"the plug-in {name!r} cannot be used: {error}"
            return None
        self._found[name] = members[0]
        return members[0]

    def parse(self, recipe: str | M) -> M:
        """Return the member that a recipe such as `block(ratio=0.6)` names.

        Literals and nested recipes of the same registry only: a recipe can run nothing. A member
        passes through unchanged.

        >>> from workbench.masks import MASKS
        >>> MASKS.parse("random"), str(MASKS.parse("block(min_patches=4,ratio=.6)"))
        (Random(ratio=0.75), 'block(ratio=0.6, min_patches=4)')

        Raises:
            BadInput: too long, not a recipe, an unknown name or knob, or a value out of range.
        """
        if isinstance(recipe, self.base):
            return recipe
        return self._build(self._tree(recipe), str(recipe).strip())

    def _tree(self, recipe: Any) -> ast.expr:
        if not isinstance(recipe, str):
            raise BadInput(f"A recipe must be text, not {shown(recipe)}; {self._example()}.")
        if len(recipe) > TEXT_LIMIT or _depth(recipe) > DEPTH_LIMIT:
            raise BadInput(
                f"The recipe {shown(recipe)} has {len(recipe)} characters and {_depth(recipe)} "
                f"nested brackets; at most {TEXT_LIMIT} and {DEPTH_LIMIT} are read; shorten it."
            )
        try:
            return expression(recipe.strip())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise BadInput(f"{shown(recipe)} is no recipe; {self._example()}.") from None

    def _build(self, node: ast.expr, recipe: str) -> M:
        if isinstance(node, ast.Name):
            return self.get(node.id)()
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise BadInput(f"{shown(recipe)} is no recipe; {self._example()}.")
        member = self.get(node.func.id)
        known = [knob.name for knob in knobs(member)]
        if node.args:
            raise BadInput(
                f"{member.name}: {_cut_out(recipe, node.args[0])} stands without a name; "
                f"write knob=value with one of: {', '.join(known) or 'no knobs'}."
            )
        values: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg not in known:
                raise BadInput(
                    f"{member.name}: {shown(keyword.arg)} is no knob of it; choose one of: "
                    f"{', '.join(known) or 'no knobs'}{nearest(keyword.arg, known)}."
                )
            if keyword.arg in values:
                raise BadInput(f"{member.name}: {keyword.arg} is given twice; give it once.")
            values[keyword.arg] = self._value(keyword.value, recipe, member.forms)
        return member(**values)

    def _value(self, node: ast.expr, recipe: str, forms: Forms) -> Any:
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in forms:
                return self._formed(forms[node.func.id], node, recipe)
            return self._build(node, recipe)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str | None):
            return node.value
        if isinstance(node, ast.List | ast.Tuple):
            return tuple(self._value(each, recipe, {}) for each in node.elts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = node.operand
            if isinstance(inner, ast.Constant) and type(inner.value) in (int, float):
                number = cast(float, inner.value)
                return -number if isinstance(node.op, ast.USub) else number
        raise BadInput(
            f"The recipe {shown(recipe)} holds {_cut_out(recipe, node)}, which is neither a "
            f"number, text, True, False, None nor a recipe; {self._example()}."
        )

    def _formed(self, form: Callable[..., Any], node: ast.Call, recipe: str) -> Any:
        """Return a value that is written as a call, such as `ramp(0.5, 0.9)`."""
        plain = [self._value(each, recipe, {}) for each in node.args]
        named = {str(each.arg): self._value(each.value, recipe, {}) for each in node.keywords}
        wanted = inspect.signature(form)
        try:
            if len(named) < len(node.keywords):
                raise TypeError("a name is given twice")
            wanted.bind(*plain, **named)
        except TypeError as problem:
            names = ", ".join(wanted.parameters)
            raise BadInput(
                f"{_cut_out(recipe, node)}: {problem}; write {form.__name__}({names})."
            ) from None
        return form(*plain, **named)

    def value(self, text: str, member: type[M]) -> Any:
        """Return what a recipe of `member` may hold for a knob: a literal, a recipe, a schedule.

        Raises:
            BadInput: as `parse`.
        """
        return self._value(self._tree(text), text.strip(), member.forms)

    def _example(self) -> str:
        return f"write name(knob=value) with one of: {', '.join(self.names())}"

    def describe(self) -> list[dict[str, Any]]:
        """Return one plain dict a member: name, summary, class attributes and knobs."""
        rows: list[dict[str, Any]] = []
        for name in self.names():
            member = self.get(name)
            module = inspect.getmodule(member)
            lines = (inspect.getdoc(module) or "").strip().splitlines()
            row: dict[str, Any] = {"name": name, "summary": lines[0] if lines else ""}
            row.update({key: getattr(member, key) for key in member.described})
            row["knobs"] = [_plain(dataclasses.asdict(knob)) for knob in knobs(member)]
            rows.append(row)
        return rows


def _plain(knob: dict[str, Any]) -> dict[str, Any]:
    if knob["kind"] == "recipe" and knob["default"] is not None:
        return {**knob, "default": str(knob["default"])}
    return knob


def _cut_out(recipe: str, node: ast.expr) -> str:
    """The part of a recipe that a node stands for; `ast.unparse` would recurse into it."""
    return shown(ast.get_source_segment(recipe, node))


def _depth(text: str) -> int:
    """Deepest bracket nesting, counted before Python's own parser may see the text."""
    level = deepest = 0
    for character in text:
        if character in "([{":
            level += 1
            deepest = max(deepest, level)
        elif character in ")]}":
            level -= 1
    return deepest

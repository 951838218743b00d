"""The house rules that a tool can check: who imports whom, sizes, names, what may never stand."""

import ast
import importlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from workbench.registry import Registry

ROOT = Path(__file__).resolve().parents[1]

# A part may import parts of its own level and below; README draws the same picture.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors", "chromium", "syntax"),
    ("params", "registry", "schedules", "seeds"),
    ("masks", "fills"),
    ("data", "models", "plots", "painter"),
    ("interventions", "sparsity"),
    ("objectives", "explain"),
    ("scores",),
    ("evaluations", "analysis", "features"),
    ("runs",),
    ("scenes",),
    ("atlas", "cli", "commands", "doctor", "notebook", "lessons", "__main__"),
    ("app", "notebooks"),
)
LEVEL = {part: level for level, parts in enumerate(LEVELS) for part in parts}
UPWARD = {  # `python -m workbench app` and `studio` are the places below the app that start it
    ("workbench.commands.app", "app.server"),
    ("workbench.commands.studio", "app.studio.server"),
}

TORCH_ANYWHERE = {
    "models", "objectives", "interventions", "sparsity", "explain", "scores", "evaluations",
    "analysis", "features", "runs",
}  # fmt: skip
TORCH_IN_FUNCTIONS = {"data", "scenes", "doctor"}
TOOLKITS = {"streamlit", "gradio"}
NOT_LOCAL_TO_FUNCTIONS = {"scipy", "skimage", "cv2"}
NO_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|misc|stuff)(_|$)")
FILE_LINES, FUNCTION_LINES = 400, 60


@dataclass(frozen=True)
class Import:
    """One imported module: where, at what line, inside a function or not, for types only or not."""

    importer: str
    target: str
    line: int
    in_function: bool
    types_only: bool


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the project, also those not yet committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode == 0:
        paths = [ROOT / line for line in listed.stdout.splitlines()]
    else:  # unpacked from an archive
        hidden = {".venv", ".git", "__pycache__", "build", "dist"}
        paths = [p for p in ROOT.rglob("*") if not hidden & set(p.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in paths if path.is_file()))


def sources(*folders: str) -> list[Path]:
    wanted = tuple(ROOT / folder for folder in folders)
    return [
        path
        for path in tracked()
        if path.suffix == ".py" and any(path.is_relative_to(folder) for folder in wanted)
    ]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def module_names() -> frozenset[str]:
    return frozenset(module_name(path) for path in sources("workbench", "app"))


def imports_of(path: Path) -> Iterator[Import]:
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]

    def walk(node: ast.AST, in_function: bool, types_only: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            typed = types_only or (
                isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            )
            if isinstance(child, ast.Import | ast.ImportFrom):
                for target in targets(child, package):
                    yield Import(name, target, child.lineno, in_function, types_only)
            yield from walk(child, inside, typed)

    yield from walk(parsed(path), False, False)


def targets(node: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        parents = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*parents, *([base] if base else [])])
    full = [f"{base}.{alias.name}" for alias in node.names]
    return [each if each in module_names() else base for each in full]


def part_of(module: str) -> str | None:
    """The part of the house that a module of ours belongs to; None for others and the root."""
    pieces = module.split(".")
    if pieces[0] == "workbench":
        return pieces[1] if len(pieces) > 1 else None
    return pieces[0] if pieces[0] in ("app", "notebooks") else None


def all_imports() -> list[Import]:
    return [each for path in sources("workbench", "app") for each in imports_of(path)]


def where(each: Import) -> str:
    return f"{each.importer}:{each.line} imports {each.target}"


def test_every_part_has_a_place_in_the_order() -> None:
    parts = {part_of(name) for name in module_names()} - {None}
    assert parts <= set(LEVEL), f"give {sorted(parts - set(LEVEL))} a level in LEVELS and README"


def test_imports_point_downwards() -> None:
    wrong = []
    for each in all_imports():
        mine, theirs = part_of(each.importer), part_of(each.target)
        if mine is None or theirs is None or (each.importer, each.target) in UPWARD:
            continue
        if LEVEL[theirs] > LEVEL[mine]:
            wrong.append(where(each))
    assert wrong == []


def test_the_root_imports_nothing_of_ours() -> None:
    root = ROOT / "workbench" / "__init__.py"
    assert [where(each) for each in imports_of(root)] == []


def test_modules_form_no_cycle() -> None:
    graph: dict[str, set[str]] = {name: set() for name in module_names()}
    for each in all_imports():
        if each.target in graph and each.target != each.importer and not each.types_only:
            graph[each.importer].add(each.target)
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_parts_form_no_cycle() -> None:
    """Two parts of one level may not need each other, or they would be one part."""
    pairs = {
        (part_of(each.importer), part_of(each.target))
        for each in all_imports()
        if (each.importer, each.target) not in UPWARD
    }
    both_ways = {
        (mine, theirs)
        for mine, theirs in pairs
        if mine is not None and theirs is not None and mine < theirs and (theirs, mine) in pairs
    }
    assert both_ways == set()


def test_torch_stays_where_tensors_are() -> None:
    wrong = []
    for each in all_imports():
        if each.target.split(".")[0] not in ("torch", "torchvision", "timm") or each.types_only:
            continue
        part = part_of(each.importer)
        if part in TORCH_ANYWHERE or (part in TORCH_IN_FUNCTIONS and each.in_function):
            continue
        wrong.append(where(each))
    assert wrong == []


def test_user_interface_toolkits_stay_in_the_app() -> None:
    wrong = [
        where(each)
        for each in all_imports()
        if each.target.split(".")[0] in TOOLKITS and part_of(each.importer) != "app"
    ]
    assert wrong == []


def test_masks_and_fills_load_heavy_packages_only_when_used() -> None:
    wrong = [
        where(each)
        for each in all_imports()
        if part_of(each.importer) in ("masks", "fills")
        and each.target.split(".")[0] in NOT_LOCAL_TO_FUNCTIONS
        and not (each.in_function or each.types_only)
    ]
    assert wrong == []


def registries() -> list[Registry]:
    found = []
    for path in sources("workbench"):
        if path.name == "__init__.py" and "Registry" in path.read_text(encoding="utf-8"):
            module = importlib.import_module(module_name(path))
            found += [each for each in vars(module).values() if isinstance(each, Registry)]
    return found


def test_there_are_registries_to_check() -> None:
    assert {"workbench.masks", "workbench.fills"} <= {each.package for each in registries()}


@pytest.mark.parametrize("registry", registries(), ids=lambda each: each.package)
def test_members_of_a_registry_do_not_import_each_other(registry: Registry) -> None:
    members = {f"{registry.package}.{name}" for name in registry.names()}
    wrong = [
        where(each)
        for each in all_imports()
        if each.importer in members and each.target in members - {each.importer}
    ]
    assert wrong == []


def code_files() -> list[Path]:
    kinds = {".py", ".js", ".css"}
    return [path for path in tracked() if path.suffix in kinds]


def test_files_are_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in code_files()
    }
    assert {name: n for name, n in lengths.items() if n > FILE_LINES} == {}


def own_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from `def` on, its docstring not counted."""
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node, clean=False) is not None:
        text = node.body[0]
        assert text.end_lineno is not None
        lines -= text.end_lineno - text.lineno + 1
    return lines


def test_functions_are_short() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.name}": own_lines(node)
        for path in tracked()
        if path.suffix == ".py"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and own_lines(node) > FUNCTION_LINES
    }
    assert long == {}


def test_a_function_lives_with_the_noun_it_serves() -> None:
    names = [path.relative_to(ROOT) for path in tracked() if path.suffix in (".py", ".js")]
    assert [str(name) for name in names if NO_NAMES.search(name.stem)] == []


def risks(tree: ast.Module) -> Iterator[str]:
    """Calls that run text, unpickle or start a shell."""
    settings = {"weights_only": False, "allow_pickle": True, "shell": True,
                "trust_remote_code": True}  # fmt: skip
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}:
            yield f"line {node.lineno}: {node.func.id}(...)"
        if ast.unparse(node.func) in {"pickle.load", "pickle.loads", "pickle.Unpickler"}:
            yield f"line {node.lineno}: {ast.unparse(node.func)}(...)"
        for keyword in node.keywords:
            value = keyword.value
            if keyword.arg in settings and isinstance(value, ast.Constant):
                if value.value is settings[keyword.arg]:
                    yield f"line {node.lineno}: {keyword.arg}={value.value}"


def test_nothing_runs_text_unpickles_or_starts_a_shell() -> None:
    """Tests may: they make the hostile files, and run the code that the app offers to copy."""
    product = sources("workbench", "app", "benchmarks", "notebooks")
    found = {str(path.relative_to(ROOT)): list(risks(parsed(path))) for path in product}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(f, weights_only=False)",
        "np.load(f, allow_pickle=True)",
        "run('ls', shell=True)",
        "eval('1')",
        "pickle.load(f)",
        "load_model(n, trust_remote_code=True)",
    ],
)
def test_the_check_for_risks_sees_them(line: str) -> None:
    assert list(risks(ast.parse(line))) != []
    assert list(risks(ast.parse("model.eval(); torch.load(f, weights_only=True)"))) == []


def test_annotations_stay_real_so_that_shapes_can_be_checked() -> None:
    wrong = [where(each) for each in all_imports() if each.target == "__future__"]
    assert wrong == []


# Written in parts, so that this file does not hold what it forbids.
HOSTS = ["py" + "pi.org", "python" + "hosted.org", "registry.npm" + "js.org", "deb.deb" + "ian.org"]
PLACES = re.compile("/(?:wo" + "rk|ro" + "ot|ho" + "me/[a-z]+|opt/[a-z]+)/")
TEXT = {
    ".py", ".js", ".css", ".md", ".toml", ".txt", ".json", ".ipynb", ".yaml", ".yml", ".cfg", "",
    ".csv",
}  # fmt: skip


def test_no_file_names_a_machine_or_a_package_host() -> None:
    found = []
    for path in tracked():
        if path.suffix not in TEXT:
            continue
        text = path.read_text(encoding="utf-8")
        found += [f"{path.relative_to(ROOT)}: {host}" for host in HOSTS if host in text]
        found += [f"{path.relative_to(ROOT)}: {hit.group()}" for hit in PLACES.finditer(text)]
    assert found == []


def test_constraints_are_exact_versions_without_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    wrong = [
        line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line)
    ]
    assert wrong == []
    pinned = {canonical(line.partition("==")[0]) for line in lines}
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            name = re.match(r"[A-Za-z0-9._-]+", line)
            if name and not line.startswith("-"):
                assert canonical(name.group()) in pinned, f"{file}: {line} is not pinned"


def test_pinned_versions_run_on_the_oldest_python_promised() -> None:
    """Debian 12 has 3.11.2; a pin that wants 3.11.5 would end `make app` there."""
    promised = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest = promised.removeprefix(">=") + ".0"
    wrong = []
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split():
        name, _, version = line.partition("==")
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # of another platform
            continue
        there = Version(package.version).public  # a CPU build of torch counts as the same version
        assert there == version, f"{name} {there} is installed, not {version}"
        wants = package.metadata.get("Requires-Python") or ""
        if not SpecifierSet(wants).contains(oldest):
            wrong.append(f"{line} wants Python {wants}")
    assert wrong == []


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

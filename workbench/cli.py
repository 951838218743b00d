"""The command line: the same recipes and the same code path as the app and the notebooks."""

import os
import secrets
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

import typer
from typer.exceptions import Abort, Exit, TyperException

from workbench.commands.app import app as app_command
from workbench.commands.atlas import atlas
from workbench.commands.doctor import doctor
from workbench.commands.explain import explain, missingness
from workbench.commands.features import features
from workbench.commands.gallery import gallery
from workbench.commands.imports import masks
from workbench.commands.inside import attend, interventions
from workbench.commands.masks import draw, strategies
from workbench.commands.matrix import matrix
from workbench.commands.measure import measure
from workbench.commands.models import evaluate, models, train
from workbench.commands.reconstruct import reconstruct
from workbench.commands.retrain import retrain
from workbench.commands.runs import objectives, presets, runs
from workbench.commands.scores import score, scores
from workbench.commands.search import search
from workbench.commands.sections import Sections
from workbench.commands.studio import studio
from workbench.commands.sweeps import sweep, sweeps
from workbench.commands.weights import weights
from workbench.errors import BadInput

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130

cli = typer.Typer(
    name="workbench",
    cls=Sections,
    help="Hide parts of pictures and of networks, and look at what is made of the rest.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
COMMANDS = (
    draw, measure, reconstruct, strategies, scores, score, models, doctor, train, evaluate, gallery,
)  # fmt: skip
for command in COMMANDS:
    cli.command(command.__name__)(command)
cli.command("app")(app_command)
cli.command("atlas")(atlas)
cli.command("matrix")(matrix)
cli.command("search")(search)
cli.command("studio")(studio)
for command in (objectives, presets, sweep, interventions, attend, explain, missingness):
    cli.command(command.__name__)(command)
cli.add_typer(features, name="features")
cli.add_typer(masks, name="masks")
cli.add_typer(retrain, name="retrain")
cli.add_typer(runs, name="runs")
cli.add_typer(sweeps, name="sweeps")
cli.add_typer(weights, name="weights")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 2 bad input, 1 anything unexpected, 130 interrupted."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; every failure is one sentence on stderr."""
    arguments = arguments or ["--help"]
    command = typer.main.get_command(cli)
    try:
        status = command.main(arguments, prog_name="python -m workbench", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except BadInput as problem:
        return _refuse(str(problem), BAD_INPUT)
    except TyperException as problem:
        told = problem.format_message().rstrip(". ")
        at = getattr(getattr(problem, "ctx", None), "command_path", "python -m workbench")
        return _refuse(f"{told}; see `{at} --help`.", BAD_INPUT)
    except Exit as leaving:
        return leaving.exit_code
    except (Abort, KeyboardInterrupt):
        return _refuse("Interrupted.", INTERRUPTED)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as problem:
        return _refuse(unexpected(problem), FAILED)


def _refuse(sentence: str, status: int) -> int:
    told = " ".join(sentence.split())
    print(told if told.endswith((".", "!", "?")) else f"{told}.", file=sys.stderr)
    return status


def unexpected(problem: BaseException) -> str:
    """Write the traceback to a log and return a sentence that tells where."""
    mark = secrets.token_hex(4)
    text = "".join(traceback.format_exception(problem))
    try:
        from workbench.data.home import home

        folder = home() / "logs"
        folder.mkdir(exist_ok=True)
        log = folder / f"failure-{mark}.txt"
        log.write_text(text, encoding="utf-8")
    except (OSError, ValueError):
        with tempfile.NamedTemporaryFile(
            "w", prefix="workbench-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
            log = Path(file.name)
    return (
        f"Something failed that should not ({type(problem).__name__}: {problem}); "
        f"the details are in {log}."
    )

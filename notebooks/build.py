"""Write the notebooks from their percent sources, executed: `python -m notebooks.build [NAME...]`.

Outputs are kept so that a reader without a kernel sees every picture; a live widget is kept as its
static picture, because the program behind it is gone. With `--check` nothing is written, and the
exit status is 1 where a notebook no longer says what its source says.
"""

import argparse
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

HERE = Path(__file__).resolve().parent
WIDGET = "application/vnd.jupyter.widget-view+json"


def sources() -> list[Path]:
    """Every numbered percent source, in order."""
    return sorted(HERE.glob("[0-9][0-9]_*.py"))


def read_source(path: Path) -> NotebookNode:
    """The notebook that a percent source describes, without outputs."""
    notebook = jupytext.read(path)
    notebook.metadata = nbformat.from_dict({"kernelspec": notebook.metadata["kernelspec"]})
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell["metadata"] = nbformat.from_dict({})
    return notebook


def execute(notebook: NotebookNode, folder: Path = HERE) -> NotebookNode:
    """Run all cells in a fresh kernel; the first error ends it."""
    client = NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute()


def settle(notebook: NotebookNode) -> NotebookNode:
    """Keep what a reader without a kernel can see, and nothing that changes from run to run."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in outputs:
            if "data" in output:
                output["data"].pop(WIDGET, None)
        cell.outputs = outputs
    notebook.metadata.pop("language_info", None)
    return notebook


def outline(notebook: NotebookNode) -> list[tuple[str, str]]:
    """Kind and text of every cell: what source and notebook must agree on."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def in_step(path: Path) -> bool:
    """Whether the notebook beside a source says what the source says."""
    built = path.with_suffix(".ipynb")
    if not built.exists():
        return False
    return outline(nbformat.read(built, as_version=4)) == outline(read_source(path))


def main() -> int:
    """Build or check; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="such as 01_what_is_a_mask; all if empty")
    parser.add_argument("--check", action="store_true", help="only compare")
    options = parser.parse_args()
    stale: list[str] = []
    for path in sources():
        if options.names and path.stem not in options.names:
            continue
        if options.check:
            stale += [] if in_step(path) else [path.name]
            continue
        notebook = settle(execute(read_source(path)))
        nbformat.validate(notebook)
        nbformat.write(notebook, path.with_suffix(".ipynb"))
        print(f"{path.with_suffix('.ipynb').name} written")
    if stale:
        print(f"out of step: {', '.join(stale)}; run `make notebooks`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())

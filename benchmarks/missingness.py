r"""What two classifiers trained here say of CIFAR-10 as growing parts of pictures go missing.

    workbench train cifar10_supervised_tiny --wait
    workbench train cifar10_supervised_tiny 'objective=supervised(network="resnet10t")' patch=16 \
        optimiser=adamw lr=0.003 crop=0.5 steps=1200 warmup=60 --wait
    python benchmarks/missingness.py vit=run:ID convnet=run:ID

Each order of removing is a file of its own, written when it is done: started again, the rest is
measured. `--table` only writes the table and the picture from the files.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from missingness_chart import draw

RESULTS = Path(__file__).parent / "results"
FOLDER = RESULTS / "missingness"
ORDERS = ("random", "salient_first", "salient_last")
SHARES = (0, 0.1, 0.25, 0.5, 0.75, 0.9)
PAINTED = ("grey", "black", "blur", "neighbour")
INSIDE = {"vit": ("drop_tokens",), "convnet": ("layer_mask",)}
COUNT, GRID = 500, "8x8"
DATA = "cifar10()"
TITLES = {"vit": "ViT, 6 blocks of width 192", "convnet": "ResNet-10-T, stride 16"}
SHOWN = (0.25, 0.5, 0.9)


def main() -> None:
    """Measure what is named and not measured yet, then write table and picture."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("networks", nargs="*", help="vit=run:ID or convnet=run:ID")
    parser.add_argument("--table", action="store_true", help="only write table and picture")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, model in (each.split("=", 1) for each in options.networks):
        for order in ORDERS:
            if not options.table and not _file(name, order).exists():
                _measure(name, model, order)
    found = {name: _rows(name) for name in TITLES}
    found = {name: rows for name, rows in found.items() if rows}
    (RESULTS / "missingness.md").write_text(table(found), encoding="utf-8")
    draw(found, TITLES, RESULTS / "missingness.svg")


def _file(name: str, order: str) -> Path:
    return FOLDER / f"{name}_{order}.json"


def _measure(name: str, model: str, order: str) -> None:
    """One call of the command, as anybody would make it."""
    part = _file(name, order).with_suffix(".part")
    command = [
        sys.executable, "-m", "workbench", "missingness", "--model", model, "--data", DATA,
        "--order", order, "--shares", "; ".join(map(str, SHARES)), "--count", str(COUNT),
        "--grid", GRID, "--remove-with", "; ".join((*PAINTED, *INSIDE[name])), "--out", str(part),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    part.replace(_file(name, order))


def _rows(name: str) -> list[dict[str, Any]]:
    files = [_file(name, order) for order in ORDERS]
    return [
        row for each in files if each.exists()
        for row in json.loads(each.read_text(encoding="utf-8"))["rows"]
    ]  # fmt: skip


def _of(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any] | None:
    return next((r for r in rows if all(r[k] == v for k, v in wanted.items())), None)


def _span(row: dict[str, Any] | None, name: str, percent: bool) -> str:
    if row is None:
        return "–"
    values = [row[name], row[f"{name}_low"], row[f"{name}_high"]]
    if percent:
        return "{:.1f}% [{:.1f}, {:.1f}]".format(*(100 * each for each in values))
    return "{:.2f} [{:.2f}, {:.2f}]".format(*values)


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """All of it as Markdown."""
    lines = [
        "# What is said when parts are missing",
        "",
        f"Made by `python benchmarks/missingness.py vit=run:ID convnet=run:ID`: {COUNT:,} test",
        "pictures of CIFAR-10, cells of 4 x 4 pixels, two classifiers that `workbench train` made",
        "(see the script), one run each, seed 0; 95% intervals over pictures: they say nothing of",
        "other trainings. The entropy of the classes said is at most log2 10 = 3.32 bits; it falls",
        "where a way of removing pulls all pictures to a few classes.",
        "",
        "![Accuracy and entropy of the classes against the share removed](missingness.svg)",
    ]
    for name, rows in found.items():
        whole = _of(rows, share=0.0)
        lines += ["", f"## {TITLES[name]}", ""]
        lines += [f"Whole pictures: {_span(whole, 'accuracy', True)} right.", ""]
        lines += ["| order | removed with | " + " | ".join(
            f"accuracy, {share:.0%} removed" for share in SHOWN
        ) + f" | entropy of classes, {SHOWN[-1]:.0%} removed | confidence there |"]  # fmt: skip
        lines += ["|---|---|" + "---|" * (len(SHOWN) + 2)]
        for order in ORDERS:
            for operator in dict.fromkeys(row["operator"] for row in rows if row["order"] == order):
                each = [_of(rows, order=order, operator=operator, share=at) for at in SHOWN]
                cells = [_span(row, "accuracy", True) for row in each]
                cells += [_span(each[-1], "class_entropy", False)]
                cells += [_span(each[-1], "confidence", True)]
                lines.append(f"| {order.replace('_', ' ')} | `{operator}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""Notebooks: in step with their sources, built as promised, and run from top to bottom offline."""

import ast
import math
import statistics
import time

import nbformat
import pytest

from notebooks.build import HERE, WIDGET, execute, in_step, read_source, settle, sources
from workbench.masks import MASKS, Grid
from workbench.notebook import answer_key

NAMES = [path.stem for path in sources()]
# The kernel has no network: whatever reaches beyond this machine fails the run.
OFFLINE = """
import socket as _socket
_connect = _socket.socket.connect
def _local(self, address):
    if self.family != _socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
        raise OSError(f"no network here: {address}")
    return _connect(self, address)
_socket.socket.connect = _local
"""
# Answers from a formula or by hand, never from the notebook.
ANSWERS = {
    "01_what_is_a_mask": {
        "Question 1": 144 * 3 // 4,
        "Question 2": int(0.6 * 196 + 0.5),
        "Question 3": round(144 * 0.75 * 0.75),
        "Question 4": "a - b",
        "Question 5": "block",
        "Question 8": MASKS.parse("painted(hide='0-23')").sample(Grid(12, 12, patch=12)),
    },
    "02_twelve_ways_to_hide": {
        "Question 1": 4 * int(0.6 * 49 + 0.5),
        "Question 2": "corner",
        "Question 3": 4 * 4,
        "Question 4": round(2 * 98 * 97 / (196 * 195), 2),
        "Question 5": "checker",
        "Question 6": "block",
        "Question 7": "red",
        "Question 8": (14 - 6 - 1) + 6 - 1,
        "Question 9": "smaller",
        "Question 10": 97 / 195,
    },
    "03_reconstruct": {
        "Question 1": 12 * 12 * 3,
        "Question 2": 144 // 4,
        "Question 3": round((145 / 37) ** 2, 1),
        "Question 4": "no",
        "Question 5": 0.5,
        "Question 6": "less",
        "Question 7": round((5 - 3) / (10 / 4) ** 0.5, 2),
        "Question 8": "no",
        "Question 9": round(144 * 0.75**16, 2),
    },
    "04_train_your_own_in_ten_minutes": {
        "Question 1": 16 // 4,
        "Question 2": round(128 * 800 / 1438, 1),
        "Question 3": 0.1,
        "Question 4": "yes",
        "Question 5": "better",
        "Question 6": round(1.96 * (0.92 * 0.08 / 359) ** 0.5, 3),
        "Question 7": 3 * 3,
        "Question 8": 50,
        "Question 9": "no",
    },
    "05_what_to_predict": {
        "Question 1": 16 * 16 * 3,
        "Question 2": 2 * 2 * 9 * 3,
        "Question 3": "no",
        "Question 4": sum(x * x + y * y < 9 for x in range(-3, 4) for y in range(-3, 4)),
        "Question 5": 0.0,
        "Question 6": round(math.log(16), 2),
        "Question 7": "hog",
        "Question 8": "frequencies",
        "Question 9": "no",
    },
    "06_where_to_look": {
        "Question 1": (144 + 1) ** 2,
        "Question 2": round(1 / 145, 4),
        "Question 3": 0.0,
        "Question 4": round(145 / 37, 2),
        "Question 5": "more",
        "Question 6": "no",
        "Question 7": "near",
        "Question 8": "attended",
    },
    "07_hiding_inside": {
        "Question 1": 192 // 3,
        "Question 2": "input",
        "Question 3": "first",
        "Question 4": "trying",
        "Question 5": math.ceil(12 / 1.25),
        "Question 6": (1 + 4 * 2) ** 2,
        "Question 7": math.log2(16),
        "Question 8": "hubble",
        "Question 9": "away",
    },
    "08_explaining_and_judging": {
        "Question 1": 0.5 * 0.5,
        "Question 2": 0.0,
        "Question 3": "black",
        "Question 4": "smaller",
        "Question 5": "no",
        "Question 6": 1.0,
        "Question 7": 0.9 - 0.62,
        "Question 8": 0.0,
    },
}


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def source(name):
    return read_source(HERE / f"{name}.py")


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_is_a_first_notebook():
    assert NAMES[0].startswith("01_")


def test_the_notebook_is_in_step_with_its_source(name):
    assert in_step(HERE / f"{name}.py"), "run `make notebooks`"


def test_a_changed_source_is_noticed(tmp_path, name):
    copy = tmp_path / f"{name}.py"
    copy.write_text((HERE / f"{name}.py").read_text() + "\n# %%\n1 + 1\n")
    (tmp_path / f"{name}.ipynb").write_text((HERE / f"{name}.ipynb").read_text())
    assert not in_step(copy)


def test_cells_are_short_and_define_nothing(source):
    cells = [cell.source for cell in code_cells(source)]
    assert statistics.median(len(text.splitlines()) for text in cells) <= 4
    forbidden = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for text in cells:
        assert not any(isinstance(node, forbidden) for node in ast.walk(ast.parse(text)))


def test_prose_stands_between_code_and_a_question_before_every_check(source):
    kinds = [cell.cell_type for cell in source.cells]
    assert "code code code code" not in " ".join(kinds)
    for before, cell in zip(source.cells, source.cells[1:], strict=False):
        if cell.source.startswith("check("):
            assert before.cell_type == "markdown"
            assert "**Question" in before.source


def test_the_keys_belong_to_the_right_answers_and_hide_them(name, source):
    checked = {}
    for before, cell in zip(source.cells, source.cells[1:], strict=False):
        if cell.source.startswith("check("):
            question = before.source.split("**")[-2].strip(" .")
            call = ast.parse(cell.source).body[0].value
            digits = [word.value.value for word in call.keywords if word.arg == "digits"]
            checked[question] = call.args[1].value, digits[0] if digits else 3
            assert call.args[0].value is ...
            assert repr(ANSWERS[name][question]) not in cell.source
    assert checked.keys() == ANSWERS[name].keys()
    for question, (key, digits) in checked.items():
        assert key == answer_key(ANSWERS[name][question], digits), question


def test_it_runs_offline_at_tiny_size_in_three_minutes(source, monkeypatch):
    monkeypatch.setenv("WORKBENCH_TINY", "1")
    monkeypatch.setenv("PYTHONPATH", str(HERE.parent))
    source.cells.insert(0, nbformat.v4.new_code_cell(OFFLINE))
    started = time.monotonic()
    done = execute(source)
    assert time.monotonic() - started < 180
    widgets = 0
    for cell in code_cells(done):
        for output in cell.outputs:
            assert output.output_type != "error"
            if WIDGET in output.get("data", {}):
                widgets += 1
                assert len(output["data"]["image/png"]) > 1000, "no picture behind the widget"
    assert widgets >= 1
    kept = settle(done)
    assert WIDGET not in str(kept)


def test_the_kept_notebook_is_small_and_names_no_machine(name):
    text = (HERE / f"{name}.ipynb").read_text()
    assert len(text) < 600_000
    assert str(HERE.parent) not in text
    assert text.count("image/png") >= 4

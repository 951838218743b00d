"""Trees of text, read beside other readers."""

import ast

import pytest

from workbench import syntax
from workbench.masks import MASKS


def refused(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `ast.parse` fail so often as CPython does when two threads read at once."""
    left, parse = [times], ast.parse

    def failing(*args: object, **options: object) -> object:
        if left[0]:
            left[0] -= 1
            raise SystemError("AST constructor recursion depth mismatch (before=39, after=40)")
        return parse(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ast, "parse", failing)


def test_a_reader_that_met_another_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    refused(2, monkeypatch)
    assert str(MASKS.parse("block(ratio=0.6)")) == "block(ratio=0.6)"


def test_it_does_not_try_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    refused(1000, monkeypatch)
    with pytest.raises(SystemError, match="depth mismatch"):
        syntax.expression("1 + 1")


def test_what_is_no_python_is_refused_as_ever() -> None:
    with pytest.raises(SyntaxError):
        syntax.module("def")
    with pytest.raises(RecursionError):
        syntax.expression("(" * 150 + "1" + ")" * 150 + "+1" * 20_000)

"""The list of commands."""

import pytest

from workbench import cli


def test_every_command_stands_under_a_heading(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    told = capsys.readouterr().out
    assert "Inside a network:" in told and "Others:" not in told

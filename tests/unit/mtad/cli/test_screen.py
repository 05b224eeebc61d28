"""A table on a terminal is drawn, holds every cell, and takes nothing for markup."""

from __future__ import annotations

import io

import pytest

from mtad.cli import screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_drawn_table(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    screen.say_table(("ID", "REASON"), [("1", "[bold]x\x1b[2J" + "y" * 80)])
    written = terminal.getvalue()
    assert "─" in written
    assert "[bold]x�[2J" in written
    assert written.count("y") == 80


def test_a_pipe_gets_columns_without_trailing_space(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say_table(("A", "B"), [("long", ""), ("x", "y")])
    assert capsys.readouterr().out == "A     B\nlong\nx     y\n"

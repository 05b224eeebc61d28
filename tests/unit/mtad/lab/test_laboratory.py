"""Where the laboratory keeps its files."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from mtad.lab.laboratory import STATE_HOME_OCTETS_MAX, working_folder


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), soft_wrap=True)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name, as people have."""
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as folder:
        yield Path(folder) / "state"


def test_it_is_under_the_state_home_and_goes_at_the_end(
    console: Console, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(short))
    with working_folder(console, is_kept=False) as folder:
        assert folder.parent == short
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert not folder.exists()


def test_it_may_be_kept(console: Console, short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(short))
    with working_folder(console, is_kept=True) as folder:
        pass
    assert folder.exists()
    assert isinstance(console.file, io.StringIO)
    assert str(folder) in console.file.getvalue()


@pytest.mark.parametrize("state_home", ["", "relative", "/tmp/" + "x" * STATE_HOME_OCTETS_MAX])
def test_a_state_home_that_does_not_do_is_not_used(
    console: Console, monkeypatch: pytest.MonkeyPatch, state_home: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", state_home)
    monkeypatch.setenv("TMPDIR", "/tmp")
    monkeypatch.setattr("tempfile.tempdir", None)
    with working_folder(console, is_kept=False) as folder:
        assert folder.parent == Path("/tmp")
        assert len(str(folder / "mx1/run/admin.sock")) <= 107

"""mtactl in memory, against a node that answers what the test says."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mtad.cli.mtactl import app
from tests.fakes.admin_server import FakeAdmin, serving

Mtactl = Callable[..., Result]


@pytest.fixture
def socket() -> Iterator[Path]:
    """A path short enough for a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="mtad-"))
    yield folder / "admin.sock"
    shutil.rmtree(folder)


@pytest.fixture
def admin(socket: Path) -> Iterator[FakeAdmin]:
    served = FakeAdmin()
    with serving(served, socket):
        yield served


@pytest.fixture
def mtactl(socket: Path, monkeypatch: pytest.MonkeyPatch) -> Mtactl:
    monkeypatch.delenv("MTAD_CONFIG", raising=False)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--node", str(socket)], catch_exceptions=False)

    return run

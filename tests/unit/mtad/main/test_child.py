"""A child process begins as the supervisor has it begin, or ends at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.configuration import MINIMAL


def ended(module: str, config: Path, parent: int) -> tuple[int, str]:
    """Run a child of this process to its end; return its exit code and what it says."""
    options = ("--config", str(config), "--parent", str(parent), "--sockets", "3", "--ready", "4")
    child = subprocess.run([sys.executable, "-m", module, *options], capture_output=True, check=False, text=True)
    return child.returncode, child.stderr


@pytest.mark.parametrize("module", ["mtad.main.worker", "mtad.main.spool_process"])
def test_settings_that_have_become_unreadable_end_it(module: str, tmp_path: Path) -> None:
    config = tmp_path / "mtad.toml"
    config.write_text(MINIMAL.replace("id = 1", "id = 99"))
    code, said = ended(module, config, os.getpid())
    assert code == 2
    assert said.startswith(f"{config}:3: node.id 99 is too large")


def test_without_its_supervisor_it_ends_at_once(tmp_path: Path) -> None:
    assert ended("mtad.main.worker", tmp_path / "mtad.toml", parent=1) == (1, "")

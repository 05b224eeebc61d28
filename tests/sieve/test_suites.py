"""Every test file here is good, and there are enough of them for each capability."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtad.rehearsal.play import play_file
from mtad.rehearsal.report import lines
from mtad.sieve.dialects import PLAIN, POLICY

HERE = Path(__file__).parent
SUITES = sorted(HERE.rglob("*.svtest"))


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
async def test_suite(path: Path) -> None:
    report = await play_file(path, must_fail=path.parent.name == "must-fail")
    assert report.is_good, "\n".join(lines([report]))


def test_there_are_enough() -> None:
    assert sum(path.read_text().count('\ntest "') for path in SUITES) >= 300


def test_each_capability_is_tested() -> None:
    written = "".join(path.read_text() for path in [*SUITES, *HERE.rglob("*.sieve")])
    assert sorted(name for name in PLAIN.capabilities | POLICY.capabilities if f'"{name}"' not in written) == []

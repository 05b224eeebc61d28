"""The test files notice a planted fault, and what plants it plants what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sieve.mutation import ENGINE, faults_of, planted
from tests.sieve.unnoticed import KNOWN, reason


@pytest.mark.parametrize(
    ("source", "what", "value"),
    [
        ("found = 1 < 2", "Lt turned", False),
        ("found = 1 == 2", "Eq turned", True),
        ("found = 'a' in 'abc'", "In turned", False),
        ("found = None is None", "Is turned", False),
        ("found = True and False", "And turned", True),
        ("found = True or False", "Or turned", False),
        ("found = not False", "Not left out", False),
        ("found = 7", "7 made 8", 8),
    ],
)
def test_what_is_planted(tmp_path: Path, source: str, what: str, value: object) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)
    fault = next(fault for fault in faults_of(path) if fault.what == what)
    scope: dict[str, object] = {}
    exec(planted(fault), scope)
    assert scope["found"] is value or scope["found"] == value


def test_what_is_no_operator_has_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('"""Words."""\nfound: bool = True\ntext = "1 < 2"\n')
    assert list(faults_of(path)) == []


def test_faults_are_noticed() -> None:
    command = [sys.executable, "-m", "tests.sieve.mutation", "comparators", "--every", "6"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ENGINE.parents[1])
    found = re.search(r"^(\d+) faults, (\d+) noticed; 0 cannot be\.$", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout
    assert 0 < int(found[1]) == int(found[2])


def test_each_reason_is_that_of_a_fault() -> None:
    faults = [fault for path in ENGINE.rglob("*.py") for fault in faults_of(path)]
    places = [(str(fault.path.relative_to(ENGINE)), fault.text, fault.what) for fault in faults]
    assert [known for known in KNOWN if not any(known.tells(*place) for place in places)] == []


def test_a_fault_with_a_reason_is_not_planted() -> None:
    assert reason("lexer.py", "NUMBER_MAX = (1 << 63) - 1", "1 made 2").startswith("how much")
    assert reason("lexer.py", 'if text[at] == ":":', "Eq turned") == ""
    assert any(fault.why_unnoticed for fault in faults_of(ENGINE / "lexer.py"))

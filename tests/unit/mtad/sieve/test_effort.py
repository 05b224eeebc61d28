from __future__ import annotations

import pytest

from mtad.sieve.dialects import PLAIN
from mtad.sieve.effort import EFFORT_MAX, NODE, Effort, of_script, of_string
from mtad.sieve.errors import ERRORS_MAX, Report, SieveErrors
from mtad.sieve.script import Script, compile_script


def test_effort_is_spent_to_the_last_unit() -> None:
    effort = Effort(3)
    assert (effort.spend(3), effort.left) == (True, 0)
    assert (effort.spend(1), effort.left) == (False, -1)


def test_behind_the_last_error_that_is_told_no_work_is_of_use() -> None:
    report = Report("t", "")
    for at in range(ERRORS_MAX):
        assert report.spend(at, 1)
        report.add(at, "wrong")
    assert not report.spend(ERRORS_MAX, 1)
    assert len(report.errors().errors) == ERRORS_MAX


@pytest.mark.parametrize(("text", "units"), [("a" * 63, 0), ("a" * 640, 10)])
def test_what_a_script_costs_to_look_at(text: str, units: int) -> None:
    assert of_script(text) == units


@pytest.mark.parametrize(("text", "units"), [("", 0), ("a" * 32, 2), ("${a}${b}", 4)])
def test_what_a_string_costs_to_read(text: str, units: int) -> None:
    assert of_string(text) == units


def test_the_largest_script_is_compiled_and_one_command_more_is_too_much() -> None:
    command = "keep; # ............................................................................................#\n"
    of_command = NODE + 2  # two tokens
    count = (EFFORT_MAX - 1) * 64 // (of_command * 64 + len(command))
    assert isinstance(compile_script(command * count, "t", PLAIN), Script)
    found = compile_script(command * (count + 2), "t", PLAIN)
    assert isinstance(found, SieveErrors)
    (error,) = found.errors
    assert count <= error.line <= count + 2
    assert f"{EFFORT_MAX} units" in error.text
    assert "long lists belong in maps" in error.text

from __future__ import annotations

import pytest

from mtad.sieve.code import Plain
from mtad.sieve.dialects import PLAIN
from mtad.sieve.doors import Doors
from mtad.sieve.language import OUTSIDE
from mtad.sieve.run import Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, first_error

NUMERIC = ':comparator "i;ascii-numeric"'


def is_true(test: str, doors: Doors) -> bool:
    required = '"spamtestplus", "virustest", "relational", "comparator-i;ascii-numeric"'
    script = compile_script(f"require [{required}]; if {test} {{ keep; }}", "t", PLAIN)
    assert isinstance(script, Script), str(script)
    code = script.stages[OUTSIDE]
    assert isinstance(code, Plain)
    run = Run(StillFacts(), Limits(), doors)
    code.call(run)
    return bool(run.actions)


@pytest.mark.parametrize(
    ("percent", "score"), [(None, "0"), (0, "1"), (11, "1"), (12, "2"), (50, "5"), (99, "9"), (100, "10")]
)
def test_spam_on_a_scale_of_ten(percent: int | None, score: str) -> None:
    doors = Doors(spam=lambda: percent)
    assert is_true(f'spamtest "{score}"', doors)
    assert is_true(f'spamtest :value "ge" {NUMERIC} "{score}"', doors)
    assert not is_true(f'spamtest :value "gt" {NUMERIC} "{score}"', doors)


@pytest.mark.parametrize(
    ("test", "percent", "expected"),
    [
        (f'spamtest :percent :value "ge" {NUMERIC} "50"', 50, True),
        (f'spamtest :percent :value "ge" {NUMERIC} "50"', 49, False),
        (f'spamtest :percent :value "ge" {NUMERIC} "50"', None, False),  # never spam because nobody looked
        ('spamtest :percent :count "eq" "0"', None, True),
        ('spamtest :percent :count "eq" "1"', 0, True),
        ('spamtest :count "eq" "0"', None, True),
        ('spamtest :count "eq" "1"', 0, True),
    ],
)
def test_percents_and_what_was_not_tested(test: str, percent: int | None, expected: bool) -> None:
    assert is_true(test, Doors(spam=lambda: percent)) is expected


def test_viruses() -> None:
    assert is_true(f'virustest :value "eq" {NUMERIC} "5"', Doors(virus=lambda: 5))
    assert is_true('virustest "0"', Doors(virus=lambda: None))
    assert is_true('virustest :count "eq" "0"', Doors(virus=lambda: None))


@pytest.mark.parametrize("test", ['spamtest "0"', 'spamtest :percent "0"', 'virustest "0"'])
def test_without_a_scanner_the_run_fails(test: str) -> None:
    with pytest.raises(ScriptFailed, match="no scanner"):
        is_true(test, Doors())


def test_percents_need_their_capability() -> None:
    assert first_error('require "spamtest"; if spamtest :percent "1" { }') == (
        '1:33: :percent needs require "spamtestplus"'
    )

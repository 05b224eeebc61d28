from __future__ import annotations

import pytest

from mtad.sieve.actions import Action, Log
from mtad.sieve.capabilities.score import decimal, thousandths
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.run import ScriptFailed
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, run_plain

REQUIRE = 'require ["variables", "vnd.mtad.stage", "vnd.mtad.score", "vnd.mtad.log"];\n'


def actions(block: str) -> list[Action]:
    return run_plain(f'{REQUIRE}stage "data" {{ {block} }}', StillFacts(), language=POLICY, stage="data")


def errors(script: str) -> list[str]:
    found = compile_script(REQUIRE + script, "t", POLICY)
    assert isinstance(found, SieveErrors)
    return [str(error) for error in found.errors]


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("0", 0, "0"),
        ("1", 1000, "1"),
        ("1.5", 1500, "1.5"),
        ("-0.25", -250, "-0.25"),
        ("+2.050", 2050, "2.05"),
        ("0.001", 1, "0.001"),
        ("-999999.999", -999_999_999, "-999999.999"),
        ("010", 10_000, "10"),
    ],
)
def test_points_are_decimal(text: str, value: int, shown: str) -> None:
    assert thousandths(text) == value
    assert decimal(value) == shown


@pytest.mark.parametrize("text", ["", ".5", "5.", "1.2345", "1000000", "1,5", "1e3", " 1", "1 ", "--1", "\u0661"])
def test_what_is_no_decimal_is_none(text: str) -> None:
    assert thousandths(text) is None


def test_symbols_add_up_and_count_once() -> None:
    said = actions('score "1.5" "A"; score "-0.25" "B"; log "${score}"; score "2" "A"; log "${score}";')
    assert said == [Log("1.25"), Log("1.75")]
    assert actions('log "${score}";') == [Log("0")]


@pytest.mark.parametrize(
    ("test", "is_true"),
    [
        ('"ge" "1.75"', True),
        ('"GT" "1.75"', False),
        ('"gt" "1.7"', True),
        ('"lt" "-5"', False),
        ('"eq" "1.750"', True),
        ('"ne" "1.75"', False),
        ('"le" "2"', True),
        (':symbol "B" "eq" "-0.25"', True),
        (':symbol "A" "gt" "${two}"', False),
        (':symbol "none" "eq" "0"', True),
        (':symbol "a" "eq" "0"', True),
    ],
)
def test_compares_as_numbers(test: str, is_true: bool) -> None:
    said = actions(f'set "two" "2"; score "${{two}}" "A"; score "-0.25" "B"; if score {test} {{ log "x"; }}')
    assert said == ([Log("x")] if is_true else [])


@pytest.mark.parametrize("block", ['score "${x}" "A";', 'if score "gt" "${x}" { log "a"; }'])
def test_a_value_that_is_no_number_fails(block: str) -> None:
    with pytest.raises(ScriptFailed, match='score: "many" is no decimal number'):
        actions(f'set "x" "many"; {block}')


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ('stage "data" { score "1,5" "A"; }', 't:2:22: "1,5" is no decimal number: up to 6 digits, and up to 3 places'),
        ('stage "data" { score "1" "${a}"; }', "t:2:26: argument 2 of score must be a constant string: it may hold no"),
        ('stage "data" { if score "over" "1" { } }', 't:2:25: "over" is none of gt, ge, lt, le, eq, ne'),
        ('stage "deliver" { score "1" "A"; }', 't:2:19: score is not legal in stage "deliver"'),
        ('stage "data" { set "score" "1"; }', 't:2:20: "score" cannot be set'),
    ],
)
def test_mistakes(script: str, error: str) -> None:
    (found,) = errors(script)
    assert found.startswith(error)


def test_a_script_without_the_capability_may_have_a_variable_of_that_name() -> None:
    text = 'require ["variables", "vnd.mtad.stage", "vnd.mtad.log"]; stage "data" { set "score" "x"; log "${score}"; }'
    assert run_plain(text, StillFacts(), language=POLICY, stage="data") == [Log("x")]

from __future__ import annotations

import pytest

from mtad.sieve.code import Plain
from mtad.sieve.dialects import PLAIN
from mtad.sieve.language import OUTSIDE
from mtad.sieve.run import Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, filed, first_error

FACTS = StillFacts(
    b"Received: from a by b; Tue, 01 Apr 2014 01:23:45 +0200\r\n"
    b"Received: from c by d; Mon, 31 Mar 2014 23:23:40 -0700\r\n"
    b"Date: Sat, 29 Feb 2020 23:05:09 -0500\r\nX-None: nonsense\r\nX-Bad: Fri, 99 Mar 2010 07:05:01 +0000\r\n"
    b"X-Leap: Sat, 31 Dec 2016 23:59:60 +0000\r\n\r\n"
)
REQUIRE = 'require ["date", "fileinto", "variables", "index", "relational", "comparator-i;ascii-numeric"];'


def shown(test: str) -> list[str]:
    return [found[1:] for found in filed(f'{REQUIRE} if {test} {{ fileinto "=${{0}}"; }}', FACTS)]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("year", "2020"),
        ("month", "02"),
        ("DAY", "29"),
        ("date", "2020-02-29"),
        ("julian", "58908"),
        ("hour", "23"),
        ("minute", "05"),
        ("second", "09"),
        ("time", "23:05:09"),
        ("iso8601", "2020-02-29T23:05:09-05:00"),
        ("std11", "Sat, 29 Feb 2020 23:05:09 -0500"),
        ("zone", "-0500"),
        ("weekday", "6"),
    ],
)
def test_parts_of_a_date(part: str, expected: str) -> None:
    assert shown(f'date :originalzone :matches "date" "{part}" "*"') == [expected]


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('date :zone "+0300" :matches "date" "iso8601" "*"', "2020-03-01T07:05:09+03:00"),
        ('date :zone "-0330" :matches "date" "time" "*"', "00:35:09"),
        ('date :zone "+0000" :matches "date" "iso8601" "*"', "2020-03-01T04:05:09Z"),
        ('date :matches "date" "zone" "*"', "+0100"),  # the zone of the clock
        ('date :originalzone :matches "received" "hour" "*"', "01"),
        ('date :index 2 :originalzone :matches "received" "hour" "*"', "23"),
        ('date :index 2 :last :originalzone :matches "received" "hour" "*"', "01"),
        ('date :zone "+0000" :matches "x-leap" "time" "*"', "23:59:59"),
        ('currentdate :matches "iso8601" "*"', "2026-03-01T23:30:05+01:00"),
        ('currentdate :zone "+0530" :matches "date" "*"', "2026-03-02"),
        ('currentdate :matches "weekday" "*"', "0"),
    ],
)
def test_zones_and_fields(test: str, expected: str) -> None:
    assert shown(test) == [expected]


def test_what_is_no_date_has_no_parts() -> None:
    for name in ("x-none", "x-bad", "x-absent"):
        assert shown(f'date :matches "{name}" "year" "*"') == []
        assert shown(f'date :count "eq" "{name}" "year" "0"') == [""]


def test_comparison_as_numbers() -> None:
    numeric = ':comparator "i;ascii-numeric"'
    assert shown(f'date :value "ge" {numeric} :originalzone "date" "hour" "9"') == [""]
    assert shown(f'currentdate :value "lt" {numeric} "year" "2026"') == []


@pytest.mark.parametrize(
    ("test", "error"),
    [
        ('date "date" "era" "a"', '"era" is no part of a date'),
        ('date :zone "CET" "date" "year" "a"', '"CET" is no time zone'),
        ('date :zone "+0100" :originalzone "date" "year" "a"', ":originalzone stands beside :zone"),
        ('currentdate :originalzone "year" "a"', "currentdate has no tag :originalzone"),
    ],
)
def test_mistakes(test: str, error: str) -> None:
    assert error in first_error(f"{REQUIRE} if {test} {{ }}")


def test_without_a_clock_the_run_fails() -> None:
    script = compile_script('require "date"; if currentdate "year" "2026" { stop; }', "t", PLAIN)
    assert isinstance(script, Script)
    code = script.stages[OUTSIDE]
    assert isinstance(code, Plain)
    with pytest.raises(ScriptFailed, match="time is not known"):
        code.call(Run(FACTS, Limits()))

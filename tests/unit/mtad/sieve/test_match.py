from __future__ import annotations

import time

import pytest

from mtad.sieve.comparators import ascii_casemap
from mtad.sieve.run import LimitExceeded, Limits
from mtad.sieve.wildcard import Wildcard
from tests.fakes.sieve_facts import StillFacts, is_true, run_plain


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "any thing", True),
        ("?", "", False),
        ("?", "a", True),
        ("?", "ab", False),
        ("a*", "a", True),
        ("a*", "ba", False),
        ("*a", "ba", True),
        ("*a", "ab", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*ab*", "xxabyy", True),
        ("*ab*ab*", "xxabyy", False),
        ("*ab*b", "ab", False),
        ("*a?c*", "xxabyabc!", True),
        ("*??a??*", "xxaxx", True),
        ("*??a??*", "xxax", False),
        ("*ab?*c", "xabc", False),
        ("*ab?*c", "xab-c", True),
        ("**", "a", True),
        ("a**b", "ab", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        (r"\?a\\", "?a\\", True),
        (r"a\bc", "abc", True),
        ("a\\", "a\\", True),
        ("*.example.*", "mx.example.net", True),
        ("*\r\n*", "a\r\nb", True),
        ("a.c", "abc", False),
        ("[a]*", "[a]b", True),
    ],
)
def test_wildcards(pattern: str, value: str, expected: bool) -> None:
    assert Wildcard(pattern).is_match(value) is expected


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("*a*a*a*a*a*a*a*a*b", "a" * 100_000),
        ("*a*a*a*a*a*a*a*a*b*", "a" * 100_000),
        ("*?a?a?b*", "a" * 100_000),
        ("*" * 1000 + "b", "a" * 100_000),
    ],
)
def test_matches_is_linear_in_a_hostile_value(pattern: str, value: str) -> None:
    started = time.process_time()
    assert not Wildcard(pattern).is_match(value)
    assert time.process_time() - started < 1


def test_casemap_folds_ascii_letters_and_no_others() -> None:
    assert ascii_casemap("ABCxyz@[`{") == "abcxyz@[`{"
    assert ascii_casemap("\u212aÄİ") == "\u212aÄİ"  # the Kelvin sign is no k


FACTS = StillFacts(b"Subject: Hello World\r\nX: one\r\nX: TWO\r\nEmpty:\r\n\r\n")


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('header "subject" "hello world"', True),
        ('header :is "subject" "hello"', False),
        ('header :contains "subject" "LO W"', True),
        ('header :contains "subject" ""', True),
        ('header :matches "subject" "h* w?rld"', True),
        ('header :matches "subject" ["x*", "*d"]', True),
        ('header :comparator "i;octet" "subject" "hello world"', False),
        ('header :comparator "i;octet" "subject" "Hello World"', True),
        ('header :comparator "i;octet" :contains "subject" "lo w"', False),
        ('header ["none", "x"] "two"', True),
        ('header "x" ["three", "one"]', True),
        ('header "x" ["three", "four"]', False),
        ('header "empty" ""', True),
        ('header "none" ""', False),
        ('header :contains "none" ""', False),
    ],
)
def test_match_types_and_comparators(test: str, expected: bool) -> None:
    assert is_true(test, FACTS) is expected


NUMBERS = StillFacts(b"N: 10 apples\r\nN: 9\r\nZ: 007\r\nW: many\r\nH: " + b"9" * 5000 + b"\r\n\r\n")
_NUMERIC = ':comparator "i;ascii-numeric"'


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (f'header {_NUMERIC} "z" "7"', True),
        (f'header {_NUMERIC} "z" "70"', False),
        (f'header {_NUMERIC} "n" "10"', True),
        (f'header {_NUMERIC} "w" "none"', True),  # RFC 4790 §9.1: whatever is no number is infinite, and equal
        (f'header :value "gt" {_NUMERIC} "n" "9"', True),
        (f'header :value "gt" {_NUMERIC} "n" "10"', False),
        (f'header :value "ge" {_NUMERIC} "n" ["11", "10"]', True),
        (f'header :value "LT" {_NUMERIC} "n" "10"', True),
        (f'header :value "le" {_NUMERIC} "n" "8"', False),
        (f'header :value "eq" {_NUMERIC} "z" "00007"', True),
        (f'header :value "ne" {_NUMERIC} "z" "7"', False),
        (f'header :value "gt" {_NUMERIC} "w" "99999999999999999999999999"', True),
        (f'header :value "gt" {_NUMERIC} "h" "{"9" * 4999}8"', True),
        ('header :value "gt" "n" "8"', True),
        ('header :value "gt" "z" "00"', True),
        (f'header :count "eq" {_NUMERIC} "n" "2"', True),
        (f'header :count "eq" {_NUMERIC} ["n", "z", "none"] "3"', True),
        (f'header :count "gt" {_NUMERIC} "none" "0"', False),
        (f'header :count "lt" {_NUMERIC} "none" "1"', True),
        ('header :count "gt" "n" "10"', True),  # as text
    ],
)
def test_numbers_relations_and_counts(test: str, expected: bool) -> None:
    assert is_true(test, NUMBERS, '"relational", "comparator-i;ascii-numeric"') is expected


def test_comparisons_count_against_the_limit() -> None:
    content = b"X: a\r\n" * 1000 + b"\r\n"
    script = 'if header "x" ["1", "2", "3"] { keep; }'
    assert run_plain(script, StillFacts(content), limits=Limits(nodes_max=1004)) == []
    with pytest.raises(LimitExceeded, match="nodes"):
        run_plain(script, StillFacts(content), limits=Limits(nodes_max=1003))

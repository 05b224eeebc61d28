from __future__ import annotations

import time

import pytest

from mtad.maps.expression import PROGRAM_SIZE_MAX, BadExpression
from mtad.sieve.dialects import PLAIN
from mtad.sieve.regex import GROUPED_LENGTH_MAX, LENGTH_MAX, Expression, expression, quoted
from mtad.sieve.run import LimitExceeded, Limits, ScriptFailed
from tests.fakes.sieve_facts import StillFacts, filed, first_error, is_true

FACTS = StillFacts(b"Subject: [list] Re: Hello 42 \xff\r\nX: one\r\nX: gr\xc3\xbcn TWO\r\n\r\nbody\r\n")
REQUIRE = (
    'require ["regex", "variables", "fileinto", "relational", "comparator-i;ascii-numeric", "body", "editheader"];'
)


def made(text: str, *, has_groups: bool = False) -> Expression:
    found = expression(text, is_case_folding=True, has_groups=has_groups)
    assert isinstance(found, Expression)
    return found


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('header :regex "subject" "hello [0-9]+"', True),
        ('header :regex "subject" "^\\\\[list\\\\]"', True),
        ('header :regex "subject" "^hello"', False),
        ('header :regex "subject" "42 .$"', True),
        ('header :regex :comparator "i;octet" "subject" "hello"', False),
        ('header :regex "x" ["^three$", "^one$"]', True),
        ('header :regex "x" "^gr.n two$"', True),
        ('header :regex "none" ".*"', False),
        ('header :regex "x" ""', True),
    ],
)
def test_expressions_are_found_in_values(test: str, expected: bool) -> None:
    assert is_true(test, FACTS, '"regex"') is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'if header :regex "subject" "(re|fwd): ([a-z]+)( x)?" { fileinto "${0}|${1}|${2}|${3}"; }',
            "Re: Hello|Re|Hello|",
        ),
        ('if header :regex "x" "(o)|(t)" { fileinto "${0}|${1}|${2}"; }', "o|o|"),
        ('if string :regex "abcd" "(a|ab)(c|bcd)?" { fileinto "${0}"; }', "abcd"),  # the longest, as in POSIX
        ('if string :regex "üab" "(a)" { fileinto "${1}"; }', "a"),
        ('set "k" "h(.*)o"; if header :regex "subject" "${k}" { fileinto "${1}"; }', "ell"),
        ('set :quoteregex "k" "[list]"; if header :regex "subject" "^${k}" { fileinto "${0}"; }', "[list]"),
        ('if string :regex "a\nb" "a..b" { fileinto "dot"; }', "dot"),
        ('deleteheader :regex "x" "^o"; if not header "x" "one" { fileinto "gone"; }', "gone"),
        ('if body :regex "b(o)" { fileinto "<${1}>"; }', "<>"),
    ],
)
def test_groups_are_remembered(text: str, expected: str) -> None:
    assert filed(REQUIRE + text, FACTS) == [expected]


@pytest.mark.parametrize(
    ("test", "error"),
    [
        ('header :regex "a" "("', "no regular expression: missing ): ("),
        ('header :regex "a" "a(?=b)"', "no regular expression: invalid perl operator: (?="),
        ('header :regex "a" "(a)\\\\1"', "no regular expression: invalid escape sequence: \\1"),
        ('header :regex "a" "((a?){200}){5}"', f"no regular expression: larger than {PROGRAM_SIZE_MAX} steps"),
        ('header :regex :comparator "i;ascii-numeric" "a" "a"', "this comparator cannot be used with :regex"),
    ],
)
def test_mistakes(test: str, error: str) -> None:
    assert first_error(f"{REQUIRE} if {test} {{ }}", PLAIN).split(": ", 1)[1] == error


def test_mistakes_are_named_where_they_stand() -> None:
    assert first_error('require "regex"; if header :regex "a" ["b", "("] { }') == (
        "1:45: no regular expression: missing ): ("
    )
    assert first_error('if header :regex "a" "b" { }') == '1:11: :regex needs require "regex"'


def test_an_expression_that_turns_out_to_be_none_ends_the_run() -> None:
    with pytest.raises(ScriptFailed, match="missing"):
        filed(REQUIRE + 'set "k" "("; if header :regex "x" "${k}" { }', FACTS)


def test_text_that_is_not_utf8_has_no_expression() -> None:
    assert expression("\udcff", is_case_folding=True, has_groups=False) == BadExpression("not UTF-8")


def test_no_more_of_a_value_is_seen_than_the_limit() -> None:
    assert made("b").is_match("a" * (LENGTH_MAX - 1) + "b")
    assert not made("b").is_match("a" * LENGTH_MAX + "b")
    assert made("b", has_groups=True).spans("a" * GROUPED_LENGTH_MAX + "b") is None


@pytest.mark.parametrize("text", ["(x+x+)+y", "([ab]*a[ab]{12}){10}c", "((a?b?){20}){5}c", "(.{0,20}a){5}c"])
def test_hostile_expressions_take_no_longer_than_others(text: str) -> None:
    started = time.process_time()
    made(text).is_match("ab" * LENGTH_MAX)
    made(text, has_groups=True).spans("ab" * LENGTH_MAX)
    assert time.process_time() - started < 1


def test_searching_counts_as_work() -> None:
    facts = StillFacts(b"X: " + b"x" * 4000 + b"\r\n\r\n")
    test = f'if header :regex "x" "{"y" * 100}" {{ }}'
    filed(REQUIRE + test, facts, Limits(nodes_max=300))
    with pytest.raises(LimitExceeded):
        filed(REQUIRE + test, facts, Limits(nodes_max=150))
    with pytest.raises(LimitExceeded):  # what is remembered costs more
        filed(f'{REQUIRE} {test} fileinto "x${{1}}";', facts, Limits(nodes_max=10_000))


@pytest.mark.parametrize("text", ["a.b*c", "(a)[b]{c}|d^$+?\\", "plain"])
def test_a_quoted_text_finds_itself_alone(text: str) -> None:
    assert made(f"^{quoted(text)}$").is_match(text)
    assert not made(f"^{quoted(text)}$").is_match(text.replace("a", "aa").replace("p", "pp"))

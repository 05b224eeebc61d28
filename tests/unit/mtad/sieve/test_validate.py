from __future__ import annotations

import pytest

from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.errors import ERRORS_MAX, SieveErrors
from mtad.sieve.language import Language
from mtad.sieve.script import SCRIPT_LENGTH_MAX, Script, compile_script

_ALL = (
    'require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue", "environment"];\n'
)


def errors(text: str, language: Language = PLAIN) -> list[str]:
    found = compile_script(text, "t", language)
    assert isinstance(found, SieveErrors)
    return [f"{error.line}:{error.column}: {error.text}" for error in found.errors]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('require "vacation";', '1:9: unknown capability "vacation"'),
        ('require ["envelope", "nope"];', '1:22: unknown capability "nope"'),
        ("require 5;", "1:9: argument 1 of require must be a constant string or a list of them"),
        ('keep; require "envelope";', "1:7: require must stand before all other commands"),
        ('if true { require "envelope"; }', "1:11: require must stand at the top level"),
        ('if envelope "to" "a" { stop; }', '1:4: envelope needs require "envelope"'),
        ("vacation;", "1:1: unknown command vacation"),
        ("if snow { stop; }", "1:4: unknown test snow"),
        ("true;", "1:1: true is a test, not a command"),
        ("if stop { keep; }", "1:4: stop is a command, not a test"),
        ("else { stop; }", "1:1: else must follow if or elsif"),
        ("if true { } keep; elsif true { }", "1:19: elsif must follow if or elsif"),
        ("if true { } else { } else { }", "1:22: else must follow if or elsif"),
        ("if { stop; }", "1:1: if takes one test"),
        ("if (true) { stop; }", "1:5: if takes one test"),
        ("if anyof true { stop; }", "1:10: anyof takes a list of tests"),
        ("keep\nif true { stop; }", "2:1: keep takes no test; is a ';' missing before it?"),
        ("if true;", "1:1: if needs a block"),
        ("keep { stop; }", "1:1: keep takes no block"),
        ('stop "a";', "1:6: stop has an argument too many here"),
        ('if header "a" { stop; }', "1:4: argument 2 of header must be a string or a list of strings"),
        ('if header "a" 5 { stop; }', "1:15: argument 2 of header must be a string or a list of strings"),
        ('if header :near "a" "b" { stop; }', "1:11: header has no tag :near"),
        (
            'if header :is :contains "a" "b" { stop; }',
            "1:15: :contains stands beside :is: only one of them is possible",
        ),
        ('if header :is :is "a" "b" { stop; }', "1:15: :is stands beside :is: only one of them is possible"),
        ('if header "a" :is "b" { stop; }', "1:15: argument 2 of header must be a string or a list of strings"),
        ('if header :comparator 1 "a" "b" { stop; }', "1:23: :comparator needs a constant string"),
        ('if header :comparator ["a"] "a" "b" { stop; }', "1:23: :comparator needs a constant string"),
        ('if header :comparator "i;x" "a" "b" { stop; }', '1:23: unknown comparator "i;x"'),
        (
            'if header :comparator "i;ascii-numeric" "a" "b" { stop; }',
            '1:23: comparator "i;ascii-numeric" needs require "comparator-i;ascii-numeric"',
        ),
        (
            'require "comparator-i;ascii-numeric"; if header :contains :comparator "i;ascii-numeric" "a" "b" { stop; }',
            "1:42: this comparator cannot be used with :contains",
        ),
        ('if header :count "eq" "a" "1" { stop; }', '1:11: :count needs require "relational"'),
        ('require "relational"; if header :value "=" "a" "1" { stop; }', '1:40: "=" is none of gt, ge, lt, le, eq, ne'),
        ('require "envelope"; if envelope :user "to" "a" { stop; }', '1:33: :user needs require "subaddress"'),
        (
            'require "relational"; if header :is :count "eq" "a" "1" { stop; }',
            "1:37: :count stands beside :is: only one of them is possible",
        ),
        ("if size 5 { stop; }", "1:4: size needs :over or :under"),
        ("if size :over :under 5 { stop; }", "1:15: :under stands beside :over: only one of them is possible"),
        (
            'require "envelope"; if envelope "by" "a" { stop; }',
            '1:33: unknown envelope part "by": one of from, to, auth, ret, envid, notify, orcpt, '
            "bytimeabsolute, bytimerelative, bymode, bytrace",
        ),
    ],
)
def test_each_mistake_is_named_where_it_stands(text: str, error: str) -> None:
    assert errors(text) == [error]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('stage "rcpt" { route "smtp"; }', '2:16: route is not legal in stage "rcpt"'),
        ('stage "deliver" { ereject "no"; }', '2:19: ereject is not legal in stage "deliver"'),
        ('stage "data" { if header "From:" "c" { stop; } }', '2:26: "From:" is no name of a field'),
        ('stage "mail" { discard; }', '2:16: discard is not legal in stage "mail"'),
        ('stage "rcpt" { queue; }', '2:16: queue is not legal in stage "rcpt"'),
        ('stage "rcpt" { if header "a" "b" { stop; } }', '2:19: header is not legal in stage "rcpt"'),
        ('stage "mail" { if size :over 1K { stop; } }', '2:19: size is not legal in stage "mail"'),
        ('stage "mail" { if envelope "to" "a" { stop; } }', '2:28: envelope "to" is not known in stage "mail"'),
        ('stage "ehlo" { if envelope "from" "a" { stop; } }', '2:28: envelope "from" is not known in stage "ehlo"'),
        ('stage "ehlo" { accept :relay; }', "2:16: accept :relay is legal in the stages connect, auth, rcpt only"),
        ('stage "mail" { accept :relay; }', "2:16: accept :relay is legal in the stages connect, auth, rcpt only"),
        ('stage "data" { if true { if true { route "smtp"; } } }', '2:36: route is not legal in stage "data"'),
        ('stage "deliver" { if environment "vnd.mtad.listener" "a" { stop; } }',
         '2:34: "vnd.mtad.listener" is not known in stage "deliver"'),
        ('if true { stop; }', "2:1: if must stand inside a stage"),
        ('ereject "no";', "2:1: ereject must stand inside a stage"),
        ('stage "rcpt" { stage "data" { } }', "2:16: stage must stand at the top level"),
        ('stage "rcpt" { } stage "rcpt" { }', '2:18: stage "rcpt" stands twice in this file'),
        ('stage 5 { }', "2:7: argument 1 of stage must be a constant string"),
        ('stage ["rcpt"] { }', "2:7: argument 1 of stage must be a constant string"),
        ('stage "rcpt";', "2:1: stage needs a block"),
    ],
)  # fmt: skip
def test_what_a_stage_does_not_allow_is_an_error_at_load(text: str, error: str) -> None:
    assert errors(_ALL + text, POLICY) == [error]


def test_an_unknown_stage_is_named_with_those_that_exist() -> None:
    (error,) = errors(_ALL + 'stage "recpt" { accept; }', POLICY)
    assert error.startswith('2:7: unknown stage "recpt": one of connect, ehlo, auth, mail, rcpt, data, deliver')


def test_one_compile_tells_everything() -> None:
    text = (
        'require ["vacation", "vnd.mtad.stage"];\n'
        'stage "rcpt" {\n'
        '    if allof (snow, header "a") { acept; }\n'
        '    ereject :code 450 "no";\n'
        "    keep\n"
        "}\n"
        "stop;\n"
    )
    assert errors(text, POLICY) == [
        '1:10: unknown capability "vacation"',
        "3:15: unknown test snow",
        "3:21: argument 2 of header must be a string or a list of strings",
        '3:21: header is not legal in stage "rcpt"',
        "3:35: unknown command acept",
        '4:5: ereject needs require "ereject" or "vnd.mtad.verdict"',
        '4:13: :code needs require "vnd.mtad.verdict"',
        "6:1: expected ';' or '{' after keep, found '}'",
        "7:1: stop must stand inside a stage",
    ]


def test_no_more_than_the_first_errors_are_told() -> None:
    assert len(errors("acept;\n" * 1000)) == ERRORS_MAX


def test_a_script_may_be_empty_or_hold_comments_only() -> None:
    for text in ("", "# nothing\n", "/* nothing */"):
        assert isinstance(compile_script(text, "t", POLICY), Script)


def test_names_and_tags_are_case_insensitive_and_capabilities_are_not() -> None:
    assert isinstance(compile_script('REQUIRE "envelope"; IF Header :IS "a" "b" { STOP; }', "t", PLAIN), Script)
    assert errors('require "Envelope";') == ['1:9: unknown capability "Envelope"']


def test_a_script_longer_than_the_limit_is_not_read() -> None:
    assert isinstance(compile_script("#" * SCRIPT_LENGTH_MAX, "t", PLAIN), Script)
    assert errors("#" * (SCRIPT_LENGTH_MAX + 1)) == [f"1:1: script longer than {SCRIPT_LENGTH_MAX} characters"]

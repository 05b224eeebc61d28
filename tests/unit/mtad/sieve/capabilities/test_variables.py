from __future__ import annotations

import pytest

from mtad.sieve.actions import Action, FileInto, Log, Redirect, Refuse
from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.language import CAPTURES_MAX, NAME_LENGTH_MAX, VARIABLES_MAX
from mtad.sieve.run import LimitExceeded, Limits, ScriptFailed
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, run_plain

FACTS = StillFacts(
    b"Subject: [acme-users] [fwd] version 1.0 is out\r\nTo: coyote@ACME.Example.COM\r\nX: a\r\nX: bcd\r\nE:\r\n\r\n"
)
REQUIRE = 'require ["variables", "fileinto", "relational", "envelope", "encoded-character", "comparator-i;octet"];'


def said(text: str, limits: Limits | None = None) -> list[str]:
    """Return the mailboxes that a script files into."""
    found: list[Action] = run_plain(REQUIRE + text, FACTS, limits=limits)
    return [action.mailbox for action in found if isinstance(action, FileInto)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('set "a" "b"; fileinto "x${a}y";', "xby"),
        ('set "A" "b"; fileinto "${a}${A}";', "bb"),
        ('fileinto "x${none}";', "x"),
        ('set "a" "1"; set "a" "${a}2"; fileinto "${a}";', "12"),
        ('set "company" "ACME"; fileinto "&%${}!";', "&%${}!"),  # RFC 5229 §3
        ('set "company" "ACME"; fileinto "${${company}}";', "${ACME}"),
        ('set "company" "ACME"; fileinto "${ company}${a-b}${1a}";', "${ company}${a-b}${1a}"),
        ('set "a" "b"; fileinto "$${a}{a}\\${a}";', "$b{a}b"),
        ('set "a" "b"; fileinto "${hex:24}{a}${unicode:24}{A}";', "bb"),
        ('set "a" text:\nx\n.\n; fileinto "${a}";', "x\r\n"),
    ],
)
def test_a_variable_stands_for_its_value(text: str, expected: str) -> None:
    assert said(text) == [expected]


@pytest.mark.parametrize(
    ("modifiers", "value", "expected"),
    [
        ("", "juMBlEd lETteRS", "juMBlEd lETteRS"),
        (":length", "juMBlEd lETteRS", "15"),
        (":length", "å☃", "2"),
        (":lower", "juMBlEd lETteRS", "jumbled letters"),
        (":upper", "straße", "STRAßE"),
        (":upperfirst", "juMBlEd lETteRS", "JuMBlEd lETteRS"),
        (":lowerfirst", "JUMBLED", "jUMBLED"),
        (":upperfirst :lower", "juMBlEd lETteRS", "Jumbled letters"),
        (":lowerfirst :upper", "juMBlEd", "jUMBLED"),
        (":upperfirst", "", ""),
        (":quotewildcard", "Rock*?\\\\", "Rock\\*\\?\\\\"),
        (":length :quotewildcard", "a*b", "4"),
    ],
)
def test_modifiers_in_the_order_of_their_precedence(modifiers: str, value: str, expected: str) -> None:
    assert said(f'set {modifiers} "a" "{value}"; fileinto "<${{a}}>";') == [f"<{expected}>"]


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('header :matches "subject" "[*] *"',
         "[acme-users] [fwd] version 1.0 is out|acme-users|[fwd] version 1.0 is out|"),
        ('address :matches "to" "*@*.*.com"', "coyote@ACME.Example.COM|coyote|ACME|Example"),
        ('header :matches "x" ["z*", "b?*"]', "bcd|c|d|"),
        ('header :matches "x" "?"', "a|a||"),
        ('not header :matches "x" "b*"', None),
        ('header :matches "subject" "*version*"',
         "[acme-users] [fwd] version 1.0 is out|[acme-users] [fwd] | 1.0 is out|"),
        ('string :matches "ab" "**"', "ab||ab|"),
        ('string :matches "" "*"', "|||"),
        ('string :matches :comparator "i;octet" "aXbXc" "*X*"', "aXbXc|a|bXc|"),
        ('string :matches ["a", "b"] "b"', "b|||"),
        ('allof (string :matches "one" "*n*", not string :matches "two" "*x*")', "one|o|e|"),
        ('allof (string :matches "one" "*n*", string :is "two" "two")', "one|o|e|"),
    ],
)  # fmt: skip
def test_wildcards_are_remembered(test: str, expected: str | None) -> None:
    found = said(f'if {test} {{ fileinto "${{0}}|${{1}}|${{2}}|${{03}}"; }}')
    assert found == ([expected] if expected is not None else [])


def test_a_match_that_failed_changes_nothing() -> None:
    text = 'if string :matches "abc" "a*" { if string :matches "abc" "x*" { stop; } fileinto "<${1}>"; }'
    assert said(text) == ["<bc>"]


def test_keys_and_names_of_fields_may_hold_variables() -> None:
    text = 'set "n" "SUB"; set "k" "*fwd"; if header :matches "${n}ject" "${k}*" { fileinto "${1}"; }'
    assert said(text) == ["[acme-users] ["]
    text = (
        'set "n" "X"; if allof (exists "${n}", not exists "${n}${n}", header "${n}" ["", "A${none}"]) { fileinto "y"; }'
    )
    assert said(text) == ["y"]


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('string "${a}" "b"', True),
        ('string ["${none}", "${a}"] ["x", "B"]', True),
        ('string "${a}" "c"', False),
        ('string "" "${none}"', True),
        ('string :contains "abc" "${a}"', True),
        ('string :value "gt" "${a}" "a"', True),
        ('string :count "eq" ["${a}", "", "${none}", "x"] "2"', True),
        ('string :count "eq" "${none}" "0"', True),
    ],
)
def test_the_test_string(test: str, expected: bool) -> None:
    assert said(f'set "a" "b"; if {test} {{ fileinto "y"; }}') == ["y"] * expected


def test_what_an_action_says_may_hold_variables() -> None:
    text = 'require ["variables", "reject"]; set "a" "b"; redirect "${a}@x.example"; reject "no ${a}";'
    redirect, refuse = run_plain(text, FACTS)
    assert redirect == Redirect("b@x.example")
    assert isinstance(refuse, Refuse)
    assert refuse.reply.text == "5.7.1 no b"
    text = (
        'require ["variables", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.log", "environment"]; stage "ehlo" { '
        'set "a" "b"; log "${a}c"; ereject :log "why ${a}" "551 5.1.6 not ${a}"; }'
    )
    log, refuse = run_plain(text, FACTS, language=POLICY, stage="ehlo")
    assert log == Log("bc")
    assert isinstance(refuse, Refuse)
    assert (str(refuse.reply), refuse.log) == ("551 5.1.6 not b", "why b")


@pytest.mark.parametrize(("text", "why"), [('redirect "${a}";', "one address"), ('fileinto "${a}";', "name of a")])
def test_what_turns_out_to_be_wrong_ends_the_run(text: str, why: str) -> None:
    with pytest.raises(ScriptFailed, match=why):
        said(text)


def test_values_are_cut_at_their_limit() -> None:
    limits = Limits(value_length_max=5)
    assert said('set "a" "123"; set "b" "${a}${a}${a}"; fileinto "${b}";', limits) == ["12312"]
    assert said('set "b" "1234567"; fileinto "${b}";', limits) == ["12345"]
    assert said('set :quotewildcard "b" "1234*"; fileinto "${b}";', limits) == ["1234\\"]
    assert said('set "a" "123"; fileinto "${a}${a}7";', limits) == ["12312"]
    assert said('if header :matches "subject" "*" { fileinto "${1}"; }', limits) == ["[acme"]


def test_putting_strings_together_counts_as_work() -> None:
    text = 'fileinto "${a}${b}${c}d";'
    assert said(text, Limits(nodes_max=5)) == ["d"]
    with pytest.raises(LimitExceeded, match="nodes"):
        said(text, Limits(nodes_max=4))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('require "variables"; set "a b" "c";', '1:26: "a b" is no name of a variable'),
        ('require "variables"; set "1" "c";', '1:26: "1" is no name of a variable'),
        ('require "variables"; set "" "c";', '1:26: "" is no name of a variable'),
        ('require "variables"; set "${a}" "c";',
         "1:26: argument 1 of set must be a constant string: it may hold no variables"),
        ('require "variables"; set :lower :upper "a" "c";',
         "1:33: :upper stands beside :lower: only one of them is possible"),
        ('require "variables"; set "x.a" "c";', '1:26: unknown namespace "x"'),
        ('require ["variables", "fileinto"]; fileinto "${x.a}";', '1:45: unknown namespace "x"'),
        ('require ["variables", "fileinto"]; fileinto "${33}";', "1:45: match variables go up to ${32}"),
        ('require ["variables", "fileinto"]; fileinto "${99999999999999999999}";',
         "1:45: match variables go up to ${32}"),
        (f'require "variables"; set "{"a" * (NAME_LENGTH_MAX + 1)}" "";',
         f"1:26: the name of a variable may have {NAME_LENGTH_MAX} characters"),
        ('require "variables"; if header :comparator "${a}" "a" "b" { }',
         "1:44: :comparator needs a constant string: it may hold no variables"),
        ('set "a" "b";', '1:1: set needs require "variables"'),
    ],
)  # fmt: skip
def test_mistakes_are_named_where_they_stand(text: str, error: str) -> None:
    found = compile_script(text, "t", PLAIN)
    assert isinstance(found, SieveErrors)
    assert [f"{one.line}:{one.column}: {one.text}" for one in found.errors][:1] == [error]


def test_variables_are_limited() -> None:
    some = "".join(f'set "v{number}" "";' for number in range(VARIABLES_MAX))
    assert said(some) == []
    found = compile_script(f'{REQUIRE}{some} fileinto "${{v0}}${{more}}";', "t", PLAIN)
    assert isinstance(found, SieveErrors)
    assert found.errors[0].text == f"a script may have {VARIABLES_MAX} variables"


def test_as_many_wildcards_are_remembered_as_can_be_named() -> None:
    text = f'if string :matches "{"a" * 40}" "{"?" * 40}" {{ fileinto "${{{CAPTURES_MAX}}}"; }}'
    assert said(text) == ["a"]


def test_without_the_capability_a_dollar_is_a_dollar() -> None:
    assert run_plain('require "fileinto"; fileinto "${a}";', FACTS) == [FileInto("${a}")]


@pytest.mark.parametrize("written", [r"$\{1}", r"${\1}", r"\${\1}"])
def test_what_is_written_with_backslashes_is_a_match_variable_too(written: str) -> None:
    assert said(f'if string :matches "1-2" "*-*" {{ fileinto "<{written}>"; }}') == ["<1>"]

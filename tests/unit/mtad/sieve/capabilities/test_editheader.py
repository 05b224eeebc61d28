from __future__ import annotations

import pytest

from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.edits import AddField, DeleteFields, edited
from mtad.sieve.errors import SieveErrors
from mtad.sieve.message import FIELD_LENGTH_MAX, Message
from mtad.sieve.run import LimitExceeded, Limits, ScriptFailed
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, filed, first_error, run_plain

CONTENT = b"Received: r\r\nX: one\r\nSubject: s\r\nX: two\r\nX: =?utf-8?q?thr=C3=A9e?=\r\n\r\nbody\r\n"
FACTS = StillFacts(CONTENT)
LONG_NAME = "n" * 996
REQUIRE = 'require ["editheader", "fileinto", "variables", "index", "relational"];'
SHOW = """
if header :index 1 :matches "x" "*" { fileinto "first ${1}"; }
if header :index 1 :last :matches "x" "*" { fileinto "last ${1}"; }
if header :count "eq" "x" "0" { fileinto "none"; }
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["first one", "last thrée"]),
        ('addheader "x" "new";', ["first new", "last thrée"]),
        ('addheader :last "X" "new";', ["first one", "last new"]),
        ('addheader "x" "a"; addheader "x" "b";', ["first b", "last thrée"]),
        ('deleteheader "x";', ["none"]),
        ('deleteheader :index 1 "x";', ["first two", "last thrée"]),
        ('deleteheader :index 1 :last "x";', ["first one", "last two"]),
        ('deleteheader :index 9 "x";', ["first one", "last thrée"]),
        ('deleteheader "x" ["ONE", "thrée"];', ["first two", "last two"]),
        ('deleteheader :matches "x" "t*";', ["first one", "last one"]),
        ('deleteheader :index 2 :contains "x" "one";', ["first one", "last thrée"]),
        ('deleteheader :value "gt" "x" "p";', ["first one", "last one"]),
        ('deleteheader "none";', ["first one", "last thrée"]),
        ('set "n" "X"; set "v" "two"; deleteheader "${n}" "${v}"; addheader "${n}" "<${v}>";',
         ["first <two>", "last thrée"]),
    ],
)  # fmt: skip
def test_what_follows_sees_the_change_and_so_does_the_message(text: str, expected: list[str]) -> None:
    assert filed(REQUIRE + text + SHOW, FACTS) == expected
    edits = [one for one in run_plain(REQUIRE + text, FACTS) if isinstance(one, AddField | DeleteFields)]
    assert filed(REQUIRE + SHOW, StillFacts(edited(CONTENT, edits))) == expected


def test_trace_fields_stay() -> None:
    text = 'deleteheader "Received"; deleteheader "auto-submitted"; if exists "received" { fileinto "there"; }'
    assert filed(REQUIRE + text, FACTS) == ["there"]


def test_a_value_becomes_one_line_of_limited_length() -> None:
    (add,) = run_plain(REQUIRE + 'addheader "a" text:\none\ntwo\n.\n;', FACTS)
    assert add == AddField("a", "one two")
    (add,) = run_plain(f'{REQUIRE} addheader "a" "{"x" * (FIELD_LENGTH_MAX + 1)}";', FACTS)
    assert isinstance(add, AddField)
    assert len(add.value) == FIELD_LENGTH_MAX


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('addheader "a:" "b";', '"a:" is no name of a field'),
        ('addheader "" "b";', '"" is no name of a field'),
        (f'addheader "{LONG_NAME}n" "b";', f'"{LONG_NAME}n" is no name of a field'),
        ('deleteheader :count "eq" "a" "1";', "deleteheader cannot use :count"),
        ('deleteheader :index 0 "a";', ":index counts from 1"),
        ('deleteheader :last "a";', ":last needs :index"),
        ("deleteheader;", "argument 1 of deleteheader must be a string"),
        ('deleteheader "a" "b" "c";', "deleteheader has an argument too many here"),
        ('addheader "a";', "argument 2 of addheader must be a string"),
    ],
)
def test_mistakes(text: str, error: str) -> None:
    assert first_error(REQUIRE + text, PLAIN).split(": ", 1)[1] == error


def test_no_name_makes_a_line_that_is_too_long() -> None:
    actions = run_plain(f'{REQUIRE} addheader "{LONG_NAME}" "one two";', FACTS)
    lines = edited(b"\r\n", [action for action in actions if isinstance(action, AddField)]).split(b"\r\n")
    assert max(map(len, lines)) <= 998


def test_a_name_that_turns_out_to_be_none_ends_the_run() -> None:
    for text in ('addheader "${none}" "a";', f'addheader "{LONG_NAME}${{none}}n" "a";', 'deleteheader "a${none} b";'):
        with pytest.raises(ScriptFailed, match="is no name of a field"):
            run_plain(REQUIRE + text, FACTS)


def test_edits_count_as_work() -> None:
    facts = StillFacts(b"X: a\r\n" * 5000 + b"\r\n")
    with pytest.raises(LimitExceeded, match="nodes"):
        run_plain(REQUIRE + 'addheader "a" "b";' * 3, facts, limits=Limits(nodes_max=15_000))


def test_parts_are_those_of_the_message_before() -> None:
    message = Message(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n")
    assert len(message.with_fields([("A", "1")]).parts) == 1


@pytest.mark.parametrize("block", ["foreachrcpt", 'monitor "m"'])
@pytest.mark.parametrize("command", ['addheader "X" "y"', 'deleteheader "X"'])
def test_the_message_of_a_policy_is_one_for_all(block: str, command: str) -> None:
    text = f'require ["editheader", "vnd.mtad.stage"]; stage "data" {{ {block} {{ {command}; }} }}'
    found = compile_script(text, "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [error.text for error in found.errors] == [f"{command.split()[0]} cannot stand in {block.split()[0]}"]

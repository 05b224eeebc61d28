from __future__ import annotations

import time

import pytest

from mtad.sieve.errors import ERRORS_MAX, Report
from mtad.sieve.syntax import NESTING_MAX, Node, Number, Strings, TagName, parse


def read(text: str) -> tuple[tuple[Node, ...], Report]:
    report = Report("test.sieve", text)
    return parse(text, report), report


def errors(text: str) -> list[str]:
    _, report = read(text)
    return str(report.errors()).splitlines()


def test_commands_carry_arguments_tests_blocks_and_places() -> None:
    (command,), report = read('if allof (header :is ["a", "b"] "c", size :over 1K) {\n  stop;\n}')
    assert not report.has_errors
    assert (command.name, command.is_test_list) == ("if", False)
    header, size = command.tests[0].tests
    assert command.tests[0].is_test_list
    assert isinstance(header.arguments[0], TagName)
    assert isinstance(header.arguments[1], Strings)
    assert [item.value for item in header.arguments[1].items] == ["a", "b"]
    assert header.arguments[1].is_list
    assert size.arguments[1] == Number(1024, size.arguments[1].at)
    assert command.block is not None
    assert [inner.name for inner in command.block] == ["stop"]
    assert report.line(command.block[0].at) == 2


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("keep", "1:5: expected ';' or '{' after keep, found the end"),
        ("if true {", "1:9: '{' without its '}'"),
        ("keep; }", "1:7: '}' without its '{'"),
        ("redirect [];", "1:11: expected a string, found ']'"),
        ('redirect ["a" "b"];', "1:15: expected ',' or ']' after a string, found a string"),
        ("if anyof (true { stop; }", "1:16: expected ',' or ')' after a test, found '{'"),
        ("if anyof () { stop; }", "1:11: expected a test, found ')'"),
        ("size 99999999999999999999;", "1:6: number too large"),
        ("; keep;", "1:1: expected a command, found ';'"),
        ('"a";', "1:1: expected a command, found a string"),
    ],
)
def test_each_syntax_error_stands_where_it_was_found(text: str, error: str) -> None:
    assert errors(text) == [f"test.sieve:{error}"]


def test_reading_goes_on_behind_an_error() -> None:
    text = 'redirect [;\nkeep;\nif true { redirect ]; stop; }\nfileinto "a" "b" ;\nif ( ) { ; }\n size §;'
    found, report = read(text)
    assert [(error.line, error.column) for error in report.errors().errors] == [(1, 11), (3, 20), (5, 6), (6, 7)]
    assert [node.name for node in found] == ["keep", "if", "fileinto"]


def test_no_more_than_the_first_errors_are_kept() -> None:
    assert len(errors("redirect [;\n" * 1000)) == ERRORS_MAX


def nested_blocks(depth: int) -> str:
    return "if true {" * depth + "keep;" + "}" * depth


def nested_tests(depth: int) -> str:
    return "if " + "not " * (depth - 1) + "true { keep; }"


@pytest.mark.parametrize("nested", [nested_blocks, nested_tests])
def test_nesting_is_limited(nested: object) -> None:
    assert callable(nested)
    assert not read(nested(NESTING_MAX - 1))[1].has_errors
    assert f"nested deeper than {NESTING_MAX}" in errors(nested(NESTING_MAX + 1))[0]


@pytest.mark.parametrize(
    "text",
    ["{" * 100_000, "if true {" * 50_000, "not " * 100_000, "if anyof (" * 50_000, "}" * 100_000, "[" * 100_000],
)
def test_hostile_nesting_neither_faults_nor_lasts(text: str) -> None:
    started = time.process_time()
    assert errors(text)
    assert time.process_time() - started < 3

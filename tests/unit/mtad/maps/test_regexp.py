from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from mtad.maps.answer import ABSENT, Answer, Found
from mtad.maps.lines import ERRORS_MAX, Line, Wrong
from mtad.maps.regexp import PATTERNS_MAX, SIZE_MAX, Patterns, patterns, read_patterns

TEXT = r"""
/^(.+)\+(.*)@l\.example$/   ${1}@l.example ($2)
/^Ann@/i        Ann herself
/^ann@/         some ann
|^a/b|          slash
/^c\/d/         $$1 $(0)!
/^(x)?y$/       [$1]
/\.invalid$/
"""


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("bob+list@L.example", Found("bob@l.example (list)")),
        ("Ann@x", Found("Ann herself")),
        ("ANN@x", Found("some ann")),
        ("A/B", Found("slash")),
        ("c/d", Found("$1 c/d!")),
        ("y", Found("[]")),
        ("mx.invalid", Found("")),
        ("mx.invalid.example", ABSENT),
        ("ann\udcff@x", ABSENT),
        ("", ABSENT),
    ],
)
def test_the_first_expression_that_is_found(key: str, answer: Answer) -> None:
    found = read_patterns(TEXT)
    assert isinstance(found, Patterns)
    assert found.get(key) == answer


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ann x", "is not /expression/flags value"),
        ("!/ann/ x", "is not /expression/flags value"),
        ("if /ann/", "is not /expression/flags value"),
        ("/ann x", "is not /expression/flags value"),
        ("/ann/x y", 'flags "x": only i is known'),
        ("/(ann/ y", "no regular expression: missing ): (ann"),
        ("/a(?=b)/ y", "no regular expression: invalid perl operator: (?="),
        ("/ann\udcff/ y", "no regular expression: not UTF-8"),
        ("/(ann)/ $2", "has no group 2"),
        ("/(a{100}){10}/ y", "no regular expression: larger than 1000 steps"),
    ],
)
def test_what_is_no_line(line: str, why: str) -> None:
    assert read_patterns(f"/x/ y\n{line}\n") == Wrong((Line(2, why),))


def test_there_are_no_more_expressions_than_a_look_has_time_for() -> None:
    lines = "/x/\n" * PATTERNS_MAX
    assert isinstance(read_patterns(lines), Patterns)
    assert read_patterns(lines + "/x/\n") == Wrong((Line(PATTERNS_MAX + 1, "there are more than 2000 expressions"),))
    large = "/a{400}b/\n" * (SIZE_MAX // 400)
    too_large = read_patterns(large)
    assert isinstance(too_large, Wrong)
    assert too_large.lines[0].text == "the expressions down to here are larger than 50000 steps together"


def test_each_line_is_told_of_before_the_next_is_read() -> None:
    told: list[int | None] = []

    def lines() -> Iterator[Line]:
        for text in ("/a/ x", "/(a/ y", "/a{500}/ z"):
            read.append(len(told))
            yield Line(1, text)

    read: list[int] = []
    assert isinstance(patterns(lines(), told.append), Wrong)
    small, none, large = told
    assert small is not None
    assert large is not None
    assert (read, none, small < 10 < 500 < large) == ([0, 1, 2], None, True)


def test_as_many_wrong_lines_are_looked_at_as_are_told() -> None:
    told: list[int | None] = []
    assert isinstance(patterns((Line(1, "/(/ x") for _ in range(1000)), told.append), Wrong)
    assert told == [None] * ERRORS_MAX


def test_a_look_costs_as_much_as_there_is_to_look_for_and_to_look_in() -> None:
    few, many = read_patterns("/ab/\n"), read_patterns("/ab/\n" * 1000)
    assert isinstance(few, Patterns)
    assert isinstance(many, Patterns)
    assert few.weight("short") < 10 < 5000 < many.weight("short") < many.weight("long" * 1000) / 2
    assert many.weight("long" * 1000) < many.weight("long" * 2000) == many.weight("long" * 9000)


def test_no_key_makes_it_slow() -> None:
    found = read_patterns("/(a|aa)*(a|aa)*(a|aa)*(a|aa)*b$/ x\n")
    assert isinstance(found, Patterns)
    start = time.process_time()
    assert found.get("a" * 1_000_000) == ABSENT
    assert time.process_time() - start < 0.5

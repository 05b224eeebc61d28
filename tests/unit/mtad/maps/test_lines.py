from __future__ import annotations

import pytest

from mtad.maps.lines import Line, key_and_value, logical_lines


def test_logical_lines() -> None:
    text = "# first\n\na  1\n  2\n\n # amid\n\t3\nb\r\n   \nc 4"
    assert list(logical_lines(text)) == [Line(3, "a  1  2\t3"), Line(8, "b"), Line(10, "c 4")]


def test_a_continuation_without_a_line_is_a_line() -> None:
    assert list(logical_lines("  a 1\n b 2\n")) == [Line(1, "a 1 b 2")]


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("a", ("a", "")),
        ("a b c", ("a", "b c")),
        ("a\t b", ("a", "b")),
        ('"a b"@x y', ('"a b"@x', "y")),
        ('a"b c" "d', ('a"b c"', '"d')),
        ('"a b', ('"a', "b")),
    ],
)
def test_key_and_value(line: str, pair: tuple[str, str]) -> None:
    assert key_and_value(line) == pair

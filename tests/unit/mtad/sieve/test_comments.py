from __future__ import annotations

import time

import pytest

from mtad.sieve.comments import without_comments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("a (b) c", "a   c"),
        ("a(b (c) d)e", "a e"),
        ('"(a)" (b)', '"(a)"'),
        ('"\\"(a)" (b)', '"\\"(a)"'),
        ('(a " b) "c (d)"', '  "c (d)"'),
        ("(a \\) b) c", "  c"),
        ("a \\(b", "a \\(b"),
        ("a) b", "a) b"),
        ("a (open", "a"),
        ('a "open (b)', 'a "open (b)'),
        ("(a\nb)c\\", " c\\"),
        ("a" + "(" * 16 + ")" * 16 + "b", "a b"),
        ("a" + "(" * 17 + ")" * 17 + "b", "a )b"),
    ],
)
def test_comments_are_taken_out(text: str, expected: str) -> None:
    assert without_comments(text) == expected


@pytest.mark.parametrize("text", ["(" * 100_000, '("' * 50_000, '(a)"' * 25_000, "(\\" * 50_000, '"\\"(' * 30_000])
def test_the_time_is_linear(text: str) -> None:
    started = time.process_time()
    without_comments(text)
    assert time.process_time() - started < 1


def test_comments_are_known_sixteen_deep() -> None:
    assert without_comments("a" + "(" * 16 + "x" + ")" * 16 + "b") == "a b"
    assert without_comments("a" + "(" * 17 + "x" + ")" * 17 + "b") == "a )b"

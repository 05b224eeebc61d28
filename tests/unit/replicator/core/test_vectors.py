"""Arithmetic of positions."""

from replicator.core.values import Branch, Dot
from replicator.core.vectors import beyond, covers, covers_all, minimum, raise_to, show

A, B = Branch(0, 7), Branch(1, 255)


def test_a_vector_covers_everything_up_to_its_positions() -> None:
    assert covers({A: 2}, Dot(A, 2))
    assert not covers({A: 2}, Dot(A, 3))
    assert not covers({A: 2}, Dot(B, 1))


def test_one_vector_covers_another_when_no_branch_is_behind() -> None:
    assert covers_all({A: 2, B: 1}, {A: 2})
    assert not covers_all({A: 2}, {A: 1, B: 1})
    assert covers_all({}, {})


def test_raising_keeps_the_larger_of_each() -> None:
    vector = {A: 2, B: 5}
    raise_to(vector, {A: 3, B: 4})
    assert vector == {A: 3, B: 5}


def test_the_minimum_is_what_both_have() -> None:
    assert minimum({A: 2, B: 5}, {B: 4}) == {B: 4}


def test_what_was_not_told_is_what_has_risen_since() -> None:
    assert beyond({A: 2, B: 5}, {A: 2, B: 4}) == {B: 5}
    assert beyond({A: 2}, {}) == {A: 2}
    assert beyond({A: 2}, {A: 3}) == {}


def test_a_vector_is_shown_by_node_and_incarnation() -> None:
    assert show({A: 2, B: 5}) == "0/7:2 1/ff:5"
    assert show({}) == "empty"

"""How far another node is behind, and what was here at which time."""

from replicator.core.lag import MARKS_MAX, Lag, Marks
from replicator.core.values import SECOND, Branch

OURS, THEIRS = Branch(0, 7), Branch(1, 9)


def test_who_has_all_lags_by_nothing() -> None:
    marks = Marks({OURS: 3}, 0)
    assert marks.lag({OURS: 3, THEIRS: 1}, {OURS: 3}, 5 * SECOND) == Lag(0, 0.0)


def test_lag_is_as_old_as_the_oldest_record_that_is_lacking() -> None:
    marks = Marks({}, 0)
    for second in (1, 2, 3):
        marks.count(100)
        marks.mark({OURS: second}, second * SECOND)
    assert marks.lag({}, {OURS: 3}, 5 * SECOND) == Lag(300, 4.0)
    assert marks.lag({OURS: 1}, {OURS: 3}, 5 * SECOND) == Lag(200, 3.0)
    assert marks.lag({OURS: 2}, {OURS: 3}, 5 * SECOND) == Lag(100, 2.0)


def test_a_branch_that_is_behind_counts_whatever_another_is_ahead() -> None:
    marks = Marks({}, 0)
    marks.mark({OURS: 1}, SECOND)
    marks.mark({OURS: 1, THEIRS: 1}, 2 * SECOND)
    assert marks.lag({OURS: 9}, {OURS: 1, THEIRS: 1}, 3 * SECOND).seconds == 1.0


def test_what_is_not_marked_yet_has_no_age() -> None:
    marks = Marks({OURS: 1}, 0)
    marks.count(100)
    assert marks.lag({OURS: 1}, {OURS: 2}, SECOND) == Lag(100, 0.0)


def test_what_was_here_at_a_moment() -> None:
    marks = Marks({OURS: 1}, 10 * SECOND)
    marks.mark({OURS: 5}, 11 * SECOND)
    marks.mark({OURS: 9}, 13 * SECOND)
    assert marks.vector_at(5 * SECOND) == {OURS: 1}, "what was here at the start is old"
    assert marks.vector_at(12 * SECOND) == {OURS: 5}
    assert marks.vector_at(13 * SECOND) == {OURS: 9}


def test_many_marks_thin_out_and_keep_both_ends() -> None:
    marks = Marks({}, 0)
    last = 5 * MARKS_MAX + 10
    for seq in range(1, last + 1):
        marks.mark({OURS: seq}, seq * SECOND)
    assert len(marks._marks) < MARKS_MAX
    for has in (0, 100, last // 2, last - 100):
        found = marks.lag({OURS: has}, {OURS: last}, last * SECOND).seconds
        assert 0.97 * (last - has - 1) <= found <= last - has
    assert marks.vector_at((last - 10) * SECOND) == {OURS: last - 10}

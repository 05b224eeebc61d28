"""What was durable here at which time: how far another node is behind, and what is old enough to be shipped to it.

A mark is taken each beat in which something became durable. When there are too many they thin out, the older the
more: a lag of hours is known less exactly than one of seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from replicator.core.values import SECOND, Vector
from replicator.core.vectors import covers_all

MARKS_MAX = 2_048
EXACTNESS = 64  # a thinned mark stands for a stretch of its own age divided by this


class Mark(NamedTuple):
    """One moment."""

    at: int
    vector: Vector
    octets: int  # of records, since this member started


class Lag(NamedTuple):
    """How far a node is behind, at least: what was before this member started has no age and no size."""

    octets: int
    seconds: float  # since the oldest record that it lacks became durable here


class Marks:
    """The marks of one member's life, oldest first. The first is its start."""

    def __init__(self, vector: Vector, now: int) -> None:
        self._marks = [Mark(now, dict(vector), 0)]
        self._octets = 0

    def count(self, octets: int) -> None:
        """Note that so much was written."""
        self._octets += octets

    def mark(self, vector: Vector, now: int) -> None:
        """Note what is durable by now."""
        marks = self._marks
        if vector == marks[-1].vector:
            return
        marks.append(Mark(now, dict(vector), self._octets))
        if len(marks) > MARKS_MAX:
            self._marks = _thinned(marks, now)

    def vector_at(self, moment: int) -> Vector:
        """Return what was durable at that moment, or a little before; what was here at the start counts as old."""
        return self._marks[max(0, self._count(lambda mark: mark.at <= moment) - 1)].vector

    def lag(self, theirs: Vector, vector: Vector, now: int) -> Lag:
        """Say how far a node that has `theirs` is behind us, who have `vector`."""
        if covers_all(theirs, vector):
            return Lag(0, 0.0)
        marks = self._marks
        covered = self._count(lambda mark: covers_all(theirs, mark.vector))
        octets = self._octets - (marks[covered - 1].octets if covered else 0)
        return Lag(octets, (now - marks[covered].at) / SECOND if covered < len(marks) else 0.0)

    def _count(self, is_before: Callable[[Mark], bool]) -> int:
        """Count the marks up to a point: all before it satisfy the question, and none behind it."""
        low, high = 0, len(self._marks)
        while low < high:
            middle = (low + high) // 2
            if is_before(self._marks[middle]):
                low = middle + 1
            else:
                high = middle
        return low


def _thinned(marks: list[Mark], now: int) -> list[Mark]:
    """Return the first, and of the others those far enough from the one before. Few are left whatever their span."""
    kept = marks[:1]
    for mark in marks[1:]:
        if mark.at - kept[-1].at >= (now - mark.at) // EXACTNESS:
            kept.append(mark)
    return kept

"""Our own newest records, kept in memory until the peer has them: what a link sends without reading the log."""

from __future__ import annotations

from collections import deque
from itertools import islice

from replicator.core.values import SECOND, Record

OCTETS_OF_A_RECORD = 96  # names and numbers, about: so that a flood of tiny records is bounded too
OCTETS_OF_A_PART = 64
MARKS_MAX = 4096


def octets_of(records: tuple[Record, ...]) -> int:
    """Return about how much memory, and how much of the wire, records take."""
    octets = 0
    for record in records:
        octets += OCTETS_OF_A_RECORD + len(record.blob) + len(record.meta) + OCTETS_OF_A_PART * len(record.parts)
    return octets


class Tail:
    """A window on our own branch: consecutive records up to the newest, at most `octets_max` of them.

    Beside them it keeps when what was written, coarsely: how old the peer's lag is.
    """

    __slots__ = ("_marks", "_octets_max", "_records", "_released", "first_seq", "octets")

    def __init__(self, octets_max: int) -> None:
        self._octets_max = octets_max
        self._records: deque[tuple[int, tuple[Record, ...], int]] = deque()  # first seq, records, octets
        self._marks: deque[tuple[int, int]] = deque()  # when, and the seq written last by then
        self._released = 0  # the peer has everything up to here
        self.first_seq = 1  # everything from here on is in memory
        self.octets = 0

    def add(self, first_seq: int, records: tuple[Record, ...], octets: int) -> None:
        """Append what was just written; the oldest leaves when it is too much."""
        self._records.append((first_seq, records, octets))
        self.octets += octets
        while self.octets > self._octets_max and self._records:
            self._drop()

    def release(self, seq: int) -> None:
        """Forget everything up to seq: the peer has it."""
        self._released = max(seq, self._released)
        kept = self._records
        while kept and kept[0][0] + len(kept[0][1]) - 1 <= seq:
            self._drop()
        marks = self._marks
        while marks and marks[0][1] <= seq:
            marks.popleft()

    def _drop(self) -> None:
        first_seq, records, octets = self._records.popleft()
        self.octets -= octets
        self.first_seq = first_seq + len(records)

    def batch(self, first_seq: int, octets_max: int) -> tuple[tuple[Record, ...], int]:
        """Return consecutive records from first_seq on and their octets; nothing when they are not in memory.

        At least one group of records that was written together, then as many more as octets_max allows.
        """
        if first_seq < self.first_seq:
            return (), 0
        batch: list[Record] = []
        octets = 0
        for first, records, size in self._from(first_seq):
            if batch and octets + size > octets_max:
                break
            batch.extend(records[max(0, first_seq - first) :])
            octets += size
        return tuple(batch), octets

    def _from(self, first_seq: int) -> islice[tuple[int, tuple[Record, ...], int]]:
        low, high = 0, len(self._records)
        while low < high:  # the first group that ends at or after first_seq
            middle = (low + high) // 2
            first, records, _ = self._records[middle]
            if first + len(records) <= first_seq:
                low = middle + 1
            else:
                high = middle
        return islice(self._records, low, None)

    def mark(self, now: int, seq: int) -> None:
        """Note that by now everything up to seq was written."""
        marks = self._marks
        if seq <= (marks[-1][1] if marks else self._released):
            return
        if len(marks) >= MARKS_MAX:
            marks[-1] = (marks[-1][0], seq)
        else:
            marks.append((now, seq))

    def lag_seconds(self, now: int) -> float:
        """Return for how long the peer has been lacking the oldest record that it lacks."""
        return (now - self._marks[0][0]) / SECOND if self._marks else 0.0

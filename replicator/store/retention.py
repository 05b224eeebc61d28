"""How long the log is kept: marks of how far every branch was, some of which become old enough to cut by."""

from __future__ import annotations

from collections import deque

from replicator.core.values import Vector

MARKS_MAX = 144


class Retention:
    """Remembers positions at moments. After a start the log counts as written then; its octets are bounded always."""

    def __init__(self, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._every_seconds = seconds_max / MARKS_MAX
        self._marks: deque[tuple[float, Vector]] = deque(maxlen=MARKS_MAX + 1)

    def is_due(self, now: float) -> bool:
        """Tell whether it is time for a mark. now: monotonic seconds."""
        return not self._marks or now - self._marks[-1][0] >= self._every_seconds

    def mark(self, now: float, vector: Vector) -> Vector | None:
        """Remember where the branches are; return up to where the log has become too old, when some of it has."""
        self._marks.append((now, vector))
        old: Vector | None = None
        while self._marks and now - self._marks[0][0] >= self._seconds_max:
            old = self._marks.popleft()[1]
        return old

"""The places that one worker's sessions hold, as the spool process knows them: they go with the worker's stream."""

from __future__ import annotations

from mtad.limits.places import Places
from mtad.limits.questions import Counted


class WorkerPlaces:
    """Each place has the number that the worker gave it."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._held: dict[int, bytes] = {}

    def take(self, number: int, counter: bytes, limit: int) -> Counted:
        """Take a place, unless all are taken."""
        counted = self._places.take(counter, limit)
        if not counted.is_over:
            self._held[number] = counter
        return counted

    def hold(self, number: int, counter: bytes) -> None:
        """Count a place that was taken before this stream began."""
        self._places.hold(counter)
        self._held[number] = counter

    def leave(self, number: int) -> None:
        """Give a place back; one that was not given, but not waited for either, is none."""
        counter = self._held.pop(number, None)
        if counter is not None:
            self._places.leave(counter)

    def leave_all(self) -> None:
        """Give all places back."""
        for number in list(self._held):
            self.leave(number)

"""How long to wait before a link is dialled again: twice as long each time, up to a bound."""

from __future__ import annotations

SECONDS_MIN = 0.1
SECONDS_MAX = 2.0
STEADY_SECONDS = 5.0  # a link that stood so long begins with the shortest wait again


class Backoff:
    """The waits between tries of which none has held. seconds_max: the bound, where another one is needed."""

    def __init__(self, seconds_max: float = SECONDS_MAX) -> None:
        self._seconds_max = max(seconds_max, SECONDS_MIN)
        self._seconds = SECONDS_MIN

    def wait_seconds(self, stood_seconds: float, share: float) -> float:
        """Return how long to wait after a try that lasted so long.

        share   of the wait, from 0.5 to 1, drawn anew each time: two that refuse each other do not keep step
        """
        if stood_seconds > STEADY_SECONDS:
            self._seconds = SECONDS_MIN
        seconds, self._seconds = self._seconds, min(self._seconds * 2, self._seconds_max)
        return seconds * share

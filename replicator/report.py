"""Where the engine reports what it did: the embedding program gives the receiver."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, Protocol

Value = str | int | float | bool | None
Level = Literal["debug", "info", "warning", "error"]

REPEAT_SECONDS = 60.0
REMEMBERED_MAX = 64
# What happens anew at each try to connect, once or twice a second, until an operator has mended its cause.
REPEATED = frozenset(
    {
        "replica.credentials",
        "replica.link_refused",
        "replica.refused",
        "replica.refused_by_peer",
        "replica.witness_refused",
        "witness.credentials",
        "witness.refused",
    }
)


class Report(Protocol):
    """Takes typed events with stable names, like `replica.role`."""

    def emit(self, name: str, /, level: Level = "info", **fields: Value) -> None:
        """Report one event. Never raises."""
        ...


class Sparing:
    """Passes reports on, but of those that are REPEATED one with the same words only once a minute.

    A link that stands begins all anew: what refuses it afterwards is told at once.
    """

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._report = report
        self._clock = clock
        self._told: dict[tuple[object, ...], float] = {}

    def emit(self, name: str, /, level: Level = "info", **fields: Value) -> None:
        """Report one event, unless it was told a moment ago. Never raises."""
        if name == "replica.link_up":
            self._told.clear()
        if name not in REPEATED or self._is_new((name, *(fields[key] for key in sorted(fields) if key != "session"))):
            self._report.emit(name, level, **fields)

    def _is_new(self, words: tuple[object, ...]) -> bool:
        now = self._clock()
        if words in self._told and now - self._told[words] < REPEAT_SECONDS:
            return False
        if len(self._told) >= REMEMBERED_MAX:
            self._told.clear()
        self._told[words] = now
        return True

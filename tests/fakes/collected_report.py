"""Keeps what the engine reports, and lets a test wait for an event."""

from __future__ import annotations

from replicator.report import Level, Value
from tests.fakes.waiting import WAIT_SECONDS, until


class CollectedReport:
    """A Report in memory."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Value]]] = []

    def emit(self, name: str, /, level: Level = "info", **fields: Value) -> None:
        """Keep one event."""
        self.events.append((name, dict(fields)))

    def named(self, name: str) -> list[dict[str, Value]]:
        """Return the fields of every event of that name, oldest first."""
        return [fields for kept, fields in self.events if kept == name]

    async def wait_for(self, name: str, seconds: float = WAIT_SECONDS) -> dict[str, Value]:
        """Return the first event of that name, as soon as there is one."""
        await until(lambda: self.named(name), seconds)
        return self.named(name)[0]

"""Keeps what the engine reports, and lets a test wait for an event."""

from __future__ import annotations

import asyncio

from replicator.report import Level, Value


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

    async def wait_for(self, name: str, seconds: float = 60.0) -> dict[str, Value]:
        """Return the first event of that name, as soon as there is one."""
        async with asyncio.timeout(seconds):
            while not self.named(name):
                await asyncio.sleep(0.01)
        return self.named(name)[0]

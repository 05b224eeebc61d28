"""Where the engine reports what it did: the embedding program gives the receiver."""

from __future__ import annotations

from typing import Literal, Protocol

Value = str | int | float | bool | None
Level = Literal["debug", "info", "warning", "error"]


class Report(Protocol):
    """Takes typed events with stable names, like `replica.role`."""

    def emit(self, name: str, /, level: Level = "info", **fields: Value) -> None:
        """Report one event. Never raises."""
        ...

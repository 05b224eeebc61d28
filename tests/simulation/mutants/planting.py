"""How a bug is planted, and taken out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.simulation.script import Plan

MISSING = object()


class Planting:
    """What was replaced."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any]] = []

    def replace(self, owner: Any, name: str, value: Any) -> Any:
        """Put something in the place of an attribute; returns what was there."""
        was = getattr(owner, name)
        self._undo.append((owner, name, owner.__dict__.get(name, MISSING)))
        setattr(owner, name, value)
        return was

    def undo(self) -> None:
        while self._undo:
            owner, name, was = self._undo.pop()
            if was is MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, was)


class Mutant(NamedTuple):
    """One bug.

    number      in the design's table
    caught_by   the invariants that may notice it first
    histories   it must be noticed within so many
    plan        a directed fault menu; None: the general campaign
    """

    name: str
    number: int
    bug: str
    caught_by: tuple[str, ...]
    histories: int
    plant: Callable[[Planting], None]
    plan: Plan | None = None

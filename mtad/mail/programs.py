"""Programs of the operator's that policies run: what one is to do, what came of it, and who runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Task:
    """What a program is to do; no argument and no value of its environment holds NUL.

    input               what it reads
    output_octets_max   what it may write, and no more than a message may have; 0: whatever it writes is dropped
    """

    program: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    input: bytes = b""
    output_octets_max: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """It ended with status 0, and wrote this."""

    output: bytes = b""


@dataclass(frozen=True, slots=True)
class Declined:
    """It ended with another status, which is its answer."""

    status: int


@dataclass(frozen=True, slots=True)
class Broken:
    """It could not be run, or came to no end of its own; the text is for our log."""

    why: str


Result = Done | Declined | Broken


class Programs(Protocol):
    """Who runs them, by their names."""

    def problem(self, name: str) -> str:
        """Say why no program of this name can be run; '' when one can."""
        ...

    async def run(self, task: Task) -> Result:
        """Run one to its end. It raises nothing."""
        ...


class NoPrograms:
    """Stands where there are none."""

    def problem(self, name: str) -> str:
        """Say so."""
        return "programs.folder of mtad.toml is not given"

    async def run(self, task: Task) -> Result:
        """Say so."""
        return Broken("there are no programs")

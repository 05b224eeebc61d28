"""Bugs in who may deliver."""

from __future__ import annotations

from typing import Any

from replicator.core.authority import Ownership
from replicator.core.events import Effect, Tick
from replicator.core.links import Links
from replicator.core.member import Member
from replicator.core.messages import Hello, Records
from replicator.core.neighbour import Neighbour
from replicator.core.switchover import Commands
from tests.simulation.campaign import SWITCHOVERS
from tests.simulation.clock import SECOND
from tests.simulation.machine import Machine
from tests.simulation.mutants.planting import Mutant, Planting
from tests.simulation.script import Plan

SPURIOUS = Plan(menu=("pause", "slow disk", "cut", "cut one way", "slow link"))


def _old_epoch_refused(planting: Planting) -> None:
    def take_hello(self: Any, neighbour: Neighbour, hello: Hello, now: int, out: list[Effect]) -> None:
        self.deaf_session = neighbour.session if hello.authority < self._ownership.authority else 0
        greeted(self, neighbour, hello, now, out)

    def take_records(self: Any, neighbour: Neighbour, message: Records, now: int, out: list[Effect]) -> None:
        if neighbour.session != self.deaf_session:
            taken(self, neighbour, message, now, out)

    greeted = planting.replace(Links, "_take_hello", take_hello)
    taken = planting.replace(Links, "_take_records", take_records)


def _no_step_down(planting: Planting) -> None:
    planting.replace(Ownership, "is_outranked", lambda self, authority: False)


def _not_looked_again(planting: Planting) -> None:
    planting.replace(Ownership, "is_contested", lambda self: False)


def _timers_first(planting: Planting) -> None:
    def resume(self: Machine, pid: int) -> None:
        if pid == self.pid and self.is_paused:
            self.is_paused = False
            self.step(Tick())
            self.is_paused = self.pid == pid
        was(self, pid)

    was = planting.replace(Machine, "_resume", resume)
    planting.replace(Ownership, "paused", lambda self, now, out: None)
    planting.replace(Ownership, "is_contested", lambda self: False)


def _any_beat(planting: Planting) -> None:
    planting.replace(Ownership, "breaks_silence", lambda self, role: True)


def _late_takeover(planting: Planting) -> None:
    was = planting.replace(Ownership, "silence_allows", lambda self, now: was(self, now - 2 * SECOND))


def _not_finished(planting: Planting) -> None:
    planting.replace(Member, "_finish", lambda self, out: None)


def _undrained(planting: Planting) -> None:
    planting.replace(Commands, "may_hand_over", lambda self: True)


MUTANTS = (
    Mutant(
        "old-epoch-refused", 12, "data of an old epoch is refused", ("L3", "L1", "L5", "S2"), 200, _old_epoch_refused
    ),
    Mutant("no-step-down", 24, "a deposed owner does not step down", ("L4",), 100, _no_step_down),
    Mutant(
        "not-looked-again",
        25,
        "a promotion is not re-checked after its commit",
        ("S16",),
        2_000,
        _not_looked_again,
        SPURIOUS,
    ),
    Mutant("timers-first", 26, "timers before the socket, and no second look", ("S16",), 200, _timers_first, SPURIOUS),
    Mutant("any-beat", 27, "any beat counts as an active's", ("L2", "L4"), 20, _any_beat),
    Mutant(
        "hands-over-undrained", 101, "a switchover does not wait for results", ("S11",), 200, _undrained, SWITCHOVERS
    ),
    Mutant("takes-over-late", 102, "silence is borne for two seconds more", ("L2", "L4"), 200, _late_takeover),
    Mutant("never-finished", 103, "nobody writes the DONE of what ended", ("L1",), 20, _not_finished),
)

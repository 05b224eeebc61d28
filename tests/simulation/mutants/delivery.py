"""Bugs in the runner, which the members are not guilty of and suffer from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from replicator.core.values import PartValue, Record
from tests.simulation import runner
from tests.simulation.campaign import CONTENDED, TROUBLE
from tests.simulation.claims import claimed, given_back, is_anothers
from tests.simulation.mutants.planting import Mutant, Planting
from tests.simulation.ranks import DELIVERED
from tests.simulation.runner import Attempt, Runner

CLAIMED = replace(TROUBLE, claim_share=1.0)


def _recorded_at_dot(planting: Planting) -> None:
    def final_dot(self: Runner, attempt: Attempt) -> None:
        if self.may_finish():
            self._record(attempt.item, attempt.part, attempt.value, DELIVERED)
        was(self, attempt)

    was = planting.replace(Runner, "_final_dot", final_dot)


def _dsn_apart(planting: Planting) -> None:
    def bounce(self: Runner, key: bytes, part: bytes, outcome: Record) -> Any:
        ((dsn, state),) = was(self, key, part, outcome)
        return ((state,), (dsn,))

    was = planting.replace(Runner, "bounce", bounce)


def _authority_unasked(planting: Planting) -> None:
    planting.replace(Runner, "may_finish", lambda self: True)


def _claim_given_up(planting: Planting) -> None:
    def is_due(self: Runner, value: PartValue, wall: int) -> bool:
        return was(self, value, wall) or is_anothers(value, self.machine.node)

    was = planting.replace(Runner, "is_due", is_due)
    planting.replace(Runner, "is_in_doubt", lambda self, value: False)


def _claim_dated_by_its_maker(planting: Planting) -> None:
    planting.replace(Runner, "is_in_doubt", lambda self, value: False)


def _claim_without_end(planting: Planting) -> None:
    planting.replace(Runner, "is_in_doubt", lambda self, value: is_anothers(value, self.machine.node))


def _claim_too_low(planting: Planting) -> None:
    def lower(value: PartValue, node: int, hlc: int, due: int) -> PartValue:
        return claimed(value, node, 0, due)._replace(hlc=value.hlc - 1)

    planting.replace(runner, "claimed", lower)


def _claim_given_back_late(planting: Planting) -> None:
    now = 0

    def give_back(self: Runner, attempt: Attempt) -> None:
        nonlocal now
        now = self.machine.hybrid_ms()
        was(self, attempt)

    def late(value: PartValue) -> PartValue:
        return given_back(value)._replace(hlc=max(now, value.hlc + 1))

    was = planting.replace(Runner, "_give_back", give_back)
    planting.replace(runner, "given_back", late)


MUTANTS = (
    Mutant("delivered-at-dot", 14, "DELIVERED is recorded at the dot, not at the 2xx", ("S3",), 5, _recorded_at_dot),
    Mutant("dsn-apart", 15, "a bounce and its notification are two transactions", ("S3", "S2"), 100, _dsn_apart),
    Mutant("authority-unasked", 17, "authority is not asked for before the dot", ("S7",), 300, _authority_unasked),
    Mutant("claim-given-up", 119, "a claim ends where its node ends", ("S11",), 40, _claim_given_up, CLAIMED),
    Mutant(
        "claim-of-its-maker",
        120,
        "a claim ends by the other's clock alone",
        ("S11",),
        60,
        _claim_dated_by_its_maker,
        CLAIMED,
    ),
    Mutant("claim-without-end", 121, "a claim outlives its time", ("L1", "S2"), 40, _claim_without_end, CLAIMED),
    Mutant("claim-too-low", 122, "a claim does not win over what was there", ("S11",), 40, _claim_too_low, CLAIMED),
    Mutant(
        "claim-given-back-late",
        123,
        "a claim that is given back hides a later one of the other node",
        ("S11",),
        150,
        _claim_given_back_late,
        CONTENDED,
    ),
)

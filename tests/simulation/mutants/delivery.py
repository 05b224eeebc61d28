"""Bugs in the runner, which the members are not guilty of and suffer from."""

from __future__ import annotations

from typing import Any

from replicator.core.values import Record
from tests.simulation.mutants.planting import Mutant, Planting
from tests.simulation.ranks import DELIVERED
from tests.simulation.runner import Attempt, Runner


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


MUTANTS = (
    Mutant("delivered-at-dot", 14, "DELIVERED is recorded at the dot, not at the 2xx", ("S3",), 5, _recorded_at_dot),
    Mutant("dsn-apart", 15, "a bounce and its notification are two transactions", ("S3", "S2"), 100, _dsn_apart),
    Mutant("authority-unasked", 17, "authority is not asked for before the dot", ("S7",), 300, _authority_unasked),
)

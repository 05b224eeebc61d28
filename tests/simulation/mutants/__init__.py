"""Bugs to plant, so that the simulator is seen to fail: numbers and names are those of the design's table.

A mutant replaces a few functions of the core, of the model store or of the simulated runner while it is planted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.simulation.mutants import abroad, answering, authority, delivery, leasing, merging, shipping, storing
from tests.simulation.mutants.planting import Mutant, Planting
from tests.simulation.script import Plan

ALL: tuple[Mutant, ...] = tuple(
    sorted(
        answering.MUTANTS
        + shipping.MUTANTS
        + merging.MUTANTS
        + delivery.MUTANTS
        + authority.MUTANTS
        + leasing.MUTANTS
        + storing.MUTANTS
        + abroad.MUTANTS,
        key=lambda mutant: (mutant.number, mutant.name),
    )
)
BY_NAME = {mutant.name: mutant for mutant in (*ALL, storing.ORDER_OF_HASHES)}


def plan_of(name: str) -> Plan | None:
    """Return the fault menu of a mutant; None is the general campaign, with which no mutant runs too."""
    return BY_NAME[name].plan if name else None


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Plant a mutant for the time of a block; no name, no bug."""
    planting = Planting()
    try:
        if name:
            BY_NAME[name].plant(planting)
        yield
    finally:
        planting.undo()

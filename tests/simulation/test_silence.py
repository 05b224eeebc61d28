"""What counts as word of another node: before a takeover (S16), and of how many copies there are (S13)."""

from __future__ import annotations

import pytest

from replicator.core.events import Note, Received, RoleChanged
from replicator.core.messages import Hello
from replicator.core.values import Authority, Role
from tests.simulation import campaign
from tests.simulation.campaign import CALM, WITNESSED_CALM
from tests.simulation.clock import Violation
from tests.simulation.machine import Machine
from tests.simulation.script import Plan


def _machine(plan: Plan) -> Machine:
    world, failure = campaign.play(1, plan)
    assert failure is None
    return world.machines[0]


def _take_over(machine: Machine) -> None:
    changed = RoleChanged(Role.ACTIVE, machine.known, "played")
    machine.world.truth.role_changed(machine, Role.PROMOTING, changed)


def test_who_takes_over_beside_an_active_is_found_unless_an_operator_has_ordered_it() -> None:
    machine = _machine(CALM)
    machine.active_heard_at = machine.clock.now
    machine.is_promoted_by_order = True  # its disk may be slow: the other one may have promoted itself since
    _take_over(machine)
    machine.is_promoted_by_order = False
    with pytest.raises(Violation, match="0 ms after word of an active"):
        _take_over(machine)


@pytest.mark.parametrize(("plan", "refused", "left"), [(WITNESSED_CALM, 7, 5), (WITNESSED_CALM, 8, 9), (CALM, 7, 9)])
def test_one_that_is_refused_gives_no_word_where_the_witness_keeps_owners_apart(
    plan: Plan, refused: int, left: int
) -> None:
    machine = _machine(plan)
    machine._word, machine.active_heard_at = (7, 5), 9
    machine._note(Note("replica.refused", (("session", refused), ("why", "another store"))))
    assert machine.active_heard_at == left


@pytest.mark.parametrize(("is_standing", "known"), [(True, 77), (False, 9)])
def test_a_greeting_that_comes_late_from_a_link_that_is_down_tells_of_no_disk(is_standing: bool, known: int) -> None:
    machine = _machine(CALM)
    machine.greeted_by = 9
    hello = Hello("simulated", 1, "node1", b"other", 77, 1, 2, {}, Authority(0, 0), Role.PASSIVE)
    machine.hear(Received(1, hello), is_standing=is_standing)
    assert machine.greeted_by == known

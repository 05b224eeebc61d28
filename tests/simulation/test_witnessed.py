"""A pair with a witness: two never own (S6), an epoch has one owner (S8), calm histories deliver everything once.

What a crash leaves in doubt may be delivered twice with a witness as without one; claims make that rarer with both.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicator.core.grants import Granted
from replicator.core.leased import Leased
from tests.simulation import campaign
from tests.simulation.campaign import WITNESSED, WITNESSED_CALM, WITNESSED_SWITCHOVERS, Campaign
from tests.simulation.clock import MS, Violation
from tests.simulation.script import Deed, draw
from tests.simulation.witness import may_own


def test_calm_histories_deliver_everything_once() -> None:
    total = campaign.run(range(1, 16), WITNESSED_CALM)
    assert total.failures == []
    assert total.counts["duplicate"] == 0
    assert total.counts["acknowledged"] > 80
    assert total.counts["witness granted"] > 80


def test_planned_switchovers_make_no_duplicates() -> None:
    total = campaign.run(range(1, 21), WITNESSED_SWITCHOVERS)
    assert total.failures == []
    assert total.counts["duplicate"] == 0
    assert total.counts["switchover done"] > 8


def test_two_never_own_whatever_fails() -> None:
    total = campaign.run(range(1, 101), WITNESSED)
    assert total.failures == []
    assert total.counts["takeover"] > 100
    assert total.counts["owner fenced"] > 0


def _killed_behind_a_slow_wire(failures_max: int = 1) -> Campaign:
    """Play histories whose owner ends soon after its wire to the witness was slow: what it asked is under way still."""
    slow = Deed(2_800 * MS, "witness slow", 841715275)
    deaths = [Deed(when * MS, "kill the owner", 1) for when in range(4_900, 5_300, 50)]
    scripts = [draw(seed, WITNESSED) for seed in range(1, 7)]
    histories = [replace(script, deeds=(slow, death)) for script in scripts for death in deaths]
    return campaign.run_scripts(histories, failures_max)


def test_a_lease_that_a_late_request_of_an_ended_owner_renewed_is_waited_for() -> None:
    total = _killed_behind_a_slow_wire()
    assert total.failures == []
    assert 0 < total.counts["excused: the lease of an ended owner was renewed by what came late"] < total.histories


def test_one_that_does_not_take_over_behind_such_a_request_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    allows = Leased.silence_allows

    def allows_once(self: Leased, now: int) -> bool:
        return self.seen.epoch == 0 and allows(self, now)

    monkeypatch.setattr(Leased, "silence_allows", allows_once)
    total = _killed_behind_a_slow_wire(failures_max=100)
    late = total.counts["excused: the lease of an ended owner was renewed by what came late"]
    assert 0 < late <= [failure.name for failure in total.failures].count("L2")


def _granted_beside_an_owner(age: int) -> None:
    """Have the witness grant, beside an owner, what a passive asked for so long ago."""
    world, failure = campaign.play(1, WITNESSED_CALM)
    assert failure is None
    assert world.witness is not None
    (owner,) = [machine for machine in world.machines if may_own(machine)]
    other = world.machines[1 - owner.node]
    votes = other.member._ownership._votes  # type: ignore[attr-defined]
    request = votes.ask(0, other.local.now() - age)
    granted = Granted(request.incarnation, request.generation, request.ticket, 9, other.settings.lease)
    world.witness._look(other, request, granted)


def test_a_grant_of_which_a_member_can_make_use_is_none_beside_an_owner() -> None:
    with pytest.raises(Violation, match="S6"):
        _granted_beside_an_owner(0)


def test_a_grant_that_was_asked_for_too_long_ago_lets_nobody_own() -> None:
    _granted_beside_an_owner(5_000 * MS)

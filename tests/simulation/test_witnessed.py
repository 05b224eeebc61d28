"""A pair with a witness: two never own (S6), an epoch has one owner (S8), calm histories deliver everything once.

What a crash leaves in doubt may be delivered twice with a witness as without one; claims make that rarer with both.
"""

from __future__ import annotations

from tests.simulation import campaign
from tests.simulation.campaign import WITNESSED, WITNESSED_CALM, WITNESSED_SWITCHOVERS


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

"""Each single fault of a calm history, and a share of the pairs, breaks nothing; and the sweep does strike."""

from __future__ import annotations

from tests.simulation import campaign, mutants, sweep
from tests.simulation.script import draw


def test_no_single_fault_breaks_anything() -> None:
    swept = sweep.sweep(1)
    assert swept.failures == []
    assert swept.counts["crash between effects"] > 200
    assert swept.counts["disk wiped"] > 100
    for kind in sweep.LOSSES:
        assert swept.counts[f"strike {kind}"] > 50


def test_a_crash_and_a_lost_message_together_break_nothing() -> None:
    swept = sweep.pairs(2, 7, 50)
    assert swept.failures == []
    assert swept.counts["strike drop"] > 50


def test_a_sweep_finds_what_one_crash_shows_and_says_how_to_see_it_again() -> None:
    with mutants.planted("old-vector-kept"):
        swept = sweep.sweep(1, ("wipe",))
    (failure,) = swept.failures
    ((kind, _, _),) = failure.strikes
    assert kind == "wipe"
    assert "--seed 1 --strike wipe:" in campaign.replay_command(failure)


def test_strikes_come_before_the_heal_alone() -> None:
    found = list(sweep.strikes(draw(1, sweep.SWEPT)))
    assert len(found) == len(set(found)) > 300

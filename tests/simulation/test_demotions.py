"""An operator's demotion stands until the other node has owned or an operator promotes (S17), and no longer (L2)."""

from __future__ import annotations

import pytest

from replicator.core.authority import Ownership
from replicator.core.values import Authority
from tests.simulation import campaign
from tests.simulation.campaign import DEMOTED_AND_KILLED, DEMOTIONS


def test_a_demotion_stands() -> None:
    total = campaign.run(range(1, 101), DEMOTIONS)
    assert total.failures == []
    assert total.counts["demoted"] > 50


def test_a_demotion_that_any_word_of_an_active_ends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = Ownership.alive

    def alive_and_free(self: Ownership, now: int) -> None:
        alive(self, now)
        self.is_held_back = False

    monkeypatch.setattr(Ownership, "alive", alive_and_free)
    total = campaign.run(range(1, 401), DEMOTIONS)
    assert "S17" in {failure.name for failure in total.failures}


def test_a_demotion_outlasts_an_owner_that_ended_before_it_was_heard() -> None:
    total = campaign.run(range(1, 61), DEMOTED_AND_KILLED)
    assert total.failures == []
    assert 0 < total.counts["owner ended unheard by a demoted one"] < total.counts["demoted"] // 10


def test_a_demotion_that_no_word_of_an_active_ends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def heard_active(self: Ownership, authority: Authority, now: int) -> None:
        self.alive(now)

    monkeypatch.setattr(Ownership, "heard_active", heard_active)
    total = campaign.run(range(1, 61), DEMOTED_AND_KILLED)
    assert "L2" in {failure.name for failure in total.failures}

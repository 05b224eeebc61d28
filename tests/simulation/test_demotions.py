"""An operator's demotion stands until the other node has owned or an operator promotes (S17); nobody waits for ever."""

from __future__ import annotations

import pytest

from replicator.core.authority import Ownership
from tests.simulation import campaign
from tests.simulation.campaign import DEMOTIONS


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

"""The lower levels: what is answered for and on one disk alone is counted (S13), and shipped all the same (L3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicator.core.values import AckLevel
from tests.simulation import campaign
from tests.simulation.campaign import TROUBLE


@pytest.mark.parametrize(
    ("level", "wanted"),
    [(AckLevel.REMOTE_RECEIVED, "ack of what is received"), (AckLevel.LOCAL, "degraded ack")],
)
def test_a_lower_level_loses_no_more_than_it_says(level: AckLevel, wanted: str) -> None:
    total = campaign.run(range(1, 101), replace(TROUBLE, level=level))
    assert total.failures == []
    assert total.counts[wanted] > 100
    assert total.counts["note replica.link_up"] > 100

"""A site that follows the pair: it has what they have, changes nothing for them, and owns by an order alone."""

from __future__ import annotations

from tests.simulation import campaign
from tests.simulation.campaign import CALM_ABROAD


def test_calm_histories_reach_the_site_and_deliver_everything_once() -> None:
    total = campaign.run(range(1, 16), CALM_ABROAD)
    assert total.failures == []
    assert total.counts["duplicate"] == 0
    assert total.counts["acknowledged"] > 80
    assert total.counts["site fed by a passive"] > 100
    assert total.counts["site spared what was finished within its delay"] > 20

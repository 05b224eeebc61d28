"""A slice of `make chaos`: a few faults on a running pair, with nothing lost."""

from __future__ import annotations

import pytest

from tests.chaos.campaign import Campaign, run_campaign
from tests.chaos.plan import Kind
from tests.chaos.report import lines, summary

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


async def test_nothing_is_lost_when_power_workers_and_cables_fail() -> None:
    said: list[str] = []
    campaign = Campaign(1, [Kind.POWER_LOSS, Kind.KILL_WORKER, Kind.CUT_ONE_WAY], range(3), seconds=240.0)
    outcomes = await run_campaign(campaign, said.append)
    assert [outcome.failures for outcome in outcomes] == [[], [], []], "\n".join(said)
    told = summary(outcomes)
    print("\n".join(lines(outcomes)))
    assert told["accepted"] > 500
    assert set(told["faults"]) == {"power-loss", "kill-worker", "cut-one-way"}
    assert told["tracebacks"] == 0, "a fault of the world is no fault of ours"

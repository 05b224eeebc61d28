"""A slice of `make chaos`: one round on a running pair, with nothing lost."""

from __future__ import annotations

import pytest

from tests.chaos.plan import Era, Fault, Kind, Mood, Round
from tests.chaos.report import lines, summary
from tests.chaos.rounds import run_round
from tests.chaos.world import running_world
from tests.peers.process import open_folder

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]

ROUND = Round(
    seed=0,
    number=0,
    faults=(
        Fault(Kind.KILL_WORKER, 1.0, 0.5, "passive"),
        Fault(Kind.POWER_LOSS, 2.5, 3.8, "active"),
        Fault(Kind.CUT_ONE_WAY, 8.0, 1.0, "active"),
    ),
    moods=(Mood("closes", 0.5, 1.0), Mood("refuses", 7.0, 1.0)),
)


async def test_nothing_is_lost_when_power_workers_and_cables_fail() -> None:
    with open_folder("chaos") as folder:
        async with running_world(folder, Era(workers=2, has_false_clock=False)) as world:
            outcome = await run_round(world, ROUND)
    told = summary([outcome])
    print("\n".join(lines([outcome])))
    assert outcome.failures == []
    assert told["accepted"] > 400
    assert told["never_accepted"] == 0
    assert told["faults"] == {"cut-one-way": 1, "kill-worker": 1, "power-loss": 1}
    assert told["modes"]["pair"]["promotions"] >= 1
    assert told["tracebacks"] == 0, "a fault of the world is no fault of ours"

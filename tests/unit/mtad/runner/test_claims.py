"""Claims: who may have had the final dot is known to a taker-over before it is sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mtad.mail.outcome import Outcome
from mtad.runner.runner import RunnerLimits
from mtad.spool.door import DUE_AT_ONCE, Claim, Rank, RecipientState
from tests.fakes.queue import message
from tests.fakes.waiting import until
from tests.unit.mtad.runner.scene import DELAYED, DELIVERED, FAILED, UNKNOWN, Scene, running

CLAIMING = RunnerLimits(idle_seconds=0.02, stop_seconds=0.1, claim_seconds=60)


def claimed_state(scene: Scene, node: int = 1, *, seconds: float = 60) -> RecipientState:
    claim = Claim(node, scene.wall(), scene.wall() + round(1000 * seconds))
    return RecipientState(due_ms=claim.until_ms, claim=claim)


async def test_what_may_have_arrived_is_claimed_and_no_attempt_is_counted(tmp_path: Path) -> None:
    async with running(tmp_path, CLAIMING) as scene:
        scene.hops.hanging.add("b@y.test")
        scene.hops.is_past_dot = True
        scene.hops.outcomes["b@y.test"] = DELAYED
        kept = message("b@y.test")
        await scene.keep(kept)
        await until(scene.is_past_dot)
        assert scene.state(kept.queue_id) == claimed_state(scene)
        scene.hops.may_go_on.set()
        await until(lambda: scene.state(kept.queue_id).attempts_count == 1)
        assert scene.state(kept.queue_id).claim is None
        assert scene.state(kept.queue_id).due_ms == scene.wall() + 60_000


async def test_an_attempt_that_does_not_come_to_its_dot_claims_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, CLAIMING) as scene:
        scene.hops.hanging.add("b@y.test")
        kept = message("b@y.test")
        await scene.keep(kept)
        await until(lambda: scene.hops.running)
        assert scene.state(kept.queue_id) == RecipientState()
        await scene.runner.drain()
        assert scene.state(kept.queue_id) == RecipientState()


async def test_who_loses_the_queue_before_the_dot_gives_its_claim_back(tmp_path: Path) -> None:
    async with running(tmp_path, CLAIMING) as scene:
        scene.spool.on_claim = lambda: setattr(scene.spool, "has_lost_ownership", True)
        kept = message("b@y.test")
        await scene.keep(kept)
        await until(lambda: scene.hops.asked and not scene.runner.attempts_in_flight)
        await scene.runner._claims.settled()
        assert scene.state(kept.queue_id) == RecipientState(due_ms=DUE_AT_ONCE)


@pytest.mark.parametrize("outcome", [DELIVERED, UNKNOWN, FAILED, DELAYED])
async def test_who_loses_the_queue_tells_what_was_delivered_and_gives_back_what_was_not(
    tmp_path: Path, outcome: Outcome
) -> None:
    async with running(tmp_path, CLAIMING) as scene:
        scene.hops.hanging.add("b@y.test")
        scene.hops.is_past_dot = True
        scene.hops.outcomes |= {"b@y.test": outcome, "c@y.test": UNKNOWN}
        kept = message("b@y.test", "c@y.test")
        await scene.keep(kept)
        await until(scene.is_past_dot)
        scene.spool.has_lost_ownership = True
        scene.hops.may_go_on.set()
        await until(lambda: not scene.runner.attempts_in_flight)
        await scene.runner._claims.settled()
        state = scene.state(kept.queue_id)
        assert state.claim is None
        if outcome in (DELIVERED, UNKNOWN):
            assert [attempt.outcome for attempt in state.attempts] == [outcome]
        else:
            assert state == RecipientState(due_ms=DUE_AT_ONCE)


async def test_a_drain_gives_back_what_was_claimed_and_has_no_dot_yet(tmp_path: Path) -> None:
    async with running(tmp_path, CLAIMING) as scene:
        kept = message("b@y.test")
        draining: list[asyncio.Task[None]] = []

        def drain() -> None:
            scene.hops.hanging.add("b@y.test")  # the next attempt, before it claims anything
            draining.append(asyncio.create_task(scene.runner.drain()))

        scene.spool.on_claim = drain
        await scene.keep(kept)
        await until(lambda: draining)
        await draining[0]
        assert scene.state(kept.queue_id) == RecipientState(due_ms=DUE_AT_ONCE)


async def test_a_claim_of_this_node_whose_attempt_is_forgotten_is_waited_for(tmp_path: Path) -> None:
    async with running(tmp_path, CLAIMING) as scene:
        kept = replace(message(), recipients={"b@y.test": claimed_state(scene, seconds=30)})
        await scene.keep(kept)
        await asyncio.sleep(0.06)
        assert scene.hops.asked == []
        scene.wall.forward(30)
        await until(lambda: scene.queue() == [])


async def test_a_claim_of_another_node_counts_from_when_the_queue_was_taken_over(tmp_path: Path) -> None:
    limits = RunnerLimits(idle_seconds=0.02, claim_seconds=1)
    async with running(tmp_path, limits) as scene:
        ended = claimed_state(scene, node=2, seconds=-1)
        kept = replace(message(), recipients={"b@y.test": ended, "c@y.test": RecipientState()})
        began = asyncio.get_running_loop().time()
        await scene.keep(kept)
        await until(lambda: scene.state(kept.queue_id, "c@y.test").rank is Rank.DELIVERED)
        assert scene.state(kept.queue_id) == ended
        await until(lambda: scene.queue() == [])
        assert asyncio.get_running_loop().time() - began > 0.15
        assert [list(recipients) for _, recipients in scene.hops.asked] == [["c@y.test"], ["b@y.test"]]


async def test_no_dot_is_sent_before_its_claim_is_noted_whoever_asks_again(tmp_path: Path) -> None:
    async with running(tmp_path, CLAIMING) as scene:
        scene.hops.hanging.add("b@y.test")
        kept = message("b@y.test")
        await scene.keep(kept)
        await until(lambda: scene.hops.running)
        first = asyncio.create_task(scene.hops.warrants[0].may_finish(("b@y.test",)))
        await asyncio.sleep(0)
        first.cancel()
        assert scene.state(kept.queue_id).claim is None, "not on the disk yet"
        assert await scene.hops.warrants[0].may_finish(("b@y.test",))
        assert scene.state(kept.queue_id).claim is not None
        scene.hops.may_go_on.set()


async def test_claims_that_cannot_be_written_keep_no_mail_back(tmp_path: Path) -> None:
    async with running(tmp_path, CLAIMING) as scene:

        def broken() -> None:
            raise OSError("reopening")

        scene.spool.on_claim = broken
        await scene.keep(message(), message())
        await until(lambda: scene.queue() == [])
        assert scene.events.named("claim.fault")


async def test_claims_that_come_together_are_written_together(tmp_path: Path) -> None:
    async with running(tmp_path, CLAIMING) as scene:
        written: list[int] = []
        scene.spool.on_claim = lambda: written.append(1)
        await scene.keep(*(message() for _ in range(15)))
        await until(lambda: scene.queue() == [])
        assert len(written) <= 3

"""Who may redeliver: nothing without the queue, a clean end when it is lost or handed over, no clock but ours."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mtad.mail.outcome import Outcome
from mtad.runner.runner import RunnerLimits
from mtad.spool.door import Attempt, Claim, Rank, RecipientState
from tests.fakes.queue import message
from tests.fakes.waiting import until
from tests.unit.mtad.runner.scene import DELAYED, DELIVERED, FAILED, UNKNOWN, running


async def test_a_node_that_does_not_own_the_queue_attempts_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.spool.has_lost_ownership = True
        await scene.keep(message())
        await asyncio.sleep(0.06)
        assert scene.hops.asked == []
        scene.spool.has_lost_ownership = False
        await until(lambda: scene.queue() == [])


@pytest.mark.parametrize(
    ("outcome", "is_told"), [(DELIVERED, True), (UNKNOWN, True), (FAILED, False), (DELAYED, False)]
)
async def test_who_loses_the_queue_tells_what_was_delivered_and_decides_nothing(
    tmp_path: Path, outcome: Outcome, is_told: bool
) -> None:
    async with running(tmp_path) as scene:
        scene.hops.hanging.add("b@y.test")
        scene.hops.is_past_dot = True
        scene.hops.outcomes["b@y.test"] = outcome
        kept = message("b@y.test", "c@y.test")
        scene.hops.outcomes["c@y.test"] = DELAYED
        await scene.keep(kept)
        await until(lambda: scene.hops.running)
        scene.spool.has_lost_ownership = True
        scene.hops.may_go_on.set()
        await until(lambda: not scene.runner.attempts_in_flight)
        assert (scene.state(kept.queue_id).attempts_count == 1) is is_told
        assert scene.state(kept.queue_id, "c@y.test").attempts_count == 0
        assert scene.queue() == [kept.queue_id]


async def test_who_loses_the_queue_sends_no_final_dot(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.hanging.add("b@y.test")
        kept = message()
        await scene.keep(kept)
        await until(lambda: scene.hops.running)
        scene.spool.has_lost_ownership = True
        scene.hops.may_go_on.set()
        await until(lambda: not scene.runner.attempts_in_flight)
        assert scene.state(kept.queue_id) == RecipientState()


async def test_a_drain_ends_what_has_no_final_dot_awaits_the_rest_and_starts_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.hanging.add("b@y.test")
        scene.hops.is_past_dot = True
        past = message("b@y.test")
        await scene.keep(past)
        await until(lambda: scene.is_past_dot())
        scene.hops.is_past_dot = False
        scene.hops.hanging.add("c@y.test")
        before = message("c@y.test")
        await scene.keep(before)
        await until(lambda: scene.hops.running == 2)
        draining = asyncio.create_task(scene.runner.drain())
        await until(lambda: scene.hops.running == 1)
        await asyncio.sleep(0.06)
        assert not draining.done()
        assert scene.hops.warrants[0].withdrawn.done(), "other next hops of that message need not be waited for"
        assert scene.hops.times(before.queue_id) == 1
        scene.spool.has_lost_ownership = True
        scene.hops.may_go_on.set()
        await draining
        assert scene.queue() == [before.queue_id]
        assert scene.state(before.queue_id, "c@y.test") == RecipientState()


async def test_stopping_waits_for_replies_to_final_dots_for_a_while(tmp_path: Path) -> None:
    async with running(tmp_path, RunnerLimits(idle_seconds=0.02, stop_seconds=5)) as scene:
        scene.hops.hanging.add("b@y.test")
        scene.hops.is_past_dot = True
        await scene.keep(message("b@y.test"))
        await until(lambda: scene.is_past_dot())
        stopping = asyncio.create_task(scene.runner.stop())
        await asyncio.sleep(0.02)
        scene.hops.may_go_on.set()
        await stopping
        assert scene.queue() == []


async def test_stopping_does_not_wait_for_ever(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.hanging.add("b@y.test")
        scene.hops.is_past_dot = True
        kept = message("b@y.test")
        await scene.keep(kept)
        await until(lambda: scene.is_past_dot())
        await scene.runner.stop()
        assert not scene.runner.attempts_in_flight
        assert scene.queue() == [kept.queue_id]


@pytest.mark.parametrize("is_claimed", [True, False])
async def test_a_peer_whose_clock_is_an_hour_ahead_delays_nothing_by_an_hour(tmp_path: Path, is_claimed: bool) -> None:
    async with running(tmp_path, RunnerLimits(idle_seconds=0.02, redate_seconds=0.02)) as scene:
        then_ms = scene.wall() + 3_600_000
        state = RecipientState(Rank.DEFERRED, then_ms + 60_000, (Attempt(then_ms, DELAYED, 2),), 1)
        if is_claimed:
            state = replace(state, claim=Claim(2, then_ms, then_ms + 60_000))
        kept = replace(message(), recipients={"b@y.test": state})
        scene.wall.forward(3600)
        await scene.keep(kept)  # under an hlc of the clock that is ahead
        scene.wall.forward(-3600)
        await until(lambda: scene.state(kept.queue_id).due_ms == scene.wall() + 60_000)
        assert scene.hops.asked == []
        scene.wall.forward(60)
        await until(lambda: scene.queue() == [])
        await until(lambda: [fields["recipients"] for fields in scene.events.named("queue.redated")] == [1])


async def test_what_was_put_off_by_a_clock_that_is_right_stays_so(tmp_path: Path) -> None:
    async with running(tmp_path, RunnerLimits(idle_seconds=0.02, redate_seconds=0.01)) as scene:
        state = RecipientState(Rank.DEFERRED, scene.wall() + 7_200_000, (Attempt(scene.wall(), DELAYED, 2),), 1)
        kept = replace(message(), recipients={"b@y.test": state})
        await scene.keep(kept)
        await asyncio.sleep(0.1)
        assert scene.state(kept.queue_id) == state

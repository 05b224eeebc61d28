"""Policy decides on who could not be delivered to, and its word is recorded, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.spool.door import Rank
from tests.fakes.queue import message
from tests.fakes.waiting import until
from tests.unit.mtad.runner.scene import DELAYED, FAILED, PLAN, STOPPED, UNKNOWN, running


async def test_policy_says_what_becomes_of_who_was_not_delivered_to(tmp_path: Path) -> None:
    given_up = Outcome(Result.FAILED, Reply.of(554, "5.2.2", "Given up"))
    put_off = Outcome(Result.DELAYED, Reply.of(450, "4.1.1", "Put off"))
    async with running(tmp_path) as scene:
        scene.hops.outcomes = {"late@y.test": DELAYED, "gone@y.test": FAILED, "lost@y.test": UNKNOWN}
        scene.hops.outcomes["stopped@y.test"] = STOPPED
        scene.policy.has_queue_stage = True
        scene.policy.may_judge.set()
        scene.policy.judged = {"late@y.test": given_up, "gone@y.test": put_off}
        scene.policy.after = {"gone@y.test": replace(PLAN, intervals_seconds=(7,))}
        kept = message("b@y.test", *scene.hops.outcomes)
        await scene.keep(kept)
        await until(lambda: len(scene.policy.tried) == 2)
        await until(lambda: len(scene.events.named("dsn.queued")) == 1)
        stored = scene.spool.message(kept.queue_id)
        assert stored is not None
        assert [(address, tried.attempts_count) for address, tried in scene.policy.tried] == [
            ("late@y.test", 1),
            ("gone@y.test", 1),
        ]
        states = stored.recipients
        assert (states["late@y.test"].rank, states["b@y.test"].rank) == (Rank.FAILED, Rank.DELIVERED)
        assert states["gone@y.test"].rank is states["stopped@y.test"].rank is Rank.DEFERRED
        assert states["gone@y.test"].due_ms == scene.wall() + 7000
        assert states["gone@y.test"].attempts[-1].outcome == put_off


async def test_policy_is_told_of_no_attempt_that_says_nothing_of_the_recipient(tmp_path: Path) -> None:
    not_looked_up = Outcome(Result.DELAYED, Reply.of(450, "4.4.3", "Not now"))
    async with running(tmp_path) as scene:
        scene.hops.outcomes = {"b@y.test": not_looked_up}
        scene.policy.has_queue_stage = True
        scene.policy.may_judge.set()
        kept = message("b@y.test")
        await scene.keep(kept)
        for number, outcome in enumerate((STOPPED, DELAYED, FAILED), 1):
            await until(lambda: scene.state(kept.queue_id).attempts_count == number)  # noqa: B023 (awaited here)
            scene.hops.outcomes = {"b@y.test": outcome}
            scene.wall.forward(121)
        await until(lambda: len(scene.policy.tried) == 3)
        assert [tried.attempts_count for _, tried in scene.policy.tried] == [0, 1, 2]


async def test_what_was_delivered_is_recorded_before_policy_is_asked_about_the_others(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes = {"gone@y.test": FAILED}
        scene.policy.has_queue_stage = True
        kept = message("b@y.test", "gone@y.test")
        await scene.keep(kept)
        await until(lambda: scene.policy.tried)
        assert scene.state(kept.queue_id).rank is Rank.DELIVERED
        assert scene.state(kept.queue_id, "gone@y.test").attempts_count == 0
        scene.policy.may_judge.set()
        await until(lambda: scene.events.named("dsn.queued"))


async def test_who_lost_the_queue_while_policy_was_asked_bounces_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes = {"gone@y.test": FAILED}
        scene.policy.has_queue_stage = True
        kept = message("gone@y.test")
        await scene.keep(kept)
        await until(lambda: scene.policy.tried)
        scene.spool.has_lost_ownership = True
        scene.policy.may_judge.set()
        await until(lambda: not scene.runner._in_flight)
        assert scene.state(kept.queue_id, "gone@y.test").attempts_count == 0
        assert scene.events.named("dsn.queued") == []


async def test_another_route_of_policy_is_taken_at_the_next_attempt_and_outlives_the_runner(tmp_path: Path) -> None:
    elsewhere = Route(hosts=("fallback.test",))
    async with running(tmp_path) as scene:
        scene.policy.has_queue_stage = True
        scene.policy.may_judge.set()
        scene.policy.after["b@y.test"] = replace(scene.policy.plan, route=elsewhere)
        scene.hops.outcomes["b@y.test"] = DELAYED
        kept = message("b@y.test")
        await scene.keep(kept)
        await until(lambda: scene.hops.times(kept.queue_id) == 1)
        await until(lambda: scene.state(kept.queue_id).route == elsewhere)
        assert scene.hops.asked[0][1]["b@y.test"] == scene.policy.route
        began = scene.wall()
    async with running(tmp_path) as scene:
        scene.wall.forward(began - scene.wall() + 61)
        await until(lambda: scene.queue() == [])
        assert scene.hops.asked[-1] == (kept.queue_id, {"b@y.test": elsewhere})

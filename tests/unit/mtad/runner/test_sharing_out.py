"""What is due is shared out: nobody who hangs, or has very many messages, keeps others waiting."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from mtad.runner.backlog import BacklogLimits
from mtad.runner.places import PlaceLimits
from mtad.runner.runner import RunnerLimits
from tests.fakes.queue import message
from tests.fakes.waiting import until
from tests.unit.mtad.runner.scene import LIMITS, running


async def test_no_more_is_attempted_at_once_than_the_limits_say(tmp_path: Path) -> None:
    limits = RunnerLimits(PlaceLimits(at_once_max=3, per_domain_max=2), idle_seconds=0.02)
    async with running(tmp_path, limits) as scene:
        scene.hops.hanging |= {"b@y.test", "b@z.test"}
        await scene.keep(*(message(f"b@{domain}.test") for domain in "yyyyyzzzzz"))
        await until(lambda: scene.hops.running == 3)
        await asyncio.sleep(0.06)
        scene.hops.may_go_on.set()
        await until(lambda: scene.queue() == [])
        assert scene.hops.running_most == 3
        assert len(scene.hops.asked) == 10


async def test_a_destination_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    limits = RunnerLimits(PlaceLimits(at_once_max=10, per_domain_max=2), due_page=4, idle_seconds=0.02)
    async with running(tmp_path, limits) as scene:
        scene.hops.hanging.add("b@y.test")
        stuck = [message("b@y.test", due_ms=number) for number in range(30)]
        await scene.keep(*stuck)
        await until(lambda: scene.hops.running == 2)
        await scene.keep(*(message("b@z.test", due_ms=100) for _ in range(12)))
        await until(lambda: len(scene.queue()) == len(stuck))
        assert scene.hops.running == 2


async def test_several_destinations_that_hang_hold_up_no_other(tmp_path: Path) -> None:
    places = PlaceLimits(at_once_max=4, per_domain_max=2, slow_seconds=0.1, slow_max=6, per_slow_domain_max=1)
    async with running(tmp_path, RunnerLimits(places, idle_seconds=0.02)) as scene:
        scene.hops.hanging |= {"b@u.test", "b@v.test"}
        stuck = [message(f"b@{domain}.test", due_ms=number) for number in range(10) for domain in "uv"]
        await scene.keep(*stuck)
        await until(lambda: scene.hops.running == 4)
        await scene.keep(message("b@z.test", due_ms=100))
        await until(lambda: len(scene.queue()) == len(stuck))
        assert scene.hops.running == 4, "who hangs gets no more places"


async def test_much_mail_for_a_destination_that_hangs_is_not_walked_past_for_others(tmp_path: Path) -> None:
    limits = RunnerLimits(
        PlaceLimits(at_once_max=10, per_domain_max=2),
        backlog=BacklogLimits(per_domain_max=100, per_sender_max=40),
        idle_seconds=0.005,
    )
    async with running(tmp_path, limits) as scene:
        scene.hops.hanging.add("b@y.test")
        stuck = [message("b@y.test", reverse_path=f"{number % 5}@x.test", due_ms=number) for number in range(1000)]
        await scene.keep(*stuck)
        await until(lambda: scene.hops.running == 2 and scene.spool.read_count >= len(stuck))
        read_count = scene.spool.read_count
        for due_ms in range(100):
            await scene.keep(message("b@z.test", due_ms=due_ms))
        await until(lambda: scene.hops.times_of("b@z.test") == 100)
        assert scene.spool.read_count - read_count <= 200, "each of them once or twice, and nothing else"
        scene.hops.may_go_on.set()
        await until(lambda: scene.hops.times_of("b@y.test") > 150)
        scene.hops.hanging.clear()


async def test_one_with_very_many_messages_does_not_keep_others_waiting_at_the_same_destination(
    tmp_path: Path,
) -> None:
    limits = RunnerLimits(PlaceLimits(per_domain_max=2), backlog=BacklogLimits(per_sender_max=20), idle_seconds=0.02)
    async with running(tmp_path, limits) as scene:
        scene.hops.hanging.add("b@y.test")
        bulk = [message("b@y.test", reverse_path="bulk@x.test", due_ms=number) for number in range(200)]
        await scene.keep(*bulk)
        await until(lambda: scene.hops.running == 2)
        other = message("b@y.test", reverse_path="one@x.test", due_ms=5000)
        await scene.keep(other)
        scene.hops.may_go_on.set()
        await until(lambda: scene.hops.times(other.queue_id) == 1)
        assert len(scene.hops.asked) < 50
        await until(lambda: len(scene.hops.asked) == 201)
        await until(lambda: scene.queue() == [])
        assert len(scene.hops.asked) == 201, "and what was left out is fetched, each once"


async def test_what_has_a_priority_is_tried_first(tmp_path: Path) -> None:
    limits = replace(LIMITS, places=PlaceLimits(at_once_max=1, slow_seconds=600))
    async with running(tmp_path, limits) as scene:
        scene.hops.hanging.add("b@y.test")
        first = message("b@y.test")
        await scene.keep(first)
        await until(lambda: scene.hops.times(first.queue_id) == 1)  # it has the one place
        plain, urgent = message("plain@y.test"), replace(message("urgent@y.test"), priority=3)
        await scene.keep(plain, urgent)
        scene.hops.may_go_on.set()
        await until(lambda: scene.queue() == [])
        assert [queue_id for queue_id, _ in scene.hops.asked] == [first.queue_id, urgent.queue_id, plain.queue_id]

"""Redelivery over a real queue: what is due is attempted once, and what became of it is recorded."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mtad.mail.dsn_request import Notify, RecipientRequest
from mtad.mail.notes import Noted, Notes
from mtad.mail.outcome import Outcome
from mtad.runner.lookout import LOOKS_MAX, Lookout
from mtad.runner.places import PlaceLimits
from mtad.runner.runner import RunnerLimits
from mtad.spool.door import FAR_MS, Changes, Rank, RecipientState, Refusal, Refused
from replicator.core.values import Item
from replicator.node import Node
from tests.fakes.queue import message
from tests.fakes.waiting import until
from tests.unit.mtad.runner.scene import DELAYED, DELIVERED, FAILED, PLAN, STOPPED, UNKNOWN, running

# --- outcomes become states ---------------------------------------------------------------------------------


async def test_what_is_due_is_delivered_by_the_route_of_policy_and_leaves_the_queue(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        kept = message("b@y.test", "c@y.test")
        await scene.keep(kept)
        await until(lambda: scene.queue() == [])
        route = scene.policy.route
        assert scene.hops.asked == [(kept.queue_id, {"b@y.test": route, "c@y.test": route})]
        envelope = scene.policy.envelopes[0]
        assert (envelope.reverse_path, envelope.client) == (kept.reverse_path, kept.client)


async def test_policy_is_told_what_it_has_noted(tmp_path: Path) -> None:
    noted = Noted(message=Notes({"a": "1"}), recipients={"c@y.test": Notes({"b": "2"})})
    async with running(tmp_path) as scene:
        await scene.keep(replace(message("b@y.test", "c@y.test"), noted=noted))
        await until(lambda: scene.queue() == [])
        assert [envelope.notes for envelope in scene.policy.envelopes] == [noted.message] * 2
        assert sorted(notes.variables.get("b", "") for notes in scene.policy.notes) == ["", "2"]


async def test_what_is_not_due_is_left_until_it_is(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        kept = message(due_ms=scene.wall() + 5000)
        await scene.keep(kept)
        await asyncio.sleep(0.06)
        assert scene.hops.asked == []
        scene.wall.forward(5)
        await until(lambda: scene.queue() == [])


async def test_what_a_client_still_waits_for_is_not_attempted(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        kept = message()
        scene.spool._unanswered.add(kept.queue_id.encode())
        await scene.spool.commit(Changes(puts=(kept,)), is_accepting=False)
        await asyncio.sleep(0.06)
        assert scene.hops.asked == []
        scene.spool._unanswered.clear()
        scene.spool._on_change([kept.queue_id])  # as when the client has its answer
        await until(lambda: scene.queue() == [])


async def test_a_refusal_for_now_is_tried_again_when_the_plan_says(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes["b@y.test"] = DELAYED
        kept = message("b@y.test", "c@y.test")
        await scene.keep(kept)
        await until(lambda: scene.state(kept.queue_id).attempts_count == 1)
        state = scene.state(kept.queue_id)
        assert (state.rank, state.due_ms) == (Rank.DEFERRED, scene.wall() + 60_000)
        assert state.attempts[0].outcome == DELAYED
        assert scene.state(kept.queue_id, "c@y.test").rank is Rank.DELIVERED
        scene.hops.outcomes.clear()
        scene.wall.forward(61)
        await until(lambda: scene.queue() == [])
        assert [list(recipients) for _, recipients in scene.hops.asked] == [["b@y.test", "c@y.test"], ["b@y.test"]]


async def test_a_failure_and_its_dsn_are_one_commit(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes["b@y.test"] = FAILED
        scene.hops.hanging.add("a@x.test")  # where the DSN goes
        commits: list[Changes] = []
        scene.spool.on_commit = commits.append
        kept = message("b@y.test")
        await scene.keep(kept)
        await until(lambda: scene.queue() != [kept.queue_id])
        (changes,) = commits
        (report,) = changes.puts
        assert changes.states[kept.queue_id]["b@y.test"].rank is Rank.FAILED
        assert (report.reverse_path, list(report.recipients)) == ("", ["a@x.test"])
        assert report.dsn_of == kept.queue_id
        assert report.content.startswith(b"DKIM-Signature: d=mx.x.test\r\n")
        assert b"550 5.1.1 no such user" in report.content
        assert scene.queue() == [report.queue_id]
        await until(lambda: [fields["of"] for fields in scene.events.named("dsn.queued")] == [kept.queue_id])


async def test_a_dsn_that_fails_is_followed_by_none(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes["b@y.test"] = FAILED
        await scene.keep(message("b@y.test", reverse_path=""))
        await until(lambda: scene.queue() == [])
        assert [fields["recipient"] for fields in scene.events.named("dsn.undeliverable")] == ["b@y.test"]
        assert len(scene.hops.asked) == 1


async def test_what_is_too_old_is_given_up_after_an_attempt_even_in_doubt(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes |= {"b@y.test": DELAYED, "c@y.test": UNKNOWN}
        scene.hops.hanging.add("a@x.test")
        kept = message("b@y.test", "c@y.test")
        scene.wall.forward(PLAN.expire_seconds)
        await scene.keep(kept)
        await until(lambda: scene.queue() and kept.queue_id not in scene.queue())
        (report_id,) = scene.queue()
        told = await scene.spool.content(report_id)
        assert told is not None
        assert told.count(b"given up") == 2
        assert told.count(b"may have arrived") == 1


async def test_a_result_is_recorded_again_and_again_until_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtad.runner.runner.RECORD_AGAIN_SECONDS", 0.01)
    async with running(tmp_path) as scene:
        refusals = [Refused(Refusal.FULL), Refused(Refusal.FAILED)]
        scene.spool.on_commit = lambda changes: refusals.pop() if refusals else None
        kept = message()
        await scene.keep(kept)
        await until(lambda: scene.queue() == [])
        assert scene.hops.times(kept.queue_id) == 1
        assert len(scene.events.named("delivery.unrecorded")) == 2


# --- faults of our own --------------------------------------------------------------------------------------


async def test_a_message_whose_attempt_faults_stays_and_costs_no_place(tmp_path: Path) -> None:
    async with running(tmp_path, RunnerLimits(PlaceLimits(at_once_max=1), idle_seconds=0.02)) as scene:
        scene.hops.fault = RuntimeError("bug")
        poison = message(due_ms=1)
        await scene.keep(poison)
        await until(lambda: scene.events.named("delivery.fault"))
        scene.hops.fault = None
        fine = message(due_ms=2)
        await scene.keep(fine)
        await until(lambda: scene.queue() == [poison.queue_id])
        assert scene.hops.times(poison.queue_id) == 1
        assert scene.state(poison.queue_id) == RecipientState(due_ms=1)


async def test_a_message_whose_attempt_faulted_is_tried_again(tmp_path: Path) -> None:
    async with running(tmp_path, RunnerLimits(idle_seconds=0.01, fault_seconds=0.05)) as scene:
        scene.hops.fault = RuntimeError("bug")
        await scene.keep(message())
        await until(lambda: scene.events.named("delivery.fault"))
        scene.hops.fault = None
        await until(lambda: scene.queue() == [])


async def test_where_policy_fails_nothing_is_sent_anywhere(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.policy.faults.add("b@y.test")
        kept = message("b@y.test", "c@y.test")
        await scene.keep(kept)
        await until(lambda: scene.state(kept.queue_id, "c@y.test").rank is Rank.DELIVERED)
        await asyncio.sleep(0.06)
        assert scene.state(kept.queue_id) == RecipientState()
        assert [list(recipients) for _, recipients in scene.hops.asked] == [["c@y.test"]]


async def test_a_dsn_that_cannot_be_made_does_not_make_others_deliveries_twice(tmp_path: Path) -> None:
    def broken(content: bytes, domain: str) -> bytes:
        raise ValueError("no key")

    async with running(tmp_path, sign=broken) as scene:
        scene.hops.outcomes["b@y.test"] = FAILED
        kept = message("b@y.test", "c@y.test")
        await scene.keep(kept)
        await until(lambda: scene.state(kept.queue_id, "c@y.test").rank is Rank.DELIVERED)
        assert scene.state(kept.queue_id).rank is Rank.QUEUED
        assert len(scene.events.named("dsn.fault")) == 1
        await asyncio.sleep(0.06)
        assert scene.hops.times(kept.queue_id) == 1


async def test_a_queue_that_cannot_be_read_for_a_moment_does_not_end_redelivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtad.runner.runner.RECORD_AGAIN_SECONDS", 0.01)
    async with running(tmp_path) as scene:

        def broken() -> None:
            raise OSError("reopening")

        scene.spool.on_due = broken
        await scene.keep(message())
        await until(lambda: scene.events.named("runner.fault"))
        scene.spool.on_due = lambda: None
        await until(lambda: scene.queue() == [])


# --- the operator meanwhile ---------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["hold", "delete"])
async def test_what_is_held_or_deleted_during_its_attempt_gets_no_final_dot(tmp_path: Path, verb: str) -> None:
    async with running(tmp_path) as scene:
        scene.hops.hanging.add("b@y.test")
        kept = message()
        await scene.keep(kept)
        await until(lambda: scene.hops.running)
        await scene.spool.act(verb, [kept.queue_id])
        scene.hops.may_go_on.set()
        await until(lambda: not scene.runner.attempts_in_flight)
        if verb == "delete":
            assert scene.queue() == []
        else:
            assert scene.state(kept.queue_id).due_ms == FAR_MS
            assert scene.state(kept.queue_id).attempts[-1].outcome == STOPPED
            await scene.spool.act("release", [kept.queue_id])
            await until(lambda: scene.queue() == [])


async def test_what_is_held_behind_its_final_dot_waits_when_it_comes_back(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.hanging.add("b@y.test")
        scene.hops.is_past_dot = True
        scene.hops.outcomes["b@y.test"] = DELAYED
        kept = message()
        await scene.keep(kept)
        await until(lambda: scene.hops.running)
        await scene.spool.act("hold", [kept.queue_id])
        scene.hops.may_go_on.set()
        await until(lambda: scene.state(kept.queue_id).attempts_count == 1)
        assert scene.state(kept.queue_id).due_ms == FAR_MS


async def test_what_failed_after_it_was_deleted_gets_no_dsn(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.hanging.add("b@y.test")
        scene.hops.is_past_dot = True
        scene.hops.outcomes["b@y.test"] = FAILED
        kept = message()
        await scene.keep(kept)
        await until(lambda: scene.hops.running)
        await scene.spool.act("delete", [kept.queue_id])
        scene.hops.may_go_on.set()
        await until(lambda: not scene.runner.attempts_in_flight)
        assert scene.queue() == []


async def test_a_held_message_that_came_due_is_taken_out_again(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        kept = message(due_ms=scene.wall() + 1000)
        await scene.keep(kept)
        await scene.spool.act("hold", [kept.queue_id])
        peers = RecipientState(Rank.DEFERRED, scene.wall(), (), 1)  # what the peer recorded before it knew
        await scene.spool.commit(Changes(states={kept.queue_id: {"b@y.test": peers}}), is_accepting=False)
        await until(lambda: scene.state(kept.queue_id).due_ms == FAR_MS)
        assert scene.hops.asked == []


@pytest.mark.parametrize(("outcome", "left"), [(DELIVERED, 0), (FAILED, 1)])
async def test_what_was_delivered_while_its_message_was_damaged_is_known_when_it_comes_back(
    tmp_path: Path, outcome: Outcome, left: int
) -> None:
    class Damaged(Node):
        def item(self, key: bytes) -> Item | None:
            return None

    async with running(tmp_path) as scene:
        scene.hops.hanging.add("b@y.test")
        scene.hops.is_past_dot = True
        scene.hops.outcomes["b@y.test"] = outcome
        await scene.keep(message("b@y.test"))
        await until(scene.is_past_dot)
        scene.node.__class__ = Damaged
        scene.hops.may_go_on.set()
        await until(lambda: not scene.runner.attempts_in_flight)
        scene.spool.has_lost_ownership = True
        scene.node.__class__ = Node
        assert len(scene.queue()) == left, (
            "a failure is for the attempt after it has come back: a DSN needs the message"
        )


# --- flushes, clocks, pages ---------------------------------------------------------------------------------


async def test_a_flush_forgets_what_befell_next_hops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = RunnerLimits(PlaceLimits(slow_seconds=60, per_slow_domain_max=0), idle_seconds=0.02, urge_seconds=600)
    async with running(tmp_path, limits) as scene:
        scene.hops.outcomes["b@y.test"] = DELAYED
        slow, kept = message("b@y.test"), message("b@y.test")
        scene.hops.hanging.add("b@y.test")
        await scene.keep(slow)
        await until(lambda: scene.hops.running)
        loop = asyncio.get_running_loop()
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + 61)
        scene.hops.may_go_on.set()
        await until(lambda: scene.state(slow.queue_id).attempts_count == 1)
        await scene.keep(kept)
        await asyncio.sleep(0.05)
        assert (scene.hops.forgotten, scene.hops.times(kept.queue_id)) == (0, 0), "the domain has no place"
        scene.hops.outcomes.clear()
        await scene.spool.act("flush", [slow.queue_id])
        await until(lambda: scene.queue() == [])
        assert scene.hops.forgotten == 1


@pytest.mark.parametrize("is_owner", [True, False])
async def test_a_flush_at_another_node_is_seen(tmp_path: Path, is_owner: bool) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes["b@y.test"] = DELAYED
        kept = message()
        await scene.keep(kept)
        await until(lambda: scene.state(kept.queue_id).attempts_count == 1)
        scene.spool.has_lost_ownership = not is_owner
        await until(lambda: scene.runner._was_owner is is_owner)
        scene.spool.on_flush(lambda: None)  # nobody says so here
        await scene.keep(message("c@y.test"))
        await asyncio.sleep(0.05)
        assert scene.hops.forgotten == 0
        for _ in range(3):
            await scene.spool.act("flush", [kept.queue_id])
        await until(lambda: scene.hops.forgotten == 1)


async def test_who_looks_out_for_a_flush_looks_at_a_bounded_number_of_messages(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes["b@y.test"] = DELAYED
        kept = message()
        await scene.keep(kept)
        await until(lambda: scene.state(kept.queue_id).attempts_count == 1)
        scene.spool.has_lost_ownership = True
        await scene.spool.act("flush", [kept.queue_id])
        lookout = Lookout(scene.spool)
        others = [f"01JD4Z8Q6K{number:05}" for number in range(LOOKS_MAX)]
        assert lookout.sees_flush([*others[1:], kept.queue_id], 100.0)
        assert not lookout.sees_flush([*others, kept.queue_id], 102.0)
        assert not lookout.sees_flush([kept.queue_id], 102.9)
        assert lookout.sees_flush([kept.queue_id], 103.0)


async def test_a_clock_that_is_set_back_and_comes_again_loses_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes["b@y.test"] = DELAYED
        kept = message()
        await scene.keep(kept)
        await until(lambda: scene.state(kept.queue_id).attempts_count == 1)
        scene.hops.outcomes.clear()
        scene.runner._places._domains["y.test"] = 1000  # no place, so that it waits in the backlog
        scene.wall.forward(61)
        await until(lambda: len(scene.runner._backlog) == 1)
        scene.wall.forward(-30)
        del scene.runner._places._domains["y.test"]
        scene.runner._wake.set()
        await until(lambda: len(scene.runner._backlog) == 0)
        assert scene.hops.times(kept.queue_id) == 1
        scene.wall.forward(30)
        await until(lambda: scene.queue() == [])


async def test_a_message_with_more_recipients_than_a_page_is_one_attempt(tmp_path: Path) -> None:
    async with running(tmp_path, RunnerLimits(due_page=4, idle_seconds=0.02)) as scene:
        wide, other = message(*(f"r{n}@y.test" for n in range(50))), message("b@z.test", due_ms=1)
        scene.hops.hanging.add("r7@y.test")
        await scene.keep(wide, other)
        await until(lambda: scene.queue() == [wide.queue_id])
        scene.hops.may_go_on.set()
        await until(lambda: scene.queue() == [])
        assert scene.hops.times(wide.queue_id) == 1


async def test_a_new_message_wakes_the_runner(tmp_path: Path) -> None:
    async with running(tmp_path, RunnerLimits(idle_seconds=600)) as scene:
        for _ in range(3):
            await scene.keep(message())
            await until(lambda: scene.queue() == [])


async def test_what_is_remembered_of_faults_is_bounded(tmp_path: Path) -> None:
    async with running(tmp_path, RunnerLimits(set_aside_max=3, idle_seconds=0.02, fault_seconds=600)) as scene:
        scene.hops.fault = RuntimeError("bug")
        await scene.keep(*(message() for _ in range(8)))
        await until(lambda: len(scene.events.named("delivery.fault")) >= 8)
        assert len(scene.runner._set_aside) == 3


async def test_policy_is_told_in_which_queue_a_message_waits(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        await scene.keep(replace(message("b@y.test"), queue_name="slow"))
        await until(lambda: scene.queue() == [])
        assert [envelope.queue_name for envelope in scene.policy.envelopes] == ["slow"]


async def test_who_is_dropped_in_the_queue_is_done_with_and_nobody_is_told(tmp_path: Path) -> None:
    wanted = RecipientRequest(Notify.SUCCESS | Notify.FAILURE)
    async with running(tmp_path) as scene:
        scene.policy.discarded = {"a@y.test"}
        scene.hops.outcomes = {"b@y.test": DELAYED}
        kept = replace(message("a@y.test", "b@y.test"), requests={"a@y.test": wanted})
        alone = replace(message("a@y.test"), requests={"a@y.test": wanted})
        await scene.keep(kept, alone)
        await until(lambda: scene.queue() == [kept.queue_id])
        await until(lambda: scene.state(kept.queue_id).attempts_count == 1)
        state = scene.state(kept.queue_id, "a@y.test")
        assert (state.rank, str(state.attempts[-1].outcome.reply)) == (Rank.DELIVERED, "250 2.0.0 Dropped by policy")
        assert scene.hops.times_of("a@y.test") == 0
        assert {event["queue_id"] for event in scene.events.named("recipient.discarded")} == {
            kept.queue_id,
            alone.queue_id,
        }
        assert scene.events.named("dsn.queued") == []


async def test_only_the_queues_owner_drops(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.policy.discarded = {"a@y.test"}
        scene.policy.on_deliver = lambda: setattr(scene.spool, "has_lost_ownership", True)
        kept = message("a@y.test")
        await scene.keep(kept)
        await until(lambda: scene.policy.envelopes and not scene.runner.attempts_in_flight)
        assert scene.state(kept.queue_id, "a@y.test").rank is Rank.QUEUED
        assert scene.events.named("recipient.discarded") == []

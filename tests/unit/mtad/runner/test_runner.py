"""Redelivery over a real queue: what is due is attempted once, what became of it is recorded, nothing starves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mtad.delivery.client_events import Mail
from mtad.delivery.warrant import Warrant
from mtad.mail.dsn_request import Requests
from mtad.mail.envelope import Envelope
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueId
from mtad.mail.reply import Reply
from mtad.mail.route import Route, Transport
from mtad.mail.verdict import Disposition, RetryPlan
from mtad.runner.places import PlaceLimits
from mtad.runner.runner import Collaborators, Local, Runner, RunnerLimits
from mtad.spool.door import (
    DUE_AT_ONCE,
    FAR_MS,
    Attempt,
    Changes,
    Claim,
    Committed,
    QueuedMessage,
    Rank,
    RecipientState,
    Refusal,
    Refused,
)
from mtad.spool.local import DueRecipient, LocalSpool
from mtad.spool.notification import Notifier
from mtad.telemetry.events import CollectedEvents
from replicator.core.values import Item
from replicator.node import Node
from tests.fakes.queue import WallClock, message, new_queue_id, spooling, until

DELIVERED = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok"), "mx.test")
DELAYED = Outcome(Result.DELAYED, Reply.of(450, "4.2.1", "later"), "mx.test")
FAILED = Outcome(Result.FAILED, Reply.of(550, "5.1.1", "no such user"), "mx.test")
UNKNOWN = Outcome(Result.UNKNOWN, Reply.of(450, "4.4.2", "lost"), "mx.test")
STOPPED = Outcome(Result.DELAYED, Reply.of(451, "4.3.2", "stopped"))
PLAN = RetryPlan((60, 120), 3600)
LIMITS = RunnerLimits(idle_seconds=0.02, stop_seconds=0.1)


@dataclass
class Hops:
    """Next hops that say `outcomes`, DELIVERED without one; they hang for `hanging` until they may go on.

    A recipient hangs before its final dot, or behind it where `is_past_dot`.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    is_past_dot: bool = False
    fault: Exception | None = None
    asked: list[tuple[str, dict[str, Route]]] = field(default_factory=list)
    warrants: list[Warrant] = field(default_factory=list)
    running: int = 0
    running_most: int = 0
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def attempt(
        self,
        mail: Mail,
        recipients: Mapping[str, Route],
        content: bytes,
        *,
        requests: Requests,
        trace: str,
        warrant: Warrant,
    ) -> dict[str, Outcome]:
        self.asked.append((trace, dict(recipients)))
        self.warrants.append(warrant)
        self.running += 1
        self.running_most = max(self.running, self.running_most)
        try:
            if self.fault is not None:
                raise self.fault
            hangs = bool(self.hanging & set(recipients))
            if hangs and not self.is_past_dot:
                await self.may_go_on.wait()
            if not await warrant.may_finish(tuple(recipients)):
                return dict.fromkeys(recipients, STOPPED)
            if hangs and self.is_past_dot:
                await self.may_go_on.wait()
            await asyncio.sleep(0)
            return {address: self.outcomes.get(address, DELIVERED) for address in recipients}
        finally:
            self.running -= 1

    def times(self, queue_id: str) -> int:
        return sum(trace == queue_id for trace, _ in self.asked)


@dataclass
class Policy:
    """The deliver stage; it fails for the recipients in `faults`."""

    faults: set[str] = field(default_factory=set)
    envelopes: list[Envelope] = field(default_factory=list)
    route: Route = Route(Transport.LMTP, ("mda.test",), 24)  # noqa: RUF009 (frozen)

    async def deliver(self, envelope: Envelope, recipient: str) -> Disposition:
        self.envelopes.append(envelope)
        if recipient in self.faults:
            return Disposition(Route(), PLAN, is_fault=True)
        return Disposition(self.route, PLAN)


@dataclass
class Scene:
    """A running runner and all around it."""

    runner: Runner
    spool: LocalSpool
    node: Any
    hops: Hops
    policy: Policy
    wall: WallClock
    events: CollectedEvents

    async def keep(self, *messages: QueuedMessage) -> None:
        assert await self.spool.commit(Changes(puts=messages), is_accepting=True) == Committed(1)

    def is_past_dot(self) -> bool:
        return any(flight.past_dot for flight in self.runner._in_flight.values())

    def queue(self) -> list[str]:
        return [one.queue_id for page in self.spool.pages() for one in page]

    def state(self, queue_id: str, recipient: str = "b@y.test") -> RecipientState:
        stored = self.spool.message(queue_id)
        assert stored is not None
        return stored.recipients[recipient]


Commit = Callable[[Changes], Committed | Refused | None]


class ScriptedSpool(LocalSpool):
    """The queue, with a word of the test before each commit of the runner, and before each look at what is due."""

    on_commit: Commit = staticmethod(lambda changes: None)
    on_due: Callable[[], None] = staticmethod(lambda: None)
    on_claim: Callable[[], None] = staticmethod(lambda: None)
    has_lost_ownership = False

    async def commit(self, changes: Changes, *, is_accepting: bool) -> Committed | Refused:
        instead = None if is_accepting else self.on_commit(changes)
        return instead or await super().commit(changes, is_accepting=is_accepting)

    async def claim(self, claimed: Mapping[QueueId, Collection[str]], claim: Claim) -> None:
        await super().claim(claimed, claim)
        self.on_claim()

    def due(self, before_ms: int, limit: int, after: DueRecipient | None = None) -> list[DueRecipient]:
        self.on_due()
        return super().due(before_ms, limit, after)

    @property
    def is_owner(self) -> bool:
        return super().is_owner and not self.has_lost_ownership


def sign(content: bytes, domain: str) -> bytes:
    return f"DKIM-Signature: d={domain}\r\n".encode()


@asynccontextmanager
async def running(folder: Path, limits: RunnerLimits = LIMITS, sign: Any = sign) -> AsyncIterator[Scene]:
    wall, events, hops, policy = WallClock(), CollectedEvents(), Hops(), Policy()
    async with spooling(folder, wall, events) as (node, spool):
        spool.__class__ = ScriptedSpool
        collaborators = Collaborators(spool, policy, hops, Notifier("mx.x.test", sign))
        runner = Runner(limits, Local(1, wall, new_queue_id), collaborators, events)
        runner.start()
        try:
            yield Scene(runner, spool, node, hops, policy, wall, events)
        finally:
            await runner.stop()


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


# --- authority ----------------------------------------------------------------------------------------------


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


# --- claims -------------------------------------------------------------------------------------------------

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
    limits = RunnerLimits(idle_seconds=0.02, claim_seconds=0.3)
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


# --- nothing starves ----------------------------------------------------------------------------------------


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

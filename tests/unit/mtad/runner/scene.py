"""A runner over a real queue, with next hops and a policy that do as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtad.delivery.client_events import Mail
from mtad.delivery.warrant import Warrant
from mtad.mail.dsn_request import Requests
from mtad.mail.envelope import Envelope
from mtad.mail.notes import NO_NOTES, Notes
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueId
from mtad.mail.reply import Reply
from mtad.mail.route import Route, Transport
from mtad.mail.verdict import Disposition, Resolution, RetryPlan, Tried
from mtad.runner.runner import Collaborators, Local, Runner, RunnerLimits
from mtad.spool.door import Changes, Claim, Committed, QueuedMessage, RecipientState, Refused
from mtad.spool.local import DueRecipient, LocalSpool
from mtad.spool.notification import Notifier
from mtad.telemetry.events import CollectedEvents
from tests.fakes.queue import WallClock, new_queue_id, spooling

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
    mails: list[Mail] = field(default_factory=list)
    requests: dict[str, Requests] = field(default_factory=dict)  # of the last attempt of each message
    warrants: list[Warrant] = field(default_factory=list)
    forgotten: int = 0  # how often failures were to be forgotten
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
        self.mails.append(mail)
        self.requests[trace] = requests
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

    def forget_failures(self) -> None:
        self.forgotten += 1

    def times_of(self, recipient: str) -> int:
        return sum(recipient in recipients for _, recipients in self.asked)

    def times(self, queue_id: str) -> int:
        return sum(trace == queue_id for trace, _ in self.asked)


@dataclass
class Policy:
    """The deliver stage, which fails for some and drops some; and the queue stage, where it is to have one."""

    faults: set[str] = field(default_factory=set)
    discarded: set[str] = field(default_factory=set)
    on_deliver: Callable[[], None] = staticmethod(lambda: None)  # noqa: RUF009 (nothing that changes)
    envelopes: list[Envelope] = field(default_factory=list)
    notes: list[Notes] = field(default_factory=list)  # of recipients
    has_queue_stage: bool = False
    may_judge: asyncio.Event = field(default_factory=asyncio.Event)
    judged: dict[str, Outcome] = field(default_factory=dict)
    after: dict[str, RetryPlan] = field(default_factory=dict)
    tried: list[tuple[str, Tried]] = field(default_factory=list)
    route: Route = Route(Transport.LMTP, ("mda.test",), 24)  # noqa: RUF009 (frozen)
    plan: RetryPlan = PLAN

    async def deliver(self, envelope: Envelope, recipient: str, notes: Notes = NO_NOTES) -> Disposition:
        self.envelopes.append(envelope)
        self.notes.append(notes)
        self.on_deliver()
        if recipient in self.discarded:
            return Disposition(self.route, self.plan, is_discarded=True)
        if recipient in self.faults:
            return Disposition(Route(), self.plan, is_fault=True)
        return Disposition(self.route, self.plan)

    async def queue(self, envelope: Envelope, recipient: str, notes: Notes, tried: Tried) -> Resolution:
        self.tried.append((recipient, tried))
        await self.may_judge.wait()
        outcome = self.judged.get(recipient, tried.outcome)
        return Resolution(outcome, self.after.get(recipient, tried.retry))


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
    read_count = 0  # entries of the due index

    async def commit(self, changes: Changes, *, is_accepting: bool) -> Committed | Refused:
        instead = None if is_accepting else self.on_commit(changes)
        return instead or await super().commit(changes, is_accepting=is_accepting)

    async def claim(self, claimed: Mapping[QueueId, Collection[str]], claim: Claim) -> None:
        await super().claim(claimed, claim)
        self.on_claim()

    def due(self, before_ms: int, limit: int, after: DueRecipient | None = None) -> list[DueRecipient]:
        self.on_due()
        page = super().due(before_ms, limit, after)
        self.read_count += len(page)
        return page

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
        collaborators = Collaborators(spool, policy, hops, Notifier("mx.x.test", sign), hops.forget_failures)
        runner = Runner(limits, Local(1, wall, new_queue_id), collaborators, events)
        runner.start()
        try:
            yield Scene(runner, spool, node, hops, policy, wall, events)
        finally:
            await runner.stop()

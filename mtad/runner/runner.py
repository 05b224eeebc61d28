"""Takes what is due from the queue, attempts it, and records what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from mtad.mail import dsn
from mtad.mail.envelope import Envelope, Recipient
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueId
from mtad.mail.route import Route
from mtad.mail.verdict import Disposition, RetryPlan
from mtad.runner.retry import after_attempt
from mtad.spool.codec import StoredMessage
from mtad.spool.door import Changes, QueuedMessage, RecipientState, Refused
from mtad.spool.local import FAR_MS, LocalSpool
from mtad.spool.notification import Notifier
from mtad.telemetry.events import Events

RECORD_AGAIN_SECONDS = 1.0


class Routing(Protocol):
    """The deliver stage of policy."""

    async def deliver(self, envelope: Envelope, recipient: str) -> Disposition: ...


class Attempting(Protocol):
    """Redelivery, as `mtad.delivery` offers it."""

    async def attempt(
        self,
        reverse_path: str,
        recipients: Mapping[str, Route],
        content: bytes,
        *,
        is_8bit: bool,
        is_utf8: bool,
        trace: str,
        may_finish: Callable[[], bool],
    ) -> dict[str, Outcome]: ...


@dataclass(frozen=True, slots=True)
class RunnerLimits:
    """How much is tried at once."""

    messages_at_once_max: int = 100
    due_page: int = 1000
    idle_seconds: float = 0.25  # how long a change of another node's clock or a wake-up that was missed may cost


@dataclass(frozen=True, slots=True)
class Collaborators:
    """What the runner works with."""

    spool: LocalSpool
    routing: Routing
    attempting: Attempting
    notifier: Notifier


@dataclass(frozen=True, slots=True)
class Local:
    """What the runner needs to know of this node."""

    node: int
    wall_ms: Callable[[], int]
    next_queue_id: Callable[[], QueueId]


class Runner:
    """One task that looks for due recipients, and one task a message that is being attempted."""

    def __init__(self, limits: RunnerLimits, local: Local, collaborators: Collaborators, events: Events) -> None:
        self._limits = limits
        self._local = local
        self._spool = collaborators.spool
        self._routing = collaborators.routing
        self._attempting = collaborators.attempting
        self._notifier = collaborators.notifier
        self._events = events
        self._in_flight: dict[QueueId, asyncio.Task[None]] = {}
        self._past_dot: set[QueueId] = set()  # messages of which some next hop may have the final dot already
        self._wake = asyncio.Event()
        self._is_draining = False
        self._loop_task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for what is due."""
        self._spool.on_change(self._wake.set)
        self._spool.on_drain(self.drain)
        self._loop_task = asyncio.create_task(self._loop())

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """Start nothing more; give what is in flight some time to end, then leave it to the queue."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)
        running = list(self._in_flight.values())
        if running:
            _, late = await asyncio.wait(running, timeout=grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    @property
    def attempts_in_flight(self) -> int:
        """Return how many messages are being attempted now."""
        return len(self._in_flight)

    async def drain(self) -> None:
        """End what is in flight, starting nothing: the queue is about to be handed over.

        An attempt before its final dot is ended without it: the next hop forgets it. One after it is awaited.
        """
        self._is_draining = True
        try:
            while self._in_flight:
                for queue_id, task in self._in_flight.items():
                    if queue_id not in self._past_dot:
                        task.cancel()
                await asyncio.wait(list(self._in_flight.values()))
        finally:
            self._is_draining = False

    @property
    def _has_authority(self) -> bool:
        return self._spool.is_owner and not self._is_draining

    def _may_finish(self, queue_id: QueueId) -> bool:
        """Answer the check before a final dot: a node that lost the queue sends none."""
        if self._has_authority:
            self._past_dot.add(queue_id)
        return self._has_authority

    async def _loop(self) -> None:
        while True:
            self._wake.clear()
            started = self._start_due() if self._has_authority else 0
            if started == 0:
                try:
                    await asyncio.wait_for(self._wake.wait(), self._limits.idle_seconds)
                except TimeoutError:
                    continue
            else:
                await asyncio.sleep(0)

    def _start_due(self) -> int:
        """Start attempts for due messages, as many as there are places; returns how many."""
        places = self._limits.messages_at_once_max - len(self._in_flight)
        if places <= 0:
            return 0
        due: dict[QueueId, list[str]] = {}
        for entry in self._spool.due(self._local.wall_ms(), self._limits.due_page + len(self._in_flight)):
            if entry.queue_id not in self._in_flight and (entry.queue_id in due or len(due) < places):
                due.setdefault(entry.queue_id, []).append(entry.recipient)
        for queue_id, recipients in due.items():
            task = asyncio.create_task(self._attempt_message(queue_id, recipients))
            self._in_flight[queue_id] = task
            task.add_done_callback(partial(self._ended, queue_id))
        return len(due)

    def _ended(self, queue_id: QueueId, _task: asyncio.Task[None]) -> None:
        del self._in_flight[queue_id]
        self._past_dot.discard(queue_id)
        self._wake.set()

    async def _attempt_message(self, queue_id: QueueId, recipients: list[str]) -> None:
        try:
            message = self._spool.message(queue_id)
            content = None if message is None else await self._spool.content(queue_id)
            if message is None or content is None:
                return
            if message.is_held:
                await self._put_off(message, recipients)
                return
            await self._attempt(message, content, recipients)
        except Exception as error:  # noqa: BLE001 (the boundary of one attempt: the message stays queued)
            self._events.emit(
                "delivery.fault", level="error", queue_id=queue_id, error=f"{type(error).__name__}: {error}"
            )
            await asyncio.sleep(RECORD_AGAIN_SECONDS)

    async def _put_off(self, message: StoredMessage, recipients: list[str]) -> None:
        """A held message that came due, because it was held while an attempt was under way: take it out again."""
        states = {
            address: RecipientState(state.rank, FAR_MS, state.attempts, state.attempts_count)
            for address, state in message.recipients.items()
            if address in recipients
        }
        await self._spool.commit(Changes(states={message.queue_id: states}), is_accepting=False)

    async def _attempt(self, message: StoredMessage, content: bytes, recipients: list[str]) -> None:
        routes: dict[str, Route] = {}
        plans: dict[str, RetryPlan] = {}
        envelope = Envelope(
            message.reverse_path,
            message.client,
            tuple(Recipient(address, Route()) for address in recipients),
            is_8bit=message.is_8bit,
            is_utf8=message.is_utf8,
            is_submission=message.is_submission,
            is_sender_verified=message.is_sender_verified,
        )
        for address in recipients:
            disposition = await self._routing.deliver(envelope, address)
            routes[address], plans[address] = disposition.route, disposition.retry
        outcomes = await self._attempting.attempt(
            message.reverse_path,
            routes,
            content,
            is_8bit=message.is_8bit,
            is_utf8=message.is_utf8,
            trace=message.queue_id,
            may_finish=lambda: self._may_finish(message.queue_id),
        )
        if not self._has_authority:
            # Whoever owns the queue now decides about delays and failures; what was delivered is a fact to be told.
            outcomes = {a: o for a, o in outcomes.items() if o.result in (Result.DELIVERED, Result.UNKNOWN)}
        if outcomes:
            await self._record(message, content, outcomes, plans)

    async def _record(
        self,
        message: StoredMessage,
        content: bytes,
        outcomes: Mapping[str, Outcome],
        plans: Mapping[str, RetryPlan],
    ) -> None:
        """Record what became of the recipients, until it is recorded: a delivery that is forgotten comes twice."""
        consequence = after_attempt(message, outcomes, plans, self._local.wall_ms(), self._local.node)
        puts = self._dsn(message, content, consequence.failed) if consequence.failed else ()
        changes = Changes(puts=puts, states={message.queue_id: consequence.states})
        while isinstance(await self._spool.commit(changes, is_accepting=False), Refused):
            self._events.emit("delivery.unrecorded", level="error", queue_id=message.queue_id)
            await asyncio.sleep(RECORD_AGAIN_SECONDS)

    def _dsn(
        self, message: StoredMessage, content: bytes, failed: tuple[dsn.FailedRecipient, ...]
    ) -> tuple[QueuedMessage, ...]:
        """Return the DSN that the sender is owed; none for a message that has no sender (RFC 5321 §4.5.5)."""
        if not message.reverse_path:
            for recipient in failed:
                self._events.emit(
                    "dsn.undeliverable", level="warning", queue_id=message.queue_id, recipient=recipient.address
                )
            return ()
        wall_ms = self._local.wall_ms()
        of = (message.queue_id, message.reverse_path, message.arrival_ms)
        report = self._notifier.report(of, failed, content, wall_ms)
        queue_id = self._local.next_queue_id()
        self._events.emit("dsn.queued", queue_id=queue_id, of=message.queue_id, recipient=message.reverse_path)
        return (self._notifier.message(report, queue_id),)

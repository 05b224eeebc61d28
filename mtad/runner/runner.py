"""Takes what is due from the queue, attempts it, and records what became of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from mtad.delivery.client_events import Mail
from mtad.delivery.warrant import Warrant
from mtad.mail import dsn
from mtad.mail.dsn_request import Notify, Requests
from mtad.mail.envelope import domain_of
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueId
from mtad.mail.route import Route
from mtad.mail.verdict import RetryPlan
from mtad.runner.backlog import Backlog, BacklogLimits, Waiting
from mtad.runner.claims import Claims
from mtad.runner.intake import Intake
from mtad.runner.local import Local as Local
from mtad.runner.lookout import Lookout
from mtad.runner.places import PlaceLimits, Places
from mtad.runner.reconsider import reconsidered
from mtad.runner.retry import Attempter, after_attempt
from mtad.runner.routing import Routing, routed
from mtad.spool.codec import StoredMessage
from mtad.spool.door import FAR_MS, TERMINAL_RANK, Changes, Committed, QueuedMessage, RecipientState, Refused
from mtad.spool.local import LocalSpool
from mtad.spool.notification import Notifier, emit_queued, reported, told
from mtad.telemetry.events import Events

RECORD_AGAIN_SECONDS = 1.0
FAR = float("inf")
_MAY_HAVE_ARRIVED = (Result.DELIVERED, Result.UNKNOWN)


class Attempting(Protocol):
    """Redelivery, as `mtad.delivery` offers it."""

    async def attempt(
        self,
        mail: Mail,
        recipients: Mapping[str, Route],
        content: bytes,
        *,
        requests: Requests,
        trace: str,
        warrant: Warrant,
    ) -> dict[str, Outcome]: ...


@dataclass(frozen=True, slots=True)
class RunnerLimits:
    """How much is tried at once."""

    places: PlaceLimits = field(default_factory=PlaceLimits)
    claim_seconds: float = 0.0  # how long who takes the queue over leaves alone what may have arrived; 0: no claims
    redate_seconds: float = 300.0  # between two looks for what a clock that is ahead has put off
    due_page: int = 200
    idle_seconds: float = 0.25  # how long a change of another node's clock or a wake-up that was missed may cost
    fault_seconds: float = 60.0  # before a message whose attempt failed by our own fault is tried again
    set_aside_max: int = 10_000  # such messages that are remembered
    backlog: BacklogLimits = field(default_factory=BacklogLimits)
    urge_seconds: float = 1.0  # between two times that what befell next hops is forgotten, because an operator flushes
    stop_seconds: float = 20.0  # for replies to final dots: what is cut off here is delivered again


@dataclass(frozen=True, slots=True)
class Collaborators:
    """What the runner works with.

    ask_again   has everybody ask next hops that did not answer a moment ago, because an operator flushes
    """

    spool: LocalSpool
    routing: Routing
    attempting: Attempting
    notifier: Notifier
    ask_again: Callable[[], None]


@dataclass(slots=True)
class _Flight:
    """A message that is being attempted.

    withdrawn   the end of its warrant
    claimed     recipients whose claim has been asked for
    noted       those of them whose claim is written, and known to the peer where it is there
    past_dot    those of whom some next hop may have the final dot, and that are not known to be undelivered
    """

    queue_id: QueueId
    withdrawn: asyncio.Future[None]
    claimed: set[str] = field(default_factory=set)
    noted: set[str] = field(default_factory=set)
    past_dot: set[str] = field(default_factory=set)


class Runner:
    """One task that looks for due recipients, and one task a message that is being attempted.

    What is due is read once into a backlog (`mtad.runner.intake`), which shares the places fairly
    (`mtad.runner.backlog`): what cannot be attempted now, however much of it there is, is not walked past again.
    """

    def __init__(self, limits: RunnerLimits, local: Local, collaborators: Collaborators, events: Events) -> None:
        self._limits = limits
        self._local = local
        self._spool = collaborators.spool
        self._routing = collaborators.routing
        self._attempting = collaborators.attempting
        self._notifier = collaborators.notifier
        self._ask_again = collaborators.ask_again
        self._events = events
        self._claims = Claims(collaborators.spool, local, limits.claim_seconds, events)
        self._places = Places(limits.places)
        self._in_flight: dict[asyncio.Task[None], _Flight] = {}
        self._set_aside: dict[QueueId, float] = {}  # until when; oldest first
        self._aside_until = FAR  # when the first of them is to be looked at again
        self._backlog = Backlog(limits.backlog)
        self._intake = Intake(collaborators.spool, self._backlog, limits.due_page, self._is_elsewhere)
        self._lookout = Lookout(collaborators.spool)
        self._urged_at = -FAR
        self._was_owner = False
        self._epoch = -1  # of the last ownership
        self._doubt_until = 0.0  # until then the claims of other nodes count, whatever they say of their end
        self._wake = asyncio.Event()
        self._is_draining = False
        self._is_stopping = False
        self._has_taken_over = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look for what is due."""
        self._spool.on_change(self._changed)
        self._spool.on_flush(self._flushed)
        self._spool.on_drain(self.drain)
        self._loops = [asyncio.create_task(self._loop()), asyncio.create_task(self._redate_for_ever())]

    async def stop(self) -> None:
        """Start nothing more; end what has no final dot yet, and wait a while for the replies to the others."""
        self._is_stopping = True
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        try:
            async with asyncio.timeout(self._limits.stop_seconds):
                await self._end_flights()
        except TimeoutError:
            late = list(self._in_flight)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def attempts_in_flight(self) -> int:
        """Return how many messages are being attempted now."""
        return len(self._in_flight)

    async def drain(self) -> None:
        """End what is in flight, starting nothing: the queue is about to be handed over.

        What has no final dot yet, at each next hop of a message, is ended without it: the next hop forgets it. What has
        is awaited.
        """
        self._is_draining = True
        try:
            await self._end_flights()
        finally:
            self._is_draining = False
            self._wake.set()

    async def _end_flights(self) -> None:
        while self._in_flight:
            for task, flight in self._in_flight.items():
                if not flight.past_dot:
                    task.cancel()
                elif not flight.withdrawn.done():
                    flight.withdrawn.set_result(None)
            await asyncio.wait(self._in_flight)
        await self._claims.settled()

    @property
    def _has_authority(self) -> bool:
        return self._spool.is_owner and not self._is_draining and not self._is_stopping

    async def _may_finish(self, flight: _Flight, recipients: Collection[str]) -> bool:
        """Answer the check before a final dot: none is sent by a node that lost the queue, nor for a message that an
        operator has held or deleted meanwhile, nor before the peer knows whom it is for."""
        try:
            unclaimed = [address for address in recipients if address not in flight.noted]
            if unclaimed and self._may_deliver(flight):
                flight.claimed.update(unclaimed)
                await self._claims.take(flight.queue_id, unclaimed)
                flight.noted.update(unclaimed)
            may_finish = self._may_deliver(flight)
        except Exception as error:  # noqa: BLE001 (the boundary of one question: without an answer nothing is sent)
            self._report_fault(flight.queue_id, error)
            return False
        if may_finish:
            flight.past_dot.update(recipients)
        return may_finish

    def _may_deliver(self, flight: _Flight) -> bool:
        is_going_on = self._has_authority and not flight.withdrawn.done()
        return is_going_on and self._spool.is_deliverable(flight.queue_id)

    # --- looking for what is due ----------------------------------------------------------------------------

    async def _loop(self) -> None:
        while True:
            self._wake.clear()
            try:
                self._note_ownership()
                pause = self._look() if self._has_authority else None
            except Exception as error:  # noqa: BLE001 (the boundary of one look: the store may be about to be reopened)
                self._events.emit("runner.fault", level="error", error=f"{type(error).__name__}: {error}")
                self._intake.read_anew()
                await asyncio.sleep(RECORD_AGAIN_SECONDS)
                continue
            if pause is not None:
                await asyncio.sleep(pause)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.idle_seconds):  # wait_for may lose a cancellation
                        await self._wake.wait()

    def _changed(self, queue_ids: Collection[QueueId]) -> None:
        """Take note of what has changed in the queue: of all that is ours to deliver, else of a flush alone."""
        if self._was_owner:
            self._intake.changed(queue_ids)
        else:
            self._look_out(queue_ids)
        self._wake.set()

    def _look_out(self, queue_ids: Collection[QueueId]) -> None:
        now = asyncio.get_running_loop().time()
        try:
            if self._lookout.sees_flush(queue_ids, now):
                self._flushed_elsewhere(now)
        except Exception as error:  # noqa: BLE001 (the boundary of one look: the store may be about to be reopened)
            self._events.emit("runner.fault", level="error", error=f"{type(error).__name__}: {error}")

    def _note_ownership(self) -> None:
        """Note when this node takes the queue over: what the node before it has claimed is in doubt from now on."""
        was_owner, self._was_owner = self._was_owner, self._has_authority
        if self._was_owner != was_owner:
            self._backlog.clear()
            self._intake.read_anew()
        if self._was_owner and not was_owner and self._epoch != self._spool.epoch:
            self._epoch = self._spool.epoch
            self._doubt_until = asyncio.get_running_loop().time() + self._limits.claim_seconds
            self._has_taken_over.set()

    async def _redate_for_ever(self) -> None:
        """Let nothing wait longer than was meant because the clock by which it was put off is ahead of ours, nor for a
        word of the queue that was missed."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.redate_seconds):
                    await self._has_taken_over.wait()
            self._has_taken_over.clear()
            self._intake.read_anew()
            try:
                count = await self._spool.redate() if self._has_authority else 0
            except Exception as error:  # noqa: BLE001 (the boundary of one look: the store may be about to be reopened)
                self._events.emit("runner.fault", level="error", error=f"{type(error).__name__}: {error}")
                continue
            if count:
                self._events.emit("queue.redated", level="warning", recipients=count)

    def _look(self) -> float | None:
        """Read a page of what is due and start what there are places for; return when to read on, if there is more."""
        now = asyncio.get_running_loop().time()
        self._offer_again(now)
        before_ms = self._local.wall_ms() + 1
        pause = self._intake.read(before_ms)
        if self._intake.take_urgency():
            self._flushed_elsewhere(now)
        places = self._places.free(now)
        while places:
            waiting = self._backlog.take(self._places.is_free_for)
            if waiting is None:
                break
            if self._is_due(waiting, before_ms):
                self._begin(waiting, now)
                places -= 1
        return pause

    def _begin(self, waiting: Waiting, now: float) -> None:
        flight = _Flight(waiting.queue_id, asyncio.get_running_loop().create_future())
        task = asyncio.create_task(self._fly(flight))
        self._in_flight[task] = flight
        self._places.take(waiting.queue_id, waiting.domain, now)
        task.add_done_callback(self._ended)

    def _is_due(self, waiting: Waiting, before_ms: int) -> bool:
        """Tell whether a message that was due still is, for its domain."""
        if self._is_elsewhere(waiting.queue_id):
            return False
        due = self._spool.due_of(waiting.queue_id, before_ms)
        return any(entry.is_answered and domain_of(entry.recipient) == waiting.domain for entry in due)

    def _is_elsewhere(self, queue_id: QueueId) -> bool:
        """Tell whether a message is being attempted, or set aside: it is offered again after that."""
        return queue_id in self._set_aside or self._places.holds(queue_id)

    def _flushed_elsewhere(self, now: float) -> None:
        """Ask every next hop again, once for the many messages that are flushed together."""
        if now - self._urged_at >= self._limits.urge_seconds:
            self._flushed()

    def _flushed(self) -> None:
        """Ask every next hop again: an operator wants something to be tried, and may have mended what was wrong."""
        self._urged_at = asyncio.get_running_loop().time()
        self._ask_again()
        self._places.forget_slow()

    def _offer_again(self, now: float) -> None:
        """Have those looked at again that were set aside for long enough."""
        if now < self._aside_until:
            return
        ready = [queue_id for queue_id, until in self._set_aside.items() if until <= now]
        for queue_id in ready:
            del self._set_aside[queue_id]
        self._aside_until = min(self._set_aside.values(), default=FAR)
        self._intake.changed(ready)

    def _put_aside(self, queue_id: QueueId, until: float | None = None) -> None:
        """Keep a message from being attempted for a while; its due time stays what it is."""
        if len(self._set_aside) >= self._limits.set_aside_max:
            oldest = next(iter(self._set_aside))
            del self._set_aside[oldest]
            self._intake.changed((oldest,))
        after_fault = asyncio.get_running_loop().time() + self._limits.fault_seconds
        self._set_aside[queue_id] = after_fault if until is None else until
        self._aside_until = min(self._aside_until, self._set_aside[queue_id])

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Make the place free. What was claimed and surely not delivered, whoever owns the queue may try at once."""
        flight = self._in_flight.pop(task)
        self._places.leave(flight.queue_id, asyncio.get_running_loop().time())
        self._claims.give_back(flight.queue_id, flight.claimed - flight.past_dot)
        self._changed((flight.queue_id,))

    # --- one attempt ----------------------------------------------------------------------------------------

    async def _fly(self, flight: _Flight) -> None:
        queue_id = flight.queue_id
        try:
            message = self._spool.message(queue_id)
            content = None if message is None else await self._spool.content(queue_id)
            if message is None or content is None:
                return
            wall_ms = self._local.wall_ms()
            due = [a for a, s in message.recipients.items() if s.rank < TERMINAL_RANK and s.due_ms <= wall_ms]
            certain = [address for address in due if not self._is_in_doubt(message.recipients[address])]
            if message.is_held:
                await self._put_off(message, due)
            elif due and not certain:
                self._put_aside(queue_id, self._doubt_until)
            elif due:
                self._places.weigh(queue_id, len(content))
                await self._attempt(flight, message, content, certain)
        except Exception as error:  # noqa: BLE001 (the boundary of one attempt: the message stays queued)
            self._report_fault(queue_id, error)
            self._put_aside(queue_id)

    def _is_in_doubt(self, state: RecipientState) -> bool:
        """Tell whether another node may have delivered to a recipient, and may come back and say so."""
        is_anothers = state.claim is not None and state.claim.node != self._local.node
        return is_anothers and asyncio.get_running_loop().time() < self._doubt_until

    def _report_fault(self, queue_id: QueueId, error: Exception) -> None:
        self._events.emit("delivery.fault", level="error", queue_id=queue_id, error=f"{type(error).__name__}: {error}")

    async def _put_off(self, message: StoredMessage, recipients: Iterable[str]) -> None:
        """A held message that came due, because the peer recorded an attempt as it was held: take it out again."""
        states = {address: replace(message.recipients[address], due_ms=FAR_MS) for address in recipients}
        changes = Changes(states={message.queue_id: states})
        if isinstance(await self._spool.commit(changes, is_accepting=False), Refused):
            self._put_aside(message.queue_id)

    async def _attempt(
        self, flight: _Flight, message: StoredMessage, content: bytes, recipients: Iterable[str]
    ) -> None:
        said = await routed(self._routing, message, recipients)
        plans = said.plans
        if said.is_lacking:
            self._put_aside(message.queue_id)
        if self._has_authority:
            for address in said.discarded:
                self._events.emit("recipient.discarded", queue_id=message.queue_id, recipient=address)
            await self._record(flight, message, content, said.discarded, plans)
        if not said.routes:
            return
        outcomes = await self._attempting.attempt(
            Mail(
                message.reverse_path,
                is_8bit=message.is_8bit,
                is_utf8=message.is_utf8,
                request=message.request,
                is_binary=message.is_binary,
                is_verp=message.is_verp,
            ),
            said.routes,
            content,
            requests=message.requests,
            trace=message.queue_id,
            warrant=Warrant(partial(self._may_finish, flight), flight.withdrawn),
        )
        flight.past_dot.difference_update(a for a, o in outcomes.items() if o.result not in _MAY_HAVE_ARRIVED)
        arrived = {a: o for a, o in outcomes.items() if o.result in _MAY_HAVE_ARRIVED}
        if len(arrived) < len(outcomes) and self._has_authority and self._routing.has_queue_stage:
            await self._record(flight, message, content, arrived, plans)  # policy may take its time over the others
            left = {a: o for a, o in outcomes.items() if a not in arrived}
            arrived = {}
            outcomes, plans = await reconsidered(self._routing, message, left, plans, self._local.wall_ms())
        # Whoever owns the queue now decides about delays and failures; what was delivered is a fact to be told.
        await self._record(flight, message, content, outcomes if self._has_authority else arrived, plans)

    # --- what became of it ----------------------------------------------------------------------------------

    async def _record(
        self,
        flight: _Flight,
        message: StoredMessage,
        content: bytes,
        outcomes: Mapping[str, Outcome],
        plans: Mapping[str, RetryPlan],
    ) -> None:
        """Record what became of some recipients, and claim them no more."""
        if outcomes:
            await self._write(message, content, outcomes, plans)
            flight.claimed.difference_update(outcomes)

    async def _write(
        self, attempted: StoredMessage, content: bytes, outcomes: Mapping[str, Outcome], plans: Mapping[str, RetryPlan]
    ) -> None:
        """Record what became of the recipients, until it is recorded: a delivery that is forgotten comes twice."""
        queue_id = attempted.queue_id
        message = self._spool.message(queue_id, attempted)
        by = Attempter(self._local.node, self._local.wall_ms(), self._has_authority)
        if message is None:  # deleted by an operator, finished by the peer, or damaged on our disk
            delivered = {a: o for a, o in outcomes.items() if o.result is Result.DELIVERED}
            if delivered:
                states = after_attempt(attempted, delivered, plans, by).states
                await self._until_kept(queue_id, lambda: self._spool.tell(attempted, states))
            return
        consequence = after_attempt(message, outcomes, plans, by)
        changed = dict(consequence.states)
        try:
            puts = self._dsns(message, content, consequence.notices) if consequence.notices else ()
        except Exception as error:  # noqa: BLE001 (a DSN that cannot be made must not keep deliveries from the record)
            self._events.emit("dsn.fault", level="error", queue_id=queue_id, error=f"{type(error).__name__}: {error}")
            self._put_aside(queue_id)
            puts = ()
            for notice in consequence.notices:
                if notice.event is not Notify.SUCCESS:
                    del changed[notice.address]
        changes = Changes(puts=puts, states={queue_id: changed})
        await self._until_kept(queue_id, lambda: self._spool.commit(changes, is_accepting=False))
        emit_queued(puts, self._events)

    async def _until_kept(self, queue_id: QueueId, keep: Callable[[], Awaitable[Committed | Refused]]) -> None:
        while isinstance(await keep(), Refused):
            self._events.emit("delivery.unrecorded", level="error", queue_id=queue_id)
            await asyncio.sleep(RECORD_AGAIN_SECONDS)

    def _dsns(
        self, message: StoredMessage, content: bytes, notices: tuple[dsn.Notice, ...]
    ) -> tuple[QueuedMessage, ...]:
        """Return the DSNs that the sender is owed; none for a message that has no sender (RFC 5321 §4.5.5)."""
        of = reported(message)
        news = told(of, notices, self._events, is_queued=True)
        if not news:
            return ()
        return self._notifier(of, news, content, next_id=self._local.next_queue_id, now_ms=self._local.wall_ms())

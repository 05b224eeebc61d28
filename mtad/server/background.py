"""Attempts that outlive the client's wait: their results are recorded in the queue when they come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from mtad.mail.dsn import notice_of
from mtad.mail.dsn_request import NO_REQUEST
from mtad.mail.outcome import Outcome
from mtad.mail.queue_id import node_of
from mtad.mail.verdict import RetryPlan
from mtad.server.collaborators import Clock, Collaborators
from mtad.server.fault import emit_fault
from mtad.server.framing import OctetBudget
from mtad.server.keeping import due_in_time, state_after, state_while_pending
from mtad.server.reports import Reports
from mtad.server.tasks import Tasks
from mtad.spool.door import Changes, Committed, QueuedMessage
from mtad.spool.notification import emit_queued
from mtad.telemetry.events import Events

PENDING_AGAIN_SECONDS = 20.0  # a third of the time for which a recipient is left to its attempt
RECORD_ATTEMPTS_MAX = 60
RECORD_AGAIN_SECONDS = 5.0


class Background:
    """Waits for the outcomes that were pending when their client was answered."""

    def __init__(self, rooms: Collaborators, budget: OctetBudget, events: Events, clock: Clock) -> None:
        self._rooms = rooms
        self._budget = budget
        self._events = events
        self._clock = clock
        self._reports = Reports(rooms, events, clock)
        self.tasks = Tasks()  # cut off, they leave what is pending in the queue, to be tried again

    def record(
        self, message: QueuedMessage, pending: Mapping[str, asyncio.Future[Outcome]], retries: Mapping[str, RetryPlan]
    ) -> None:
        """Record each pending recipient's outcome when it comes.

        message   as it was committed; a recipient that is not in it was not kept, and its outcome is only logged
        retries   the plan of every recipient
        """
        tasks = [self.tasks.begin(self._record(message, a, future, retries[a])) for a, future in pending.items()]
        if tasks:
            self.tasks.begin(self._hold(len(message.content), tasks))

    async def _hold(self, octets: int, tasks: list[asyncio.Task[None]]) -> None:
        """Count the content, which all of its attempts share, as long as one of them goes on."""
        self._budget.keep(octets)
        try:
            await asyncio.wait(tasks)
        finally:
            self._budget.give_back(octets)

    async def _record(
        self, message: QueuedMessage, address: str, future: asyncio.Future[Outcome], retry: RetryPlan
    ) -> None:
        try:
            outcome = await self._outcome(message, address, future)
            self._events.emit(
                "delivery.ended_late",
                queue_id=message.queue_id,
                recipient=address,
                result=outcome.result.value,
                reply=str(outcome.reply),
            )
            if address in message.recipients:
                await self._commit(message, address, outcome, retry)
        except Exception:  # noqa: BLE001 - boundary of an attempt: the recipient stays in the queue as it is
            emit_fault(self._events, session="", trace=message.queue_id, stage="background")

    async def _outcome(self, message: QueuedMessage, address: str, future: asyncio.Future[Outcome]) -> Outcome:
        """Wait for an outcome, and keep the recipient from being tried by others meanwhile."""
        try:
            while not future.done():
                await asyncio.wait([future], timeout=PENDING_AGAIN_SECONDS)
                if not future.done() and address in message.recipients:
                    await self._claim(message, address)
        finally:
            future.cancel()  # of no effect when it is done
        return future.result()

    async def _claim(self, message: QueuedMessage, address: str) -> None:
        """Say that the attempt goes on; when that cannot be said now, it will be in time."""
        state = state_while_pending(
            self._clock.wall_ms(), node_of(message.queue_id), since_ms=_claimed_since(message, address)
        )
        await self._rooms.door.commit(Changes(states={message.queue_id: {address: state}}), is_accepting=False)

    async def _commit(self, message: QueuedMessage, address: str, outcome: Outcome, retry: RetryPlan) -> None:
        """Commit the outcome, again and again: a delivery that is not recorded is made twice."""
        now_ms, request = self._clock.wall_ms(), message.requests.get(address, NO_REQUEST)
        state = state_after(outcome, retry, now_ms=now_ms, node=node_of(message.queue_id))
        state = due_in_time(state, request.time_in(message.request), now_ms)
        notice = notice_of(address, outcome, request)
        reports = self._reports.on(message, (notice,), is_queued=True) if notice is not None else ()
        changes = Changes(puts=reports, states={message.queue_id: {address: state}})
        for _ in range(RECORD_ATTEMPTS_MAX):
            if isinstance(await self._rooms.door.commit(changes, is_accepting=False), Committed):
                emit_queued(reports, self._events)
                return
            await asyncio.sleep(RECORD_AGAIN_SECONDS)
        self._events.emit("delivery.unrecorded", level="error", queue_id=message.queue_id, recipient=address)


def _claimed_since(message: QueuedMessage, address: str) -> int:
    claim = message.recipients[address].claim
    return message.arrival_ms if claim is None else claim.since_ms

"""Claims: who may have had the final dot is written down before it is sent, so that a taker-over does not repeat it.

A claim is no kind of record of its own. It is a PART record of the message's PUT, with one part a recipient:

    rank, attempts   as they are: users count no attempt, the retry plan loses no interval
    hlc              raised, so that the claim wins over what was there
    due              the claim's end: now + T_claim
    data             the attempts as they are, and `claim`: node, since_ms, until_ms (mtad.queue.v1.Claim)

It is made for the recipients of one connection, between the next hop's 354 and the content or the final dot, and the
dot waits until the peer has the record or is known to be away (the Submit has `wait`, as an accept has; it is not
counted as unprotected). Attempts that come to no 354 make no claim and are repeated at once by whoever takes over.

A claim ends in one of these ways, each of which joins above it:

    the outcome      attempts + 1 and data without a claim, or a terminal rank
    given back       the same rank and attempts, the claim's hlc + 1, due at once, no claim: its node knows that nothing
                     was delivered, and records no outcome, for it does not own the queue any more or hands it over
    an operator      hold and delete as ever; flush and release leave a recipient alone until its claim has ended
    its end          due comes: the owner tries again. The claims of another node are honoured for T_claim from when
                     this one took the queue over, in case its clock is behind ours or its attempt lasted long

Two nodes that own at once (`authority = "pair"`, cut) may claim the same recipient. The higher of both claims stands,
and giving back the lower one leaves it. What is not seen then by who takes over: the lower claim where the higher one
was given back, and a claim below an outcome that its node had not heard of. Such a recipient may be delivered twice.

A worker whose attempt goes on after its client was answered claims in the same form, in the PUT itself, and says so
again while the attempt lasts (`mtad.server.keeping`, `mtad.server.background`).

Only the memory of the claiming process tells an attempt before its dot from one behind it. So claims that a process
finds of its own node are another's: it waits for their end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import NamedTuple

from mtad.mail.queue_id import QueueId
from mtad.runner.local import Local
from mtad.spool.door import Claim
from mtad.spool.local import LocalSpool
from mtad.telemetry.events import Events


class _Taking(NamedTuple):
    queue_id: QueueId
    recipients: Collection[str]
    is_noted: asyncio.Future[None]


class Claims:
    """Writes claims, several in one transaction: what comes while one is under way is the next.

    seconds   T_claim; 0 makes none
    What waits is bounded by the attempts in flight.
    """

    def __init__(self, spool: LocalSpool, local: Local, seconds: float, events: Events) -> None:
        self._spool = spool
        self._local = local
        self._milliseconds = round(seconds * 1000)
        self._events = events
        self._taking: list[_Taking] = []
        self._returning: dict[QueueId, Collection[str]] = {}
        self._writing: asyncio.Task[None] | None = None

    async def take(self, queue_id: QueueId, recipients: Collection[str]) -> None:
        """Claim recipients of a message; return when the peer knows, or need not be waited for."""
        if not self._milliseconds:
            return
        is_noted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._taking.append(_Taking(queue_id, recipients, is_noted))
        self._write_soon()
        await is_noted

    def give_back(self, queue_id: QueueId, recipients: Collection[str]) -> None:
        """End the claims on recipients that were surely not delivered, soon."""
        if self._milliseconds and recipients:
            self._returning[queue_id] = recipients
            self._write_soon()

    async def settled(self) -> None:
        """Return when everything that was asked for is written."""
        while self._writing is not None:
            await asyncio.wait((self._writing,))

    def _write_soon(self) -> None:
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._taking or self._returning:
                taking, self._taking = self._taking, []
                returning, self._returning = self._returning, {}
                await self._write_batch(taking, returning)
        finally:
            self._writing = None

    async def _write_batch(self, taking: list[_Taking], returning: dict[QueueId, Collection[str]]) -> None:
        """Write some claims, then what is given back: a claim that its attempt gave up waiting for may be both."""
        now_ms = self._local.wall_ms()
        claimed: dict[QueueId, list[str]] = {}
        for one in taking:
            claimed.setdefault(one.queue_id, []).extend(one.recipients)
        try:
            if claimed:
                await self._spool.claim(claimed, Claim(self._local.node, now_ms, now_ms + self._milliseconds))
            if returning:
                await self._spool.give_back(returning, self._local.node)
        except Exception as error:  # noqa: BLE001 (the boundary of one batch: mail goes on without claims)
            self._events.emit("claim.fault", level="error", error=f"{type(error).__name__}: {error}")
        for one in taking:
            if not one.is_noted.done():
                one.is_noted.set_result(None)

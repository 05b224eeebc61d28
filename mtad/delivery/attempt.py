"""One attempt: a message for recipients that share a destination, over one connection after another until all is said.

What the next hop says of a recipient is final for the attempt. What only befalls a connection (it cannot be opened,
is lost, is closed with 421) leads to the next host, unless the final dot was sent: then the outcome is unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace

from mtad.delivery.client_events import Mail, NotOpened, Settled
from mtad.delivery.connection import Connection, Content, Hop
from mtad.delivery.destination import Destination, Destinations
from mtad.delivery.pool import Pool
from mtad.mail.dsn_request import RecipientRequest
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply

_STOPPED = Reply.of(451, "4.3.2", "Delivery was stopped")
_LOST = Reply.of(450, "4.4.2", "Connection lost")
_NO_HOST = Outcome(Result.DELAYED, Reply.of(450, "4.4.1", "No next hop could be reached"))


@dataclass(frozen=True, slots=True)
class Means:
    """What attempts work with."""

    pool: Pool
    destinations: Destinations
    wall_ms: Callable[[], int]


class Attempt:
    """The recipients of one transaction that go to one destination; also listens to its connection."""

    def __init__(
        self, means: Means, destination: Destination, mail: Mail, on_outcome: Callable[[str, Outcome], None]
    ) -> None:
        self._means = means
        self._destination = destination
        self._mail = mail
        self._on_outcome = on_outcome
        self._undecided: dict[str, asyncio.Future[Outcome | None] | None] = {}  # the future: who waits for RCPT's reply
        self._requests: dict[str, RecipientRequest] = {}
        self._asked: set[str] = set()  # over the connection that is open now
        self._busy: list[Hop] = []
        self._failure: Outcome | None = None  # what befell the connections so far
        self._connection: Connection | None = None
        self._opening: asyncio.Task[bool] | None = None
        self._ended: asyncio.Future[None] | None = None

    def takes(self, address: str, recipients_max: int) -> bool:
        """Tell whether one more recipient may share the transaction, as far as the next hop's limits are known."""
        if len(self._requests) >= recipients_max:
            return False
        return self._connection is None or bool(self._connection.limits.fitting((address,), self._requests))

    @property
    def is_past_dot(self) -> bool:
        """Tell whether a final dot was sent and its reply is awaited."""
        return self._connection is not None and self._connection.is_past_dot

    # While the client still names recipients

    async def ask(self, address: str, request: RecipientRequest, seconds: float) -> Outcome | None:
        """Ask the next hop for a recipient, if a connection is at hand; None when it agrees or was not asked.

        seconds   how long to wait; what comes later counts when the attempt is finished
        """
        self.add(address, request)
        for _ in range(2):  # a connection that was used before may be stale: once more
            if self._ended is not None and self._ended.done():
                self._release()
            if self._connection is None and not await self._opens(seconds):
                return None
            if address not in self._undecided:  # no host could be reached
                return self._failure
            connection = self._connection
            if connection is None:
                return None
            mail = self._mail_now()
            if self._ended is None and self._objects(connection, mail):
                return self._failure
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[Outcome | None] = loop.create_future()
            timer = loop.call_later(seconds, _not_known_yet, answer)
            self._undecided[address] = answer
            self._ask(connection, mail)
            if address not in self._asked:  # others wait already for what the next hop takes at most
                _not_known_yet(answer)
            outcome = await answer
            timer.cancel()
            if outcome is not None or self._ended is None or not self._ended.done():
                return outcome
        return None

    def add(self, address: str, request: RecipientRequest) -> None:
        """Add a recipient without asking for it yet."""
        self._undecided[address] = None
        self._requests[address] = request

    async def leave_out(self, addresses: Collection[str]) -> None:
        """Forget recipients. A next hop that was asked for one of them is asked anew, for the others alone."""
        left_out = self._undecided.keys() & set(addresses)
        for address in left_out:
            del self._undecided[address]
        if left_out and not self._undecided:
            await self.abort()
        elif self._connection is not None and not self._asked.isdisjoint(left_out):
            self._drop_connection()

    async def abort(self) -> None:
        """Give the attempt up; its connection goes back to the pool."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait((self._opening,))
        self._undecided.clear()
        self._drop_connection()

    # After the end of data

    async def finish(self, content: Content) -> None:
        """Send the content; what it leaves undecided when it is cancelled or fails is for `close`."""
        if self._opening is not None:
            await self._opening
        if self._connection is not None:
            await self._finish_open(self._connection, content)
        if self._undecided:
            await self._try_hops(content)
        self._settle(list(self._undecided), self._failure or _NO_HOST)

    def close(self) -> None:
        """Leave no connection and no recipient behind, however `finish` ended."""
        if self._connection is not None:
            self._connection.abort("given up")
            self._release()
        self._settle(list(self._undecided), Outcome(Result.DELAYED, _STOPPED))

    async def _finish_open(self, connection: Connection, content: Content) -> None:
        """Finish what was begun while the client named recipients."""
        mail = self._mail_of(content)
        if not self._undecided or self._objects(connection, mail):
            self._drop_connection()
            return
        self._ask(connection, mail, content)
        await self._until_ended()

    def _mail_of(self, content: Content) -> Mail:
        return replace(self._mail_now(), size_octets=content.size_octets, has_utf8_fields=content.has_utf8_fields)

    def _mail_now(self) -> Mail:
        """Return what is said of the message at this moment: how much time is left changes."""
        return self._mail if self._mail.request.by is None else replace(self._mail, now_ms=self._means.wall_ms())

    async def _try_hops(self, content: Content) -> None:
        """Try one hop after another until every recipient is settled, then wait for those that are busy with us."""
        async with aclosing(self._means.destinations.hops(self._destination)) as hops:
            async for hop in hops:
                if isinstance(hop, Outcome):
                    self._fail(hop)
                elif await self._try_hop(hop, content):
                    return
        for hop in self._busy:
            if await self._try_hop(hop, content):
                return

    async def _try_hop(self, hop: Hop, content: Content) -> bool:
        """Try one hop; tell whether every recipient is settled."""
        is_new = False
        while True:
            opened = await self._means.pool.acquire(hop, is_new=is_new, sender=self._mail.reverse_path)
            if isinstance(opened, NotOpened):
                self._fail(self._not_served(opened, hop), is_asked=opened.is_asked)
                if self._is_busy(hop, opened) and hop not in self._busy:
                    self._busy.append(hop)
                return False
            is_first = opened.transactions_count == 0
            self._connection, mail = opened, self._mail_of(content)
            if self._objects(opened, mail):
                self._drop_connection()
                return True
            self._ask(opened, mail, content)
            await self._until_ended()
            if not self._undecided:
                return True
            if not self._has_more and (is_new or is_first):
                return False
            is_new = not self._has_more  # a connection that was used before may only have been stale: once more

    def _is_busy(self, hop: Hop, opened: NotOpened) -> bool:
        """Tell whether a hop opens no more connections to us while others of ours stand: one of them will be free."""
        return opened.is_asked and not self._means.pool.is_dead(hop)

    @property
    def _has_more(self) -> bool:
        """Tell whether the last transaction settled all that it asked for, and others are left for another one."""
        return bool(self._asked) and self._asked.isdisjoint(self._undecided)

    async def _until_ended(self) -> None:
        if self._ended is not None:
            await self._ended
        self._release()

    # Connections

    async def _opens(self, seconds: float) -> bool:
        """Open a connection if that needs no waiting for others; False when it is left for later."""
        if self._opening is None:
            if await self._takes_rested():
                return True
            self._opening = asyncio.get_running_loop().create_task(self._open())
        await asyncio.wait((self._opening,), timeout=seconds)
        if not self._opening.done():
            return False
        is_tried = self._opening.result()
        self._opening = None
        if is_tried and self._connection is None:
            self._settle(list(self._undecided), self._failure or _NO_HOST)
        return is_tried

    async def _takes_rested(self) -> bool:
        """Take a kept connection to the first host, if there is one: the usual case needs no task and no timer."""
        async with aclosing(self._means.destinations.hops(self._destination)) as hops:
            async for hop in hops:
                if isinstance(hop, Hop):
                    self._connection = self._means.pool.rested(hop)
                break
        return self._connection is not None

    async def _open(self) -> bool:
        """Take the first host that serves us; False when there is one that would mean waiting."""
        is_tried = is_busy = False
        pool = self._means.pool
        async with aclosing(self._means.destinations.hops(self._destination)) as hops:
            async for hop in hops:
                if isinstance(hop, Outcome):
                    self._fail(hop)
                    is_tried = True
                elif not (pool.is_dead(hop) or pool.has_free_slot(hop)):
                    is_busy = True
                else:  # one that is dead is not asked, and says so at once
                    opened = await pool.acquire(hop, sender=self._mail.reverse_path)
                    if isinstance(opened, Connection):
                        self._connection = opened
                        return True
                    is_tried |= opened.is_asked
                    self._fail(self._not_served(opened, hop), is_asked=opened.is_asked)
                    is_busy |= self._is_busy(hop, opened)
        return is_tried and not is_busy

    def _ask(self, connection: Connection, mail: Mail, content: Content | None = None) -> None:
        """Ask for the recipients that were not asked for in this transaction, and to send the content if it is there.

        Those that are more than the next hop takes at once are left for another transaction.
        """
        if self._ended is None:
            self._asked.clear()
            self._ended = asyncio.get_running_loop().create_future()
            if not connection.is_usable:  # closed since it was opened
                self._ended.set_result(None)
                self._fail(Outcome(Result.DELAYED, _LOST, connection.hop.name, is_ours=True))
                return
            connection.begin(mail, self)
        unasked = [address for address in self._undecided if address not in self._asked]
        asked = {address: self._requests[address] for address in connection.limits.fitting(unasked, self._asked)}
        self._asked.update(asked)
        if not self._ended.done():
            connection.ask(asked, content)

    def _fail(self, outcome: Outcome, *, is_asked: bool = True) -> None:
        """Note what befell a connection or a host: while one may yet serve us nothing is permanent.

        is_asked   False: a host was left alone, which says less than what another has said
        """
        is_better = is_asked or (self._failure is not None and self._failure.result is Result.FAILED)
        if self._failure is None or (is_better and outcome.result is not Result.FAILED):
            self._failure = outcome

    def _not_served(self, opened: NotOpened, hop: Hop) -> Outcome:
        """Return the outcome of a host that does not serve us: transient, whatever its banner says of us.

        That it is ourselves is permanent, unless the route says so, which is our own fault.
        """
        reply = opened.reply
        if opened.is_us and not self._destination.is_configured:
            return Outcome(Result.FAILED, reply, hop.name, is_ours=True)
        if reply.is_transient:
            return Outcome(Result.DELAYED, reply, hop.name, is_ours=opened.is_ours)
        transient = Reply.of(450, "4.4.1", f"{hop.name} refuses us: {reply}")
        return Outcome(Result.DELAYED, transient, hop.name, is_ours=True)

    def _objects(self, connection: Connection, mail: Mail) -> bool:
        """Settle everybody when the message cannot go over this connection."""
        reply = connection.objection(mail)
        if reply is None:
            return False
        self._settle(list(self._undecided), Outcome(Result.FAILED, reply, connection.hop.name, is_ours=True))
        return True

    def _release(self) -> None:
        connection, self._connection, self._ended = self._connection, None, None
        if connection is not None:
            self._means.pool.release(connection)

    def _drop_connection(self) -> None:
        connection, self._connection, self._ended = self._connection, None, None
        if connection is not None:
            self._means.pool.recycle(connection)

    # What the connection tells

    def accepted(self, recipient: str) -> None:
        answer = self._undecided.get(recipient)
        if answer is not None and not answer.done():
            answer.set_result(None)

    def settled(self, event: Settled) -> None:
        if event.is_of_connection:
            self._fail(event.outcome)
            self.accepted(event.recipient)  # another host may be asked when the attempt is finished
        else:
            self._settle((event.recipient,), event.outcome)

    def ended(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _settle(self, addresses: Iterable[str], outcome: Outcome) -> None:
        for address in addresses:
            if address in self._undecided:
                answer = self._undecided.pop(address)
                if answer is not None and not answer.done():
                    answer.set_result(outcome)
                self._on_outcome(address, outcome)


def _not_known_yet(answer: asyncio.Future[Outcome | None]) -> None:
    if not answer.done():
        answer.set_result(None)

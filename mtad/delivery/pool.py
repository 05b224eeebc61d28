"""Kept connections to next hops: how many may be in use at once, who gets the next one, how long one may rest.

What a hop's failures do to it is said by `mtad.delivery.pace`; whose turn it is where all places are taken, by
`mtad.delivery.turns`. A connection that its hop closes at rest, with 421 or without a word, is no failure.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

from mtad.delivery.client_events import NotOpened, Settled
from mtad.delivery.connection import Connection, Hop, Timeouts, connect, unverified_tls_context
from mtad.delivery.credentials import BadCredentials, Credentials
from mtad.delivery.families import Families
from mtad.delivery.pace import PaceLimits, Paces
from mtad.delivery.turns import Turns
from mtad.mail.reply import Reply
from mtad.mail.route import TlsLevel


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds of the pool."""

    pace: PaceLimits = field(default_factory=PaceLimits)
    idle_seconds_max: float = 30
    messages_per_connection_max: int = 100
    wait_seconds_max: float = 60  # for a connection to become free
    waiting_max: int = 2000  # per hop


_Place = Connection | bool
"""A place with a connection in it, a place to open one, or none."""


@dataclass(slots=True)
class _Slots:
    """What is known of one hop that has connections. opening_count: of those in use, how many are not open yet."""

    used_count: int = 0
    opening_count: int = 0
    idle: list[Connection] = field(default_factory=list)
    waiting: Turns[asyncio.Future[_Place]] = field(default_factory=Turns)

    @property
    def is_empty(self) -> bool:
        return not (self.used_count or self.idle or self.waiting)

    @property
    def stands(self) -> bool:
        """Tell whether a connection is open, in use or at rest."""
        return self.used_count > self.opening_count or any(connection.is_usable for connection in self.idle)

    def take_idle(self) -> Connection | None:
        """Take the connection that has rested for the shortest time, if any still stands."""
        while self.idle:
            connection = self.idle.pop()
            if connection.is_usable:
                return connection
        return None


_NO_CREDENTIALS = Reply.of(451, "4.3.5", "The credentials for the next hop cannot be used")


class _Returning:
    """Listens to the end of a transaction that was given up, and gives its connection back."""

    def __init__(self, pool: Pool, connection: Connection) -> None:
        self._pool = pool
        self._connection = connection

    def accepted(self, recipient: str) -> None:
        """Ignore: nobody waits for it."""

    def settled(self, event: Settled) -> None:
        """Ignore: nobody waits for it."""

    def ended(self) -> None:
        self._pool.release(self._connection)


class Pool:
    """All connections of one process to its next hops."""

    def __init__(
        self,
        helo: str,
        limits: PoolLimits | None = None,
        timeouts: Timeouts | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._helo = helo
        self._limits = limits or PoolLimits()
        self._timeouts = timeouts or Timeouts()
        self._tls_context: ssl.SSLContext = unverified_tls_context()
        self._credentials = credentials
        self._hops: dict[Hop, _Slots] = {}
        self._paces = Paces(self._limits.pace)
        self._is_closed = False
        self.families = Families()

    @property
    def hops_count(self) -> int:
        """How many hops have connections, or somebody who waits for one."""
        return len(self._hops)

    def is_dead(self, hop: Hop) -> bool:
        """Tell whether the hop failed a moment ago, or somebody is finding out whether it still does.

        It is not while a connection stands, or one that was begun before the failure may yet.
        """
        slots = self._hops.get(hop)
        if slots is not None and slots.stands:
            return False
        if slots is not None and slots.opening_count > 0:
            return self._paces.is_doubtful(hop) and not self._is_resting(hop)
        return self._is_resting(hop)

    def has_free_slot(self, hop: Hop) -> bool:
        """Tell whether `acquire` need not wait for another's connection."""
        slots = self._hops.get(hop)
        if slots is None:
            return True
        is_free = slots.used_count < self._paces.places(hop)
        return is_free and (bool(slots.idle) or not self._is_resting(hop))

    def rested(self, hop: Hop) -> Connection | None:
        """Return a connection that needs no waiting at all, if there is one; `release` or `recycle` it."""
        slots = self._hops.get(hop)
        if slots is None or slots.waiting or slots.used_count >= self._paces.places(hop):
            return None
        connection = slots.take_idle()
        slots.used_count += connection is not None
        return connection

    def forget_failures(self) -> None:
        """Ask every hop again, whatever befell it: an operator has mended something."""
        self._paces.forget()

    async def acquire(self, hop: Hop, *, is_new: bool = False, sender: str = "") -> Connection | NotOpened:
        """Return a connection on which a transaction may begin; `release` or `recycle` it.

        is_new   do not take one that has been used before: it may be stale
        sender   for whom it is: where all places are taken, senders get the next ones in turn
        """
        if self._is_closed:
            return _not_asked(Reply.of(450, "4.3.2", "Shutting down"))
        if self.is_dead(hop):
            return self._a_moment_ago(hop)
        slots = self._hops.get(hop)
        if slots is None:
            slots = self._hops[hop] = _Slots()
        if self.has_free_slot(hop):
            slots.used_count += 1
        else:
            place = await self._place(hop, slots, sender)
            if isinstance(place, Connection):
                return place
            if not place:
                return _not_asked(Reply.of(450, "4.4.5", f"No connection to {hop.name} is free"))
        rested = None if is_new else slots.take_idle()
        if rested is not None:
            return rested
        if self._is_resting(hop):  # it has failed while we waited
            self._give_back(hop)
            return self._a_moment_ago(hop)
        return await self._open(hop, slots)

    async def _open(self, hop: Hop, slots: _Slots) -> Connection | NotOpened:
        """Open a connection in a place that is ours; the place is given back where that fails."""
        opened: Connection | NotOpened | None = None
        slots.opening_count += 1
        try:
            opened = await self._connected(hop)
        finally:
            slots.opening_count -= 1
            if isinstance(opened, NotOpened) and not opened.is_us:
                self._paces.failed(hop, _now(), slots.used_count, why=_why(opened.reply, hop))
            if not isinstance(opened, Connection):
                self._give_back(hop)
        if not hop.is_unix:
            self._note_family(hop, opened)
        if isinstance(opened, Connection):
            opened.on_closed = self._forget
        return opened

    async def _connected(self, hop: Hop) -> Connection | NotOpened:
        """Connect, and log in where the route says so.

        Credentials go to nobody whose certificate is not good for the name that the route has, but to an address of
        this machine or a Unix socket that the route names.
        """
        if not hop.credentials:
            return await connect(hop, self._helo, self._timeouts, self._tls_context)
        if self._credentials is None:
            return NotOpened(_NO_CREDENTIALS, is_reached=False, is_ours=True)
        login = await self._credentials.login(hop.credentials)
        if isinstance(login, BadCredentials):
            opened: Connection | NotOpened = NotOpened(
                _NO_CREDENTIALS, is_reached=False, is_ours=True, why_no_login=str(login)
            )
        elif hop.is_unix or (hop.is_near and not login.is_own_ca):
            opened = await connect(hop, self._helo, self._timeouts, self._tls_context, login=login)
        else:
            opened = await connect(hop, self._helo, self._timeouts, login.tls_context, TlsLevel.ENCRYPT, login)
        if isinstance(opened, NotOpened) and opened.why_no_login:
            self._credentials.failed(hop.credentials, hop.name, opened.why_no_login)
        return opened

    def release(self, connection: Connection) -> None:
        """Give a connection back whose transaction is over; a broken one is closed."""
        limits = self._limits
        hop = connection.hop
        slots = self._hops[hop]
        if connection.has_failed:
            why = "421 to a message" if connection.is_sent_away else "a message was not answered"
            self._paces.failed(hop, _now(), slots.used_count, is_certain=connection.is_sent_away, why=why)
        elif connection.is_usable:
            self._paces.succeeded(hop)
        messages_max = min(limits.messages_per_connection_max, connection.limits.messages_max)
        is_kept = connection.transactions_count < messages_max and not self._is_closed
        if connection.is_usable and is_kept and len(slots.idle) < limits.pace.connections_max:
            slots.idle.append(connection)
            connection.rest(limits.idle_seconds_max)
        else:
            connection.quit()
        self._give_back(hop)

    def recycle(self, connection: Connection) -> None:
        """Give a connection back whose transaction is open and not wanted any more."""
        if connection.is_usable:
            self.release(connection)
        elif connection.is_in_transaction:
            connection.reset(_Returning(self, connection))
        else:
            connection.abort("given up")
            self.release(connection)

    def close(self) -> None:
        """Close what rests; connections in use are closed when they come back."""
        self._is_closed = True
        for slots in list(self._hops.values()):
            for connection in list(slots.idle):
                connection.quit()
            while (waiting := slots.waiting.pop()) is not None:
                _answer(waiting[1], False)

    def _is_resting(self, hop: Hop) -> bool:
        return self._paces.is_resting(hop, _now())

    def _a_moment_ago(self, hop: Hop) -> NotOpened:
        """Return that it is not asked now, and what it said when it was: who reads it wants to know that."""
        why = self._paces.why(hop)
        text = f"No connection to {hop.name} a moment ago" + (f": {why}" if why else "")
        return _not_asked(Reply.of(450, "4.4.1", text))

    def _note_family(self, hop: Hop, opened: Connection | NotOpened) -> None:
        if isinstance(opened, NotOpened) and opened.is_silent:
            self.families.unreached(hop.address, _now())
        else:
            self.families.reached(hop.address)

    async def _place(self, hop: Hop, slots: _Slots, sender: str) -> _Place:
        """Wait until a connection in use comes back; its place is then ours.

        Its turn may come in the very moment in which it gives up: then it keeps the place, or passes it on.
        """
        if len(slots.waiting) >= self._limits.waiting_max:
            displaced = slots.waiting.displace(sender)
            if displaced is None:
                return False
            _answer(displaced, False)
        freed: asyncio.Future[_Place] = asyncio.get_running_loop().create_future()
        slots.waiting.add(sender, freed)
        try:
            async with asyncio.timeout(self._limits.wait_seconds_max):
                return await freed
        except TimeoutError:
            return _granted(freed)
        except asyncio.CancelledError:
            self._take_back(hop, _granted(freed))
            raise
        finally:
            slots.waiting.remove(sender, freed)

    def _take_back(self, hop: Hop, place: _Place) -> None:
        if isinstance(place, Connection):
            self.release(place)
        elif place:
            self._give_back(hop)

    def _give_back(self, hop: Hop) -> None:
        """Make a place free, and hand those that are free to who waits.

        While no new connection may be opened a place is worth nothing without one that stands; once none does, nobody
        need wait.
        """
        slots = self._hops[hop]
        slots.used_count -= 1
        while slots.waiting and slots.used_count < self._paces.places(hop):
            rested = slots.take_idle()
            if rested is None and slots.used_count and self._is_resting(hop):
                break
            slots.used_count += 1
            while (waiting := slots.waiting.pop()) is not None and not _answer(waiting[1], rested or True):
                pass
            if waiting is None:
                slots.used_count -= 1
                if rested is not None:
                    slots.idle.append(rested)
        if slots.is_empty:
            del self._hops[hop]

    def _forget(self, connection: Connection) -> None:
        slots = self._hops.get(connection.hop)
        if slots is not None and connection in slots.idle:
            slots.idle.remove(connection)
            if slots.is_empty:
                del self._hops[connection.hop]


def _now() -> float:
    return asyncio.get_running_loop().time()


def _why(reply: Reply, hop: Hop) -> str:
    """Return what a hop said, or what befell the connection to it, without what `_a_moment_ago` says anyhow."""
    return str(reply).removeprefix(f"450 4.4.1 No connection to {hop.name}: ")


def _not_asked(reply: Reply) -> NotOpened:
    return NotOpened(reply, is_reached=False, is_asked=False, is_ours=True)


def _granted(waiting: asyncio.Future[_Place]) -> _Place:
    return waiting.done() and not waiting.cancelled() and waiting.result()


def _answer(waiting: asyncio.Future[_Place], place: _Place) -> bool:
    """Tell who waits; False when it does so no more."""
    if waiting.done():
        return False
    waiting.set_result(place)
    return True

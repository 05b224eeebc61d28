"""Kept connections to next hops: how many may be in use at once, how long one may rest, which hops do not answer."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass, field

from mtad.delivery.client_events import NotOpened, Settled
from mtad.delivery.connection import Connection, Hop, Timeouts, connect, unverified_tls_context
from mtad.mail.reply import Reply


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds of the pool."""

    connections_per_hop_max: int = 20
    idle_seconds_max: float = 30
    messages_per_connection_max: int = 100
    wait_seconds_max: float = 60  # for a connection to become free
    waiting_max: int = 2000  # per hop
    dead_seconds: float = 5  # after a connect failure the hop is not asked again so long
    dead_hops_max: int = 1000


@dataclass(slots=True)
class _Slots:
    """What is known of one hop."""

    used_count: int = 0
    idle: list[Connection] = field(default_factory=list)
    waiting: deque[asyncio.Future[bool]] = field(default_factory=deque)

    @property
    def is_empty(self) -> bool:
        return not (self.used_count or self.idle or self.waiting)

    def take_idle(self) -> Connection | None:
        """Take the connection that has rested for the shortest time, if any still stands."""
        while self.idle:
            connection = self.idle.pop()
            if connection.is_usable:
                return connection
        return None


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

    def __init__(self, helo: str, limits: PoolLimits | None = None, timeouts: Timeouts | None = None) -> None:
        self._helo = helo
        self._limits = limits or PoolLimits()
        self._timeouts = timeouts or Timeouts()
        self._tls_context: ssl.SSLContext = unverified_tls_context()
        self._hops: dict[Hop, _Slots] = {}
        self._dead_until: dict[Hop, float] = {}
        self._is_closed = False

    @property
    def hops_count(self) -> int:
        """How many hops have connections, or somebody who waits for one."""
        return len(self._hops)

    def is_dead(self, hop: Hop) -> bool:
        """Tell whether the hop failed to answer a moment ago."""
        until = self._dead_until.get(hop)
        if until is None:
            return False
        if asyncio.get_running_loop().time() < until:
            return True
        del self._dead_until[hop]
        return False

    def has_free_slot(self, hop: Hop) -> bool:
        """Tell whether `acquire` need not wait for another's connection."""
        slots = self._hops.get(hop)
        return slots is None or slots.used_count < self._limits.connections_per_hop_max

    def rested(self, hop: Hop) -> Connection | None:
        """Return a connection that needs no waiting at all, if there is one; `release` or `recycle` it."""
        slots = self._hops.get(hop)
        if slots is None or slots.used_count >= self._limits.connections_per_hop_max:
            return None
        connection = slots.take_idle()
        slots.used_count += connection is not None
        return connection

    async def acquire(self, hop: Hop, *, is_new: bool = False) -> Connection | NotOpened:
        """Return a connection on which a transaction may begin; `release` or `recycle` it.

        is_new   do not take one that has been used before: it may be stale
        """
        if self._is_closed:
            return NotOpened(Reply.of(450, "4.3.2", "Shutting down"), is_reached=False)
        if self.is_dead(hop):
            return NotOpened(Reply.of(450, "4.4.1", f"No connection to {hop.name} a moment ago"), is_reached=False)
        slots = self._hops.get(hop)
        if slots is None:
            slots = self._hops[hop] = _Slots()
        if slots.used_count < self._limits.connections_per_hop_max:
            slots.used_count += 1
        elif not await self._slot(slots):
            return NotOpened(Reply.of(450, "4.4.5", f"No connection to {hop.name} is free"), is_reached=False)
        rested = None if is_new else slots.take_idle()
        if rested is not None:
            return rested
        opened: Connection | NotOpened | None = None
        try:
            opened = await connect(hop, self._helo, self._timeouts, self._tls_context)
        finally:
            if not isinstance(opened, Connection):
                self._give_back(hop)
        if isinstance(opened, NotOpened):
            if not opened.is_reached:
                self._remember_dead(hop)
            return opened
        opened.on_closed = self._forget
        return opened

    def release(self, connection: Connection) -> None:
        """Give a connection back whose transaction is over; a broken one is closed."""
        limits = self._limits
        slots = self._hops[connection.hop]
        messages_max = min(limits.messages_per_connection_max, connection.limits.messages_max)
        is_kept = connection.transactions_count < messages_max and not self._is_closed
        if connection.is_usable and is_kept and len(slots.idle) < limits.connections_per_hop_max:
            slots.idle.append(connection)
            connection.rest(limits.idle_seconds_max)
        else:
            connection.quit()
        self._give_back(connection.hop)

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
            for waiting in slots.waiting:
                if not waiting.done():
                    waiting.set_result(False)

    async def _slot(self, slots: _Slots) -> bool:
        """Wait until a connection in use comes back; its slot is then ours."""
        if len(slots.waiting) >= self._limits.waiting_max:
            return False
        freed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        slots.waiting.append(freed)
        try:
            async with asyncio.timeout(self._limits.wait_seconds_max):
                return await freed
        except TimeoutError:
            return False
        finally:
            if freed in slots.waiting:
                slots.waiting.remove(freed)

    def _hand_on(self, slots: _Slots) -> None:
        while slots.waiting:
            waiting = slots.waiting.popleft()
            if not waiting.done():
                waiting.set_result(True)
                return
        slots.used_count -= 1

    def _give_back(self, hop: Hop) -> None:
        slots = self._hops[hop]
        self._hand_on(slots)
        if slots.is_empty:
            del self._hops[hop]

    def _forget(self, connection: Connection) -> None:
        slots = self._hops.get(connection.hop)
        if slots is not None and connection in slots.idle:
            slots.idle.remove(connection)
            if slots.is_empty:
                del self._hops[connection.hop]

    def _remember_dead(self, hop: Hop) -> None:
        self._dead_until.pop(hop, None)
        if len(self._dead_until) >= self._limits.dead_hops_max:
            del self._dead_until[next(iter(self._dead_until))]
        self._dead_until[hop] = asyncio.get_running_loop().time() + self._limits.dead_seconds

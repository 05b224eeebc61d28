"""The server of one process: its sockets, its connections, their number and their deadlines."""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from mtad.mail.reply import Reply
from mtad.server.acceptance import Acceptance
from mtad.server.clients import Clients
from mtad.server.collaborators import Clock, Collaborators
from mtad.server.entrance import MX, Entrance
from mtad.server.framing import OctetBudget, Overflow
from mtad.server.limits import Limits
from mtad.server.service import Service
from mtad.server.smtp import Connection
from mtad.telemetry.events import Events

SWEEP_SECONDS = 1.0
BACKLOG = 4096  # connections that wait to be accepted; the kernel may allow fewer


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the server says it is, and what it offers.

    domain              where mail for `postmaster` without a domain goes; '' means the hostname
    tls_context         None: STARTTLS is not offered
    is_binary_offered   BINARYMIME is offered: only where every next hop offers it too, for nothing is made text
    """

    hostname: str
    tls_context: ssl.SSLContext | None = None
    domain: str = ""
    is_binary_offered: bool = False


class Server:
    """Serves SMTP on sockets that it is given."""

    def __init__(
        self,
        identity: Identity,
        limits: Limits,
        collaborators: Collaborators,
        events: Events,
        clock: Clock | None = None,
        overflow: Overflow | None = None,
    ) -> None:
        clock = clock or Clock()
        budget = OctetBudget(limits.content.octets_in_flight_max, overflow)
        self._tls_context = identity.tls_context
        self._clients = Clients(limits)
        self._command_pressed_seconds = limits.seconds.command_pressed
        self._events = events
        self._clock = clock
        self.acceptance = Acceptance(identity.hostname, limits, collaborators, budget, events, clock)
        self._service = Service(
            hostname=identity.hostname,
            postmaster_domain=identity.domain or identity.hostname,
            has_tls=identity.tls_context is not None,
            is_binary_offered=identity.is_binary_offered,
            limits=limits,
            clients=self._clients,
            rooms=collaborators,
            acceptance=self.acceptance,
            budget=budget,
            events=events,
            clock=clock,
        )
        self._connections: set[Connection] = set()
        self._listeners: list[asyncio.Server] = []
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def sessions_count(self) -> int:
        return len(self._connections)

    @property
    def octets_in_flight(self) -> int:
        return self._service.budget.octets

    @property
    def delivered_through_count(self) -> int:
        return self.acceptance.delivered_through_count

    def connection(self, entrance: Entrance = MX) -> Connection:
        """Return the protocol of one more connection; `start` does it for its sockets."""
        return Connection(replace(self._service, entrance=entrance), self, self._tls_context)

    async def start(self, sockets: Sequence[socket.socket], entrance: Entrance = MX) -> None:
        """Serve on bound sockets, TCP's made with IPPROTO_TCP: otherwise asyncio leaves Nagle's algorithm on.

        May be called for each entrance. Where users come in, the identity must have a TLS context.
        """
        loop = asyncio.get_running_loop()
        service = replace(self._service, entrance=entrance)
        for listening in sockets:
            connection = partial(Connection, service, self, self._tls_context)
            serve = loop.create_unix_server if listening.family == socket.AF_UNIX else loop.create_server
            self._listeners.append(await serve(connection, sock=listening, backlog=BACKLOG))
        if self._sweeping is None:
            self._sweeping = loop.create_task(self._sweep_for_ever())

    async def stop(self, grace_seconds: float) -> None:
        """Take no more clients, let each command and each message come to its end, cut off what takes longer."""
        for listener in self._listeners:
            listener.close()
        for connection in list(self._connections):
            connection.stop()
        waiting = [asyncio.ensure_future(c.ended(is_cancelled=False)) for c in self._connections]
        waiting.append(asyncio.ensure_future(self.acceptance.background.tasks.drained()))
        waiting.append(asyncio.ensure_future(self.acceptance.remembering.tasks.drained()))
        _, late = await asyncio.wait(waiting, timeout=grace_seconds)
        for one in late:
            one.cancel()
        for connection in list(self._connections):
            await connection.ended(is_cancelled=True)
        await self.acceptance.background.tasks.cut_off()
        await self.acceptance.remembering.tasks.cut_off()
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait([self._sweeping])
        self._listeners.clear()

    def sweep(self, now: float) -> None:
        """Close the connections whose deadline has passed; where there are many, sooner those that say nothing."""
        silent_since = now - self._command_pressed_seconds if self._clients.are_many else -math.inf
        for connection in list(self._connections):
            if connection.deadline <= now or connection.waiting_since <= silent_since:
                connection.expire(now)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep(self._clock.now())

    # What connections ask of it.

    def admit(self, connection: Connection) -> Reply | None:
        """Count a new connection in; a reply says why it may not stay."""
        address = connection.address
        refusal = self._clients.come(address, self._clock.now())
        if refusal is None:
            self._connections.add(connection)
        else:
            sessions = len(self._connections)
            self._events.emit(
                "session.too_many", level="warning", client=address, sessions=sessions, reply=str(refusal)
            )
        return refusal

    def forget(self, connection: Connection) -> None:
        """Count a connection off."""
        self._connections.discard(connection)
        self._clients.leave(connection.address)

"""A Delivery with short time-outs and its name server: what tests of delivery start from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mtad.delivery.client_events import Mail, Settled
from mtad.delivery.connection import Timeouts
from mtad.delivery.credentials import Credentials
from mtad.delivery.pool import Pool, PoolLimits
from mtad.delivery.through import Delivery, DeliveryLimits, Finished, Transaction
from mtad.delivery.warrant import MayFinish, Warrant
from mtad.dns.resolver import Resolver, ResolverLimits
from mtad.mail.outcome import Outcome
from mtad.mail.route import Route, TlsLevel, Transport
from mtad.telemetry.events import CollectedEvents
from tests.fakes.name_server import NameServer, Zone
from tests.fakes.scripted_server import ScriptedServer

CONTENT = b"Subject: hello\r\n\r\n.dots\r\n..\r\n"
HOSTNAME = "us.test"
WALL_MS = 1_800_000_000_000
U, V, W = "u@b.test", "v@b.test", "w@c.test"

# Long enough for a busy machine, short enough for a test that runs into one.
TIMEOUTS = Timeouts(
    connect_seconds=2,
    tls_seconds=2,
    banner_seconds=0.6,
    ehlo_seconds=0.6,
    mail_seconds=0.6,
    rcpt_seconds=0.6,
    data_seconds=0.6,
    block_seconds=0.6,
    dot_seconds=0.6,
    reset_seconds=0.6,
)


def said(outcome: Outcome | None) -> str:
    """Return the parts of an outcome that tests compare."""
    return "" if outcome is None else f"{outcome.result} {outcome.reply.code} {outcome.reply.enhanced}".rstrip()


async def _always(recipients: Collection[str]) -> bool:
    return True


class Silent:
    """Listens to a transaction and does nothing."""

    def accepted(self, recipient: str) -> None: ...

    def settled(self, event: Settled) -> None: ...

    def ended(self) -> None: ...


@dataclass
class Outgoing:
    """One process's delivery as tests see it."""

    delivery: Delivery
    pool: Pool
    events: CollectedEvents
    names: NameServer

    def open(self, *, reverse_path: str = "x@a.test", **flags: bool) -> Transaction:
        """Begin a message."""
        return self.delivery.open(Mail(reverse_path, **flags), trace="t1")

    async def through(
        self, recipients: dict[str, Route], content: bytes = CONTENT, *, deadline_seconds: float = 20
    ) -> tuple[dict[str, Outcome | None], Finished]:
        """Send one message as a session would; return what RCPT heard, and the end."""
        transaction = self.open()
        heard = {address: await transaction.recipient(address, route) for address, route in recipients.items()}
        return heard, await transaction.finish(content, deadline_seconds)

    async def attempt(
        self,
        recipients: dict[str, Route],
        content: bytes = CONTENT,
        may_finish: MayFinish = _always,
        withdrawn: asyncio.Future[None] | None = None,
        **flags: bool,
    ) -> dict[str, Outcome]:
        """Send one message as the runner would."""
        return await self.delivery.attempt(
            Mail("x@a.test", **flags),
            recipients,
            content,
            requests={},
            trace="t1",
            warrant=Warrant(may_finish, withdrawn or asyncio.get_running_loop().create_future()),
        )


@asynccontextmanager
async def outgoing(
    zone: Zone | None = None,
    *,
    limits: DeliveryLimits | None = None,
    pool_limits: PoolLimits | None = None,
    timeouts: Timeouts = TIMEOUTS,
    wall_ms: Callable[[], int] = lambda: WALL_MS,
    credentials: Mapping[str, Path] | None = None,
) -> AsyncIterator[Outgoing]:
    """Start a delivery whose resolver asks a name server with this zone; close it at the end."""
    async with NameServer(zone or {}) as names:
        events = CollectedEvents()
        pool = Pool(HOSTNAME, pool_limits, timeouts, Credentials(credentials or {}, events))
        resolver = Resolver((("127.0.0.1", names.port),), ResolverLimits(lookup_seconds_max=0.5))
        delivery = Delivery(HOSTNAME, resolver, events, limits, pool, wall_ms=wall_ms)
        try:
            yield Outgoing(delivery, pool, events, names)
        finally:
            await delivery.close()


def to(server: ScriptedServer, *, tls: TlsLevel = TlsLevel.NONE) -> Route:
    """Return the route to a scripted server."""
    transport = Transport.LMTP if server.script.is_lmtp else Transport.SMTP
    host = f"unix:{server.path}" if server.path else server.host
    return Route(transport, (host,), None if server.path else server.port, tls)

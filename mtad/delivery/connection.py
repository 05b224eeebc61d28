"""One connection to a next hop: moves octets between a transport of asyncio and the client protocol.

Time-outs are those of RFC 5321 §4.5.3.2. A timer runs per connection, not per command: a deadline that moves away
costs nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from mtad.delivery.client_events import (
    Accepted,
    ContentWanted,
    Ended,
    Event,
    Greeting,
    Mail,
    NotOpened,
    Opened,
    Settled,
    StartTls,
    Step,
)
from mtad.delivery.client_protocol import ClientProtocol
from mtad.delivery.hop_limits import HopLimits
from mtad.delivery.login import Login
from mtad.delivery.warrant import MayFinish
from mtad.mail.dsn_request import Requests
from mtad.mail.reply import Reply
from mtad.mail.route import TlsLevel, Transport

PIECE_OCTETS_MAX = 262144  # what is handed to the transport at once

_ABANDONED = Reply.of(451, "4.3.2", "Delivery was stopped before its end")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait for the peer; seconds."""

    connect_seconds: float = 30
    tls_seconds: float = 60
    banner_seconds: float = 300
    ehlo_seconds: float = 300
    mail_seconds: float = 300
    rcpt_seconds: float = 300
    data_seconds: float = 120
    block_seconds: float = 180
    dot_seconds: float = 600
    reset_seconds: float = 10

    def of(self, step: Step) -> float:
        """Return how long to wait for the reply to this step."""
        return float(getattr(self, _TIMEOUT_FIELDS[step]))


_TIMEOUT_FIELDS: Mapping[Step, str] = {
    Step.BANNER: "banner_seconds",
    Step.EHLO: "ehlo_seconds",
    Step.HELO: "ehlo_seconds",
    Step.STARTTLS: "ehlo_seconds",
    Step.AUTH: "ehlo_seconds",
    Step.MAIL: "mail_seconds",
    Step.RCPT: "rcpt_seconds",
    Step.DATA: "data_seconds",
    Step.CHUNK: "dot_seconds",
    Step.DOT: "dot_seconds",
    Step.RSET: "reset_seconds",
}


@dataclass(frozen=True, slots=True)
class Hop:
    """One address of a next hop and how to speak with it: connections to equal hops are interchangeable."""

    address: str  # IPv4 or IPv6 without brackets, or the path of a Unix socket
    port: int  # 0 for a Unix socket
    name: str  # as routes and outcomes name it: 'mx.example.net', 'unix:/path'
    transport: Transport = Transport.SMTP
    tls: TlsLevel = TlsLevel.NONE
    source: str = ""  # our address of the same family; '' is the system's choice
    helo: str = ""  # our name; '' is the server's own
    pool: str = ""  # of connections; those of another one are others
    credentials: str = ""  # the name of those that we log in with; '' is not at all
    may_be_us: bool = field(default=False, compare=False)  # if it gives itself our name; else it is a neighbour

    @property
    def is_unix(self) -> bool:
        return self.port == 0

    @property
    def is_near(self) -> bool:
        """Tell whether the route itself leads to this machine: that DNS says so of a name is anybody's word."""
        return self.is_unix or (_is_loopback(self.name) and _is_loopback(self.address))


@dataclass(frozen=True, slots=True)
class Content:
    """A content ready to be sent.

    octets       with its dots doubled, without the final dot; as it is for a message that is binary
    size_octets  before that
    may_finish   asked right before the final dot; False closes the connection without it
    """

    octets: bytes
    size_octets: int
    may_finish: MayFinish | None = None
    has_utf8_fields: bool = False


class Listener(Protocol):
    """Who is told what becomes of a transaction."""

    def accepted(self, recipient: str) -> None: ...
    def settled(self, event: Settled) -> None: ...
    def ended(self) -> None: ...


class Connection(asyncio.Protocol):
    """One connection; at most one transaction at a time. Made by `connect`."""

    def __init__(self, hop: Hop, greeting: Greeting, timeouts: Timeouts) -> None:
        self.hop = hop
        self.transactions_count = 0
        self._is_broken = False  # amid a transaction
        self._is_late = False  # so was the peer, with a reply
        self.on_closed: Callable[[Connection], None] | None = None
        self._core = ClientProtocol(greeting)
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._opening: asyncio.Future[Opened | NotOpened | StartTls] = self._loop.create_future()
        self._listener: Listener | None = None
        self._content: Content | None = None
        self._early: list[Event] = []
        self._streaming: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._is_paused = False
        self._deadline = float("inf")
        self._watched: tuple[int, int] | None = None  # the progress that the deadline was set for
        self._timer: asyncio.TimerHandle | None = None

    # What the owner of the connection may do

    @property
    def is_usable(self) -> bool:
        """Tell whether a transaction may begin."""
        return self._core.is_idle and self._transport is not None and not self._transport.is_closing()

    @property
    def is_in_transaction(self) -> bool:
        """Tell whether a transaction has begun and not ended."""
        return self._listener is not None

    @property
    def is_past_dot(self) -> bool:
        """Tell whether the final dot of the open transaction was sent."""
        return self._core.is_past_dot

    @property
    def is_tls(self) -> bool:
        """Tell whether the connection is encrypted."""
        return self._core.is_tls

    @property
    def has_failed(self) -> bool:
        """Tell whether the peer let us down: that one closes a connection that was kept is no wonder."""
        return self._is_late or self.is_sent_away or (self.transactions_count == 1 and self._is_broken)

    @property
    def is_sent_away(self) -> bool:
        """Tell whether the peer answered 421 to our first transaction."""
        return self.transactions_count == 1 and self._core.is_sent_away

    def objection(self, mail: Mail) -> Reply | None:
        """Return why this message cannot go over this connection; None when it can."""
        return self._core.objection(mail)

    @property
    def limits(self) -> HopLimits:
        """What the peer takes at most."""
        return self._core.limits

    def begin(self, mail: Mail, listener: Listener) -> None:
        """Begin a transaction, which goes out with what is asked next; the listener hears of it until it has ended."""
        self.transactions_count += 1
        self._listener = listener
        self._early = self._core.begin(mail)

    def ask(self, recipients: Requests, content: Content | None) -> None:
        """Ask for recipients, and to send the content to those that are accepted when it is given."""
        events, self._early = self._early, []
        for address, request in recipients.items():
            events += self._core.recipient(address, request)
        if content is not None:
            self._content = content
            events += self._core.data(len(content.octets))
        self._act(events)

    def reset(self, listener: Listener) -> None:
        """Give the transaction up, closing the connection if content was given; the new listener hears of the end."""
        self._listener = listener
        if self._content is None and not self._core.is_dead:
            self._act(self._core.reset())
        else:
            self.abort("given up")

    def rest(self, seconds: float) -> None:
        """Close the connection unless a transaction begins within this time."""
        self._set_deadline(seconds)

    def quit(self) -> None:
        """Take leave and close."""
        if self._core.is_idle and self._transport is not None and not self._transport.is_closing():
            self._core.quit()
            self._transport.write(self._core.to_send())
        self._shut()

    def abort(self, why: str) -> None:
        """Close at once; what is undecided is settled as lost."""
        self._act(self._core.lost(why))
        self._shut()

    async def opened(self) -> Opened | NotOpened | StartTls:
        """Wait until the peer serves us, does not, or waits for a TLS handshake."""
        event = await self._opening
        self._opening = self._loop.create_future()
        return event

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the handshake. Errors: OSError."""
        if self._transport is None or self._transport.is_closing() or self._core.is_dead:
            raise ConnectionAbortedError("closed before the handshake")
        has_name = not self.hop.is_unix and (context.check_hostname or not _is_literal(self.hop.name))
        hostname = self.hop.name if has_name else None
        transport = await self._loop.start_tls(
            self._transport,
            self,
            context,
            server_hostname=hostname,
            ssl_handshake_timeout=self._timeouts.tls_seconds,
            ssl_shutdown_timeout=self._timeouts.reset_seconds,
        )
        if transport is None or self._core.is_dead:
            raise ConnectionAbortedError("closed in the handshake")
        self._transport = transport
        self._act(self._core.tls_started())

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop has transports of its own
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and not self.hop.is_unix:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch()

    def data_received(self, data: bytes) -> None:
        self._act(self._core.receive(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_broken = self.is_in_transaction and not self._core.is_dead
        self._act(self._core.lost("closed by the next hop" if exc is None else "broken"))
        if self._timer is not None:
            self._timer.cancel()
        self.resume_writing()
        if self.on_closed is not None:
            self.on_closed(self)

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # Events of the protocol

    def _act(self, events: list[Event]) -> None:
        octets = self._core.to_send()
        if octets and self._transport is not None and not self._transport.is_closing():
            self._transport.write(octets)
        if self._core.is_dead:
            self._shut()
        else:
            self._watch()
        for event in events:  # last: what they lead to may act again
            _ON_EVENT[type(event)](self, event)

    def _on_opening(self, event: Opened | NotOpened | StartTls) -> None:
        if not self._opening.done():
            self._opening.set_result(event)

    def _on_accepted(self, event: Accepted) -> None:
        if self._listener is not None:
            self._listener.accepted(event.recipient)

    def _on_settled(self, event: Settled) -> None:
        if self._listener is not None:
            self._listener.settled(event)

    def _on_ended(self, event: Ended) -> None:
        listener, self._listener, self._content = self._listener, None, None
        if listener is not None:
            listener.ended()

    def _on_content_wanted(self, event: ContentWanted) -> None:
        assert self._content is not None
        if len(self._content.octets) > PIECE_OCTETS_MAX or self._content.may_finish is not None:
            self._streaming = self._loop.create_task(self._stream(self._content))
        else:
            self._finish(self._content.octets)

    def _finish(self, rest: bytes) -> None:
        """Send what is left of the content and the final dot."""
        assert self._transport is not None
        events = self._core.end_of_data()
        self._transport.write(rest + self._core.to_send())
        self._act(events)

    async def _stream(self, content: Content) -> None:
        rest = content.octets
        if len(rest) > PIECE_OCTETS_MAX:
            await self._write_pieces(memoryview(rest))
            rest = b""
        try:
            may_finish = content.may_finish is None or await content.may_finish(self._core.recipients)
        except Exception:
            self.abort("a fault of ours")
            raise
        if not may_finish:
            self._act(self._core.abandon(_ABANDONED))
        elif not self._core.is_dead:  # nothing may be awaited between the answer and the dot
            self._finish(rest)

    async def _write_pieces(self, view: memoryview) -> None:
        assert self._transport is not None
        for start in range(0, len(view), PIECE_OCTETS_MAX):
            if self._core.is_dead:
                return
            self._transport.write(view[start : start + PIECE_OCTETS_MAX])
            if self._is_paused:
                self._set_deadline(self._timeouts.block_seconds)
                self._writable = self._loop.create_future()
                await self._writable

    # Time and end

    def _watch(self) -> None:
        """Set the deadline anew where something has come of what was awaited; a peer that drips gains no time."""
        if self._core.progress == self._watched:
            return
        self._watched = self._core.progress
        step = self._core.awaited
        if step is not None:
            self._set_deadline(self._timeouts.of(step))
        else:
            self._deadline = float("inf")

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.cancelled() or self._timer.when() > self._deadline:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        if self._deadline == float("inf"):
            return
        if self._loop.time() < self._deadline:
            self._arm()
        elif self.is_usable:
            self.quit()
        else:
            self._is_late = True
            self.abort("timed out")

    def _shut(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size():  # close() would wait for a peer that may never read
            self._transport.abort()
        else:
            self._transport.close()


_ON_EVENT: Mapping[type[Any], Callable[[Connection, Any], None]] = {
    Opened: Connection._on_opening,
    NotOpened: Connection._on_opening,
    StartTls: Connection._on_opening,
    Accepted: Connection._on_accepted,
    Settled: Connection._on_settled,
    Ended: Connection._on_ended,
    ContentWanted: Connection._on_content_wanted,
}


def _is_literal(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdecimal()


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:  # a name
        return False


def _why_no_tls(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {error.verify_message}"
    return "the TLS handshake failed"


def unverified_tls_context() -> ssl.SSLContext:
    """Return the context for opportunistic TLS: encrypts, and does not ask with whom (RFC 7435)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def connect(
    hop: Hop,
    helo: str,
    timeouts: Timeouts,
    tls_context: ssl.SSLContext,
    tls: TlsLevel | None = None,
    login: Login | None = None,
) -> Connection | NotOpened:
    """Open a connection up to the point where a transaction may begin.

    tls     None means the hop's own level; `may` falls back to clear text when the handshake fails
    login   as whom we log in before
    """
    level = hop.tls if tls is None else tls
    own_name, is_near = helo if hop.may_be_us else "", login is not None and hop.is_near
    greeting = Greeting(hop.helo or helo, hop.transport, level, hop.name, own_name, login, is_near)
    loop = asyncio.get_running_loop()
    connection = Connection(hop, greeting, timeouts)
    try:
        async with asyncio.timeout(timeouts.connect_seconds):
            if hop.is_unix:
                await loop.create_unix_connection(lambda: connection, hop.address)
            else:
                source = (hop.source, 0) if hop.source else None
                await loop.create_connection(lambda: connection, hop.address, hop.port, local_addr=source)
    except OSError as error:  # TimeoutError is one
        why = "timed out" if isinstance(error, TimeoutError) or error.errno is None else os.strerror(error.errno)
        reply = Reply.of(450, "4.4.1", f"No connection to {hop.name}: {why}")
        is_silent = not isinstance(error, ConnectionRefusedError)
        return NotOpened(reply, is_reached=False, is_silent=is_silent, is_ours=True)
    try:
        event = await connection.opened()
        if isinstance(event, StartTls):
            try:
                await connection.start_tls(tls_context)
            except OSError as error:  # ssl.SSLError is one
                connection.abort("TLS handshake failed")
                if level is TlsLevel.MAY:
                    return await connect(hop, helo, timeouts, tls_context, TlsLevel.NONE, login)
                reply = Reply.of(450, "4.7.5", f"TLS handshake with {hop.name} failed")
                return NotOpened(reply, is_ours=True, why_no_login="" if login is None else _why_no_tls(error))
            event = await connection.opened()
    except BaseException:  # cancelled: nobody else knows of this connection
        connection.abort("given up")
        raise
    if isinstance(event, NotOpened):
        connection.abort("not opened")
        return event
    return connection

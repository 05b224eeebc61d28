"""The connection of one SMTP client: octets in, the session's replies out (RFC 5321 §2.3.8, §3.8, §4.5.3.2; RFC 3207).

A subclass of aiosmtpd's SMTP, and the only importer of it. Replaced, because it loses, refuses or costs too much: its
constructor (inspects the class for each connection, and clears limits that all connections share), its command loop
(ends lines at LF, answers faults with 500 and the exception's text, knows no enhanced status codes), its parser of
paths and parameters, its DATA (line by line), its STARTTLS (asyncio's TLS even where the loop has a better one) and
its time-out (which DATA does not prolong). What stays is its place: a stream protocol with one task a connection.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from typing import Any, Protocol

from aiosmtpd.smtp import SMTP

from mtad.mail.envelope import Client, Tls
from mtad.mail.ip_address import parse_ip
from mtad.mail.reply import Reply
from mtad.server.acknowledged import has_acknowledged
from mtad.server.authentication import LINE_OCTETS_MAX as AUTH_OCTETS_MAX
from mtad.server.chunking import Chunk
from mtad.server.fault import emit_fault
from mtad.server.framing import BadLine, CommandLines, ContentReader
from mtad.server.hearing import Hearing
from mtad.server.service import Service
from mtad.server.session import AHEAD, Session
from mtad.server.step import Step, Then

CHUNK_OCTETS = 64 * 1024
READ_AHEAD_OCTETS = 32 * 1024  # the stream reader stops the client at twice that
LAST_REPLY_SECONDS = 30.0

_TIMEOUT = Reply.of(421, "4.4.2", "Timeout, closing connection")
_CLOSING = Reply.of(421, "4.3.2", "Server is closing, try again")


class Connections(Protocol):
    """Who counts connections (mtad.server.listener)."""

    def admit(self, connection: Connection) -> Reply | None:
        """Count a new one in; a reply says why it may not stay."""
        ...

    def forget(self, connection: Connection) -> None:
        """Count one less."""
        ...


def client_of(transport: asyncio.BaseTransport, listener: str = "") -> Client:
    """Return what is known of the peer before it speaks; its address is '' on a Unix socket."""
    peer, is_tls = transport.get_extra_info("peername"), transport.get_extra_info("sslcontext") is not None
    if not isinstance(peer, tuple):
        return Client("", 0, is_tls=is_tls, listener=listener)
    own = transport.get_extra_info("sockname")
    came_to = (_plain(own[0]), int(own[1])) if isinstance(own, tuple) else ("", 0)
    return Client(_plain(peer[0]), int(peer[1]), is_tls=is_tls, listener=listener, came_to=came_to)


def _plain(address: str) -> str:
    """Return an address as a client is known by it, however the socket gives it."""
    return str(parse_ip(address) or address)


def _hand_over(octets: bytearray, protocol: Any) -> None:
    """Give the protocol of TLS what the reader got in its place: uvloop reads from a new connection unasked."""
    protocol.get_buffer(len(octets))[: len(octets)] = octets
    protocol.buffer_updated(len(octets))
    octets.clear()


class Connection(SMTP):
    """One client's connection."""

    def __init__(self, service: Service, connections: Connections, tls_context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        # Past aiosmtpd's own constructor, which costs 100 µs and serves what is replaced here.
        asyncio.StreamReaderProtocol.__init__(
            self,
            asyncio.StreamReader(limit=READ_AHEAD_OCTETS, loop=loop),
            client_connected_cb=self._cb_client_connected,
            loop=loop,
        )
        self._service = service
        self._connections = connections
        self._tls_context = tls_context
        octets_max = service.limits.session.command_octets_max
        self._lines = CommandLines(max(octets_max, AUTH_OCTETS_MAX) if service.entrance.is_submission else octets_max)
        self._handler_coroutine: asyncio.Task[None] | None = None
        self.waiting_since = math.inf  # for the client's next command
        self._is_stopping = False
        self._is_expired = False
        self._has_client_gone = False
        self._hearing: Hearing | None = None  # of the last message, until its client has surely heard
        self._is_mute = False  # amid a handshake: the client would not understand a reply
        self.deadline = math.inf  # when the client or we have been silent for too long
        self._latest = service.clock.now() + service.limits.seconds.session  # when a message must have been accepted

    # The stream protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the conversation, unless there are too many."""
        asyncio.StreamReaderProtocol.connection_made(self, transport)
        client = client_of(transport, self._service.entrance.name)
        self.address = client.address  # of the connection; a session may come to speak of another client
        self.conversation = Session(self._service, client)
        refusal = self._connections.admit(self)
        if refusal is not None:
            if not self._service.entrance.is_tls_at_once:
                self._writer.write(refusal.octets())
            self._writer.close()
            return
        self._handler_coroutine = asyncio.get_running_loop().create_task(self._handle_client())

    def connection_lost(self, error: Exception | None) -> None:
        """Let the conversation find out: what it is doing for the client now, it does to its end."""
        self._client_gone(has_acknowledged=False)
        asyncio.StreamReaderProtocol.connection_lost(self, error)

    def eof_received(self) -> bool | None:
        """Let the conversation go on with what has been read: a client may close its side and wait for replies."""
        self._client_gone(has_acknowledged=has_acknowledged(self._writer.transport))
        return asyncio.StreamReaderProtocol.eof_received(self)

    def _client_gone(self, *, has_acknowledged: bool) -> None:
        self._has_client_gone = True
        if self._hearing is not None:
            self._hearing.gone(has_acknowledged=has_acknowledged)

    # What the listener asks of it.

    def expire(self, now: float) -> None:
        """Close a connection whose deadline has passed: with a reply at first, without one when that cannot leave."""
        if self._is_expired or self._is_mute or self._writer.transport.get_write_buffer_size():
            self.deadline = math.inf
            self._writer.transport.abort()
            return
        if self.waiting_since < math.inf and has_acknowledged(self._writer.transport):
            self._heard()
        self._is_expired = True
        self.deadline = now + LAST_REPLY_SECONDS
        self.waiting_since = math.inf
        self._writer.write(_TIMEOUT.octets())
        self._writer.close()
        self._service.events.emit("session.timeout", session=self.conversation.id)

    def stop(self) -> None:
        """Close when the client's command is answered; at once when it has given none."""
        self._is_stopping = True
        if self.waiting_since < math.inf:
            self._heard()
            self._writer.write(_CLOSING.octets())
            self._writer.close()

    async def ended(self, *, is_cancelled: bool) -> None:
        """Return when the conversation has ended; cut it off when `is_cancelled`."""
        if self._handler_coroutine is None:
            return
        if is_cancelled:
            self._writer.transport.abort()
            self._handler_coroutine.cancel()
        await asyncio.wait([self._handler_coroutine])

    # The conversation.

    async def _handle_client(self) -> None:
        """Hold the whole conversation; the boundary of a session."""
        events = self._service.events
        try:
            await self._converse()
        except OSError as error:
            events.emit("session.lost", level="debug", session=self.conversation.id, why=str(error))
        except Exception:  # noqa: BLE001 - boundary: one session's fault must not end another's
            emit_fault(events, session=self.conversation.id, trace=self.conversation.id, stage="connection")
        finally:
            self.conversation.end()
            try:
                await self.conversation.drop()
            except Exception:  # noqa: BLE001 - boundary: the connection is counted off whatever happens
                emit_fault(events, session=self.conversation.id, trace=self.conversation.id, stage="drop")
            if self._hearing is not None:
                self._hearing.end()
            self._writer.close()
            self._connections.forget(self)

    async def _converse(self) -> None:
        if self._service.entrance.is_tls_at_once:
            await self._begin_with_tls()
        self._set_deadline(self._service.limits.seconds.answer)
        greeting = await self.conversation.greeting()
        is_early = self._is_ahead and greeting.then is not Then.CLOSE  # RFC 5321 §3.1: clients wait for the greeting
        step: Step | None = AHEAD if is_early else greeting
        while step is not None:
            await self._send(*step.replies)
            if self._hearing is not None:
                self._hearing.answered(is_ahead=self._is_ahead)
            if step.then is Then.CLOSE:
                return
            if step.then is Then.TLS and not await self._start_tls():
                return
            step = await (self._content() if step.then is Then.CONTENT else self._command())

    async def _send(self, *replies: Reply) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("closed before the reply")
        self._writer.write(b"".join(reply.octets() for reply in replies))
        await self._writer.drain()

    def _new_hearing(self) -> Hearing:
        self._hearing = self._service.acceptance.remembering.hearing(is_gone=self._has_client_gone)
        return self._hearing

    def _heard(self) -> None:
        """Note that the client has heard what became of its last message."""
        if self._hearing is not None:
            self._hearing.heard()

    def _set_deadline(self, seconds: float, latest: float = math.inf) -> None:
        self.deadline = min(self._service.clock.now() + seconds, latest)

    @property
    def _is_ahead(self) -> bool:
        """Whether the client has sent more than was asked for; the stream reader has no public way to tell."""
        return not self._lines.is_empty or bool(self._reader._buffer)  # type: ignore[attr-defined]

    async def _command(self) -> Step | None:
        """Read a command and carry it out; None when the client has gone."""
        line = self._lines.next()
        if line is None:
            line = await self._read_line()
            if line is None:
                return None
        self._set_deadline(self._service.limits.seconds.answer)
        answer = await self.conversation.command(line, is_ahead=self._is_ahead)
        return await self._chunk(answer) if isinstance(answer, Chunk) else answer

    async def _read_line(self) -> bytes | BadLine | None:
        if self._is_stopping:
            self._heard()
            await self._send(_CLOSING)
            return None
        self._set_deadline(self._service.limits.seconds.command, self._latest)
        self.waiting_since = self._service.clock.now()
        line = None
        while line is None:
            octets = await self._reader.read(CHUNK_OCTETS)
            if not octets:
                return None
            self._heard()
            self._lines.feed(octets)
            line = self._lines.next()
        self.waiting_since = math.inf
        return line

    async def _content(self) -> Step | None:
        """Read a content and have it accepted or refused; None when the client has gone before its end."""
        limits = self._service.limits.content
        reader = ContentReader(
            self._service.budget, size_octets_max=limits.size_octets_max, line_octets_max=limits.line_octets_max
        )
        try:
            if not await self._read_content(reader):
                self._service.events.emit("session.dropped_in_data", session=self.conversation.id)
                return None
            self._set_deadline(self._service.limits.seconds.answer)
            return self._ended(await self.conversation.content(reader, self._new_hearing()))
        finally:
            reader.release()

    async def _read_content(self, reader: ContentReader) -> bool:
        """Read up to the end of the data; in a coroutine of its own, so that no chunk outlives it."""
        seconds = self._service.limits.seconds
        began = self._service.clock.now()
        rest = reader.feed(self._lines.take())
        while rest is None:
            self._set_deadline(seconds.data_block, seconds.data_latest(began, reader.octets_count))
            octets = await self._reader.read(CHUNK_OCTETS)
            if not octets:
                return False
            rest = reader.feed(octets)
        self._lines.feed(rest)
        return True

    async def _chunk(self, chunk: Chunk) -> Step | None:
        """Read a chunk to its end and have it answered; None when the client has gone before."""
        if not await self._read_chunk(chunk):
            self._service.events.emit("session.dropped_in_data", session=self.conversation.id)
            return None
        self._set_deadline(self._service.limits.seconds.answer)
        return self._ended(await self.conversation.chunk(chunk, self._new_hearing()))

    def _ended(self, step: Step) -> Step:
        """Give the session more time where a message, or a part of one, was taken."""
        if step.reply.is_positive:
            self._latest = self._service.clock.now() + self._service.limits.seconds.session
        return step

    async def _read_chunk(self, chunk: Chunk) -> bool:
        seconds = self._service.limits.seconds
        began = self._service.clock.now() if chunk.reader is None else chunk.reader.latest - seconds.data
        came = 0 if chunk.reader is None else chunk.reader.octets_count
        missing = chunk.size.octets_count
        octets = self._lines.take(missing)
        while True:
            chunk.feed(octets)
            came += len(octets)
            missing -= len(octets)
            if not missing:
                return True
            self._set_deadline(seconds.data_block, seconds.data_latest(began, came))
            octets = await self._reader.read(min(CHUNK_OCTETS, missing))
            if not octets:
                return False

    async def _start_tls(self) -> bool:
        """Go over to TLS (RFC 3207 §4.2); False when the client has slipped in plain text."""
        await self.conversation.drop()
        if self._is_ahead or self._tls_context is None:  # looked at last: from here on the reader gets no plain text
            self._service.events.emit("session.tls_injection", level="warning", session=self.conversation.id)
            return False
        await self._handshake(self._tls_context)
        return True

    async def _begin_with_tls(self) -> None:
        """Go over to TLS before the first word (RFC 8314 §3.3)."""
        if self._tls_context is None:
            raise ConnectionAbortedError("no certificate to begin with")
        handshake = asyncio.get_running_loop().create_task(self._handshake(self._tls_context))
        try:
            await asyncio.sleep(0)  # then what comes goes to TLS, and what came before can be handed over
            came: bytearray = self._reader._buffer  # type: ignore[attr-defined]
            if came:
                await asyncio.sleep(0)  # then TLS is connected
            if came and not handshake.done():
                _hand_over(came, self._writer.transport.get_protocol())
            await handshake
        finally:
            handshake.cancel()

    async def _handshake(self, tls_context: ssl.SSLContext) -> None:
        """Do the handshake and begin the session that follows it; takes the connection before it waits for anything."""
        seconds = self._service.limits.seconds.tls_handshake
        self._set_deadline(seconds + LAST_REPLY_SECONDS)
        plain, self._is_mute = self._writer.transport, True
        encrypted = await asyncio.get_running_loop().start_tls(
            plain, self, tls_context, server_side=True, ssl_handshake_timeout=seconds
        )
        if (
            encrypted is None or plain.is_closing()
        ):  # closed by us meanwhile: both loops return as if nothing were amiss
            raise ConnectionAbortedError("closed amid the handshake")
        self._is_mute = False
        # What StreamWriter.start_tls does, which fails where the transport is None; and Python 3.11 forgets the reader.
        self._writer._transport = encrypted  # type: ignore[attr-defined]
        self._reader._transport = encrypted  # type: ignore[attr-defined]
        self._replace_writer(self._writer)  # type: ignore[attr-defined]
        self.conversation = self.conversation.over_tls(_agreed(encrypted))


def _agreed(encrypted: asyncio.Transport) -> Tls:
    """Return what a handshake has agreed on."""
    told: ssl.SSLObject | None = encrypted.get_extra_info("ssl_object")
    cipher = told.cipher() if told is not None else None
    return Tls((told.version() if told is not None else None) or "", cipher[0] if cipher is not None else "")

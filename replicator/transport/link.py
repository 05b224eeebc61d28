"""The link between two members: one gRPC stream over mutual TLS, dialled by one of them and dialled again when it ends.

Each link that stands has a session, larger than any before it. What is sent waits in a bounded queue and leaves in
packets, everything that waits at once; a peer that does not read ends the link instead of filling the memory.
The peer's certificate must carry the expected name. When it carries another, both sides report which name was
expected and which came.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import grpc
import grpc.aio

from replicator.codec import DamagedError
from replicator.core import events as core
from replicator.pb import replicator_pb2 as pb
from replicator.report import Report
from replicator.transport import certificates, wire
from replicator.transport.certificates import Credentials
from replicator.transport.packets import PACKET_OCTETS, Gathered, Incoming, Outgoing

BACKOFF_SECONDS_MIN = 0.1
BACKOFF_SECONDS_MAX = 2.0
CONNECT_SECONDS_MAX = 3.0
FLUSH_SECONDS_MAX = 1.0
STEADY_SECONDS = 5.0  # a link that stood so long begins with the shortest back-off again
_SERVICE = "replicator.v1.Replication"
_MESSAGE_OVERHEAD_OCTETS = 1 << 20
_OPTIONS = [
    ("grpc.max_receive_message_length", 4 * PACKET_OCTETS),
    ("grpc.max_send_message_length", 4 * PACKET_OCTETS),
    ("grpc.keepalive_time_ms", 2_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.so_reuseport", 0),
]


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Who the two members are, and the limits of what goes between them. Addresses are `host:port`."""

    name: str
    peer_name: str
    credentials: Credentials
    dial_address: str = ""  # set: this member dials
    listen_address: str = ""  # set: this member listens
    item_octets_max: int = 128 << 20
    waiting_octets_max: int = 192 << 20


class Receiver(Protocol):
    """Is told what happens on the link, in the order of its happening."""

    def link_up(self, session: int) -> None:
        """A link stands."""
        ...

    def link_down(self, session: int, why: str) -> None:
        """It does not stand any more: once for each that stood."""
        ...

    def received(self, session: int, message: core.Message) -> None:
        """The peer said this."""
        ...


class Problem(NamedTuple):
    """Why no link stands."""

    state: str  # 'connecting', 'down' or 'refused'; 'connected' when it stands
    text: str = ""


class _Stream(Protocol):
    """Either side's view of one gRPC stream."""

    async def read(self) -> Any: ...
    async def write(self, message: Any) -> None: ...


class _Session:
    """One link that stands."""

    def __init__(self, number: int, octets_max: int) -> None:
        self.number = number
        self.outgoing = Outgoing(octets_max)
        self.unwritten = Gathered()
        self.has_work = asyncio.Event()
        self.has_room = asyncio.Event()
        self.has_room.set()
        self.is_ending = False
        self.is_down = False
        self.abort: asyncio.Event = asyncio.Event()


class Link:
    """Keeps one link to the peer standing. All methods are for the loop that ran start()."""

    def __init__(self, settings: LinkSettings, receiver: Receiver, report: Report) -> None:
        self._settings = settings
        self._receiver = receiver
        self._report = report
        self._numbers = 0
        self._current: _Session | None = None
        self._server: grpc.aio.Server | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._is_stopping = False
        self.problem = Problem("down", "not connected yet")
        self.listen_port = 0

    async def start(self) -> None:
        """Listen or dial. Errors: OSError when the address is taken or a file of the credentials cannot be read."""
        if self._settings.listen_address:
            await self._listen()
        if self._settings.dial_address:
            self._settings.credentials.read()
            self._dialling = asyncio.create_task(self._dial_for_ever(), name="replica-dial")

    async def stop(self) -> None:
        """End the link, tell link_down, listen no more."""
        self._is_stopping = True
        if self._current is not None:
            self._down(self._current, "stopping")
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.gather(self._dialling, return_exceptions=True)
        if self._server is not None:
            await self._server.stop(0.1)

    # --- what the driver asks for ---------------------------------------------------------------------------

    def send(self, session: int, message: core.Message) -> None:
        """Queue a message. On a session that is over it is dropped, as the link would have lost it."""
        current = self._current
        if current is None or current.number != session or current.is_ending:
            return
        if not isinstance(message, core.Records):
            self._queue(current, message, is_beat=isinstance(message, core.Beat))
        elif not current.unwritten.add(message):
            self._write_down(current)
            current.unwritten.add(message)
        current.has_work.set()

    def _queue(self, session: _Session, message: core.Message, *, is_beat: bool = False) -> None:
        """Put a message behind all that was sent before it; a beat may overtake it there."""
        self._write_down(session)
        if not session.outgoing.put(wire.encode(session.number, message), is_beat=is_beat):
            self._down(session, "the peer does not read")
        elif session.outgoing.octets > PACKET_OCTETS:
            session.has_room.clear()

    def _write_down(self, session: _Session) -> None:
        """Turn the records that were gathered into one message."""
        records = session.unwritten.take()
        if records is not None:
            self._queue(session, records)

    def close(self, session: int, why: str) -> None:
        """End a link after what is queued has been sent."""
        current = self._current
        if current is not None and current.number == session:
            current.is_ending = True
            current.has_work.set()
            self._tell_down(current, why)

    async def room(self, session: int) -> bool:
        """Wait until little waits to be sent; False when that session is over."""
        current = self._current
        if current is None or current.number != session:
            return False
        await current.has_room.wait()
        return not current.is_down

    # --- one stream, from either side -----------------------------------------------------------------------

    async def _run(self, stream: _Stream) -> None:
        """Carry messages until one side has had enough; the newest stream is the link."""
        if self._current is not None:
            self._down(self._current, "replaced by a new link")
        self._numbers += 1
        session = _Session(self._numbers, self._settings.waiting_octets_max)
        self._current = session
        self.problem = Problem("connected")
        self._receiver.link_up(session.number)
        tasks = [
            asyncio.create_task(self._read(session, stream)),
            asyncio.create_task(self._write(session, stream)),
            asyncio.create_task(session.abort.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            self._tell_down(session, _why_ended(ends))

    async def _read(self, session: _Session, stream: _Stream) -> str:
        incoming = Incoming(self._settings.item_octets_max + _MESSAGE_OVERHEAD_OCTETS)
        while True:
            packet = await stream.read()
            if packet is grpc.aio.EOF:
                return "the peer ended it"
            try:
                messages = [wire.decode(octets) for octets in incoming.messages(packet)]
            except DamagedError as error:
                self._report.emit("replica.damaged", level="error", where="link", what=str(error))
                return "damaged message"
            for message in messages:
                if session.is_down:
                    return "ended here"
                self._receiver.received(session.number, message)

    async def _write(self, session: _Session, stream: _Stream) -> str:
        while True:
            self._write_down(session)
            packet = session.outgoing.take()
            if packet is not None:
                await stream.write(packet)
                if session.outgoing.octets <= PACKET_OCTETS:
                    session.has_room.set()
                continue
            if session.is_ending:
                return "ended here"
            session.has_work.clear()
            await session.has_work.wait()

    def _down(self, session: _Session, why: str) -> None:
        """End a session at once."""
        session.abort.set()
        self._tell_down(session, why)

    def _tell_down(self, session: _Session, why: str) -> None:
        if session.is_down:
            return
        session.is_down = True
        session.has_room.set()
        if session.is_ending:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS_MAX, session.abort.set)
        if self._current is session:
            self._current = None
            self.problem = Problem("down", why)
        self._receiver.link_down(session.number, why)

    # --- listening ------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        self._certificates = self._read_certificates()
        server = grpc.aio.server(options=_OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve, request_deserializer=pb.Packet.FromString, response_serializer=pb.Packet.SerializeToString
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Link": handler}),))
        credentials = grpc.dynamic_ssl_server_credentials(
            self._certificates, self._renewed_certificates, require_client_authentication=True
        )
        try:
            self.listen_port = server.add_secure_port(self._settings.listen_address, credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._settings.listen_address}") from error
        await server.start()
        self._server = server

    def _read_certificates(self) -> grpc.ServerCertificateConfiguration:
        ca, certificate, key = self._settings.credentials.read()
        return grpc.ssl_server_certificate_configuration([(key, certificate)], ca)

    def _renewed_certificates(self) -> grpc.ServerCertificateConfiguration:
        """Return what the files hold at this handshake, or held last when they cannot be read.

        Called in a thread of gRPC.
        """
        try:
            self._certificates = self._read_certificates()
        except OSError as error:
            self._report.emit("replica.credentials", level="error", what=str(error))
        return self._certificates

    async def _serve(self, _requests: AsyncIterator[pb.Packet], context: Any) -> None:
        """Serve a stream that the peer opened, when its certificate has the peer's name."""
        expected = self._settings.peer_name
        names = certificates.names_of_context(context.auth_context())
        if expected not in names:
            self._refused(expected, ",".join(names))
            await context.write(_refusal(expected, names))
            return
        await context.write(pb.Packet())
        await self._run_if_wanted(context)

    async def _run_if_wanted(self, stream: Any) -> None:
        """Hear the peer's first packet: nothing yet, or that it refuses our certificate."""
        try:
            first = await asyncio.wait_for(stream.read(), CONNECT_SECONDS_MAX)
        except TimeoutError:
            return
        if first is grpc.aio.EOF:
            return
        bye = _refusal_in(first)
        if bye is not None:
            self._refused(bye.expected, bye.came, "says the peer of ours")
        elif not self._is_stopping:
            await self._run(stream)

    def _refused(self, expected: str, came: str, detail: str = "") -> None:
        text = f"certificate: expected {expected}, came {came or 'none'}" + (f" ({detail})" if detail else "")
        if self._current is None:
            self.problem = Problem("refused", text)
        self._report.emit("replica.link_refused", level="error", expected=expected, came=came, why=detail)

    # --- dialling -------------------------------------------------------------------------------------------

    async def _dial_for_ever(self) -> None:
        backoff = BACKOFF_SECONDS_MIN
        while not self._is_stopping:
            began = time.monotonic()
            try:
                await self._dial()
            except (grpc.RpcError, grpc.aio.UsageError, OSError) as error:
                self.problem = Problem("down", _short(error))
            if time.monotonic() - began > STEADY_SECONDS:
                backoff = BACKOFF_SECONDS_MIN
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)

    def _channel(self, expected: str) -> grpc.aio.Channel:
        """Make a channel with the credentials as the files have them now."""
        ca, certificate, key = self._settings.credentials.read()
        credentials = grpc.ssl_channel_credentials(ca, key, certificate)
        options = [*_OPTIONS, ("grpc.ssl_target_name_override", expected)]
        return grpc.aio.secure_channel(self._settings.dial_address, credentials, options)

    async def _dial(self) -> None:
        """Open a link and stay until it ends; when none can be opened, find out why."""
        expected = self._settings.peer_name
        async with self._channel(expected) as channel:
            if self._current is None and self.problem.state != "refused":
                self.problem = Problem("connecting", self.problem.text)
            if not await _is_ready(channel):
                await self._diagnose(expected)
                return
            call = _open(channel)
            try:
                await call.write(pb.Packet())
                await self._run_if_wanted(call)
            finally:
                call.cancel()

    async def _diagnose(self, expected: str) -> None:
        """Say why the handshake failed, and tell the peer when its certificate's name is the reason."""
        host, port = split_address(self._settings.dial_address)
        seen = await certificates.look(host, port, self._settings.credentials)
        if expected in seen.names and not seen.problem:
            self.problem = Problem("down", "the peer does not take the link")
        elif seen.names:
            self._refused(expected, ",".join(seen.names), seen.problem)
            if not seen.problem:
                await self._tell_refused(expected, seen.names)
        else:
            self.problem = Problem("down", seen.problem)

    async def _tell_refused(self, expected: str, names: tuple[str, ...]) -> None:
        """Tell a peer whose certificate is the CA's, but has another name, why there will be no link."""
        async with self._channel(names[0]) as channel:
            if not await _is_ready(channel):
                return
            call = _open(channel)
            await call.write(_refusal(expected, names))
            await call.done_writing()
            await asyncio.wait_for(call.read(), FLUSH_SECONDS_MAX)


def _open(channel: grpc.aio.Channel) -> Any:
    return channel.stream_stream(
        f"/{_SERVICE}/Link",
        request_serializer=pb.Packet.SerializeToString,
        response_deserializer=pb.Packet.FromString,
    )()


def _refusal(expected: str, names: tuple[str, ...]) -> pb.Packet:
    bye = pb.Bye(why="another name was expected", expected=expected, came=",".join(names))
    return pb.Packet(messages=[pb.Message(bye=bye).SerializeToString()])


def _refusal_in(packet: pb.Packet) -> pb.Bye | None:
    """Return the refusal of a certificate, when that is all a packet says."""
    if len(packet.messages) != 1:
        return None
    message = pb.Message.FromString(packet.messages[0])
    return message.bye if message.WhichOneof("what") == "bye" and message.bye.expected else None


async def _is_ready(channel: grpc.aio.Channel) -> bool:
    """Wait for the connection; False as soon as the first attempt has failed."""
    deadline = time.monotonic() + CONNECT_SECONDS_MAX
    state = channel.get_state(try_to_connect=True)
    while state is not grpc.ChannelConnectivity.READY:
        if state in (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN):
            return False
        try:
            await asyncio.wait_for(channel.wait_for_state_change(state), deadline - time.monotonic())
        except TimeoutError:
            return False
        state = channel.get_state(try_to_connect=True)
    return True


def _why_ended(ends: list[Any]) -> str:
    """Return the first reason that the ended tasks give."""
    for end in ends:
        if isinstance(end, str):
            return end
        if isinstance(end, Exception):
            return _short(end)
    return "ended here"


def _short(error: Exception) -> str:
    details = getattr(error, "details", None)
    text = details() if callable(details) else str(error)
    return (text or type(error).__name__)[:200]


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[host]:port`. Errors: ValueError."""
    host, _, port = address.rpartition(":")
    if not host:
        raise ValueError(f"not host:port: {address!r}")
    return host.strip("[]"), int(port)

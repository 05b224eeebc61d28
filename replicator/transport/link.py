"""The link between two nodes: one gRPC stream over mutual TLS, dialled by one of them and dialled again when it ends.

Each link that stands has a session, larger than any before it on this node. What is sent waits in a bounded queue and
leaves in packets, everything that waits at once; a peer that does not read ends the link instead of filling the memory.
The peer's certificate must carry the expected name. When it carries another, both sides report which name was
expected and which came.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import grpc
import grpc.aio

from replicator.codec import DamagedError
from replicator.core import messages as core
from replicator.pb import replicator_pb2 as pb
from replicator.report import Report
from replicator.transport import certificates, wire
from replicator.transport.backoff import SECONDS_MAX, Backoff
from replicator.transport.certificates import Credentials
from replicator.transport.packets import PACKET_OCTETS, Gathered, Outgoing
from replicator.transport.speech import Speech

CONNECT_SECONDS_MAX = 3.0
FLUSH_SECONDS_MAX = 1.0
KEEPALIVE_SECONDS = 2.0
SERVICE = "replicator.v1.Replication"
PACKET_SECONDS = 0.25  # that one packet may take where the rate is limited: so long a beat may wait
PACKET_OCTETS_MIN = 16 << 10
_MESSAGE_OVERHEAD_OCTETS = 1 << 20
_OPTIONS = [
    ("grpc.max_receive_message_length", 4 * PACKET_OCTETS),
    ("grpc.max_send_message_length", 4 * PACKET_OCTETS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.so_reuseport", 0),
]


def _options(keepalive_seconds: float) -> list[tuple[str, int]]:
    times = [
        ("grpc.keepalive_time_ms", round(keepalive_seconds * 1_000)),
        ("grpc.keepalive_timeout_ms", round(keepalive_seconds * 1_500)),
    ]
    return [*_OPTIONS, *times]


def server_options() -> list[tuple[str, int]]:
    """Return what a server of links is told; who dials watches over a link more closely than who listens."""
    return _options(KEEPALIVE_SECONDS)


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Whom a link leads to, and the limits of what goes over it."""

    peer_name: str
    credentials: Credentials
    peer_node: int = 0
    dial_address: str = ""  # `host:port`; empty: the other dials
    item_octets_max: int = 128 << 20
    waiting_octets_max: int = 192 << 20
    is_compressed: bool = False
    octets_per_second: int = 0  # at most, before compression; 0: no limit
    keepalive_seconds: float = KEEPALIVE_SECONDS
    redial_seconds_max: float = SECONDS_MAX  # between two tries

    @property
    def packet_octets(self) -> int:
        """How much may go at once."""
        if not self.octets_per_second:
            return PACKET_OCTETS
        return min(PACKET_OCTETS, max(PACKET_OCTETS_MIN, round(self.octets_per_second * PACKET_SECONDS)))


class Receiver(Protocol):
    """Is told what happens on the link, in the order of its happening."""

    def link_up(self, session: int, node: int) -> None:
        """A link to that node stands."""
        ...

    def link_down(self, session: int, why: str) -> None:
        """It does not stand any more: once for each that stood."""
        ...

    async def ready(self) -> None:
        """Wait while much of what came before is not done with; not for long, for beats come the same way."""
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

    def __init__(self, number: int, octets_max: int, packet_octets: int) -> None:
        self.number = number
        self.outgoing = Outgoing(octets_max, packet_octets)
        self.unwritten = Gathered()
        self.has_work = asyncio.Event()
        self.has_room = asyncio.Event()
        self.has_room.set()
        self.written_count = 0  # packets that have left
        self.store_id = b""  # of the peer, once it has said
        self.is_ending = False
        self.is_down = False
        self.abort: asyncio.Event = asyncio.Event()


class Link:
    """Keeps one link to another node standing. All methods are for the loop that ran start().

    number   gives the number of the next session
    """

    def __init__(self, settings: LinkSettings, receiver: Receiver, report: Report, number: Callable[[], int]) -> None:
        self._settings = settings
        self._receiver = receiver
        self._report = report
        self._number = number
        self._current: _Session | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._is_stopping = False
        awaited = "" if settings.dial_address else f": {settings.peer_name} dials this node"
        self.problem = Problem("down", f"not connected yet{awaited}")

    async def start(self) -> None:
        """Dial, unless the other does. Errors: OSError when a file of the credentials cannot be read."""
        if self._settings.dial_address:
            self._settings.credentials.read()
            self._dialling = asyncio.create_task(self._dial_for_ever(), name="replica-dial")

    async def stop(self) -> None:
        """End the link, tell link_down, dial no more."""
        self._is_stopping = True
        if self._current is not None:
            self._down(self._current, "stopping")
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.gather(self._dialling, return_exceptions=True)

    # --- what the driver asks for ---------------------------------------------------------------------------

    def send(self, session: int, message: core.Message) -> None:
        """Queue a message. On a session that is over it is dropped, as the link would have lost it."""
        current = self._current
        if current is None or current.number != session or current.is_ending:
            return
        if not isinstance(message, core.Records):
            self._queue(current, message, is_urgent=isinstance(message, core.Beat | core.Ack))
        elif not current.unwritten.add(message):
            self._write_down(current)
            current.unwritten.add(message)
        current.has_work.set()

    def _queue(self, session: _Session, message: core.Message, *, is_urgent: bool = False) -> None:
        """Put a message behind all that was sent before it; what is urgent may overtake it there."""
        self._write_down(session)
        if not session.outgoing.put(wire.encode(session.number, message), is_urgent=is_urgent):
            self._down(session, "the peer does not read")
        elif session.outgoing.octets > self._settings.packet_octets:
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

    async def room(self, session: int, stall_seconds: float) -> bool:
        """Wait until little waits to be sent; False when that session is over. Errors: TimeoutError when nothing was
        sent for so long."""
        current = self._current
        if current is None or current.number != session:
            return False
        while not current.has_room.is_set():
            before = current.written_count
            try:
                await asyncio.wait_for(current.has_room.wait(), stall_seconds)
            except TimeoutError:
                if current.written_count == before:
                    raise
        return not current.is_down

    # --- one stream, from either side -----------------------------------------------------------------------

    async def _run(self, stream: _Stream) -> None:
        """Carry messages until one side has had enough; the newest stream of one store is the link."""
        speech = Speech(stream, self._settings.item_octets_max + _MESSAGE_OVERHEAD_OCTETS)
        if self._current is not None and not await self._may_replace(stream, speech):
            return
        if self._current is not None:
            self._down(self._current, "replaced by a new link")
        settings = self._settings
        session = _Session(self._number(), settings.waiting_octets_max, settings.packet_octets)
        self._current = session
        self.problem = Problem("connected")
        self._receiver.link_up(session.number, settings.peer_node)
        tasks = [
            asyncio.create_task(self._read(session, speech)),
            asyncio.create_task(self._write(session, stream)),
            asyncio.create_task(session.abort.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            try:
                await asyncio.gather(*tasks, return_exceptions=True)
            finally:  # gRPC may cancel us in this very moment: the stream has ended
                self._tell_down(session, _why_ended(tasks))

    async def _may_replace(self, stream: _Stream, speech: Speech) -> bool:
        """Hear who comes while a link stands. Another store waits until that one has ended: it may be a second node."""
        try:
            first = await asyncio.wait_for(speech.first(), CONNECT_SECONDS_MAX)
        except TimeoutError:
            return False
        except DamagedError as error:
            self._report.emit("replica.damaged", level="error", where="link", what=str(error))
            return False
        known = self._current.store_id if self._current is not None else b""
        if not isinstance(first, core.Hello) or known in (b"", first.store_id):
            return first is not None
        why = f"store: expected {known.hex()}, whose link stands, came {first.store_id.hex()}"
        self._report.emit("replica.refused", level="error", why=why)
        await stream.write(pb.Packet(messages=[wire.encode(0, core.Bye(why))]))
        return False

    async def _read(self, session: _Session, speech: Speech) -> str:
        while True:
            await self._receiver.ready()
            try:
                messages = await speech.next()
            except DamagedError as error:
                self._report.emit("replica.damaged", level="error", where="link", what=str(error))
                return "damaged message"
            if messages is None:
                return "the peer ended it"
            for message in messages:
                if session.is_down:
                    return "ended here"
                if isinstance(message, core.Hello):
                    session.store_id = message.store_id
                self._receiver.received(session.number, message)

    async def _write(self, session: _Session, stream: _Stream) -> str:
        settings = self._settings
        while True:
            self._write_down(session)
            packet = session.outgoing.take()
            if packet is not None:
                await stream.write(packet)
                session.written_count += 1
                if settings.octets_per_second:
                    await asyncio.sleep(packet.ByteSize() / settings.octets_per_second)
                if session.outgoing.octets <= settings.packet_octets:
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

    # --- opening --------------------------------------------------------------------------------------------

    async def serve(self, stream: Any) -> None:
        """Carry a stream that the other side opened, whose certificate has the name."""
        if self._settings.is_compressed:
            stream.set_compression(grpc.Compression.Gzip)
        await stream.write(pb.Packet())
        await self._run_if_wanted(stream)

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
            self.refused(bye.expected, bye.came, "says the peer of ours")
        elif not self._is_stopping:
            await self._run(stream)

    def refused(self, expected: str, came: str, detail: str = "") -> None:
        """Take in that one of the two certificates carries another name, or is not good for the reason in detail."""
        text = f"certificate: expected {expected}, came {came or 'none'}" + (f" ({detail})" if detail else "")
        if detail and expected in came.split(","):
            text = detail
        if self._current is None:
            self.problem = Problem("refused", text)
        self._report.emit("replica.link_refused", level="error", expected=expected, came=came, why=detail)

    # --- dialling -------------------------------------------------------------------------------------------

    async def _dial_for_ever(self) -> None:
        backoff = Backoff(self._settings.redial_seconds_max)
        while not self._is_stopping:
            began = time.monotonic()
            try:
                await self._dial()
            except (grpc.RpcError, grpc.aio.UsageError, OSError) as error:
                self.problem = Problem("down", _short(error))
            share = random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            await asyncio.sleep(backoff.wait_seconds(time.monotonic() - began, share))

    def _channel(self, expected: str) -> grpc.aio.Channel:
        """Make a channel with the credentials as the files have them now."""
        ca, certificate, key = self._settings.credentials.read()
        credentials = grpc.ssl_channel_credentials(ca, key, certificate)
        options = [*_options(self._settings.keepalive_seconds), ("grpc.ssl_target_name_override", expected)]
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
            call = _open(channel, is_compressed=self._settings.is_compressed)
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
            self.refused(expected, ",".join(seen.names), seen.problem)
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
            await call.write(refusal(expected, names))
            await call.done_writing()
            await asyncio.wait_for(call.read(), FLUSH_SECONDS_MAX)


def _open(channel: grpc.aio.Channel, *, is_compressed: bool = False) -> Any:
    compression = grpc.Compression.Gzip if is_compressed else None
    return channel.stream_stream(
        f"/{SERVICE}/Link",
        request_serializer=pb.Packet.SerializeToString,
        response_deserializer=pb.Packet.FromString,
    )(compression=compression)


def refusal(expected: str, names: tuple[str, ...]) -> pb.Packet:
    """Return the packet that says that another name was expected."""
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


def _why_ended(tasks: list[asyncio.Task[Any]]) -> str:
    """Return the first reason that the tasks give which ended by themselves."""
    for task in tasks:
        if not task.done() or task.cancelled():
            continue
        error = task.exception()
        if isinstance(error, Exception):
            return _short(error)
        if error is None and isinstance(task.result(), str):
            return str(task.result())
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

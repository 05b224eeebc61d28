"""A member of version 1, written from its recorded schema alone: it understands nothing that was added later.

It keeps records by branch, confirms them, merges no more than the tests look at, and says what it is told to say. A
message or a record of a kind that version 1 does not have ends its link, as it did then.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import grpc
import grpc.aio

from replicator.transport.certificates import Credentials
from tests.compatibility.schema import Schema

LINK = "replicator.v1.Replication"
PASSIVE, ACTIVE = 1, 3
PUT, VOID = 1, 6
BEAT_SECONDS = 0.05
WAIT_SECONDS = 60.0

schema = Schema(Path(__file__).parent / "proto", "replicator/v1/replicator.proto")


def record(kind: int, key: bytes, **fields: Any) -> Any:
    """Return a record with its check."""
    made = schema.Record(kind=kind, key=key, **fields)
    made.crc = check_of(made)
    return made


def item(kind: int, key: bytes, **fields: Any) -> Any:
    """Return an item of a snapshot with its check."""
    made = schema.SnapshotItem(kind=kind, key=key, **fields)
    made.crc = check_of(made)
    return made


def position(node: int, incarnation: int, seq: int) -> Any:
    return schema.Position(branch=schema.Branch(node=node, incarnation=incarnation), seq=seq)


def check_of(said: Any) -> int:
    """Return the CRC-32 of a record's or an item's fields, as version 1 defines it."""
    put = said.put
    crc = crc32(
        struct.pack(
            ">IIIQQQ", said.kind, len(said.key), put.branch.node, put.branch.incarnation, put.seq, said.flags.hlc
        )
    )
    for field in (said.key, said.flags.data, said.meta):
        crc = crc32(field, crc)
    for part in said.parts:
        numbers = (len(part.id), part.rank, part.attempts, part.hlc, part.due, len(part.data))
        crc = crc32(part.data, crc32(part.id, crc32(struct.pack(">IIIQQI", *numbers), crc)))
    return crc32(said.blob, crc)


class OldPeer:
    """One member of version 1. `heard` has all that came, in its order."""

    def __init__(self, node: int, name: str, credentials: Credentials) -> None:
        self.node = node
        self.name = name
        self.incarnation = 0xABCDEF
        self.role = PASSIVE
        self.epoch = (0, 0)
        self.vector: dict[tuple[int, int], int] = {}
        self.heard: list[tuple[str, Any]] = []
        self.fault = ""
        self.port = 0
        self._credentials = credentials.read()
        self._session = 0
        self._changed = asyncio.Event()
        self._outgoing: asyncio.Queue[Any] = asyncio.Queue(1000)
        self._pieces = b""

    # --- what a test does -----------------------------------------------------------------------------------

    def say(self, **what: Any) -> None:
        """Send one message."""
        self._outgoing.put_nowait(schema.Message(session=self._session, **what).SerializeToString())

    def say_records(self, first_seq: int, *records: Any, incarnation: int | None = None) -> None:
        """Send records of a branch of our own."""
        branch = schema.Branch(node=self.node, incarnation=incarnation or self.incarnation)
        self.say(records=schema.Records(branch=branch, first_seq=first_seq, records=records))

    def said(self, what: str) -> list[Any]:
        """Return all messages of a kind that came."""
        return [message for kind, message in self.heard if kind == what]

    def records(self) -> list[Any]:
        """Return all records that came."""
        return [record for message in self.said("records") for record in message.records]

    async def wait(self, what: str, count: int = 1) -> list[Any]:
        """Wait until so many messages of a kind have come."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.said(what)) < count:
                assert not self.fault, self.fault
                self._changed.clear()
                await self._changed.wait()
        return self.said(what)

    def proto_vector(self) -> Any:
        return schema.Vector(positions=[position(*branch, seq) for branch, seq in self.vector.items()])

    # --- the link -------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[OldPeer]:
        """Listen for today's member."""
        ca, certificate, key = self._credentials
        server = grpc.aio.server()
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve, request_deserializer=schema.Packet.FromString, response_serializer=_octets
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(LINK, {"Link": handler}),))
        credentials = grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=True)
        self.port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        try:
            yield self
        finally:
            await server.stop(0)

    @asynccontextmanager
    async def dialling(self, port: int, name: str) -> AsyncIterator[OldPeer]:
        """Dial today's member."""
        ca, certificate, key = self._credentials
        options = [("grpc.ssl_target_name_override", name), ("grpc.enable_http_proxy", 0)]
        credentials = grpc.ssl_channel_credentials(ca, key, certificate)
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
            open_stream = channel.stream_stream(
                f"/{LINK}/Link", request_serializer=_octets, response_deserializer=schema.Packet.FromString
            )
            call = open_stream()
            running = asyncio.create_task(self._serve(None, call))
            try:
                yield self
            finally:
                call.cancel()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    async def _serve(self, _requests: Any, stream: Any) -> None:
        await stream.write(schema.Packet())
        await stream.read()
        self._session += 1
        self._outgoing = asyncio.Queue(1000)
        self._say_hello()
        tasks = [asyncio.create_task(work) for work in (self._read(stream), self._write(stream), self._beat())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            self.fault = next((repr(end) for end in ends if isinstance(end, AssertionError)), self.fault)
            self._changed.set()

    def _say_hello(self) -> None:
        hello = schema.Hello(
            group="test",
            node=self.node,
            name=self.name,
            store_id=b"an old store",
            incarnation=self.incarnation,
            session=self._session,
            version_min=1,
            version_max=1,
            vector=self.proto_vector(),
            epoch=self.epoch[0],
            epoch_node=self.epoch[1],
            role=self.role,
        )
        self.say(hello=hello)

    async def _beat(self) -> None:
        ticket = 0
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            ticket += 1
            beat = schema.Beat(durable=self.proto_vector(), role=self.role, ticket=ticket, free_permille=900)
            beat.epoch, beat.epoch_node = self.epoch
            self.say(beat=beat)

    async def _write(self, stream: Any) -> None:
        while True:
            await stream.write(schema.Packet(messages=[await self._outgoing.get()]))

    async def _read(self, stream: Any) -> None:
        while (packet := await stream.read()) is not grpc.aio.EOF:
            messages = list(packet.messages)
            self._pieces += packet.fragment
            if packet.is_last:
                messages.append(self._pieces)
                self._pieces = b""
            for octets in messages:
                self._take(schema.Message.FromString(octets))

    # --- what it understands --------------------------------------------------------------------------------

    def _take(self, message: Any) -> None:
        what = message.WhichOneof("what")
        assert what is not None, "a message of a kind that version 1 does not know"
        said = getattr(message, what)
        taker = getattr(self, f"_take_{what}", None)
        if taker is not None:
            taker(said)
        self.heard.append((what, said))
        self._changed.set()

    def _take_records(self, said: Any) -> None:
        branch = (said.branch.node, said.branch.incarnation)
        have = self.vector.get(branch, 0)
        for seq, each in enumerate(said.records, said.first_seq):
            assert PUT <= each.kind <= VOID, f"a record of kind {each.kind}"
            assert each.crc == check_of(each), "a record whose check does not fit"
            if seq == have + 1:
                have = seq
        self.vector[branch] = have
        self.say(ack=schema.Ack(durable=schema.Vector(positions=[position(*branch, have)])))

    def _take_snapshot_item(self, said: Any) -> None:
        assert said.crc == check_of(said), "an item whose check does not fit"

    def _take_snapshot_end(self, said: Any) -> None:
        begin = max(index for index, (what, _) in enumerate(self.heard) if what == "snapshot_begin")
        items = [each for what, each in self.heard[begin:] if what == "snapshot_item"]
        assert said.items == len(items), "a snapshot of which not all came"
        for each in self.heard[begin][1].vector.positions:
            branch = (each.branch.node, each.branch.incarnation)
            self.vector[branch] = max(self.vector.get(branch, 0), each.seq)

    def _take_beat(self, said: Any) -> None:
        if (said.epoch, said.epoch_node) > self.epoch and self.role == PASSIVE:
            self.epoch = (said.epoch, said.epoch_node)


def _octets(packet: Any) -> bytes:
    octets: bytes = packet.SerializeToString()
    return octets

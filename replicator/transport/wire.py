"""What members say to each other, as octets and back; see proto/replicator/v1/replicator.proto."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from replicator import codec
from replicator.codec import DamagedError
from replicator.core import messages as core
from replicator.core.compare import Range
from replicator.core.values import Authority, Branch, Kind, Presence, Record, Role
from replicator.pb import replicator_pb2 as pb


def _hello_to(message: pb.Message, said: core.Hello) -> None:
    hello = message.hello
    hello.group = said.group
    hello.node = said.node
    hello.name = said.name
    hello.store_id = said.store_id
    hello.incarnation = said.incarnation
    hello.session = said.session
    hello.version_min = said.version_min
    hello.version_max = said.version_max
    codec.vector_to(hello.vector, said.vector)
    hello.epoch, hello.epoch_node = said.authority
    hello.role = said.role
    hello.mode = said.mode
    hello.lease = said.lease
    hello.wants_received = said.wants_received


def _hello_from(message: pb.Message) -> core.Hello:
    hello = message.hello
    return core.Hello(
        hello.group,
        hello.node,
        hello.name,
        hello.store_id,
        hello.incarnation,
        hello.version_min,
        hello.version_max,
        codec.vector_from(hello.vector),
        Authority(hello.epoch, hello.epoch_node),
        Role(hello.role),
        hello.session,
        hello.mode,
        hello.lease,
        hello.wants_received,
    )


def _records_to(message: pb.Message, said: core.Records) -> None:
    records = message.records
    records.branch.node, records.branch.incarnation = said.branch
    records.first_seq = said.first_seq
    for record in said.records:
        codec.record_to(records.records.add(), record)


def _records_from(message: pb.Message) -> core.Records:
    records = message.records
    return core.Records(
        Branch(records.branch.node, records.branch.incarnation),
        records.first_seq,
        tuple(map(codec.record_from, records.records)),
    )


def _ack_to(message: pb.Message, said: core.Ack) -> None:
    message.ack.SetInParent()
    codec.vector_to(message.ack.durable, said.durable)
    if said.received:
        codec.vector_to(message.ack.received, said.received)


def _ack_from(message: pb.Message) -> core.Ack:
    return core.Ack(codec.vector_from(message.ack.durable), codec.vector_from(message.ack.received))


def _beat_to(message: pb.Message, said: core.Beat) -> None:
    beat = message.beat
    codec.vector_to(beat.durable, said.durable)
    beat.epoch, beat.epoch_node = said.authority
    beat.role = said.role
    beat.ticket = said.ticket
    beat.free_permille = said.free_permille
    if said.plea is not None:
        beat.plea.SetInParent()
        beat.plea.generation, beat.plea.lease = said.plea
    if said.consent is not None:
        beat.consent.SetInParent()
        beat.consent.generation, beat.consent.ticket = said.consent
    beat.feeding.extend(said.feeding)


def _beat_from(message: pb.Message) -> core.Beat:
    beat = message.beat
    return core.Beat(
        codec.vector_from(beat.durable),
        Authority(beat.epoch, beat.epoch_node),
        Role(beat.role),
        beat.ticket,
        beat.free_permille,
        core.Plea(beat.plea.generation, beat.plea.lease) if beat.HasField("plea") else None,
        core.Consent(beat.consent.generation, beat.consent.ticket) if beat.HasField("consent") else None,
        tuple(beat.feeding),
    )


def _snapshot_begin_to(message: pb.Message, said: core.SnapshotBegin) -> None:
    message.snapshot_begin.SetInParent()
    codec.vector_to(message.snapshot_begin.vector, said.vector)


def _snapshot_begin_from(message: pb.Message) -> core.SnapshotBegin:
    return core.SnapshotBegin(codec.vector_from(message.snapshot_begin.vector))


def _item_crc(item: core.SnapshotItem) -> int:
    return codec.record_crc(Record(item.kind, item.key, item.put, item.parts, item.flags, item.meta, item.blob or b""))


def _snapshot_item_to(message: pb.Message, said: core.SnapshotItem) -> None:
    _item_to(message.snapshot_item, said)


def _item_to(item: pb.SnapshotItem, said: core.SnapshotItem) -> None:
    item.kind = said.kind
    item.key = said.key
    codec.dot_to(item.put, said.put)
    codec.add_parts(item.parts, said.parts)
    codec.flags_to(item.flags, said.flags)
    item.meta = said.meta
    if said.blob is not None:
        item.blob = said.blob
        item.has_blob = True
    item.crc = _item_crc(said)


def _snapshot_item_from(message: pb.Message) -> core.SnapshotItem:
    return _item_from(message.snapshot_item)


def _item_from(item: pb.SnapshotItem) -> core.SnapshotItem:
    read = core.SnapshotItem(
        item.key,
        codec.dot_from(item.put),
        codec.parts_from(item.parts),
        codec.flags_from(item.flags),
        item.meta,
        item.blob if item.has_blob else None,
        Kind(item.kind),
    )
    if _item_crc(read) != item.crc:
        raise DamagedError(f"snapshot's item {read.key!r}: its check does not fit")
    return read


def _snapshot_end_to(message: pb.Message, said: core.SnapshotEnd) -> None:
    message.snapshot_end.SetInParent()
    message.snapshot_end.items = said.items


def _snapshot_end_from(message: pb.Message) -> core.SnapshotEnd:
    return core.SnapshotEnd(message.snapshot_end.items)


def _handover_to(message: pb.Message, said: core.Handover) -> None:
    message.handover.SetInParent()
    message.handover.epoch, message.handover.node = said.authority


def _handover_from(message: pb.Message) -> core.Handover:
    return core.Handover(Authority(message.handover.epoch, message.handover.node))


def _bye_to(message: pb.Message, said: core.Bye) -> None:
    message.bye.SetInParent()
    message.bye.why = said.why


def _bye_from(message: pb.Message) -> core.Bye:
    return core.Bye(message.bye.why)


def _fetch_to(message: pb.Message, said: core.Fetch) -> None:
    message.fetch.key = said.key


def _fetch_from(message: pb.Message) -> core.Fetch:
    return core.Fetch(message.fetch.key)


def _fetched_to(message: pb.Message, said: core.Fetched) -> None:
    message.fetched.key = said.key
    message.fetched.presence = said.presence
    if said.item is not None:
        _item_to(message.fetched.item, said.item)


def _fetched_from(message: pb.Message) -> core.Fetched:
    fetched = message.fetched
    item = _item_from(fetched.item) if fetched.HasField("item") else None
    if item is not None and (item.key != fetched.key or item.blob is None):
        raise DamagedError(f"item {fetched.key!r}: came another, or without its blob")
    return core.Fetched(fetched.key, Presence(fetched.presence), item)


def _compare_to(message: pb.Message, said: core.Compare) -> None:
    compare = message.compare
    compare.number = said.number
    compare.begin = said.begin
    for end, keys_count, digest in said.ranges:
        compare.ranges.add(end=end, count=keys_count, digest=digest)
    compare.keys.extend(said.keys)


def _compare_from(message: pb.Message) -> core.Compare:
    compare = message.compare
    ranges = tuple(Range(m.end, m.count, m.digest) for m in compare.ranges)
    return core.Compare(compare.number, compare.begin, ranges, tuple(compare.keys))


def _compared_to(message: pb.Message, said: core.Compared) -> None:
    compared = message.compared
    compared.number = said.number
    compared.differing.extend(said.differing)
    for key, digest in said.states:
        compared.states.add(key=key, digest=digest)
    compared.is_failed = said.is_failed


def _compared_from(message: pb.Message) -> core.Compared:
    compared = message.compared
    states = tuple((m.key, m.digest) for m in compared.states)
    return core.Compared(compared.number, tuple(compared.differing), states, compared.is_failed)


_ENCODERS: dict[type, Callable[[pb.Message, Any], None]] = {
    core.Hello: _hello_to,
    core.Records: _records_to,
    core.Ack: _ack_to,
    core.Beat: _beat_to,
    core.SnapshotBegin: _snapshot_begin_to,
    core.SnapshotItem: _snapshot_item_to,
    core.SnapshotEnd: _snapshot_end_to,
    core.Handover: _handover_to,
    core.Bye: _bye_to,
    core.Fetch: _fetch_to,
    core.Fetched: _fetched_to,
    core.Compare: _compare_to,
    core.Compared: _compared_to,
}
_DECODERS: dict[str, Callable[[pb.Message], core.Message]] = {
    "hello": _hello_from,
    "records": _records_from,
    "ack": _ack_from,
    "beat": _beat_from,
    "snapshot_begin": _snapshot_begin_from,
    "snapshot_item": _snapshot_item_from,
    "snapshot_end": _snapshot_end_from,
    "handover": _handover_from,
    "bye": _bye_from,
    "fetch": _fetch_from,
    "fetched": _fetched_from,
    "compare": _compare_from,
    "compared": _compared_from,
}


def encode(session: int, said: core.Message) -> bytes:
    """Return one message as octets."""
    message = pb.Message(session=session)
    _ENCODERS[type(said)](message, said)
    return message.SerializeToString()


def decode(octets: bytes) -> core.Message:
    """Return the message that these octets are. Errors: DamagedError when they are none that we know."""
    return decode_with_session(octets)[1]


def decode_with_session(octets: bytes) -> tuple[int, core.Message]:
    """Return a message, and the number of its link as its sender counts. Errors: DamagedError."""
    try:
        message = pb.Message.FromString(octets)
    except DecodeError as error:
        raise DamagedError(f"not a message: {error}") from error
    what = message.WhichOneof("what")
    if what is None:
        raise DamagedError("a message of a kind that this version does not know")  # nor asked for: see core/versions.py
    try:
        return message.session, _DECODERS[what](message)
    except ValueError as error:
        raise DamagedError(f"{what}: {error}") from error

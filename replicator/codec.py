"""The core's values as protobuf messages and back: one form for the wire and for the disk.

A record carries a CRC-32 of all its fields, made by the member that wrote it and checked wherever it is read, so that
a flipped bit is noticed before it is merged or passed on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from zlib import crc32

from replicator.core.values import NO_FLAGS, NOWHERE, Branch, Dot, Flags, Kind, PartValue, Record, Vector
from replicator.pb import replicator_pb2 as pb

_NUMBERS = struct.Struct(">IIIQQQ")
_PART = struct.Struct(">IIIQQI")
_KINDS: dict[int, int] = {int(kind): kind for kind in Kind}

Parts = Iterable[tuple[bytes, PartValue]]


class DamagedError(Exception):
    """A value is not what was written: its check does not fit, or it cannot be read at all."""


def record_crc(record: Record) -> int:
    """Return the CRC-32 of all fields of a record."""
    put = record.put or NOWHERE
    crc = crc32(
        _NUMBERS.pack(record.kind, len(record.key), put.branch.node, put.branch.incarnation, put.seq, record.flags.hlc)
    )
    for field in (record.key, record.flags.data, record.meta):
        crc = crc32(field, crc)
    for part, value in record.parts:
        crc = crc32(_PART.pack(len(part), value.rank, value.attempts, value.hlc, value.due, len(value.data)), crc)
        crc = crc32(value.data, crc32(part, crc))
    return crc32(record.blob, crc)


def dot_to(message: pb.Position, dot: Dot) -> None:
    """Write a dot into a message."""
    message.branch.node = dot.branch.node
    message.branch.incarnation = dot.branch.incarnation
    message.seq = dot.seq


def dot_from(message: pb.Position) -> Dot:
    """Read a dot."""
    return Dot(Branch(message.branch.node, message.branch.incarnation), message.seq)


def vector_to(message: pb.Vector, vector: Vector) -> None:
    """Write a vector into a message, in the order of its branches."""
    for branch in sorted(vector):
        dot_to(message.positions.add(), Dot(branch, vector[branch]))


def vector_from(message: pb.Vector) -> Vector:
    """Read a vector."""
    return {dot.branch: dot.seq for dot in map(dot_from, message.positions)}


def add_parts(messages: object, parts: Parts) -> None:
    """Add parts to a repeated field."""
    add = messages.add  # type: ignore[attr-defined]
    for part, value in parts:
        add(id=part, rank=value.rank, attempts=value.attempts, hlc=value.hlc, due=value.due, data=value.data)


def parts_from(messages: Iterable[pb.Part]) -> tuple[tuple[bytes, PartValue], ...]:
    """Read parts."""
    return tuple((m.id, PartValue(m.rank, m.attempts, m.hlc, m.due, m.data)) for m in messages)


def flags_to(message: pb.Flags, flags: Flags) -> None:
    """Write the register into a message, unless nobody ever set it."""
    if flags != NO_FLAGS:
        message.hlc = flags.hlc
        message.data = flags.data


def flags_from(message: pb.Flags) -> Flags:
    """Read the register."""
    return Flags(message.hlc, message.data)


def record_to(message: pb.Record, record: Record) -> None:
    """Write a record and its check into a message."""
    message.kind = record.kind
    message.key = record.key
    if record.put is not None:
        dot_to(message.put, record.put)
    if record.parts:
        add_parts(message.parts, record.parts)
    flags_to(message.flags, record.flags)
    message.meta = record.meta
    message.blob = record.blob
    message.crc = record_crc(record)


def record_from(message: pb.Record) -> Record:
    """Read a record, of whatever kind. Errors: DamagedError when its check does not fit."""
    record = Record(
        _KINDS.get(message.kind, message.kind),
        message.key,
        dot_from(message.put) if message.HasField("put") else None,
        parts_from(message.parts),
        flags_from(message.flags),
        message.meta,
        message.blob,
    )
    if record_crc(record) != message.crc:
        raise DamagedError(f"record of {record.key!r}: its check does not fit")
    return record

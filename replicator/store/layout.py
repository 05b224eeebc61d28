"""How the tables' keys and values are written, format 1.

Every small value ends in a CRC-32 of its table key and itself: LMDB has no page checksums. Blobs have their hash in
the item. Numbers are big-endian, so that keys sort as the numbers do.

    item      key                                 StoredItem
    blob      length(key) key number              a piece of the blob, BLOB_PIECE_OCTETS each but the last
    due       milliseconds length(key) key hash   the part's id; parts that are not terminal, and no others
    log       node incarnation seq                Record; a PUT without its blob
    vector    node incarnation                    seq
    orphan    node incarnation seq                StoredOrphan, by the dot of the PUT that has not come
    finished  key                                 the PUT's dot; items whose parts are all terminal
    meta      name                                format, node, store_id, authority, floors, octets, beyond;
                                                  `store of ` and a node's number: a neighbour's store_id
    away      key                                 StoredAway: the item was found damaged and has not come back
    named     key                                 nothing; items that the snapshot that comes has named
    damaged   table key                           octets as they were found, for whoever wants to look at them
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from zlib import crc32

from replicator import codec
from replicator.codec import DamagedError
from replicator.core.values import Authority, Away, Branch, Dot, Item, Kind, Orphan, Record, Vector
from replicator.pb import replicator_pb2 as wire
from replicator.pb import store_pb2 as pb

FORMAT = 1
TABLES = ("item", "blob", "due", "log", "vector", "orphan", "finished", "meta", "away", "damaged", "named")
TABLES_MAX = 16  # for which LMDB makes room
STORE_OF = b"store of "
KEY_OCTETS_MAX = 255
BLOB_PIECE_OCTETS = 128 * 4096 - 16  # with LMDB's header a whole number of pages
_HASH_OCTETS = 16

_CRC = struct.Struct(">I")
_DOT = struct.Struct(">IQQ")
_BRANCH = struct.Struct(">IQ")
_NUMBER = struct.Struct(">Q")
_PIECE = struct.Struct(">I")
PIECE_NUMBER_OCTETS = _PIECE.size


def seal(key: bytes, value: bytes) -> bytes:
    """Return the value with its check."""
    return value + _CRC.pack(crc32(value, crc32(key)))


def unseal(key: bytes, sealed: bytes) -> bytes:
    """Return the value without its check. Errors: DamagedError when it does not fit."""
    if not is_sealed(key, sealed):
        raise DamagedError(f"value at {key!r}: its check does not fit")
    return sealed[: -_CRC.size]


def is_sealed(key: bytes, sealed: bytes) -> bool:
    """Tell whether a value's check fits."""
    return len(sealed) >= _CRC.size and sealed[-_CRC.size :] == _CRC.pack(crc32(sealed[: -_CRC.size], crc32(key)))


def blob_hash(blob: bytes) -> bytes:
    """Return the hash that the item keeps of its blob."""
    return blake2b(blob, digest_size=_HASH_OCTETS).digest()


def piece_prefix(key: bytes) -> bytes:
    """Return what the places of all pieces of a blob begin with; a number follows."""
    return bytes((len(key),)) + key


def piece_key(key: bytes, number: int) -> bytes:
    """Return where a piece of a blob is."""
    return piece_prefix(key) + _PIECE.pack(number)


def pieces_count(size: int) -> int:
    """Return how many pieces a blob of this size takes."""
    return -(-size // BLOB_PIECE_OCTETS)


def due_key(due_ms: int, key: bytes, part: bytes) -> bytes:
    """Return where a part stands in the order of time."""
    return _NUMBER.pack(due_ms) + bytes((len(key),)) + key + blake2b(part, digest_size=_HASH_OCTETS).digest()


def due_from(raw: bytes) -> tuple[int, bytes]:
    """Return the moment and the item's key of a due key."""
    return _NUMBER.unpack_from(raw)[0], raw[9 : 9 + raw[8]]


def due_before(moment_ms: int) -> bytes:
    """Return the key below which everything is due before that moment."""
    return _NUMBER.pack(moment_ms)


def dot_key(dot: Dot) -> bytes:
    """Return where a record is in the log."""
    return _DOT.pack(dot.branch.node, dot.branch.incarnation, dot.seq)


def dot_of(raw: bytes) -> Dot:
    """Return the dot of a log key."""
    node, incarnation, seq = _DOT.unpack(raw)
    return Dot(Branch(node, incarnation), seq)


def branch_key(branch: Branch) -> bytes:
    """Return where a branch's seq is in the vector; also what its log keys begin with."""
    return _BRANCH.pack(branch.node, branch.incarnation)


def branch_of(raw: bytes) -> Branch:
    """Return the branch of a vector key, or of the beginning of a log key."""
    return Branch(*_BRANCH.unpack_from(raw))


def number(value: int) -> bytes:
    """Return a number as a value."""
    return _NUMBER.pack(value)


def number_of(raw: bytes) -> int:
    """Return the number of a value."""
    return int(_NUMBER.unpack(raw)[0])


def item_value(item: Item, content_hash: bytes) -> bytes:
    """Return an item as it is kept, without its check."""
    message = pb.StoredItem(meta=item.meta, size=item.size, hash=content_hash)
    codec.dot_to(message.put, item.put)
    codec.flags_to(message.flags, item.flags)
    codec.add_parts(message.parts, item.parts.items())
    return message.SerializeToString()


def item_of(key: bytes, value: bytes) -> tuple[Item, bytes]:
    """Return an item and its blob's hash from what is kept."""
    message = pb.StoredItem.FromString(value)
    item = Item(
        key,
        codec.dot_from(message.put),
        dict(codec.parts_from(message.parts)),
        codec.flags_from(message.flags),
        message.meta,
        message.size,
    )
    return item, message.hash


def orphan_value(orphan: Orphan) -> bytes:
    """Return an orphan as it is kept, without its check."""
    message = pb.StoredOrphan(key=orphan.key, is_gone=orphan.is_gone)
    codec.add_parts(message.parts, orphan.parts.items())
    codec.flags_to(message.flags, orphan.flags)
    return message.SerializeToString()


def orphan_of(put: Dot, value: bytes) -> Orphan:
    """Return an orphan from what is kept."""
    message = pb.StoredOrphan.FromString(value)
    return Orphan(
        message.key, put, message.is_gone, dict(codec.parts_from(message.parts)), codec.flags_from(message.flags)
    )


def away_value(away: Away) -> bytes:
    """Return what is known of an item that was found damaged."""
    message = pb.StoredAway(table=away.table, is_voided=away.is_voided)
    if away.put is not None:
        codec.dot_to(message.put, away.put)
    return message.SerializeToString()


def away_of(key: bytes, value: bytes) -> Away:
    """Return what is known of an item that was found damaged."""
    message = pb.StoredAway.FromString(value)
    put = codec.dot_from(message.put) if message.HasField("put") else None
    return Away(key, put, message.table, message.is_voided)


def record_value(record: Record) -> bytes:
    """Return a record as the log keeps it: a PUT without its blob, which is kept with the item."""
    message = wire.Record()
    codec.record_to(message, record._replace(blob=b"") if record.kind is Kind.PUT else record)
    return message.SerializeToString()


def record_of(value: bytes) -> Record:
    """Return a record of the log."""
    return codec.record_from(wire.Record.FromString(value))


def store_of_key(node: int) -> bytes:
    """Return where a neighbour's store is remembered."""
    return STORE_OF + b"%d" % node


def store_of_node(key: bytes) -> int:
    """Return whose store a key of the table meta stands for."""
    return int(key.removeprefix(STORE_OF))


def authority_value(authority: Authority) -> bytes:
    """Return an authority as a value."""
    return _BRANCH.pack(authority.node, authority.epoch)


def authority_of(raw: bytes) -> Authority:
    """Return the authority of a value."""
    node, epoch = _BRANCH.unpack(raw)
    return Authority(epoch, node)


def vector_value(vector: Vector) -> bytes:
    """Return a vector as a value."""
    message = wire.Vector()
    codec.vector_to(message, vector)
    return message.SerializeToString()


def vector_of(raw: bytes) -> Vector:
    """Return the vector of a value."""
    return codec.vector_from(wire.Vector.FromString(raw))

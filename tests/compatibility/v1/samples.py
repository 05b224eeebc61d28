"""What was said and stored when version 1 was recorded: the meaning of the octets beside this file."""

from __future__ import annotations

from replicator.core import messages as core
from replicator.core.compare import Range
from replicator.core.values import (
    NO_FLAGS,
    Authority,
    Away,
    Branch,
    Dot,
    Flags,
    Item,
    Kind,
    Orphan,
    PartValue,
    Presence,
    Record,
    Role,
)

SESSION = 7
A, B = Branch(0, 0x1122334455667788), Branch(1, 0x99AABBCCDDEEFF00)
VECTOR = {A: 12, B: 3}
PARTS = (
    (b"waits", PartValue(0, 0, 1_700_000_000_000, 1_700_000_060_000, b"state")),
    (b"ended", PartValue(4, 2, 1_700_000_000_001, 0, b"250 ok")),
)
FLAGS = Flags(1_700_000_000_002, b"held")
PUT = Dot(A, 5)

RECORDS = {
    "put": Record(Kind.PUT, b"K1", None, PARTS, FLAGS, b"meta", b"octets of the item"),
    "part": Record(Kind.PART, b"K1", PUT, PARTS[1:]),
    "flags": Record(Kind.FLAGS, b"K1", PUT, flags=FLAGS),
    "done": Record(Kind.DONE, b"K1", PUT),
    "abort": Record(Kind.ABORT, b"K1", PUT),
    "void": Record(Kind.VOID, b"K1"),
}

_ITEM = core.SnapshotItem(b"K1", PUT, PARTS, FLAGS, b"meta", b"octets of the item")
MESSAGES: dict[str, core.Message] = {
    "hello": core.Hello("group", 1, "b.test", b"\x01" * 16, B.incarnation, 1, 1, VECTOR, Authority(4, 0), Role(1), 7),
    "records": core.Records(A, 5, tuple(RECORDS.values())),
    "ack": core.Ack(VECTOR),
    "beat": core.Beat(VECTOR, Authority(4, 0), Role.ACTIVE, 9, 750),
    "beat-plea": core.Beat(VECTOR, Authority(4, 0), Role.FENCED, 9, 750, plea=core.Plea(2, 3_000_000_000)),
    "beat-consent": core.Beat({}, Authority(4, 0), Role.PASSIVE, 9, 1000, consent=core.Consent(2, 8)),
    "snapshot-begin": core.SnapshotBegin(VECTOR),
    "snapshot-item": _ITEM,
    "snapshot-item-known": _ITEM._replace(blob=None),
    "snapshot-item-empty": _ITEM._replace(blob=b""),
    "snapshot-orphan": core.SnapshotItem(b"K2", Dot(B, 4), PARTS, FLAGS, b"", None, Kind.PART),
    "snapshot-gone": core.SnapshotItem(b"K3", Dot(B, 5), (), NO_FLAGS, b"", None, Kind.DONE),
    "snapshot-away": core.SnapshotItem(b"K4", Dot(Branch(0, 0), 0), (), NO_FLAGS, b"", None, Kind.VOID),
    "snapshot-end": core.SnapshotEnd(6),
    "handover": core.Handover(Authority(4, 0)),
    "bye": core.Bye("group: expected 'x', came 'y'"),
    "fetch": core.Fetch(b"K1"),
    "fetched": core.Fetched(b"K1", Presence.HELD, _ITEM),
    "fetched-absent": core.Fetched(b"K1", Presence.ABSENT),
    "compare-ranges": core.Compare(1, b"", (Range(b"K5", 5, b"d" * 16), Range(b"", 2, b"e" * 16)), ()),
    "compare-keys": core.Compare(2, b"", (), (b"K1", b"K2")),
    "compared": core.Compared(1, (1,), ((b"K5", 2**63), (b"K6", 6)), False),
    "compared-failed": core.Compared(2, (), (), True),
}

ITEM = Item(b"K1", PUT, dict(PARTS), FLAGS, b"meta", 18)
ITEM_HASH = bytes(range(16))
ORPHAN = Orphan(b"K2", Dot(B, 4), False, dict(PARTS), FLAGS)
GONE = Orphan(b"K3", Dot(B, 5), True, {}, NO_FLAGS)
AWAY = Away(b"K4", Dot(A, 6), "blob", True)
LOST = Away(b"K5", None)
AUTHORITY = Authority(4, 1)

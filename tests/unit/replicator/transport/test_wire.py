"""Everything that members say survives the wire, and nothing damaged is taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.codec import DamagedError
from replicator.core import messages as core
from replicator.core.values import NO_FLAGS, Authority, Branch, Dot, Flags, Kind, PartValue, Record, Role
from replicator.pb import replicator_pb2 as pb
from replicator.transport import wire

NUMBERS = st.integers(0, 2**64 - 1)
SMALL = st.integers(0, 2**32 - 1)
BRANCHES = st.builds(Branch, SMALL, NUMBERS)
DOTS = st.builds(Dot, BRANCHES, NUMBERS)
VECTORS = st.dictionaries(BRANCHES, NUMBERS, max_size=4)
AUTHORITIES = st.builds(Authority, NUMBERS, SMALL)
PARTS = st.lists(
    st.tuples(st.binary(max_size=9), st.builds(PartValue, SMALL, SMALL, NUMBERS, NUMBERS, st.binary(max_size=9))),
    max_size=3,
).map(tuple)
FLAGS = st.just(NO_FLAGS) | st.builds(Flags, NUMBERS, st.binary(max_size=9))
RECORDS = st.builds(
    Record,
    st.sampled_from(Kind) | st.integers(max(Kind) + 1, 2**32 - 1),
    st.binary(max_size=20),
    st.none() | DOTS,
    PARTS,
    FLAGS,
    st.binary(max_size=20),
    st.binary(max_size=50),
)
MESSAGES = st.one_of(
    st.builds(
        core.Hello,
        st.text(max_size=9),
        SMALL,
        st.text(max_size=9),
        st.binary(max_size=16),
        NUMBERS,
        SMALL,
        SMALL,
        VECTORS,
        AUTHORITIES,
        st.sampled_from(Role),
        NUMBERS,
        st.text(max_size=9),
        NUMBERS,
        st.booleans(),
    ),
    st.builds(core.Records, BRANCHES, NUMBERS, st.lists(RECORDS, max_size=3).map(tuple)),
    st.builds(core.Ack, VECTORS, VECTORS),
    st.builds(
        core.Beat,
        VECTORS,
        AUTHORITIES,
        st.sampled_from(Role),
        NUMBERS,
        st.integers(0, 1000),
        st.none() | st.builds(core.Plea, NUMBERS, NUMBERS),
        st.none() | st.builds(core.Consent, NUMBERS, NUMBERS),
        st.lists(SMALL, max_size=3).map(tuple),
    ),
    st.builds(core.SnapshotBegin, VECTORS),
    st.builds(
        core.SnapshotItem,
        st.binary(max_size=20),
        DOTS,
        PARTS,
        FLAGS,
        st.binary(max_size=9),
        st.none() | st.binary(max_size=50),
        st.sampled_from([Kind.PUT, Kind.PART, Kind.DONE]),
    ),
    st.builds(core.SnapshotEnd, NUMBERS),
    st.builds(core.Handover, AUTHORITIES),
    st.builds(core.Bye, st.text(max_size=30)),
)
RECORD = Record(
    Kind.PUT, b"key", None, ((b"part", PartValue(1, 2, 3, 4, b"d")),), Flags(9, b"held"), b"meta", b"the blob itself"
)


@given(MESSAGES)
def test_what_is_said_is_heard(said: core.Message) -> None:
    assert wire.decode(wire.encode(7, said)) == said


@pytest.mark.parametrize("field", [b"key", b"part", b"held", b"meta", b"the blob itself"])
def test_a_changed_field_is_noticed(field: bytes) -> None:
    octets = wire.encode(1, core.Records(Branch(0, 1), 1, (RECORD,)))
    assert octets.count(field) == 1
    with pytest.raises(DamagedError, match="its check does not fit"):
        wire.decode(octets.replace(field, bytes([field[0] ^ 1]) + field[1:]))


def test_a_changed_number_is_noticed() -> None:
    message = pb.Message.FromString(wire.encode(1, core.Records(Branch(0, 1), 1, (RECORD,))))
    message.records.records[0].parts[0].rank += 1
    with pytest.raises(DamagedError, match="its check does not fit"):
        wire.decode(message.SerializeToString())


def test_a_changed_item_of_a_snapshot_is_noticed() -> None:
    item = core.SnapshotItem(b"key", Dot(Branch(0, 1), 1), (), NO_FLAGS, b"meta", b"blob")
    octets = wire.encode(1, item)
    with pytest.raises(DamagedError, match="its check does not fit"):
        wire.decode(octets.replace(b"blob", b"blub"))


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"\xff\xff\xff", "not a message"),
        (b"", "of a kind that this version does not know"),
        (pb.Message(beat=pb.Beat(role=77)).SerializeToString(), "beat: 77"),
    ],
)
def test_what_is_not_known_is_refused(octets: bytes, why: str) -> None:
    with pytest.raises(DamagedError, match=why):
        wire.decode(octets)

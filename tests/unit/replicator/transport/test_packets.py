"""Messages leave in packets and come out as they went in, whatever their sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.codec import DamagedError
from replicator.core.messages import Records
from replicator.core.values import Branch, Kind, Record
from replicator.pb import replicator_pb2 as pb
from replicator.transport.packets import (
    GATHERED_OCTETS_MAX,
    PACKET_MESSAGES_MAX,
    PACKET_OCTETS,
    Gathered,
    Incoming,
    Outgoing,
)

SIZES = st.one_of(
    st.integers(0, 40),
    st.integers(PACKET_OCTETS - 3, PACKET_OCTETS + 3),
    st.integers(2 * PACKET_OCTETS - 1, 2 * PACKET_OCTETS + 1),
)


def drain(outgoing: Outgoing) -> list[pb.Packet]:
    packets = []
    while (packet := outgoing.take()) is not None:
        packets.append(packet)
    return packets


@given(st.lists(SIZES, max_size=6))
def test_all_arrives_in_order(sizes: list[int]) -> None:
    outgoing, incoming = Outgoing(1 << 30), Incoming(1 << 30)
    sent = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    assert all(outgoing.put(message) for message in sent)
    packets = drain(outgoing)
    assert [message for packet in packets for message in incoming.messages(packet)] == sent
    assert all(packet.ByteSize() < PACKET_OCTETS + PACKET_MESSAGES_MAX * 16 for packet in packets)
    assert outgoing.octets == 0


def test_small_messages_share_a_packet() -> None:
    outgoing = Outgoing(1 << 30)
    for _ in range(100):
        outgoing.put(b"small")
    assert len(drain(outgoing)) == 1


def test_a_packet_has_a_limit_of_messages() -> None:
    outgoing = Outgoing(1 << 30)
    for _ in range(PACKET_MESSAGES_MAX + 1):
        outgoing.put(b"s")
    assert [len(packet.messages) for packet in drain(outgoing)] == [PACKET_MESSAGES_MAX, 1]


def test_what_waits_has_a_limit_but_one_large_item_goes() -> None:
    outgoing = Outgoing(1_000)
    assert outgoing.put(b"x" * 5_000)
    assert not outgoing.put(b"y")
    drain(outgoing)
    assert outgoing.put(b"y")


def test_a_beat_overtakes_a_large_item_under_way() -> None:
    outgoing, incoming = Outgoing(1 << 30), Incoming(1 << 30)
    outgoing.put(b"L" * (3 * PACKET_OCTETS))
    first = outgoing.take()
    assert first is not None
    outgoing.put(b"beat", is_urgent=True)
    outgoing.put(b"after")
    heard = [incoming.messages(packet) for packet in [first, *drain(outgoing)]]
    assert [[message[:5] for message in messages] for messages in heard] == [[], [b"beat"], [b"LLLLL"], [b"after"]]


def test_nothing_overtakes_the_first_packet() -> None:
    outgoing = Outgoing(1 << 30)
    outgoing.put(b"H" * (2 * PACKET_OCTETS))
    outgoing.put(b"beat", is_urgent=True)
    packets = drain(outgoing)
    assert [list(packet.messages) for packet in packets] == [[], [], [b"beat"]]


def test_pieces_without_end_are_refused() -> None:
    incoming = Incoming(3 * PACKET_OCTETS)
    piece = pb.Packet(fragment=b"x" * PACKET_OCTETS)
    for _ in range(3):
        assert incoming.messages(piece) == []
    with pytest.raises(DamagedError, match="a message of more than"):
        incoming.messages(piece)


def run_of(first_seq: int, count: int, size: int = 1, node: int = 0) -> Records:
    records = tuple(Record(Kind.PUT, b"k%d" % seq, blob=b"x" * size) for seq in range(first_seq, first_seq + count))
    return Records(Branch(node, 1), first_seq, records)


def test_runs_that_follow_one_another_become_one() -> None:
    gathered = Gathered()
    assert gathered.take() is None
    assert gathered.add(run_of(5, 2))
    assert gathered.add(run_of(7, 3))
    assert gathered.take() == run_of(5, 5)
    assert gathered.take() is None


@pytest.mark.parametrize(
    "other", [run_of(8, 1), run_of(6, 1), run_of(5, 2), run_of(7, 1, node=1), run_of(7, 1, size=GATHERED_OCTETS_MAX)]
)
def test_other_runs_wait_for_the_next_message(other: Records) -> None:
    gathered = Gathered()
    assert gathered.add(run_of(5, 2))
    assert not gathered.add(other)
    assert gathered.take() == run_of(5, 2)
    assert gathered.add(other)

"""How the peer gets what it lacks: from memory, from the log, as a snapshot."""

import pytest

from replicator.core.events import ReadLog
from replicator.core.messages import Ack, Beat, Message, Records, SnapshotBegin, SnapshotEnd, SnapshotItem
from replicator.core.values import Durability, Kind, Protection, Role
from tests.fakes.pair import TERMINAL, Pair, Side, joined, part, put


def restart(side: Side) -> None:
    """End a member and start it from its disk: its memory is gone."""
    side.crash()
    side.start()


def shipped(side: Side, kind: type[Message]) -> list[Message]:
    return [message for message in side.sent if type(message) is kind]


def alone(pair: Pair, count: int, blob: bytes = b"content") -> None:
    """Have node 0 accept items while there is no link."""
    pair.cut()
    pair.run(2200)
    for number in range(count):
        pair.a.submit(put(f"alone {number:03}", blob))
    assert pair.a.answer() is Durability.LOCAL
    pair.a.sent.clear()


def test_what_was_written_without_a_link_goes_from_memory() -> None:
    pair = joined()
    alone(pair, 20)
    pair.link()
    assert pair.b.keys == pair.a.keys
    assert len(shipped(pair.a, Records)) == 1


def test_what_memory_does_not_hold_comes_from_the_log() -> None:
    pair = joined(tail_octets_max=1000, batch_octets_max=1000)
    alone(pair, 20)
    pair.link()
    assert pair.b.keys == pair.a.keys
    assert len(shipped(pair.a, Records)) > 2


def test_records_of_an_earlier_life_come_from_the_log() -> None:
    pair = joined()
    alone(pair, 20)
    restart(pair.a)
    pair.link()
    assert pair.b.keys == pair.a.keys
    assert pair.b.store.vector == pair.a.store.vector


def test_what_was_finished_meanwhile_goes_without_content() -> None:
    pair = joined(tail_octets_max=0)
    pair.cut()
    pair.run(2200)
    dot = pair.a.accept("x")
    pair.a.submit(part("x", dot, TERMINAL))
    assert pair.a.keys == []
    pair.a.sent.clear()
    pair.link()
    (records,) = shipped(pair.a, Records)
    assert isinstance(records, Records)
    assert [record.kind for record in records.records] == [Kind.VOID, Kind.PART, Kind.DONE]
    assert pair.b.keys == []
    assert pair.b.store.tables.orphaned == {}
    assert pair.b.store.vector == pair.a.store.vector


def test_the_state_goes_as_a_snapshot_when_the_log_is_cut() -> None:
    pair = joined(log_records_max=5, tail_octets_max=0)
    alone(pair, 20)
    pair.link()
    assert pair.b.keys == pair.a.keys
    assert len(shipped(pair.a, SnapshotItem)) == 20
    assert pair.b.store.vector == pair.a.store.vector
    pair.run(300)
    assert pair.a.member.protection is Protection.PROTECTED
    pair.a.submit(put("after"))
    assert pair.a.answer() is Durability.REMOTE
    assert pair.b.keys == pair.a.keys


def test_a_snapshot_leaves_out_the_content_that_the_peer_has() -> None:
    pair = joined(log_records_max=5, tail_octets_max=0)
    pair.a.accept("known")
    alone(pair, 20)
    pair.link()
    without = [item.key for item in shipped(pair.a, SnapshotItem) if isinstance(item, SnapshotItem) and not item.blob]
    assert without == [b"known"]
    assert pair.b.store.tables.blobs == pair.a.store.tables.blobs


def test_snapshots_go_both_ways_and_nothing_is_lost_or_brought_back() -> None:
    pair = joined(log_records_max=3, tail_octets_max=0)
    held = {key: pair.a.accept(key) for key in ("ends on a", "ends on b", "stays")}
    pair.is_wire_cut = True
    pair.run(6000)
    assert pair.b.member.role is Role.ACTIVE
    pair.a.submit(part("ends on a", held["ends on a"], TERMINAL))
    pair.b.submit(part("ends on b", held["ends on b"], TERMINAL))
    for number in range(6):
        pair.a.submit(put(f"new on a {number}"))
        pair.b.submit(put(f"new on b {number}"))
    pair.is_wire_cut = False
    pair.link()
    pair.run(500)
    expected = ["stays", *(f"new on {side} {number}" for side in "ab" for number in range(6))]
    assert pair.a.keys == pair.b.keys == sorted(expected)
    assert pair.a.store.vector == pair.b.store.vector
    assert shipped(pair.a, SnapshotEnd)
    assert shipped(pair.b, SnapshotEnd)


def test_a_wiped_peer_gets_everything_and_its_emptiness_means_nothing() -> None:
    pair = joined()
    for number in range(5):
        pair.a.accept(f"{number}")
    pair.run(1100)  # the log is cut: the peer had it all
    pair.b.crash()
    pair.b.store = pair.b.new_store(b"new disk")
    pair.run(3000)  # the store before it is silent by then
    pair.b.start()
    pair.link()
    assert pair.b.keys == pair.a.keys == ["0", "1", "2", "3", "4"]
    assert any(note.name == "replica.peer_store_changed" for note in pair.a.notes)


def test_what_is_known_of_items_that_never_came_travels_in_a_snapshot() -> None:
    pair = joined(log_records_max=2, tail_octets_max=0)
    dot = pair.a.accept("x")
    pair.b.crash()
    pair.b.store = pair.b.new_store(b"new disk")
    pair.run(3000)  # the store before it is silent by then
    pair.b.start()
    pair.b.submit(part("x", dot, 1), wait=False)
    for number in range(4):
        pair.b.submit(put(f"{number}"), wait=False)
    pair.loses = (Records, SnapshotBegin, SnapshotItem, SnapshotEnd)
    pair.link()
    assert dot in pair.b.store.tables.orphaned
    pair.loses = ()
    pair.link()
    assert pair.a.store.items[b"x"].parts[b"part"].rank == 1
    assert pair.a.keys == pair.b.keys


def test_a_snapshot_that_broke_off_is_no_snapshot() -> None:
    pair = joined(log_records_max=5, tail_octets_max=0, gathered_octets_max=1)
    alone(pair, 20)
    pair.loses = (SnapshotEnd,)
    pair.link()
    assert len(pair.b.keys) == 20
    assert pair.b.store.vector != pair.a.store.vector
    gone = pair.b.store.items[b"alone 003"].put
    pair.cut()
    pair.a.submit(part("alone 003", gone, TERMINAL))
    pair.loses = ()
    pair.link()
    pair.run(300)
    assert "alone 003" not in pair.a.keys
    assert pair.b.keys == pair.a.keys
    assert pair.b.store.vector == pair.a.store.vector


def test_a_snapshot_that_got_lost_is_sent_again() -> None:
    pair = joined(log_records_max=5, tail_octets_max=0, gathered_octets_max=1)
    alone(pair, 20)
    pair.loses = (SnapshotBegin,)
    pair.link()
    pair.loses = ()
    assert pair.b.keys == []
    pair.run(6000)
    assert pair.b.keys == pair.a.keys


def test_what_got_lost_is_sent_again_from_the_last_acknowledgement() -> None:
    pair = joined()
    pair.loses = (Records,)
    token = pair.a.submit(put("x"))
    pair.run(500)
    pair.loses = ()
    pair.a.submit(put("y"))  # leaves a gap, and is refused
    assert pair.b.keys == []
    assert pair.a.answer(token) is None
    pair.run(500)
    assert pair.b.keys == ["x", "y"]
    assert pair.a.answer(token) is Durability.REMOTE
    assert pair.a.member.protection is Protection.PROTECTED


def test_going_back_again_and_again_takes_longer_each_time() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.a.submit(put("x"))
    pair.run(30_000)
    gone_back = [note for note in pair.a.notes if note.name == "replica.went_back"]
    assert 5 <= len(gone_back) <= 9


def test_what_is_in_flight_is_bounded() -> None:
    pair = joined(in_flight_octets_max=2000, batch_octets_max=1000)
    pair.b.is_disk_stuck = True
    for number in range(50):
        pair.a.submit(put(f"{number:02}"), wait=False)
    sent = sum(len(m.records) for m in shipped(pair.a, Records) if isinstance(m, Records))
    assert sent < 15
    pair.b.is_disk_stuck = False
    pair.settle()
    assert pair.b.keys == pair.a.keys


def test_the_log_is_asked_once_at_a_time() -> None:
    pair = joined(tail_octets_max=0, batch_octets_max=300)
    alone(pair, 20)
    asked: list[ReadLog] = []
    real = pair.a.do

    def do(effect: object) -> None:
        if isinstance(effect, ReadLog):
            assert not [event for side, event in pair.events if side is pair.a and type(event).__name__ == "LogRead"]
            asked.append(effect)
        real(effect)  # type: ignore[arg-type]

    pair.a.do = do  # type: ignore[method-assign]
    pair.link()
    assert len(asked) > 5
    assert pair.b.keys == pair.a.keys


def test_the_peers_own_branch_is_not_sent_back_to_it() -> None:
    pair = joined()
    for number in range(5):
        pair.b.submit(put(f"{number}"))
    pair.run(2000)
    assert shipped(pair.a, Records) == []
    own_of_a = {dot.branch for dot in pair.a.store.log}
    assert own_of_a <= {pair.b.member.own}


def test_the_log_is_cut_by_what_the_peer_has_durable() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.a.submit(put("x"))
    pair.run(1500)
    assert pair.a.store.cut == {}
    pair.b.is_disk_stuck = False
    pair.run(1500)
    assert pair.a.store.cut == {pair.a.member.own: 1}


def test_beats_and_acks_alone_do_not_fill_the_link() -> None:
    pair = joined()
    pair.a.sent.clear()
    pair.run(1000)
    assert {type(message) for message in pair.a.sent} <= {Beat, Ack}
    assert len(pair.a.sent) == 4


def broken_off(pair: Pair, *, is_restarted: bool) -> None:
    """Let node 1, empty, get a snapshot of node 0 that never ends; then destroy node 0's disk."""
    alone(pair, 20)
    pair.loses = (SnapshotEnd,)
    pair.link()
    pair.loses = ()
    assert len(pair.b.keys) == 20
    assert pair.b.store.vector == {}
    pair.a.crash()
    if is_restarted:
        restart(pair.b)
    pair.a.store = pair.a.new_store(b"new disk")
    pair.run(3500)  # another store is believed in when the first is silent
    pair.a.start()


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_a_snapshot_that_broke_off_left_goes_to_a_peer_that_lost_its_disk(is_restarted: bool) -> None:
    pair = joined(log_records_max=5, tail_octets_max=0, gathered_octets_max=1)
    broken_off(pair, is_restarted=is_restarted)
    pair.b.submit(put("by log"), wait=False)
    pair.link()
    assert pair.a.keys == pair.b.keys
    assert len(pair.a.keys) == 21


def test_a_snapshot_that_breaks_off_again_is_sent_again() -> None:
    pair = joined(log_records_max=5, tail_octets_max=0, gathered_octets_max=1)
    broken_off(pair, is_restarted=False)
    pair.loses = (SnapshotItem,)
    pair.link()
    assert pair.a.keys == []
    pair.loses = ()
    pair.link()
    assert pair.a.keys == pair.b.keys
    assert len(pair.a.keys) == 20


def test_after_a_whole_snapshot_the_log_will_do() -> None:
    pair = joined(log_records_max=5, tail_octets_max=0, gathered_octets_max=1)
    alone(pair, 20)
    pair.link()
    assert pair.b.store.image().beyond == {}
    pair.b.submit(put("by log"))
    pair.b.sent.clear()
    pair.link()
    assert shipped(pair.b, SnapshotBegin) == []

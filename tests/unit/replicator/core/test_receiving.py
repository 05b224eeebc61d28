"""What is taken from the peer, and what is not."""

import pytest

from replicator.core.events import Commit, Effect, Image, ReadLog, Received, Send
from replicator.core.journal import Journal
from replicator.core.messages import Ack, Bye, Message, Records, SnapshotBegin, SnapshotEnd, SnapshotItem
from replicator.core.receiving import Incoming
from replicator.core.values import NO_FLAGS, NOWHERE, Authority, Branch, Dot, Kind, Record, Role
from tests.fakes.pair import Pair, joined, put

OWN, THEIRS = Branch(0, 7), Branch(1, 9)


def taking(have: int = 0) -> tuple[Incoming, Journal]:
    journal = Journal(OWN, Image(b"", {THEIRS: have} if have else {}, Authority(0, 0)))
    return Incoming(1, 1000, journal), journal


def records(first_seq: int, count: int, branch: Branch = THEIRS) -> Records:
    return Records(branch, first_seq, tuple(put(f"{seq}") for seq in range(first_seq, first_seq + count)))


@pytest.mark.parametrize(
    ("have", "first_seq", "count", "taken"),
    [(0, 1, 3, [1, 2, 3]), (2, 1, 4, [3, 4]), (2, 3, 1, [3]), (2, 1, 2, []), (2, 4, 1, []), (0, 2, 5, [])],
)
def test_only_what_continues_a_branch_is_taken(have: int, first_seq: int, count: int, taken: list[int]) -> None:
    incoming, journal = taking(have)
    out: list[Effect] = []
    assert incoming.records(records(first_seq, count), out) == ""
    if taken:
        (commit,) = out
        assert isinstance(commit, Commit)
        assert [dot.seq for dot, _ in commit.records] == taken
        assert journal.have[THEIRS] == taken[-1]
    else:
        assert out == [Send(1, Ack({THEIRS: have}))]  # says what it has, so that sending begins there
    assert journal.durable.get(THEIRS, 0) == have


def test_records_under_names_that_are_ours_to_give_are_a_fault() -> None:
    incoming, _ = taking()
    assert "our own branch" in incoming.records(records(1, 1, OWN), [])


def test_a_branch_stops_before_a_record_that_must_be_understood() -> None:
    incoming, journal = taking()
    message = records(1, 4)
    out: list[Effect] = []
    assert incoming.records(message._replace(records=(*message.records[:2], Record(9, b"new"), put("4"))), out) == ""
    (commit,) = out
    assert isinstance(commit, Commit)
    assert [dot.seq for dot, _ in commit.records] == [1, 2]
    assert journal.have[THEIRS] == 2
    assert incoming.not_understood == 9
    assert incoming.records(Records(THEIRS, 3, (Record(9, b"new"), put("4"))), out) == ""
    assert journal.have[THEIRS] == 2


def test_a_record_that_need_not_be_understood_is_taken() -> None:
    incoming, journal = taking()
    assert incoming.records(Records(THEIRS, 1, (Record(64, b"new"), put("2"))), []) == ""
    assert (journal.have[THEIRS], incoming.not_understood) == (2, 0)


def test_what_is_not_durable_is_not_confirmed() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.b.sent.clear()
    pair.a.submit(put("x"))
    assert [message for message in pair.b.sent if type(message) is Ack] == []
    pair.b.is_disk_stuck = False
    pair.settle()
    assert [message for message in pair.b.sent if type(message) is Ack] == [Ack({pair.a.member.own: 1})]


def test_data_of_a_lower_epoch_is_taken() -> None:
    pair = joined()
    pair.is_wire_cut = True
    pair.run(4000)
    pair.a.submit(put("of the old epoch"))
    pair.is_wire_cut = False
    pair.link()
    assert pair.b.member.role is Role.ACTIVE
    assert pair.b.keys == ["of the old epoch"]


def items(count: int, blob: bytes | None = b"content") -> list[Message]:
    return [SnapshotItem(b"%d" % seq, Dot(THEIRS, seq), (), NO_FLAGS, b"", blob) for seq in range(1, count + 1)]


def take_snapshot(pair: Pair, *messages: Message) -> list[Bye]:
    """Have node 0 take messages; return how it refused the peer."""
    pair.a.sent.clear()
    for message in messages:
        pair.events.append((pair.a, Received(pair.session, message)))
    pair.settle()
    return [message for message in pair.a.sent if isinstance(message, Bye)]


def test_a_snapshot_counts_from_its_end_on() -> None:
    pair = joined(gathered_octets_max=1)
    assert take_snapshot(pair, SnapshotBegin({THEIRS: 2}), *items(2)) == []
    assert pair.a.keys == ["1", "2"]
    assert THEIRS not in pair.a.store.vector
    assert take_snapshot(pair, SnapshotEnd(2)) == []
    assert pair.a.store.vector[THEIRS] == 2


def test_a_snapshot_with_a_hole_is_refused() -> None:
    pair = joined()
    (bye,) = take_snapshot(pair, SnapshotBegin({THEIRS: 3}), *items(2), SnapshotEnd(3))
    assert bye.why == "snapshot: expected 3 items, came 2"
    assert THEIRS not in pair.a.store.vector


def test_an_item_without_content_that_we_never_had_is_refused() -> None:
    pair = joined()
    (bye,) = take_snapshot(pair, SnapshotBegin({THEIRS: 1}), *items(1, None))
    assert bye.why == "item b'1': expected its blob, came none"
    assert pair.a.keys == []
    assert pair.a.stopped is None


def test_items_without_a_beginning_are_not_taken() -> None:
    pair = joined()
    assert take_snapshot(pair, *items(2), SnapshotEnd(2)) == []
    assert pair.a.keys == []


def test_a_snapshot_beyond_what_we_wrote_is_refused() -> None:
    pair = joined()
    (bye,) = take_snapshot(pair, SnapshotBegin({pair.a.member.own: 5}))
    assert bye.why == "position of our own branch: expected at most 0, came 5"


def test_known_items_that_do_not_come_in_the_order_of_their_keys_are_refused() -> None:
    pair = joined()
    assert take_snapshot(pair, Records(THEIRS, 1, (put("1"), put("2")))) == []
    again = list(reversed(items(2, None)))
    (bye,) = take_snapshot(pair, SnapshotBegin({THEIRS: 2}), *again)
    assert bye.why == "snapshot: expected a key above b'2', came b'1'"
    assert pair.a.keys == ["1", "2"], "nothing was concluded from it"


def test_what_the_peer_has_finished_goes_before_the_end_and_what_it_names_stays() -> None:
    pair = joined(gathered_octets_max=1)
    assert take_snapshot(pair, Records(THEIRS, 1, tuple(put(f"{seq}") for seq in range(1, 6)))) == []
    _, _, third, fourth, _ = items(5, None)
    away = SnapshotItem(b"2", NOWHERE, (), NO_FLAGS, b"", None, Kind.VOID)
    assert isinstance(third, SnapshotItem)
    whole = third._replace(blob=b"content")
    assert take_snapshot(pair, SnapshotBegin({THEIRS: 5}), away, whole, fourth) == []
    assert pair.a.keys == ["2", "3", "4", "5"], "beyond the last key nothing is known yet"
    assert take_snapshot(pair, SnapshotEnd(3)) == []
    assert pair.a.keys == ["2", "3", "4"]
    assert pair.a.store.tables.named == {}


def _passed(pair: Pair, *named: Message) -> None:
    """Let a snapshot come as far as the items that are here, the first two of its sender's four records."""
    here = ("5", "9")
    assert take_snapshot(pair, Records(THEIRS, 1, tuple(put(key) for key in here))) == []
    known = [SnapshotItem(key.encode(), Dot(THEIRS, seq), (), NO_FLAGS, b"", None) for seq, key in enumerate(here, 1)]
    assert take_snapshot(pair, SnapshotBegin({THEIRS: 4}), *named, *known) == []


def test_what_the_sender_has_finished_does_not_come_of_another_behind_its_snapshot() -> None:
    pair = joined(gathered_octets_max=1)
    _passed(pair, items(3)[-1])
    assert take_snapshot(pair, Records(THEIRS, 3, (put("2"), put("4")))) == []
    assert pair.a.keys == ["3", "5", "9"]
    assert pair.a.store.vector[THEIRS] == 4
    assert take_snapshot(pair, SnapshotEnd(3)) == []
    assert pair.a.keys == ["3", "5", "9"], "its end is covered now: it would stay here for good"
    assert pair.a.store.tables.orphaned == {}


def test_what_the_snapshot_names_comes_of_another_too() -> None:
    pair = joined(gathered_octets_max=1)
    _passed(pair, items(3)[-1])
    assert take_snapshot(pair, Records(THEIRS, 3, (put("3"),)), SnapshotEnd(3)) == []
    assert pair.a.keys == ["3", "5", "9"]


def test_what_it_wrote_later_than_its_snapshot_is_taken() -> None:
    pair = joined(gathered_octets_max=1)
    _passed(pair)
    assert take_snapshot(pair, Records(THEIRS, 3, (put("2"), put("4"), put("6")))) == []
    assert pair.a.keys == ["5", "6", "9"]
    assert take_snapshot(pair, SnapshotEnd(2), Records(THEIRS, 6, (put("7"),))) == []
    assert pair.a.keys == ["5", "6", "7", "9"]


def test_a_snapshot_that_begins_anew_has_passed_nothing() -> None:
    pair = joined(gathered_octets_max=1)
    _passed(pair)
    assert take_snapshot(pair, SnapshotBegin({THEIRS: 4}), Records(THEIRS, 3, (put("2"),))) == []
    assert pair.a.keys == ["2", "5", "9"]
    assert take_snapshot(pair, SnapshotEnd(0)) == []
    assert pair.a.keys == []


def test_what_is_let_go_behind_a_snapshot_goes_on_as_ended() -> None:
    pair = joined(gathered_octets_max=1)
    _passed(pair)
    assert take_snapshot(pair, Records(THEIRS, 3, (put("2"),)), Records(THEIRS, 4, (put("4"),))) == []
    told = pair.a.store.read_log(ReadLog(1, THEIRS, 3, 1_000))
    assert told.records == (Record(Kind.VOID, b"2"), Record(Kind.VOID, b"4"))


def test_a_snapshot_that_another_link_replaced_goes_no_further() -> None:
    (one, journal), out = taking(), list[Effect]()
    other = Incoming(2, 1000, journal)
    item = SnapshotItem(b"1", Dot(THEIRS, 1), (), NO_FLAGS, b"", b"content")
    assert one.snapshot_begin(SnapshotBegin({THEIRS: 1}), out) == ""
    assert other.snapshot_begin(SnapshotBegin({THEIRS: 1}), out) == ""
    assert one.snapshot_item(item, out) == "snapshot: another one has begun on another link"
    assert one.snapshot_end(SnapshotEnd(0), out) == "snapshot: another one has begun on another link"
    assert other.snapshot_item(item, out) == ""
    assert other.snapshot_end(SnapshotEnd(1), out) == ""

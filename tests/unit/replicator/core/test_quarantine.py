"""What is done about items that were found damaged: asked of the peer, healed, let go of, or named as lost."""

from __future__ import annotations

from replicator.core.events import Committed, Damaged, Effect, Image, Note, Received, Send, Settings, Stretch
from replicator.core.journal import Journal
from replicator.core.messages import Ack, Fetch, Fetched, Records, SnapshotBegin, SnapshotEnd, SnapshotItem
from replicator.core.quarantine import Quarantine
from replicator.core.receiving import Incoming
from replicator.core.values import (
    DOUBTED,
    LACKING,
    MILLISECOND,
    NO_FLAGS,
    Authority,
    Away,
    Branch,
    Damage,
    Dot,
    Kind,
    Presence,
    Record,
)
from tests.fakes.neighbour import neighbour
from tests.fakes.pair import Side, joined, part, put


def rot(side: Side, key: str) -> None:
    """Damage an item on a side's disk, and have a read find that."""
    side.store.rot(key.encode())
    side.step(Damaged((Damage("blob", key.encode()),)))
    side.pair.settle()


def notes(side: Side, name: str) -> list[str]:
    return [str(dict(note.fields)["key"]) for note in side.notes if note.name == name]


def test_a_damaged_item_comes_back_from_the_peer() -> None:
    pair = joined()
    pair.a.accept("one", b"whole")
    pair.a.accept("two")
    rot(pair.a, "one")
    assert pair.a.keys == ["two"]
    pair.run(50)
    assert pair.a.keys == ["one", "two"]
    assert pair.a.store.tables.blobs[b"one"] == b"whole"
    assert (notes(pair.a, "replica.damaged"), notes(pair.a, "replica.healed")) == (["one"], ["one"])


def fetched(side: Side) -> list[Fetched]:
    return [message for message in side.sent if isinstance(message, Fetched)]


def test_an_item_does_not_come_back_before_a_message_that_was_lost_and_that_it_relies_on() -> None:
    pair = joined()
    dot = pair.a.accept("one")
    pair.loses = (Records,)
    pair.a.submit(put("notification"), part("one", dot, 1), wait=False)
    rot(pair.b, "one")
    pair.run(500)
    assert (pair.b.keys, fetched(pair.a)) == ([], [])
    pair.loses = ()
    pair.run(3_000)
    assert (pair.b.keys, len(fetched(pair.a))) == (["notification", "one"], 1)
    kinds = [type(message) for message in pair.a.sent if isinstance(message, (Records, Fetched))]
    assert kinds[-1] is Fetched
    assert pair.b.store.items == pair.a.store.items


def test_an_item_waits_for_what_was_written_before_it_was_read_and_not_for_more() -> None:
    pair = joined()
    pair.a.accept("one")
    pair.b.is_disk_stuck = True
    pair.a.submit(put("two"), wait=False)
    pair.b.begin()
    pair.a.step(Received(pair.session, Fetch(b"one")))
    pair.settle()
    pair.a.submit(put("three"), wait=False)
    assert fetched(pair.a) == []
    pair.b.step(pair.b.store.complete())
    pair.settle()
    assert (pair.b.keys, len(fetched(pair.a))) == (["one", "two"], 1)


def test_what_was_written_while_the_item_was_read_is_there_before_it() -> None:
    """The disk has it, and has not said so yet: the item may have been read with it."""
    pair = joined()
    pair.a.accept("one")
    pair.a.is_disk_stuck = pair.b.is_disk_stuck = True
    pair.a.submit(put("two"), wait=False)
    pair.a.begin()
    committed = pair.a.store.complete()
    pair.a.step(Received(pair.session, Fetch(b"one")))
    pair.settle()
    pair.a.step(committed)
    pair.settle()
    assert fetched(pair.a) == []
    pair.a.is_disk_stuck = pair.b.is_disk_stuck = False
    pair.run(100)
    assert len(fetched(pair.a)) == 1


def test_an_item_does_not_wait_for_what_the_neighbour_writes_itself() -> None:
    pair = joined()
    pair.a.accept("one")
    pair.b.submit(put("two"), wait=False)
    pair.a.step(Received(pair.session, Fetch(b"one")))
    pair.settle()
    assert len(fetched(pair.a)) == 1, "no beat has confirmed it"


def test_an_item_that_is_asked_for_again_is_read_again() -> None:
    pair = joined()
    dot = pair.a.accept("one")
    pair.loses = (Records,)
    pair.a.submit(part("one", dot, 0, hlc=2), wait=False)
    rot(pair.b, "one")
    pair.run(300)
    pair.a.submit(part("one", dot, 0, hlc=3), wait=False)
    pair.a.step(Received(pair.session, Fetch(b"one")))
    pair.a.step(Received(pair.session, Ack({pair.a.member.own: pair.a.dot().seq})))
    assert fetched(pair.a) == [], "what was read before is not sent any more"
    pair.run(100)
    (answer,) = fetched(pair.a)
    assert answer.item is not None
    assert answer.item.parts[0][1].hlc == 3


def test_what_is_asked_for_on_a_link_that_ends_is_not_sent_on_the_next() -> None:
    pair = joined(in_flight_octets_max=2000, batch_octets_max=1000)
    pair.a.accept("one")
    pair.b.is_disk_stuck = True
    for number in range(50):
        pair.a.submit(put(f"{number:02}"), wait=False)
    pair.a.step(Received(pair.session, Fetch(b"one")))
    pair.settle()
    pair.b.is_disk_stuck = False
    pair.link()
    pair.run(100)
    assert pair.b.keys == pair.a.keys
    assert not [message for message in pair.a.sent if isinstance(message, Fetched)]


def test_the_state_of_an_item_does_not_go_with_its_content() -> None:
    """The log is cut: a snapshot tells the peer of the part's rise, while the item is damaged here."""
    pair = joined(log_records_max=2, tail_octets_max=0)
    dot = pair.a.accept("one")
    pair.cut()
    pair.run(2_200)
    pair.a.submit(part("one", dot, 1), wait=False)
    for number in range(5):
        pair.a.submit(put(f"{number:02}"), wait=False)
    rot(pair.a, "one")
    assert "one" not in pair.a.keys
    pair.link()
    assert pair.b.store.items[b"one"].parts[b"part"].rank == 1
    assert pair.b.store.vector == pair.a.store.vector
    pair.run(1_000)
    assert pair.a.store.items == pair.b.store.items
    assert notes(pair.a, "replica.healed") == ["one"]
    assert [*pair.a.store.orphans(), *pair.b.store.orphans()] == []


def test_many_come_back_one_by_one() -> None:
    pair = joined()
    keys = [f"item-{number:02}" for number in range(30)]
    for key in keys:
        pair.a.accept(key)
    for key in keys:
        rot(pair.a, key)
    pair.run(50)
    assert pair.a.keys == keys
    assert sum(isinstance(message, Fetch) for message in pair.a.sent) == len(keys)


def test_what_the_peer_has_finished_is_let_go_of() -> None:
    pair = joined()
    put = pair.a.accept("one")
    pair.cut()
    pair.run(4_000)  # both own the queue now
    pair.b.submit(part("one", put, 3), wait=False)
    pair.run(100)
    assert pair.b.keys == []
    rot(pair.a, "one")
    pair.link()
    pair.run(2_000)
    assert (pair.a.keys, pair.a.store.tables.away) == ([], {})
    assert not notes(pair.a, "replica.lost")


def test_what_no_peer_ever_had_is_lost_and_kept_aside() -> None:
    pair = joined()
    pair.cut()
    pair.a.accept("alone")
    rot(pair.a, "alone")
    pair.a.crash()  # its newest records are not in memory any more
    pair.a.start()
    pair.link()
    pair.run(1_000)
    assert notes(pair.a, "replica.lost") == ["alone"]
    assert list(pair.a.store.tables.away) == [b"alone"]
    pair.link()
    pair.run(1_000)
    assert list(pair.a.store.tables.away) == [b"alone"], "the VOID in its place is not its end"


def test_what_is_damaged_on_both_sides_is_lost() -> None:
    pair = joined()
    pair.a.accept("one")
    pair.b.store.rot(b"one")
    rot(pair.a, "one")
    pair.run(50)
    assert notes(pair.a, "replica.lost") == ["one"]
    assert Fetched(b"one", Presence.AWAY) in pair.b.sent


def test_what_ends_before_the_peer_answers_is_not_lost() -> None:
    """The record of its end is here; the peer has it no more, and may never have had what it was not sent whole."""
    pair = joined()
    put = pair.b.accept("one")
    pair.loses = (Fetch,)
    rot(pair.a, "one")
    pair.loses = ()
    pair.b.submit(part("one", put, 2), Record(Kind.DONE, b"one", put), wait=False)
    pair.run(11_000)
    assert (pair.a.store.tables.away, pair.a.keys, pair.b.keys) == ({}, [], [])
    assert (notes(pair.a, "replica.lost"), notes(pair.a, "replica.healed")) == ([], ["one"])


def test_what_was_called_lost_is_taken_back_when_it_ends() -> None:
    own, put = Branch(0, 4), Dot(Branch(1, 5), 3)
    image = Image(b"store", {put.branch: put.seq}, Authority(0, 0), away=(Away(b"one", put),))
    quarantine = Quarantine(
        Settings("group", 0, "a", 1), Journal(own, image), (neighbour(1, {put.branch: put.seq}),), image
    )
    out: list[Effect] = []
    quarantine.pump(0, out)
    quarantine.fetched(Fetched(b"one", Presence.ABSENT), 1, 1, out)
    quarantine.committed(Committed(1, back=(b"one",)), out)
    assert [effect.name for effect in out if isinstance(effect, Note)] == ["replica.lost", "replica.healed"]
    out.clear()
    quarantine.pump(120_000 * MILLISECOND, out)
    quarantine.committed(Committed(2, back=(b"one",)), out)
    assert (out, quarantine.away_count) == ([], 0)


def test_an_answer_that_comes_when_the_item_has_ended_brings_nothing_back() -> None:
    put = Dot(Branch(1, 5), 3)
    image = Image(b"store", {put.branch: put.seq}, Authority(0, 0), away=(Away(b"one", put),))
    quarantine = Quarantine(
        Settings("group", 0, "a", 1), Journal(Branch(0, 4), image), (neighbour(1, {put.branch: put.seq}),), image
    )
    out: list[Effect] = []
    quarantine.pump(0, out)
    quarantine.committed(Committed(1, back=(b"one",)), out)
    out.clear()
    item = SnapshotItem(b"one", put, (), NO_FLAGS, b"", b"whole")
    quarantine.fetched(Fetched(b"one", Presence.HELD, item), 1, 1, out)
    assert out == []


def test_without_a_link_it_waits_for_one() -> None:
    pair = joined()
    pair.a.accept("one")
    pair.cut()
    rot(pair.a, "one")
    pair.run(1_000)
    assert pair.a.keys == []
    pair.link()
    pair.run(1_000)
    assert pair.a.keys == ["one"]


def test_a_new_start_asks_again() -> None:
    pair = joined()
    pair.a.accept("one")
    pair.cut()
    rot(pair.a, "one")
    pair.a.crash()
    pair.a.start()
    pair.link()
    pair.run(1_000)
    assert pair.a.keys == ["one"]


def test_a_peer_that_is_still_writing_an_item_is_not_asked_for_it() -> None:
    """It would say that it has none, and what is on its way would be called lost."""
    put = Dot(Branch(1, 5), 3)
    image = Image(b"store", {put.branch: put.seq}, Authority(0, 0), away=(Away(b"one", put),))
    peer = neighbour(1, {})
    quarantine = Quarantine(Settings("group", 0, "a", 1), Journal(Branch(0, 4), image), (peer,), image)
    out: list[Effect] = []
    quarantine.pump(0, out)
    assert out == []
    peer.peer.durable[put.branch] = put.seq
    quarantine.pump(1, out)
    assert out == [Send(7, Fetch(b"one"))]


def test_a_peer_that_lacks_what_was_done_with_an_item_is_not_asked_for_it() -> None:
    """It would bring the item back as it was before: a recipient would be tried again whose end was known here."""
    own, put = Branch(0, 4), Dot(Branch(1, 5), 3)
    image = Image(b"store", {put.branch: put.seq}, Authority(0, 0))
    journal, peer = Journal(own, image), neighbour(1, {put.branch: put.seq})
    quarantine = Quarantine(Settings("group", 0, "a", 1), journal, (peer,), image)
    journal.durable[own] = 1  # its outcome, which the peer is about to have
    quarantine.committed(Committed(1, away=(Away(b"one", put),)), [])
    out: list[Effect] = []
    quarantine.pump(0, out)
    assert out == []
    peer.peer.durable[own] = 1
    quarantine.pump(1, out)
    assert out == [Send(7, Fetch(b"one"))]


def test_of_an_item_that_cannot_be_read_the_peer_is_asked_when_it_has_all_that_was_here() -> None:
    """Its dot is not known: it may be what the peer is still writing, and that it has none would be no end."""
    theirs, image = Branch(1, 5), Image(b"store", {Branch(1, 5): 2}, Authority(0, 0))
    journal, peer = Journal(Branch(0, 4), image), neighbour(1, {theirs: 2})
    quarantine = Quarantine(Settings("group", 0, "a", 1), journal, (peer,), image)
    out: list[Effect] = []
    quarantine.greeted(peer)
    journal.durable[theirs] = 3  # which the peer sends while it writes it
    quarantine.committed(Committed(1, away=(Away(b"one", None),)), out)
    out.clear()
    quarantine.pump(0, out)
    assert out == []
    peer.peer.durable[theirs] = 3
    quarantine.pump(1, out)
    assert out == [Send(7, Fetch(b"one"))]
    quarantine.fetched(Fetched(b"one", Presence.ABSENT), 1, 2, out)
    assert [effect.name for effect in out if isinstance(effect, Note)] == ["replica.lost"]


def test_an_item_that_cannot_be_read_has_ended_when_the_peer_had_all_that_was_here() -> None:
    theirs, image = Branch(1, 5), Image(b"store", {Branch(1, 5): 2}, Authority(0, 0), away=(Away(b"one", None),))
    journal, peer = Journal(Branch(0, 4), image), neighbour(1, {theirs: 2})
    quarantine = Quarantine(Settings("group", 0, "a", 1), journal, (peer,), image)
    out: list[Effect] = []
    journal.durable[theirs] = 9  # that came later, and cannot be what is damaged
    quarantine.greeted(peer)
    quarantine.pump(0, out)
    quarantine.fetched(Fetched(b"one", Presence.ABSENT), 1, 1, out)
    assert [effect.name for effect in out if isinstance(effect, Note)] == ["replica.healed"]


def test_what_was_read_before_a_snapshot_ended_is_not_taken_and_asked_for_again() -> None:
    """That the item was left out may have said that it had ended: who answers next must know what the snapshot knew."""
    put = Dot(Branch(1, 5), 3)
    image = Image(b"store", {put.branch: 3}, Authority(0, 0), away=(Away(b"one", put),))
    journal, peer = Journal(Branch(0, 4), image), neighbour(1, {put.branch: 3})
    quarantine = Quarantine(Settings("group", 0, "a", 1), journal, (peer,), image)
    held = Fetched(b"one", Presence.HELD, SnapshotItem(b"one", put, (), NO_FLAGS, b"", b"whole"))
    out: list[Effect] = []
    quarantine.pump(0, out)
    journal.end_snapshot((), Stretch({put.branch: 7}, b"", None), [])
    quarantine.snapshot_ended(1, {put.branch: 7})
    quarantine.fetched(held, 1, 1, out)
    assert out == [Send(7, Fetch(b"one"))], "who answered has less than the snapshot"
    peer.peer.durable[put.branch] = 7
    quarantine.pump(2, out)
    quarantine.fetched(held, 1, 3, out)
    assert out[1] == Send(7, Fetch(b"one"))
    assert [effect.name for effect in out if isinstance(effect, Note)] == ["replica.healed"]


def test_while_a_snapshot_comes_nothing_is_asked_for_nor_taken_back() -> None:
    """It may have passed the item's key already."""
    put = Dot(Branch(1, 5), 3)
    image = Image(b"store", {put.branch: 3}, Authority(0, 0), away=(Away(b"one", put), Away(b"two", put)))
    journal, peer = Journal(Branch(0, 4), image), neighbour(1, {put.branch: 3})
    peer.incoming = Incoming(7, 1 << 20, journal)
    quarantine = Quarantine(Settings("group", 0, "a", 1), journal, (peer,), image)
    out: list[Effect] = []
    quarantine.pump(0, out)
    peer.incoming.snapshot_begin(SnapshotBegin({put.branch: 3}), [])
    item = SnapshotItem(b"one", put, (), NO_FLAGS, b"", b"whole")
    quarantine.fetched(Fetched(b"one", Presence.HELD, item), 1, 1, out)
    quarantine.pump(2, out)
    assert out == [Send(7, Fetch(b"one"))]
    peer.incoming.snapshot_end(SnapshotEnd(0), [])
    quarantine.snapshot_ended(1, {put.branch: 3})
    quarantine.pump(3, out)
    assert len(out) == 2


def forget(side: Side, key: str) -> None:
    """Take an item from a side's disk, as no rule would: its position says that it was finished."""
    side.store.tables.held.pop(key.encode())
    side.store.tables.blobs.pop(key.encode())


def doubt(side: Side, table: str, key: str) -> None:
    side.step(Damaged((Damage(table, key.encode()),)))
    side.pair.settle()


def test_what_the_operator_finds_lacking_is_fetched() -> None:
    pair = joined()
    pair.a.accept("one", b"whole")
    forget(pair.b, "one")
    doubt(pair.b, LACKING, "one")
    pair.run(50)
    assert pair.b.keys == ["one"]
    assert pair.b.store.tables.blobs[b"one"] == b"whole"
    assert notes(pair.b, "replica.healed") == ["one"]
    assert pair.b.store.tables.away == {}


def test_what_is_lacking_and_was_finished_meanwhile_stays_away() -> None:
    pair = joined()
    put = pair.a.accept("one")
    forget(pair.b, "one")
    pair.loses = (Fetch,)
    doubt(pair.b, LACKING, "one")
    assert list(pair.b.store.tables.away) == [b"one"]
    pair.a.submit(part("one", put, 3), wait=False)
    pair.loses = ()
    pair.run(11_000)
    assert (pair.a.keys, pair.b.keys, pair.b.store.tables.away) == ([], [], {})
    assert not notes(pair.b, "replica.lost")


def test_what_is_lacking_is_fetched_after_a_restart_too() -> None:
    pair = joined()
    pair.a.accept("one", b"whole")
    forget(pair.b, "one")
    pair.loses = (Fetch,)
    doubt(pair.b, LACKING, "one")
    pair.b.crash()
    pair.b.start()
    pair.loses = ()
    pair.link()
    pair.run(1_000)
    assert pair.b.keys == ["one"]


def test_nothing_is_lacking_that_is_here() -> None:
    pair = joined()
    pair.a.accept("one")
    doubt(pair.b, LACKING, "one")
    assert pair.b.keys == ["one"]
    assert not any(isinstance(message, Fetch) for message in pair.b.sent)


def test_a_state_in_doubt_is_joined_with_the_peers() -> None:
    pair = joined()
    put = pair.a.accept("one")
    pair.a.submit(part("one", put, 1), wait=False)
    item = pair.b.store.tables.held[b"one"]
    pair.b.store.tables.held[b"one"] = item._replace(parts={b"part": item.parts[b"part"]._replace(rank=0)})
    doubt(pair.b, DOUBTED, "one")
    pair.run(50)
    assert pair.b.store.tables.held == pair.a.store.tables.held
    assert pair.b.store.tables.held[b"one"].parts[b"part"].rank == 1
    asked = sum(isinstance(message, Fetch) for message in pair.b.sent)
    pair.run(10_000)
    assert (asked, sum(isinstance(message, Fetch) for message in pair.b.sent)) == (1, 1)
    doubt(pair.b, DOUBTED, "one")
    pair.run(50)
    assert sum(isinstance(message, Fetch) for message in pair.b.sent) == 2


def test_a_state_in_doubt_that_the_peer_has_not_stays_as_it_is() -> None:
    pair = joined()
    pair.a.accept("one")
    forget(pair.a, "one")
    doubt(pair.b, DOUBTED, "one")
    pair.run(50)
    assert pair.b.keys == ["one"]
    assert not notes(pair.b, "replica.healed")

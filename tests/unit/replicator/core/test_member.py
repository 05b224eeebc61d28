"""A member as a whole: its end, its status, its determinism."""

import pytest

from replicator.core import member
from replicator.core.events import Image, Received, Settings, Submit, Tick
from replicator.core.member import Member
from replicator.core.messages import Ack, Beat, Hello, Records
from replicator.core.status import Link
from replicator.core.values import Authority, Branch, Durability, Kind, Record, Role
from tests.fakes.pair import TERMINAL, Pair, joined, part, put


def test_a_failed_commit_refuses_all_and_ends_the_member() -> None:
    pair = joined()
    pair.a.is_disk_stuck = pair.b.is_disk_stuck = True
    tokens = [pair.a.submit(put("x")), pair.a.submit(put("y"), wait=False)]
    pair.a.fail_disk()
    assert [pair.a.answers[token][1:] for token in tokens] == [(Durability.REFUSED, "failed")] * 2
    assert pair.a.stopped == "disk full"
    assert pair.a.member.step(pair.now, Tick()) == []


def test_what_a_failed_member_had_sent_comes_back_to_its_next_life() -> None:
    pair = joined()
    pair.a.is_disk_stuck = True
    pair.a.submit(put("x"))
    pair.a.fail_disk()
    pair.a.is_disk_stuck = False
    pair.a.start()
    pair.link()
    assert pair.a.keys == pair.b.keys == ["x"]
    pair.a.submit(put("y"))
    assert pair.a.answer() is Durability.REMOTE
    assert pair.a.store.vector == pair.b.store.vector


@pytest.mark.parametrize("is_in_flight_durable", [False, True])
def test_nothing_is_lost_or_named_twice_by_a_crash(is_in_flight_durable: bool) -> None:
    pair = joined()
    pair.a.accept("before")
    pair.a.is_disk_stuck = True
    pair.is_wire_cut = True
    pair.a.submit(put("in flight"))
    pair.a.crash(is_in_flight_durable=is_in_flight_durable)
    pair.is_wire_cut = False
    pair.a.is_disk_stuck = False
    pair.a.start()
    pair.link()
    pair.a.accept("after")
    expected = ["after", "before", "in flight"] if is_in_flight_durable else ["after", "before"]
    assert pair.a.keys == pair.b.keys == expected


def test_an_incarnation_is_never_used_twice() -> None:
    image = Image(b"store", {Branch(0, 7): 3}, Authority(0, 0))
    with pytest.raises(ValueError, match="incarnation 7 was used before"):
        Member(Settings("group", 0, "node 0", 1), image, 7, 0)


def test_a_key_used_twice_ends_the_member_loudly() -> None:
    pair = joined()
    pair.a.accept("x")
    pair.a.submit(put("x"))
    assert pair.a.stopped is not None
    assert "KeyTakenError" in pair.a.stopped


def test_an_item_that_ended_everywhere_leaves_both_stores() -> None:
    pair = joined()
    dot = pair.a.accept("x")
    pair.a.submit(part("x", dot, TERMINAL))
    assert pair.a.keys == pair.b.keys == []
    assert pair.a.store.vector == pair.b.store.vector


def test_an_end_that_was_not_taken_is_written_by_the_next_owner() -> None:
    pair = joined()
    dot = pair.a.accept("x")
    pair.b.step(Submit(99, (part("x", dot, TERMINAL),), False))
    pair.is_wire_cut = True
    pair.settle()  # so that the other one does not finish it at once
    after_a_gap = Records(dot.branch, dot.seq + 2, (Record(Kind.DONE, b"x", dot),))
    pair.b.step(Received(pair.session, after_a_gap))
    pair.a.crash()
    pair.run(5000)
    assert pair.b.member.role is Role.ACTIVE
    assert pair.b.keys == []


def test_the_owner_ends_what_the_other_finished() -> None:
    pair = joined()
    dot = pair.a.accept("x")
    pair.b.submit(part("x", dot, TERMINAL), wait=False)
    assert pair.a.keys == pair.b.keys == []


def test_status_tells_how_the_peer_is() -> None:
    pair = joined()
    pair.a.accept("x")
    status = pair.a.member.status
    assert (status.role, status.link, status.why) == (Role.ACTIVE, Link.UP, "")
    assert (status.peer_name, status.peer_role) == ("node 1", Role.PASSIVE)
    assert status.vector == status.peer_vector == {pair.a.member.own: 1}
    assert (status.lag_records, status.lag_octets, status.lag_seconds) == (0, 0, 0.0)
    pair.cut()
    pair.run(2100)
    pair.a.submit(put("y"))
    pair.run(1000)
    status = pair.a.member.status
    assert (status.link, status.why) == (Link.DOWN, "cut")
    assert (status.lag_records, status.unprotected) == (1, 1)
    assert status.lag_octets > 0
    assert 0.5 < status.lag_seconds <= 1.0


def test_status_of_a_member_without_a_peer() -> None:
    settings = Settings("group", 0, "node 0", -1)
    status = Member(settings, Image(b"store", {}, Authority(0, 0)), 7, 0).status
    assert (status.link, status.lag_records, status.unprotected) == (Link.NONE, 0, 0)


def play() -> list[str]:
    pair: Pair = joined()
    for number in range(5):
        pair.a.submit(put(f"a {number}"), put(f"b {number}"))
    pair.is_wire_cut = True
    pair.run(5000)
    pair.b.submit(put("c"))
    pair.is_wire_cut = False
    pair.link()
    pair.run(1000)
    return [repr(message) for side in pair.sides for message in side.sent]


def test_equal_input_gives_equal_output() -> None:
    assert play() == play()


def test_what_awaits_the_owners_end_is_remembered_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member, "FINISHED_MAX", 2)
    pair = joined()
    dots = {key: pair.a.accept(key) for key in ("x", "y", "z")}
    pair.cut()
    pair.a.crash()
    for key, dot in dots.items():
        pair.b.submit(part(key, dot, TERMINAL), wait=False)
    pair.run(4000)
    assert pair.b.keys == ["z"]
    pair.b.crash()
    pair.b.start()  # the image tells of the rest
    pair.run(4000)
    assert pair.b.keys == []


def test_beats_say_what_has_risen_since_the_hello_and_nothing_else() -> None:
    pair = joined()
    for _ in range(3):  # each start begins a branch
        pair.a.crash()
        pair.a.start()
        pair.link()
        pair.run(4_000)
        pair.a.accept(f"x{pair.a.incarnation}")
    pair.link()
    token = pair.a.submit(put("new"))
    pair.run(600)
    assert pair.a.answer(token) is Durability.REMOTE
    hello = [message for message in pair.b.sent if isinstance(message, Hello)][-1]
    beat = [message for message in pair.b.sent if isinstance(message, Beat)][-1]
    assert len(hello.vector) >= 3
    assert beat.durable == {pair.a.member.own: pair.b.store.vector[pair.a.member.own]}
    assert pair.a.member.status.peer_vector == pair.b.store.vector


def test_a_lost_acknowledgement_is_made_up_for_by_a_beat() -> None:
    pair = joined()
    pair.loses = (Ack,)
    pair.a.submit(put("x"))
    assert pair.a.answer() is None
    pair.run(300)
    assert pair.a.answer() is Durability.REMOTE

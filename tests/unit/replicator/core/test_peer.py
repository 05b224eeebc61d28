"""Who is talked to."""

import pytest

from replicator.core.events import Image, LinkUp, Received, Settings
from replicator.core.journal import Journal
from replicator.core.messages import Ack, Beat, Bye, Handover, Hello
from replicator.core.peer import Peer, ahead_of_us, objection
from replicator.core.status import Link
from replicator.core.values import MILLISECOND, Authority, Branch, Mode, Role
from tests.fakes.pair import Pair, joined

OWN, THEIRS, OTHER = Branch(0, 7), Branch(1, 9), Branch(1, 8)
SETTINGS = Settings("group", 0, "node 0", 1)
FAR = Authority(1_000_002, 0)
HELLO = Hello("group", 1, "node 1", b"store", 9, 1, 1, {OWN: 3}, Authority(1, 0), Role.PASSIVE)


def journal_of(seq: int) -> Journal:
    """Return a journal that has written so many records."""
    journal = Journal(OWN, Image(b"store", {}, Authority(0, 0)))
    journal.seq = seq
    return journal


def test_the_configured_peer_is_talked_to() -> None:
    assert objection(SETTINGS, 1, journal_of(3), Authority(7, 0), HELLO) == ""


@pytest.mark.parametrize(
    ("hello", "why"),
    [
        (HELLO._replace(group="other"), "group: expected 'group', came 'other'"),
        (HELLO._replace(node=0), "node: expected 1, came 0 ('node 1')"),
        (HELLO._replace(node=2), "node: expected 1, came 2 ('node 1')"),
        (HELLO._replace(version_min=3, version_max=4), "version: expected 1 to 2, came 3 to 4"),
        (HELLO._replace(version_min=0, version_max=0), "version: expected 1 to 2, came 0 to 0"),
        (HELLO._replace(vector={OWN: 4}), "position of our own branch: expected at most 3, came 4"),
        (HELLO._replace(authority=Authority(1_000_008, 1)), "epoch: expected at most 1000007, came 1000008"),
        (HELLO._replace(mode="witness"), "authority: expected 'pair', came 'witness'"),
    ],
)
def test_anyone_else_is_told_what_was_expected(hello: Hello, why: str) -> None:
    assert objection(SETTINGS, 1, journal_of(3), Authority(7, 0), hello) == why


def test_a_peer_whose_lease_is_longer_than_we_stand_back_is_refused() -> None:
    settings = SETTINGS._replace(authority=Mode.WITNESS, lease=3_000 * MILLISECOND)
    hello = HELLO._replace(mode="witness", lease=3_000 * MILLISECOND)
    assert objection(settings, 1, journal_of(3), Authority(7, 0), hello) == ""
    assert objection(settings, 1, journal_of(3), Authority(7, 0), hello._replace(lease=hello.lease - 1)) == ""
    why = "lease: expected at most 3000 ms, came 4000 ms"
    assert objection(settings, 1, journal_of(3), Authority(7, 0), hello._replace(lease=4_000 * MILLISECOND)) == why


def test_who_tells_no_rules_is_not_refused_for_them() -> None:
    settings = SETTINGS._replace(authority=Mode.MANUAL)
    assert objection(settings, 1, journal_of(3), Authority(7, 0), HELLO) == ""


def test_an_epoch_that_leaves_room_is_believed() -> None:
    assert (
        objection(SETTINGS, 1, journal_of(3), Authority(7, 0), HELLO._replace(authority=Authority(1_000_007, 1))) == ""
    )


def test_a_later_version_that_still_speaks_ours_is_talked_to() -> None:
    assert objection(SETTINGS, 1, journal_of(3), Authority(7, 0), HELLO._replace(version_max=9)) == ""


@pytest.mark.parametrize(("version_min", "version_max", "spoken"), [(1, 1, 1), (1, 2, 2), (2, 9, 2)])
def test_a_link_speaks_the_smaller_of_the_highest_versions(version_min: int, version_max: int, spoken: int) -> None:
    peer = Peer(1, {})
    assert peer.version == 1  # until it has said what it knows
    peer.replace(HELLO._replace(version_min=version_min, version_max=version_max), OWN)
    assert peer.version == spoken


def test_a_hello_replaces_what_was_known() -> None:
    peer = Peer(1, {OTHER: 5})
    assert peer.raise_to({OWN: 7}, OWN)
    peer.replace(HELLO, OWN)
    assert peer.durable == {OWN: 3}
    assert peer.own_durable == 3


def test_a_position_never_falls_within_a_session() -> None:
    peer = Peer(1, {})
    peer.replace(HELLO, OWN)
    assert peer.raise_to({OWN: 5}, OWN)
    assert not peer.raise_to({OWN: 4}, OWN)
    assert peer.own_durable == 5


def test_what_the_peer_writes_itself_is_not_lacking_there() -> None:
    journal = Journal(OWN, Image(b"", {THEIRS: 9, OTHER: 4}, Authority(0, 0)))
    peer = Peer(1, {})
    peer.replace(HELLO._replace(vector={OTHER: 1}), OWN)
    assert peer.lacks_of_others(journal) == 3
    journal.seq = 2
    assert peer.lacks(journal) == 5


def test_what_a_snapshot_that_broke_off_brought_is_lacking_there_until_the_peer_has_it() -> None:
    journal, peer = journal_of(0), Peer(1, {})
    third = Branch(2, 5)
    journal.durable[third] = 1
    journal.beyond[third] = 4
    assert peer.lacks_of_uncovered(journal) == 3
    peer.durable[third] = 3
    assert peer.lacks_of_uncovered(journal) == 1
    peer.durable[third] = 4
    assert peer.lacks_of_uncovered(journal) == 0


def test_our_own_branch_ahead_of_us_is_a_fault() -> None:
    assert ahead_of_us(OWN, 3, {OWN: 3, THEIRS: 9}) == ""
    assert ahead_of_us(OWN, 3, {OWN: 4}) != ""


def greet(pair: Pair, hello: Hello) -> None:
    """Have node 0 greeted by a stranger."""
    pair.cut()
    pair.session += 1
    pair.a.sent.clear()
    pair.a.step(LinkUp(pair.session, 1))
    pair.a.step(Received(pair.session, hello))


def test_a_stranger_is_refused_and_nothing_of_it_is_taken() -> None:
    pair = joined()
    greet(pair, HELLO._replace(group="other", authority=Authority(9, 1), role=Role.ACTIVE, vector={}))
    assert isinstance(pair.a.sent[-1], Bye)
    assert pair.a.closed == ["group: expected 'group', came 'other'"]
    status = pair.a.member.status
    assert (status.link, status.why) == (Link.REFUSED, "group: expected 'group', came 'other'")
    assert pair.a.member.role is Role.ACTIVE
    refused = next(note for note in pair.a.notes if note.name == "replica.refused")
    assert dict(refused.fields) == {"name": "node 1", "session": pair.session, "why": pair.a.closed[0]}


def hello_of(pair: Pair) -> Hello:
    """Return what node 1 would say on the next link."""
    said = [message for message in pair.b.sent if isinstance(message, Hello)][-1]
    return said._replace(session=pair.session + 1)


def test_a_stream_that_is_replayed_is_refused_and_nothing_of_it_is_taken() -> None:
    pair = joined()
    pair.b.accept("x")
    greet(pair, hello_of(pair)._replace(session=pair.session, vector={}))
    assert pair.a.closed == ["session: expected one above 1, came 1: a stream that is replayed"]
    lag = pair.a.member.status.lag_records
    greet(pair, hello_of(pair))
    assert pair.a.member.status.link is Link.UP
    assert pair.a.member.status.lag_records == lag == 0


@pytest.mark.parametrize("role", [Role.ACTIVE, Role.PASSIVE])
def test_an_active_peer_that_is_refused_is_heard_all_the_same(role: Role) -> None:
    pair = joined()
    pair.a.crash()
    hello = [message for message in pair.a.sent if isinstance(message, Hello)][-1]
    for _ in range(8):
        pair.session += 1
        pair.b.step(LinkUp(pair.session, 0))
        pair.b.step(Received(pair.session, hello._replace(session=pair.session, mode="manual", role=role)))
        pair.run(1000)
    assert pair.b.closed[0] == "authority: expected 'pair', came 'manual'"
    assert (pair.b.roles == []) is (role is Role.ACTIVE)


@pytest.mark.parametrize("said", [Beat({}, FAR, Role.ACTIVE, 1, 1000), Handover(FAR)])
def test_an_epoch_from_the_future_ends_the_link_whoever_says_it(said: Beat | Handover) -> None:
    pair = joined()
    pair.b.step(Received(pair.session, said))
    assert pair.b.closed == ["epoch: expected at most 1000001, came 1000002"]
    assert pair.b.member.authority == Authority(1, 0)
    assert pair.b.roles == []


def test_another_store_is_refused_while_the_one_before_may_come_back() -> None:
    pair = joined()
    pair.a.accept("x")
    other = hello_of(pair)._replace(store_id=b"another", incarnation=77, vector={})
    greet(pair, other)
    assert pair.a.closed == [f"store: expected {b'store 1'.hex()}, heard 0 ms ago, came {b'another'.hex()}"]
    assert pair.a.member.status.link is Link.REFUSED
    assert pair.a.member.status.unprotected == 1, "it may be true, and then the other copy is lost"
    pair.run(2000)
    pair.link()
    assert pair.a.member.status.link is Link.UP
    assert pair.a.member.status.unprotected == 0
    pair.run(2000)
    greet(pair, other._replace(session=pair.session + 1))
    assert pair.a.member.status.link is Link.REFUSED, "the one before was heard since"
    assert not [note for note in pair.a.notes if note.name == "replica.peer_store_changed"]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_another_store_is_taken_when_the_one_before_is_silent(is_restarted: bool) -> None:
    pair = joined()
    pair.run(100)
    pair.b.crash()
    pair.run(3000)
    if is_restarted:  # what is remembered of the peer outlives us
        pair.a.crash()
        pair.a.start()
        pair.run(2900)
        greet(pair, hello_of(pair)._replace(store_id=b"another", incarnation=77))
        assert pair.a.member.status.link is Link.REFUSED
        pair.run(100)
    greet(pair, hello_of(pair)._replace(store_id=b"another", incarnation=77))
    assert pair.a.member.status.link is Link.UP
    (changed,) = [note for note in pair.a.notes if note.name == "replica.peer_store_changed"]
    assert dict(changed.fields) == {"name": "node 1", "was": b"store 1".hex(), "came": b"another".hex()}
    pair.settle()
    assert pair.a.store.image().stores == {1: b"another"}


def test_a_refusal_by_the_peer_is_shown() -> None:
    pair = joined()
    pair.cut()
    pair.session += 1
    pair.a.step(LinkUp(pair.session, 1))
    pair.a.step(Received(pair.session, Bye("no")))
    assert pair.a.member.status.why == "the peer says: no"


def test_an_acknowledgement_of_what_we_never_wrote_ends_the_link() -> None:
    pair = joined()
    pair.a.step(Received(pair.session, Ack({pair.a.member.own: 1})))
    assert pair.a.closed == ["position of our own branch: expected at most 0, came 1"]


def test_nothing_counts_before_the_hello() -> None:
    pair = joined()
    pair.cut()
    pair.session += 1
    pair.a.step(LinkUp(pair.session, 1))
    pair.a.step(Received(pair.session, Ack({pair.a.member.own: 99})))
    assert pair.a.closed == []
    assert pair.a.member.status.link is Link.GREETING


def test_what_comes_of_an_older_session_counts_for_nothing() -> None:
    pair = joined()
    pair.link()
    pair.a.step(Received(pair.session - 1, Ack({pair.a.member.own: 99})))
    assert pair.a.closed == []
    assert pair.a.member.status.link is Link.UP


def test_a_link_on_which_nothing_comes_is_ended() -> None:
    pair = joined()
    pair.is_wire_cut = True
    pair.run(3300)
    assert len(pair.a.closed) == 1
    assert pair.a.closed[0].startswith("nothing was heard for 3")

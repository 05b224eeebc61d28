"""Every state takes every event: each role and each state of a link, with all that can be told and said.

No step raises, and whatever it answers keeps to the rules that need no history to be checked.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import get_args

import pytest

from replicator.core.accept import PROTECTION
from replicator.core.authority import TRANSITIONS
from replicator.core.events import (
    Answer,
    BeginEmpty,
    CloseLink,
    Command,
    Commit,
    CommitFailed,
    Committed,
    Damaged,
    Drained,
    Effect,
    Event,
    ItemRead,
    LinkDown,
    LinkUp,
    LogRead,
    Note,
    Received,
    RoleChanged,
    Send,
    SnapshotRead,
    Stop,
    Submit,
    Tick,
    Told,
    WitnessSaid,
)
from replicator.core.grants import Denied, Granted
from replicator.core.member import Member
from replicator.core.messages import (
    Ack,
    Beat,
    Bye,
    Compare,
    Compared,
    Consent,
    Fetch,
    Fetched,
    Handover,
    Hello,
    Message,
    Plea,
    Records,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotItem,
)
from replicator.core.status import Link
from replicator.core.values import (
    DOUBTED,
    LACKING,
    MILLISECOND,
    NO_FLAGS,
    VOIDED,
    Authority,
    Away,
    Branch,
    Damage,
    Dot,
    Item,
    Kind,
    Mode,
    Presence,
    Protection,
    Record,
    Role,
)
from tests.fakes.pair import Pair, joined, part, put, witnessed

TOKEN = 1_000
THEIRS = Branch(1, 77)
FOR_THE_DRIVER = {Compare, Compared}  # the core is never told of these
WAITS = put("x").parts


# --- the states ---------------------------------------------------------------------------------------------


def alone() -> Pair:
    return Pair()


def greeting() -> Pair:
    pair = Pair()
    pair.a.step(LinkUp(1, 1))
    return pair


def promoting(make: Callable[[], Pair], silence_ms: int) -> Callable[[], Pair]:
    def made() -> Pair:
        pair = make()
        pair.b.crash()
        pair.a.is_disk_stuck = True
        pair.run(silence_ms)
        return pair

    return made


def active_alone() -> Pair:
    pair = joined()
    pair.a.submit(put("x"))
    pair.b.is_disk_stuck = True
    pair.a.submit(put("y"))
    pair.cut()
    return pair


def degraded() -> Pair:
    pair = active_alone()
    pair.run(2_500)
    return pair


def catching_up() -> Pair:
    pair = degraded()
    pair.b.is_disk_stuck = True
    pair.loses = (Ack, Beat)
    pair.link()
    return pair


def draining(make: Callable[[], Pair]) -> Callable[[], Pair]:
    def made() -> Pair:
        pair = make()
        pair.a.is_drain_answered = False
        pair.a.command("switchover")
        return pair

    return made


def rejoining() -> Pair:
    pair = joined()
    pair.loses = (Records,)
    pair.b.submit(put("unseen here"), wait=False)
    pair.b.is_disk_stuck = True
    beat = Beat({pair.b.member.own: 1}, Authority(9, 1), Role.ACTIVE, 1, 1000)
    pair.a.step(Received(pair.session, beat))
    return pair


def fenced() -> Pair:
    pair = witnessed()
    pair.is_wire_cut = True
    pair.cut_from_witness = {0, 1}
    pair.run(3_500)
    return pair


def passive(make: Callable[[], Pair]) -> Callable[[], Pair]:
    def made() -> Pair:
        pair = make()
        pair.a, pair.b = pair.b, pair.a
        return pair

    return made


def peerless() -> Pair:
    pair = Pair()
    pair.a.settings = pair.a.settings._replace(peer_node=-1)
    pair.a.start()
    return pair


def refused() -> Pair:
    pair = joined()
    pair.a.step(Received(pair.session, Bye("no")))
    return pair


STATES: dict[str, tuple[Role, Link, Callable[[], Pair]]] = {
    "new": (Role.PASSIVE, Link.DOWN, alone),
    "greeting": (Role.PASSIVE, Link.GREETING, greeting),
    "passive": (Role.PASSIVE, Link.UP, passive(joined)),
    "passive with a witness": (Role.PASSIVE, Link.UP, passive(witnessed)),
    "passive by hand": (Role.PASSIVE, Link.DOWN, lambda: Pair(settings={"authority": Mode.MANUAL})),
    "passive without a peer": (Role.PASSIVE, Link.NONE, peerless),
    "promoting": (Role.PROMOTING, Link.DOWN, promoting(passive(joined), 3_600)),
    "promoting with a witness": (Role.PROMOTING, Link.DOWN, promoting(passive(witnessed), 4_000)),
    "active": (Role.ACTIVE, Link.UP, joined),
    "active with a witness": (Role.ACTIVE, Link.UP, witnessed),
    "active, link lost": (Role.ACTIVE, Link.DOWN, active_alone),
    "active, degraded": (Role.ACTIVE, Link.DOWN, degraded),
    "active, catching up": (Role.ACTIVE, Link.UP, catching_up),
    "active, refused": (Role.ACTIVE, Link.REFUSED, refused),
    "draining": (Role.DRAINING, Link.UP, draining(joined)),
    "draining with a witness": (Role.DRAINING, Link.UP, draining(witnessed)),
    "rejoining": (Role.REJOINING, Link.UP, rejoining),
    "fenced": (Role.FENCED, Link.DOWN, fenced),
}


# --- the events ---------------------------------------------------------------------------------------------


def messages(member: Member, node: int) -> Iterator[Message]:
    """All that a peer can say, true and false."""
    own, theirs, held = member.own, Branch(node, 77), Dot(Branch(node, 77), 1)
    authorities = [Authority(0, 0), member.authority, Authority(member.authority.epoch + 1, node)]
    for authority in authorities:
        yield Handover(authority)
        for role in Role:
            yield Beat({theirs: 1, own: 1}, authority, role, 1, 1000, Plea(1, 3_000_000_000), Consent(1, 1))
            yield Hello("group", node, "peer", b"s", 77, 1, 2, {theirs: 1}, authority, role)
    yield Hello("other group", node, "peer", b"s", 77, 1, 2, {}, Authority(0, 0), Role.PASSIVE)
    yield Hello("group", node, "peer", b"s", 77, 9, 9, {}, Authority(0, 0), Role.PASSIVE)
    yield Beat({own: 1 << 40}, Authority(1, node), Role.PASSIVE, 1, 10)
    for branch in (theirs, own, Branch(node, 78)):
        for first_seq in (1, 2, 1 << 40):
            yield Records(branch, first_seq, (put("r"), part("r", Dot(branch, first_seq), 3), Record(Kind.DONE, b"r")))
    yield Records(theirs, 1, ())
    yield Records(theirs, 1, (Record(9, b"new"),))
    yield Records(theirs, 1, (Record(64, b"new"),))
    yield Ack({})
    yield Ack({own: 1})
    yield Ack({own: 1 << 40})
    yield SnapshotBegin({theirs: 9})
    yield SnapshotBegin({own: 1 << 40})
    for kind in (Kind.PUT, Kind.PART, Kind.DONE, Kind.VOID):
        yield SnapshotItem(b"x", held, WAITS, NO_FLAGS, b"", b"content", kind)
        yield SnapshotItem(b"x", held, WAITS, NO_FLAGS, b"", None, kind)
    yield SnapshotEnd(0)
    yield SnapshotEnd(7)
    yield Bye("why")
    yield Fetch(b"x")
    for presence in Presence:
        yield Fetched(b"x", presence)
    yield Fetched(b"x", Presence.HELD, SnapshotItem(b"x", held, WAITS, NO_FLAGS, b"", b"content"))


def events(member: Member, node: int, session: int) -> Iterator[Event]:
    """All that a driver can tell."""
    own, item = member.own, Item(b"x", Dot(member.own, 1), dict(WAITS), NO_FLAGS, b"meta", 7)
    ticket = member._journal.ticket
    yield Tick()
    yield Tick(0)
    for wait in (True, False):
        yield Submit(TOKEN, (put("new"),), wait)
        yield Submit(TOKEN, (part("x", item.put, 3), Record(Kind.DONE, b"x", item.put)), wait)
    yield Committed(ticket)
    yield Committed(ticket, ((b"x", item.put),), (Away(b"y", None), Away(b"z", item.put, "blob", True)))
    yield CommitFailed(max(1, ticket), "full")
    yield Command(TOKEN, "unknown")
    for verb in ("promote", "switchover", "demote", "refill"):
        yield Command(TOKEN, verb)
        yield Command(TOKEN, verb, force=True)
    yield Drained()
    yield Drained(1)
    yield Damaged((Damage("item", b"x"), Damage("blob", b"x"), Damage(VOIDED, b"y"), Damage("log", b"z")))
    yield Damaged((Damage(LACKING, b"w"), Damage(DOUBTED, b"x")))
    for generation in range(3):
        yield WitnessSaid(Granted(own.incarnation, generation, 1, member.authority.epoch + 1, 3_000_000_000))
        yield WitnessSaid(Denied(own.incarnation, generation, 1, member.authority.epoch + 1, node, "held"))
    for number in (session, session - 1, session + 1):
        yield LinkUp(number, node)
        yield LinkUp(number, 5)
        yield LinkDown(number, "gone")
        for records in (None, (), (put("x"),)):
            yield LogRead(number, own, 1, records)
            yield LogRead(number, THEIRS, 1, records)
        yield SnapshotRead(number, {own: 1}, ((item, b"content"),), True)
        yield SnapshotRead(number, None, (), False)
        for presence in Presence:
            yield ItemRead(number, b"x", presence, item, b"content")
        for message in messages(member, node):
            yield Received(number, message)


# --- what every answer keeps to -----------------------------------------------------------------------------


def check(before: Member, after: Member, effects: list[Effect], session: int, node: int) -> None:
    status = after.status
    role, tickets, was = before.role, [before._journal.ticket], before.protection
    for effect in effects:
        match effect:
            case RoleChanged(becomes):
                assert becomes in {move.role for (state, _), move in TRANSITIONS.items() if state is role}
                role = becomes
            case Commit(ticket):
                tickets.append(ticket)
            case Send(number, message):
                assert number in (session, session + 1)
                for vector in (getattr(message, name, {}) for name in ("durable", "vector")):
                    is_snapshot = isinstance(message, SnapshotBegin)
                    assert is_snapshot or all(status.vector.get(branch, 0) >= seq for branch, seq in vector.items())
            case CloseLink(number):
                assert number in (session, session + 1)
            case BeginEmpty(token):
                assert token == TOKEN
                assert effect is effects[-1]
                assert not after.is_owner_at(after._now, 0)
            case Answer(token) | Told(token):
                assert token <= TOKEN
            case Note("replica.protection", fields):
                become = Protection[str(dict(fields)["to"])]
                assert become in {to for (state, _), to in PROTECTION.items() if state is was}
                was = become
    assert role is after.role
    assert was is after.protection
    assert tickets == list(range(tickets[0], tickets[0] + len(tickets)))
    assert len({effect.token for effect in effects if isinstance(effect, Answer)}) == len(
        [effect for effect in effects if isinstance(effect, Answer)]
    )
    assert after._ownership.seen >= before._ownership.seen
    if after.is_owner_at(after._now, 0):
        assert after.role is Role.ACTIVE
    if any(isinstance(effect, Stop) for effect in effects):
        assert not after.is_owner_at(after._now, 0)
        assert after.step(after._now, Tick()) == []


def test_every_role_and_link_is_there() -> None:
    assert {role for role, _, _ in STATES.values()} == set(Role)
    assert {link for _, link, _ in STATES.values()} == set(Link)


def test_every_event_and_message_is_told() -> None:
    pair = joined()
    told = list(events(pair.a.member, 1, pair.session))
    assert {type(event) for event in told} == set(get_args(Event))
    said = {type(event.message) for event in told if isinstance(event, Received)}
    assert said == set(get_args(Message)) - FOR_THE_DRIVER


@pytest.mark.parametrize("name", STATES)
def test_every_state_takes_every_event(name: str) -> None:
    role, link, make = STATES[name]
    pair = make()
    side, node = pair.a, pair.b.node
    assert (side.member.role, side.member.status.link) == (role, link)
    now = pair.now + MILLISECOND
    frozen = copy.deepcopy(side.member)
    for event in list(events(frozen, node, max(1, pair.session))):
        member = copy.deepcopy(frozen)
        effects = member.step(now, event)
        try:
            check(frozen, member, effects, max(1, pair.session), node)
            for later in (now + 60 * MILLISECOND, now + 10_000 * MILLISECOND):
                was = copy.deepcopy(member)
                check(was, member, member.step(later, Tick()), max(1, pair.session), node)
        except AssertionError as error:
            raise AssertionError(f"{name}, told {event}: {effects}") from error

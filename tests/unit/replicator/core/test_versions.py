"""Which version brought what."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from replicator.core.events import Received
from replicator.core.messages import Bye, Handover, Hello, Message, SnapshotBegin
from replicator.core.values import Durability, Flags, Kind, Record, Role
from replicator.core.versions import (
    CRITICAL_BELOW,
    MESSAGES,
    RECORDS,
    VERSION_MAX,
    VERSION_MIN,
    chosen,
    first_critical,
    may_write,
)
from tests.fakes.pair import Pair, joined, put, witnessed


def test_every_kind_of_message_and_record_has_its_version() -> None:
    assert MESSAGES.keys() == set(get_args(Message))
    assert RECORDS.keys() == set(Kind)
    assert set(MESSAGES.values()) | set(RECORDS.values()) <= set(range(VERSION_MIN, VERSION_MAX + 1))


def test_two_adjacent_versions_are_spoken() -> None:
    assert VERSION_MAX - VERSION_MIN == 1


def test_what_is_said_before_the_version_is_known_was_always_there() -> None:
    assert MESSAGES[Hello] == MESSAGES[Bye] == VERSION_MIN


@pytest.mark.parametrize(
    ("version_min", "version_max", "spoken"),
    [(1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 3, 2), (3, 4, 0), (0, 0, 0), (2, 1, 0)],
)
def test_the_smaller_of_two_maxima_is_spoken_if_both_know_it(version_min: int, version_max: int, spoken: int) -> None:
    assert chosen(version_min, version_max) == spoken


def test_what_a_version_does_not_know_is_not_written_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECORDS, Kind.FLAGS, 2)
    old, new = Record(Kind.DONE, b"K"), Record(Kind.FLAGS, b"K")
    assert may_write(1, (old, old))
    assert not may_write(1, (old, new))
    assert may_write(2, (old, new))


def test_the_number_of_an_unknown_kind_tells_whether_it_must_be_understood() -> None:
    known = [Record(kind, b"K") for kind in Kind]
    assert max(Kind) < CRITICAL_BELOW
    assert first_critical([*known, Record(CRITICAL_BELOW, b"K")]) == -1
    assert first_critical([*known, Record(CRITICAL_BELOW, b"K"), Record(max(Kind) + 1, b"K")]) == len(Kind) + 1


# --- a member beside one of another version -----------------------------------------------------------------


def stranger(pair: Pair, kind: int) -> None:
    """Let node 1 write a record of a kind that node 0 does not know, and bring it over."""
    pair.b.submit(Record(kind, b"new"), wait=False)


def test_what_is_new_is_not_written_before_the_peer_is_known_to_understand_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECORDS, Kind.FLAGS, 2)
    pair = joined()
    put_dot = pair.a.accept("x")
    flags = Record(Kind.FLAGS, b"x", put_dot, flags=Flags(1, b"held"))
    pair.version_max = 1
    pair.link()
    pair.run(100)
    refused = pair.a.answers[pair.a.submit(flags)]
    assert (refused.durability, refused.why) == (Durability.REFUSED, "version")
    pair.version_max = 2
    pair.link()
    pair.run(500)
    pair.a.submit(flags)
    assert pair.a.answer() is Durability.REMOTE


def test_a_peer_that_was_never_heard_is_written_for_as_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECORDS, Kind.PUT, 2)
    pair = Pair()
    pair.a.submit(put("x"))
    assert pair.a.answer() is Durability.REFUSED


def test_a_record_that_need_not_be_understood_changes_nothing_else() -> None:
    pair = joined()
    stranger(pair, CRITICAL_BELOW)
    assert pair.a.store.vector == pair.b.store.vector
    assert pair.a.member.role is Role.ACTIVE
    pair.a.accept("x")
    assert pair.a.answer() is Durability.REMOTE


@pytest.mark.parametrize("make", [joined, witnessed])
def test_an_owner_that_does_not_understand_its_peer_stands_aside(make: Callable[[], Pair]) -> None:
    pair = make()
    before = dict(pair.a.store.vector)
    stranger(pair, CRITICAL_BELOW - 1)
    assert pair.a.member.role is Role.PASSIVE
    assert pair.a.store.vector == before, "its branch stops before the record"
    assert [note.name for note in pair.a.notes if note.name == "replica.not_understood"] == ["replica.not_understood"]
    pair.run(8_000)
    assert pair.b.member.role is Role.ACTIVE, "the one that understands takes over"
    assert pair.a.accept("x")
    assert pair.b.keys == ["x"], "data flows the other way as ever"


@pytest.mark.parametrize("make", [joined, witnessed])
def test_a_standby_that_does_not_understand_its_peer_does_not_take_over(make: Callable[[], Pair]) -> None:
    pair = make()
    pair.a.crash()
    pair.run(8_000)
    assert pair.b.member.role is Role.ACTIVE
    pair.a.start()
    pair.link()
    pair.run(1_000)
    stranger(pair, CRITICAL_BELOW - 1)
    pair.b.crash()
    pair.run(20_000)
    assert pair.a.member.role is Role.PASSIVE
    told = pair.a.told[pair.a.command("promote")]
    assert not told.is_done
    assert "upgrade this node" in told.text


def test_an_operator_may_overrule_that_where_the_other_is_gone() -> None:
    pair = joined()
    stranger(pair, CRITICAL_BELOW - 1)
    pair.b.crash()
    assert pair.a.told[pair.a.command("promote", force=True)].is_done
    pair.run(100)
    assert pair.a.member.role is Role.ACTIVE


def test_the_witness_is_not_overruled() -> None:
    pair = witnessed()
    stranger(pair, CRITICAL_BELOW - 1)
    pair.b.crash()
    assert not pair.a.told[pair.a.command("promote", force=True)].is_done


def test_an_owner_does_not_hand_over_to_one_that_does_not_understand_it() -> None:
    pair = joined()
    pair.a.submit(Record(CRITICAL_BELOW - 1, b"new"), wait=False)
    pair.run(5_000)
    assert pair.b.member._ownership.is_unfit
    token = pair.a.command("switchover")
    pair.run(5_000)
    assert not pair.a.told[token].is_done
    assert pair.a.member.role is Role.ACTIVE
    pair.b.step(Received(pair.session, Handover(pair.a.member.authority)))
    pair.run(1_000)
    assert pair.b.member.role is Role.PASSIVE


def test_a_pair_of_version_1_replicates_by_records_log_and_snapshot() -> None:
    pair = Pair(log_records_max=5)
    pair.version_max = 1
    pair.link()
    pair.run(3_500)
    pair.a.accept("live")
    assert pair.a.answer() is Durability.REMOTE
    pair.cut()
    pair.a.accept("by log")
    pair.link()
    assert pair.b.keys == ["by log", "live"]
    pair.cut()
    for number in range(20):
        pair.a.accept(f"by snapshot {number:02}")
    pair.a.crash()  # what it wrote is no longer in memory
    pair.a.start()
    pair.link()
    pair.run(1_000)
    assert any(isinstance(message, SnapshotBegin) for message in pair.a.sent)
    assert pair.b.keys == pair.a.keys
    assert len(pair.b.keys) == 22
    assert pair.b.store.vector == pair.a.store.vector

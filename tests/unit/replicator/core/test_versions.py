"""Which version brought what."""

from __future__ import annotations

from typing import get_args

import pytest

from replicator.core.events import Bye, Hello, Message
from replicator.core.values import Kind, Record
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

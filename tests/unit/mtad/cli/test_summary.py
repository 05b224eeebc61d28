"""Groups count messages once and recipients each, into the right age."""

from __future__ import annotations

import pytest

from mtad.cli.summary import AGES_MINUTES, summarize
from mtad.pb import admin_pb2 as pb

WALL = 1_700_000_000.0


def entry(age_seconds: int, *recipients: str) -> pb.QueueEntry:
    return pb.QueueEntry(
        arrival_time=int(WALL) - age_seconds, recipients=[pb.QueueRecipient(address=address) for address in recipients]
    )


@pytest.mark.parametrize(
    ("age_seconds", "column"), [(-5, 0), (299, 0), (300, 1), (599, 1), (600, 2), (1280 * 60 - 1, 8), (1280 * 60, 9)]
)
def test_ages(age_seconds: int, column: int) -> None:
    (group,) = summarize([entry(age_seconds, "a@b")], "domain", WALL)
    assert group.ages == [int(index == column) for index in range(len(AGES_MINUTES) + 1)]


def test_groups_come_by_size_then_name() -> None:
    groups = summarize([entry(1, "a@x", "b@X", "c@y"), entry(9, "a@z"), entry(5, "d@X")], "domain", WALL)
    assert [(group.name, group.messages, group.recipients, group.oldest_seconds) for group in groups] == [
        ("x", 2, 3, 5.0),
        ("y", 1, 1, 1.0),
        ("z", 1, 1, 9.0),
    ]


def test_queues_are_counted_by_the_name_that_policy_gives_them() -> None:
    entries = [entry(1, "a@x", "b@y"), entry(1, "c@x"), entry(1, "d@x")]
    entries[0].queue = entries[1].queue = "slow"
    assert [(one.name, one.recipients) for one in summarize(entries, "queue", WALL)] == [("slow", 3), ("", 1)]

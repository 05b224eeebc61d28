"""Queue ids sort by time, name their node and are never the same twice."""

import random

import pytest

from mtad.mail import queue_id
from mtad.mail.queue_id import QueueIdSource


def test_ids_sort_in_the_order_they_were_made_whatever_the_clock_does():
    source = QueueIdSource(3)
    dice = random.Random(1)
    walls = [1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_001, 1_600_000_000_000, 1_700_000_000_002] * 50
    made = [source.next(wall, dice.getrandbits(32)) for wall in walls]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_the_count_carries_into_the_time_when_a_millisecond_is_used_up():
    source = QueueIdSource(0)
    first = source.next(5, (1 << 24) - 1)
    source._count = (1 << 25) - 1
    following = source.next(5, 7)
    assert following > first
    assert queue_id.arrival_milliseconds(following) == 6


def test_an_id_tells_its_node_and_its_time():
    made = QueueIdSource(31).next(1_700_000_000_123, 99)
    assert queue_id.node_of(made) == 31
    assert queue_id.arrival_milliseconds(made) == 1_700_000_000_123
    assert queue_id.is_queue_id(made)


@pytest.mark.parametrize("text", ["", "0", "01JD4Z8Q6K", "!" * 16, "I" * 16, "a" * 16, "0" * 17])
def test_what_is_no_queue_id_is_told_apart(text):
    assert not queue_id.is_queue_id(text)
    with pytest.raises(ValueError, match="not a queue id"):
        queue_id.node_of(text)


@pytest.mark.parametrize("node", [-1, 32])
def test_a_node_that_no_letter_names_is_refused(node):
    with pytest.raises(ValueError, match="node must be"):
        QueueIdSource(node)

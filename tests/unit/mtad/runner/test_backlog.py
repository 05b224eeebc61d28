"""The backlog is a bounded window on the queue; destinations take turns in it, and so do the senders of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from mtad.runner.backlog import Backlog, BacklogLimits, Waiting

LIMITS = BacklogLimits(messages_max=40, domains_max=6, per_domain_max=20, per_sender_max=8, few=2, left_out_max=10)


def mail(domain: str, count: int, sender: str = "s", first: int = 0) -> list[Waiting]:
    return [Waiting(f"{domain}{sender}{number}", domain, sender) for number in range(first, first + count)]


def added(backlog: Backlog, waiting: Sequence[Waiting]) -> int:
    """Add messages; return how many there was room for."""
    return sum([backlog.add(one) for one in waiting])


def taken(backlog: Backlog, count: int, shut: str = "") -> list[str]:
    """Take messages of domains that are not shut; return their ids."""
    found = [backlog.take(lambda domain: domain not in shut) for _ in range(count)]
    return [one.queue_id for one in found if one is not None]


class Queue:
    """An index that is walked a page at a time, as the intake does."""

    def __init__(self, backlog: Backlog, messages: Sequence[Waiting]) -> None:
        self.backlog = backlog
        self.left = dict.fromkeys(messages)
        self.read_count = 0
        self._cursor = 0
        self._index = list(messages)

    def fill(self) -> None:
        """Read everything once, as at the start."""
        for one in self._index:
            self.read_count += 1
            self.backlog.add(one)

    def fetch(self) -> None:
        """Read on until nobody is hungry."""
        while self.backlog.is_hungry:
            if self._cursor == len(self._index):
                self._cursor = 0
                self._index = list(self.left)
                self.backlog.turned()
                continue
            one = self._index[self._cursor]
            self._cursor += 1
            self.read_count += 1
            if one in self.left and self.backlog.has_left_out(one.domain):
                self.backlog.add(one)

    def attempt(self, count: int, shut: str = "") -> list[Waiting]:
        """Attempt messages, fetching as need be; they leave the queue."""
        done = []
        while len(done) < count:
            one = self.backlog.take(lambda domain: domain not in shut)
            if one is None:
                return done
            known = one if one in self.left else next(left for left in self.left if left.queue_id == one.queue_id)
            del self.left[known]  # what found no room among the urgent has waited among the others
            done.append(one)
            self.fetch()
        return done


def test_destinations_take_turns() -> None:
    backlog = Backlog(LIMITS)
    added(backlog, [*mail("a", 4), *mail("b", 2), *mail("c", 1)])
    assert taken(backlog, 9) == ["as0", "bs0", "cs0", "as1", "bs1", "as2", "as3"]
    assert len(backlog) == 0


def test_senders_of_a_destination_take_turns() -> None:
    backlog = Backlog(LIMITS)
    added(backlog, [*mail("a", 3, "x"), *mail("a", 2, "y"), *mail("a", 1, "z")])
    assert taken(backlog, 6) == ["ax0", "ay0", "az0", "ax1", "ay1", "ax2"]


def test_a_destination_without_a_place_is_passed_over_and_keeps_its_turn() -> None:
    backlog = Backlog(LIMITS)
    added(backlog, [*mail("a", 2), *mail("b", 2)])
    assert taken(backlog, 3, shut="a") == ["bs0", "bs1"]
    assert taken(backlog, 3) == ["as0", "as1"]


def test_what_is_there_is_not_there_twice() -> None:
    backlog = Backlog(LIMITS)
    added(backlog, mail("a", 2) * 3)
    assert (len(backlog), taken(backlog, 5)) == (2, ["as0", "as1"])
    added(backlog, mail("a", 1))
    assert taken(backlog, 5) == ["as0"]


def test_the_window_is_bounded_for_senders_destinations_and_all() -> None:
    backlog = Backlog(LIMITS)
    assert added(backlog, mail("a", 100, "x")) == LIMITS.per_sender_max
    assert [added(backlog, mail("a", 100, sender)) for sender in "yz"] == [8, 4]
    assert [added(backlog, [*mail(domain, 50, "x"), *mail(domain, 50, "y")]) for domain in "bc"] == [16, 4]
    assert len(backlog) == LIMITS.messages_max
    assert [added(backlog, mail(domain, 100)) for domain in "defg"] == [2, 2, 2, 0], "a few for each, and so many"
    for number in range(100):
        backlog.add(Waiting("m", "a", f"s{number}"))
    assert backlog._left_out_count == LIMITS.left_out_max == sum(map(len, backlog._left_out.values()))


def test_who_was_left_out_is_fetched_when_half_of_the_room_is_free() -> None:
    backlog = Backlog(LIMITS)
    added(backlog, mail("a", 9))
    assert not backlog.is_hungry
    taken(backlog, 4)
    assert not backlog.is_hungry
    taken(backlog, 1)
    assert backlog.is_hungry
    assert added(backlog, mail("a", 1, first=8)) == 1
    assert not backlog.is_hungry, "half is there again"
    assert not Backlog(LIMITS).is_hungry


def test_who_has_nothing_more_in_the_index_is_no_longer_looked_for() -> None:
    backlog = Backlog(LIMITS)
    added(backlog, mail("a", 9))
    taken(backlog, 8)
    turns = 0
    while backlog.is_hungry:
        backlog.turned()
        turns += 1
    assert turns == 2, "the rest of this turn, and a whole one"
    assert not backlog.has_left_out("a")


@pytest.mark.parametrize("left_out_max", [0, 2, 100])
def test_more_destinations_and_senders_than_the_window_has_room_for_are_all_seen_to(left_out_max: int) -> None:
    limits = BacklogLimits(20, domains_max=6, per_domain_max=8, per_sender_max=4, few=2, left_out_max=left_out_max)
    backlog = Backlog(limits)
    wide = [one for number in range(60) for one in mail(f"d{number}", 3, f"s{number % 3}")]
    deep = [one for number in range(30) for one in mail("a", 6, f"t{number}")]
    queue = Queue(backlog, [*wide, *deep])
    queue.fill()
    assert len(queue.attempt(1000)) == len(wide) + len(deep)
    assert not queue.left


def test_a_dead_destination_with_very_much_mail_starves_nobody_and_is_not_walked_past_again() -> None:
    backlog = Backlog(BacklogLimits())
    dead = [*mail("dead", 50_000, "x"), *mail("dead", 50_000, "y")]
    queue = Queue(backlog, [*dead, *mail("alive", 300)])
    queue.fill()
    assert len(backlog) == 500 + 250
    first = queue.attempt(250, shut="dead")
    assert {one.domain for one in first} == {"alive"}
    rest = queue.attempt(50, shut="dead")
    assert len(rest) == 50, "what was left out is fetched"
    assert queue.read_count < 4 * len(dead), "the index is read a few times, not for each message"
    read_count = queue.read_count
    for number in range(1000):
        backlog.add(Waiting(f"new{number}", "alive", "s"))
        assert taken(backlog, 1, shut="dead") == [f"new{number}"]
    assert queue.read_count == read_count
    assert not backlog.is_hungry


def test_very_much_mail_of_one_sender_is_read_about_once_and_delays_others_by_one_turn() -> None:
    backlog = Backlog(BacklogLimits())
    queue = Queue(backlog, mail("a", 20_000, "bulk"))
    queue.fill()
    done = queue.attempt(5_000)
    backlog.add(Waiting("one", "a", "other"))
    queue.left[Waiting("one", "a", "other")] = None
    assert "one" in [one.queue_id for one in queue.attempt(2)]
    done += queue.attempt(30_000)
    assert Counter(one.sender for one in done) == {"bulk": 20_000 - 1}
    assert not queue.left
    assert queue.read_count < 4 * 20_000


def test_senders_beyond_number_are_fetched_as_one() -> None:
    """A list that gives each of its messages a return path of its own (VERP), to one destination."""
    backlog = Backlog(replace(LIMITS, left_out_max=10_000, told_apart_max=5))
    verp = [one for number in range(3_000) for one in mail("a", 1, f"bounce-{number}-")]
    queue = Queue(backlog, [*verp, *mail("a", 100, "bulk")])
    queue.fill()
    assert backlog.left_out_count <= 5 + 1 + 1, "what is looked at for each message that is taken is bounded"
    assert len(queue.attempt(5_000)) == 3_100
    assert not queue.left


def urgent(domain: str, count: int, priority: int, sender: str = "s") -> list[Waiting]:
    return [
        one._replace(queue_id=f"{one.queue_id}!{priority}", priority=priority) for one in mail(domain, count, sender)
    ]


def test_what_has_a_higher_priority_comes_first_at_its_destination() -> None:
    backlog = Backlog(LIMITS)
    every = mail("a", 2) + urgent("a", 2, 1) + urgent("a", 1, 5) + mail("b", 1)
    assert added(backlog, every) == len(backlog) == len(every)
    assert taken(backlog, 9) == ["as0!5", "bs0", "as0!1", "as1!1", "as0", "as1"]
    assert len(backlog) == 0


def test_senders_take_turns_among_what_is_urgent_too() -> None:
    backlog = Backlog(LIMITS)
    added(backlog, urgent("a", 3, 2, "s") + urgent("a", 1, 2, "t"))
    assert taken(backlog, 4) == ["as0!2", "at0!2", "as1!2", "as2!2"]


def test_what_is_urgent_has_room_of_its_own_and_then_that_of_the_others() -> None:
    backlog = Backlog(LIMITS)
    assert added(backlog, mail("a", 30)) == LIMITS.per_sender_max
    assert added(backlog, urgent("a", 30, 1)) == LIMITS.per_sender_max
    assert added(backlog, urgent("a", 30, 2, "t")) == 2 * LIMITS.per_sender_max
    many = [one for sender in "uvwxyz" for one in urgent("a", 30, 3, sender)]
    assert added(backlog, many) == 2 * LIMITS.per_domain_max - 4 * LIMITS.per_sender_max
    assert len(backlog) == 2 * LIMITS.per_domain_max


def test_all_is_attempted_whatever_its_priority() -> None:
    backlog = Backlog(LIMITS)
    queue = Queue(backlog, [one for sender in "stuv" for one in mail("a", 30, sender) + urgent("a", 30, 4, sender)])
    queue.fill()
    assert len(queue.attempt(240)) == 240
    assert not queue.left
    assert queue.read_count < 240 * 10

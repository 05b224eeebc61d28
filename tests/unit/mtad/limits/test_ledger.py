"""The counters of a node: what has changed, in its order, and what is dropped."""

from __future__ import annotations

from mtad.limits.ledger import Ledger, LedgerLimits, LocalLimits
from mtad.limits.questions import Counted, Rate, Stored, Storing
from mtad.limits.values import Value

NOW_MS = 1_700_000_000_000


def rate(number: int, *, is_peek: bool = False) -> Rate:
    return Rate(number.to_bytes(16, "big"), 2, 60, is_peek=is_peek)


def test_what_has_changed_is_taken_once() -> None:
    ledger = Ledger(1)
    for number in (3, 1, 2, 3):
        ledger.ask(rate(number), NOW_MS)
    ledger.ask(rate(4, is_peek=True), NOW_MS)
    ledger.ask(rate(3), NOW_MS)  # it is over
    assert ledger.is_changed
    assert ledger.take_changed(2) == [rate(3).counter, rate(1).counter]
    ledger.change_again(rate(3).counter)
    ledger.change_again(rate(9).counter)  # which is not held
    assert ledger.take_changed(9) == [rate(2).counter, rate(3).counter]
    assert not ledger.is_changed


def test_what_is_dropped_is_told_and_has_not_changed() -> None:
    ledger, dropped = Ledger(1, LedgerLimits(windows_max=2)), list[bytes]()
    ledger.on_drop(dropped.append)
    for number in range(4):
        ledger.ask(rate(number), NOW_MS)
    assert len(ledger) == 2
    assert dropped == [rate(0).counter, rate(1).counter]
    assert ledger.take_changed(9) == [rate(2).counter, rate(3).counter]


def test_what_is_over_is_swept() -> None:
    ledger = Ledger(1)
    ledger.ask(rate(1), NOW_MS)
    assert list(ledger.sweep(NOW_MS + 60_000)) == []
    assert list(ledger.sweep(NOW_MS + 70_000)) == [None]
    assert len(ledger) == 0


async def test_the_policy_of_the_same_process_asks_it_in_its_time() -> None:
    now = [NOW_MS]
    door = LocalLimits(Ledger(1), lambda: now[0])
    assert [await door.ask(rate(1)) for _ in range(3)] == [Counted(False, 1), Counted(False, 2), Counted(True, 2)]
    now[0] += 70_000
    assert await door.ask(rate(1)) == Counted(False, 1)


async def test_values_are_kept_as_counters_are() -> None:
    ledger = Ledger(1, LedgerLimits(values_max=1))
    door = LocalLimits(ledger, lambda: NOW_MS)
    value = Storing(b"v" * 16, "x", 60)
    assert await door.store(Storing(value.counter)) == Stored(None)
    assert not ledger.is_changed
    assert await door.store(value) == await door.store(Storing(value.counter)) == Stored("x")
    assert len(ledger) == 1
    assert ledger.take_changed(9) == [value.counter]
    entry = ledger.entry(value.counter)
    assert entry == Value(NOW_MS, NOW_MS + 60_000, "x", NOW_MS + 60_000)
    other = Ledger(2)
    other.learn(1, value.counter, entry)
    assert other.store(Storing(value.counter), NOW_MS) == Stored("x")
    assert list(other.sweep(NOW_MS + 60_000)) == [None]
    assert len(other) == 0
    await door.store(Storing(b"w" * 16, "y", 60))
    assert ledger.crowded_out_count == 1


def test_a_value_that_must_be_held_longer_than_it_is_written_for_is_written_again() -> None:
    ledger = Ledger(2)
    ledger.learn(1, b"v" * 16, Value(NOW_MS + 1, NOW_MS + 60_000, "later", NOW_MS + 60_000))
    assert not ledger.is_changed, "who has set it has written it"
    ledger.learn(2, b"v" * 16, Value(NOW_MS, NOW_MS + 90_000, "earlier", NOW_MS + 90_000))
    assert ledger.take_changed(9) == [b"v" * 16]
    assert ledger.entry(b"v" * 16) == Value(NOW_MS + 1, NOW_MS + 90_000, "later", NOW_MS + 60_000)

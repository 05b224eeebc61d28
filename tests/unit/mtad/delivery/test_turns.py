"""Senders take turns, and who has most makes room."""

from __future__ import annotations

from mtad.delivery.turns import Turns


def filled(*entries: str) -> Turns[str]:
    """Return a queue of entries, each named after its sender and its number: 'a1'."""
    turns: Turns[str] = Turns()
    for entry in entries:
        turns.add(entry[0], entry)
    return turns


def drained(turns: Turns[str]) -> list[str]:
    found = []
    while (taken := turns.pop()) is not None:
        found.append(taken[1])
    return found


def test_one_of_each_in_turn_and_the_oldest_first() -> None:
    turns = filled("a1", "a2", "a3", "a4", "b1", "b2", "c1")
    assert len(turns) == 7
    assert drained(turns) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]
    assert len(turns) == 0


def test_who_comes_late_waits_for_one_of_each() -> None:
    turns = filled(*(f"a{number}" for number in range(1000)))
    assert [turns.pop() for _ in range(3)] == [("a", "a0"), ("a", "a1"), ("a", "a2")]
    turns.add("b", "b1")
    assert [turns.pop() for _ in range(2)] == [("a", "a3"), ("b", "b1")]


def test_what_waits_no_more_takes_no_turn() -> None:
    turns = filled("a1", "a2", "b1")
    turns.remove("b", "b1")
    turns.remove("b", "b1")
    turns.remove("a", "a9")
    assert drained(turns) == ["a1", "a2"]


def test_who_has_most_makes_room_for_who_has_less() -> None:
    turns = filled("a1", "a2", "a3", "b1")
    assert turns.displace("c") == "a3"
    assert turns.displace("b") is None, "two would be as many as the other has"
    assert turns.displace("a") is None
    assert drained(turns) == ["a1", "b1", "a2"]
    assert turns.displace("a") is None

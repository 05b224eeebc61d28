"""The page of states is what the tables say."""

from __future__ import annotations

import sys

import pytest

from replicator import reference
from replicator.core.accept import PROTECTION
from replicator.core.authority import TRANSITIONS, Cue, Move
from replicator.core.values import Role


def test_the_committed_page_is_fresh() -> None:
    assert reference.PAGE.read_text() == reference.page()


def test_every_transition_is_drawn_and_in_a_row() -> None:
    text = reference.page()
    moves = [(pair, move.role) for pair, move in TRANSITIONS.items()]
    for (state, event), to in (*moves, *PROTECTION.items()):  # never in one dictionary: numbers of two enums are equal
        assert f"| `{state.name.lower()}` | `{event.name.lower()}` | `{to.name.lower()}` |" in text
        assert f"    {state.name.lower()} --> {to.name.lower()}: " in text


def test_a_page_that_does_not_tell_a_new_transition_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = reference.FIGURES[0]
    monkeypatch.setitem(figure.moves, (Role.FENCED, Cue.DEMOTED), Move(Role.PASSIVE, "new").role)
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])
    with pytest.raises(SystemExit, match="is stale"):
        reference.main()


def test_every_state_and_event_has_its_words() -> None:
    for figure in reference.FIGURES:
        states, events = type(figure.first), {type(event) for _, event in figure.moves}
        assert figure.states.keys() == set(states)
        assert figure.events.keys() == {event for kind in events for event in kind}

from __future__ import annotations

import pytest

from mtad.sieve.actions import Action, Discard, FileInto, Keep, Log, Redirect
from mtad.sieve.edits import AddField, DeleteFields
from mtad.sieve.results import has_implicit_keep, results
from tests.fakes.sieve_facts import StillFacts, run_plain

KEPT = Keep.KEEP


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ((), True),
        ((Log("a"),), True),
        ((KEPT,), False),
        ((Discard(),), False),
        ((FileInto("a"),), False),
        ((Redirect("a@x.example"),), False),
        ((FileInto("a", is_copy=True), Redirect("a@x.example", is_copy=True)), True),
        ((FileInto("a", is_copy=True), FileInto("a")), False),
    ],
)
def test_the_implicit_keep_is_what_nothing_cancelled(actions: tuple[Action, ...], expected: bool) -> None:
    assert has_implicit_keep(actions) is expected


def test_a_refusal_cancels_it_too() -> None:
    assert not has_implicit_keep(run_plain('require "reject"; reject "no";', StillFacts()))


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ((), (KEPT,)),
        ((KEPT, KEPT), (KEPT,)),
        ((FileInto("a"), FileInto("b"), FileInto("a", is_copy=True)), (FileInto("a"), FileInto("b"))),
        ((Redirect("a@x.example", is_copy=True),), (Redirect("a@x.example", is_copy=True), KEPT)),
        ((Discard(), KEPT), (Discard(), KEPT)),
        ((AddField("a", "b"), AddField("a", "b"), DeleteFields("a", (0,)), FileInto("c")), (FileInto("c"),)),
    ],
)
def test_each_thing_is_done_once(actions: tuple[Action, ...], expected: tuple[Action, ...]) -> None:
    assert results(actions) == expected

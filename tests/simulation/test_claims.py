"""Claims: they hide nothing for ever, and what a node comes back in time to tell is not delivered again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from replicator.core.values import PartValue
from tests.simulation import campaign
from tests.simulation.campaign import CALM, CONTENDED, TROUBLE, WIRES
from tests.simulation.claims import claimant, claimed, given_back, is_anothers
from tests.simulation.clock import SECOND
from tests.simulation.ranks import DEFERRED, QUEUED
from tests.simulation.script import draw

LATE_WORD = replace(TROUBLE, menu=("slow link", "kill the owner"), letters=(12, 20))


def test_calm_histories_claim_everything_and_deliver_it_once() -> None:
    total = campaign.run(range(1, 16), replace(CALM, claim_share=1.0))
    assert total.failures == []
    assert total.counts["acknowledged"] > 80
    assert total.counts["duplicate"] == total.counts["claim given back"] == 0


def _late(counts: Counter[str]) -> int:
    """Count the duplicates of what the node that had delivered it could have told."""
    return (
        counts["duplicate: the result was not here yet"]
        + counts["duplicate: the process ended before its result was here"]
    )


def test_what_the_other_comes_back_to_tell_is_seldom_delivered_again() -> None:
    without = campaign.run(range(1, 61), replace(LATE_WORD, claim_share=0.0))
    with_claims = campaign.run(range(1, 61), replace(LATE_WORD, claim_share=1.0))
    assert without.failures == with_claims.failures == []
    assert _late(without.counts) > 20
    assert _late(with_claims.counts) < _late(without.counts) // 3
    assert with_claims.counts["claim honoured after a takeover"] > 20


def test_a_claim_below_an_outcome_that_its_node_had_not_heard_of_binds_nobody() -> None:
    """A node that its host held claims what the other has tried meanwhile, tells it so, and steps down."""
    drawn = draw(6012818, WIRES)
    script = replace(
        drawn,
        noise=71249955,
        trouble=max(posting.when for posting in drawn.postings) + SECOND,
        deeds=tuple(deed for deed in drawn.deeds if deed.name == "hold the machine"),
        postings=tuple(posting for posting in drawn.postings if posting.name in {"m4", "m6", "m7", "m8"}),
        backups=(),
    )
    world, failure = campaign.play_script(script)
    assert failure is None
    assert world.clock.counts["deposed owner steps down"] == 1


def test_what_two_owners_claim_at_once_is_found_by_who_takes_over() -> None:
    """The mutant `claim-given-back-late` breaks this."""
    total = campaign.run(range(1, 41), CONTENDED)
    assert total.failures == []
    assert total.counts["claim given back"] > 60
    assert total.counts["claim honoured after a takeover"] > 20


def test_each_state_of_a_claim_joins_above_the_one_before() -> None:
    queued = PartValue(QUEUED, 0, 700, 100, b"")
    claim = claimed(queued, 1, 650, 4_000)  # by a clock that is behind
    outcome = PartValue(DEFERRED, 1, 600, 300, b"reply")
    assert queued < claim < given_back(claim) < outcome
    assert (claimant(claim), claim.rank, claim.attempts, claim.due) == (1, QUEUED, 0, 4_000)
    assert is_anothers(claim, 0)
    assert not is_anothers(claim, 1)
    assert claimant(given_back(claim)) is claimant(outcome) is None

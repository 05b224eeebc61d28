"""Every state has one answer to every event: a transition, or the reason why there is none."""

from __future__ import annotations

from enum import IntEnum

import pytest

from replicator.core import standing
from replicator.core.accept import PROTECTION, Sign
from replicator.core.authority import TRANSITIONS, Cue
from replicator.core.standing import PROTECTION_STAYS, ROLE_STAYS
from replicator.core.values import Protection, Role


@pytest.mark.parametrize(
    ("states", "events", "moves", "stays"),
    [(Role, Cue, TRANSITIONS, ROLE_STAYS), (Protection, Sign, PROTECTION, PROTECTION_STAYS)],
)
def test_every_pair_is_in_one_table(
    states: type[IntEnum], events: type[IntEnum], moves: dict[object, object], stays: dict[object, str]
) -> None:
    every = {(state, event) for state in states for event in events}
    assert every - moves.keys() - stays.keys() == set()
    assert moves.keys() & stays.keys() == set()
    assert all(stays.values())


def test_a_pair_that_stays_for_two_reasons_is_refused() -> None:
    stay = standing._Stay("one", (Role.ACTIVE,), (Cue.DRAIN,))
    with pytest.raises(ValueError, match="stays for two reasons: one; other"):
        standing._spread((stay, stay._replace(why="other")))

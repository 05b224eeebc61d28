"""What moves no state, and why: with TRANSITIONS and PROTECTION, what every state answers to everything.

A role that is told something it has no transition for stays as it is. That this is meant, and not forgotten, is said
here; a test holds that each pair is in exactly one table.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, TypeVar

from replicator.core.accept import Sign
from replicator.core.authority import HOLDING, OWNING, STANDING_BY, Cue
from replicator.core.values import Protection, Role

State = TypeVar("State", bound=IntEnum)


class _Stay(NamedTuple):
    why: str
    states: tuple[IntEnum, ...]
    events: tuple[IntEnum, ...]


def _all_but(*states: State) -> tuple[State, ...]:
    return tuple(state for state in type(states[0]) if state not in states)


_ROLES = (
    _Stay("it has a peer", (Role.REJOINING,), (Cue.ALONE,)),
    _Stay("it is promoting already", (Role.PROMOTING,), (Cue.ALONE, Cue.SILENCE, Cue.ORDERED)),
    _Stay("it is the owner already", HOLDING, (Cue.ALONE, Cue.SILENCE, Cue.HANDOVER, Cue.ORDERED)),
    _Stay("its claim was given up meanwhile", STANDING_BY, (Cue.CONFIRMED,)),
    _Stay("an owner acts under the epoch that it has claimed above another", HOLDING, (Cue.CONFIRMED,)),
    _Stay("there is no claim", STANDING_BY, (Cue.CONTESTED,)),
    _Stay("of two owners the epochs decide", HOLDING, (Cue.CONTESTED,)),
    _Stay("it has claimed nothing: silence alone is measured anew", STANDING_BY, (Cue.PAUSED,)),
    _Stay("what it owns by ends by itself, or by a higher epoch", HOLDING, (Cue.PAUSED,)),
    _Stay("it owns nothing", STANDING_BY, (Cue.OUTRANKED, Cue.EXPIRED, Cue.RENEWED, Cue.UNFIT)),
    _Stay("only an active owner drains", _all_but(Role.ACTIVE), (Cue.DRAIN,)),
    _Stay("nothing is being handed over", _all_but(Role.DRAINING), (Cue.HANDED_OVER, Cue.GIVEN_UP)),
    _Stay("it does not own", _all_but(*OWNING), (Cue.DEMOTED,)),
    _Stay("it did not come back to catch up", _all_but(Role.REJOINING), (Cue.CAUGHT_UP,)),
    _Stay("it claims the epoch in the role that it has", (Role.PROMOTING, *OWNING), (Cue.GRANTED,)),
    _Stay("its disk must have the epoch first", (Role.PROMOTING,), (Cue.RENEWED,)),
    _Stay("it goes on", OWNING, (Cue.RENEWED,)),
    _Stay("it has stopped already", (Role.FENCED,), (Cue.EXPIRED,)),
)

_PROTECTIONS = (
    _Stay("it has all that it must have", (Protection.PROTECTED,), (Sign.CAUGHT_UP, Sign.GREETED, Sign.PROGRESS)),
    _Stay("nothing is heard without a link", (Protection.SUSPECT,), (Sign.PROGRESS, Sign.LINK_LOST, Sign.PEER_FULL)),
    _Stay("it was given up already", (Protection.DEGRADED,), (Sign.LINK_LOST, Sign.TIMEOUT, Sign.PEER_FULL)),
    _Stay("it is catching up already", (Protection.CATCHUP,), (Sign.GREETED, Sign.PROGRESS)),
    _Stay("nothing new waits for it, and what did is answered", (Protection.CATCHUP,), (Sign.TIMEOUT,)),
)


def _spread(stays: tuple[_Stay, ...]) -> dict[tuple[IntEnum, IntEnum], str]:
    """Return the reason for each pair. Errors: ValueError for one that has two."""
    spread: dict[tuple[IntEnum, IntEnum], str] = {}
    for why, states, events in stays:
        for pair in ((state, event) for state in states for event in events):
            if pair in spread:
                raise ValueError(f"{pair} stays for two reasons: {spread[pair]}; {why}")
            spread[pair] = why
    return spread


ROLE_STAYS = _spread(_ROLES)
PROTECTION_STAYS = _spread(_PROTECTIONS)

"""Writes docs/reference/replication-states.md from the transition tables: `python -m replicator.reference`.

With --check, only says whether the page is fresh.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from replicator.core.accept import PROTECTION, Sign
from replicator.core.authority import TRANSITIONS, Cue
from replicator.core.standing import PROTECTION_STAYS, ROLE_STAYS
from replicator.core.values import Protection, Role

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "replication-states.md"

Pair = tuple[IntEnum, IntEnum]

_HEAD = """\
# States of replication

<!-- Written by `python -m replicator.reference` from the tables of replicator/core. Change it there. -->

Two things about a node change by a table: its *role*, which says whether it may deliver, and its *protection*, which
says whether accepted mail waits for the second copy. [Who delivers](../explanation/authority.md) says what the roles
promise, [What 250 means](../explanation/guarantees.md) what the protection does. The figures are drawn from the tables
that the code runs by, and the tests hold that every state has an answer to every event.
"""

ROLES: dict[IntEnum, str] = {
    Role.PASSIVE: "takes mail, delivers nothing from the queue, stands by; every node starts so",
    Role.PROMOTING: "is about to own: the new epoch is on its way to the disk",
    Role.ACTIVE: "is the owner: it delivers",
    Role.DRAINING: "is the owner still, starts nothing new, and hands over",
    Role.REJOINING: "was the owner until it heard of a higher epoch; it gets what it lacks",
    Role.FENCED: "is the owner by its epoch, but nobody's word that it may deliver holds: it takes mail and waits",
}
CUES: dict[IntEnum, str] = {
    Cue.ALONE: "no peer is configured",
    Cue.SILENCE: "no active node was heard for long enough, while this one ran",
    Cue.HANDOVER: "the owner has drained and names this node",
    Cue.ORDERED: "`mtactl replica promote`",
    Cue.CONFIRMED: "the new epoch is on the disk, and still no active node was heard",
    Cue.CONTESTED: "an active node was heard while the epoch was on its way to the disk",
    Cue.PAUSED: "this process stood still for a while",
    Cue.OUTRANKED: "a higher epoch was heard of",
    Cue.DRAIN: "`mtactl replica switchover`",
    Cue.HANDED_OVER: "drained, and the peer has everything",
    Cue.GIVEN_UP: "draining took too long, or the peer went away meanwhile",
    Cue.DEMOTED: "`mtactl replica demote`",
    Cue.CAUGHT_UP: "this node has all that its peer has",
    Cue.GRANTED: "the witness grants a new epoch",
    Cue.EXPIRED: "neither the witness's lease nor the peer's consent holds any longer",
    Cue.RENEWED: "one of them holds again, under the same epoch",
    Cue.UNFIT: "the peer wrote a record that a later version brought, and that has to be understood",
}
PROTECTIONS: dict[IntEnum, str] = {
    Protection.PROTECTED: "the peer has all but the newest: mail waits for it",
    Protection.SUSPECT: "no link stands, and not for long: mail waits still",
    Protection.DEGRADED: "the peer was given up: nothing waits",
    Protection.CATCHUP: "the peer is back and gets what it lacks: nothing waits yet",
}
SIGNS: dict[IntEnum, str] = {
    Sign.CAUGHT_UP: "the peer has all but the newest",
    Sign.GREETED: "a link stands, and the peer lacks much",
    Sign.PROGRESS: "a peer that was given up confirms something again",
    Sign.LINK_LOST: "the link ended",
    Sign.TIMEOUT: "`ack_within_seconds` went by without an acknowledgement, or without a link",
    Sign.PEER_FULL: "the peer's disk is nearly full",
}


class Figure(NamedTuple):
    """One table, and what its states and events are called."""

    title: str
    first: IntEnum
    states: dict[IntEnum, str]
    events: dict[IntEnum, str]
    moves: dict[Pair, IntEnum]
    stays: dict[Pair, str]


FIGURES = (
    Figure(
        "Role",
        Role.PASSIVE,
        ROLES,
        CUES,
        {pair: move.role for pair, move in TRANSITIONS.items()},
        ROLE_STAYS,
    ),
    Figure("Protection", Protection.SUSPECT, PROTECTIONS, SIGNS, dict(PROTECTION.items()), PROTECTION_STAYS),
)


def _word(value: IntEnum) -> str:
    return value.name.lower()


def _diagram(figure: Figure) -> list[str]:
    """Return the figure as Mermaid draws it: one arrow from a state to another, with all that leads there."""
    arrows: dict[tuple[IntEnum, IntEnum], list[str]] = {}
    for (state, event), to in figure.moves.items():
        arrows.setdefault((state, to), []).append(_word(event))
    lines = [f"    {_word(state)} --> {_word(to)}: {', '.join(events)}" for (state, to), events in arrows.items()]
    return ["```mermaid", "stateDiagram-v2", f"    [*] --> {_word(figure.first)}", *lines, "```"]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    cells = [head, ("---",) * len(head), *rows]
    return [f"| {' | '.join(row)} |" for row in cells]


def _moves(figure: Figure) -> list[tuple[str, ...]]:
    """Return what each state does at each event that moves it."""
    rows: list[tuple[str, ...]] = []
    for state in figure.states:
        for event in figure.events:
            to = figure.moves.get((state, event))
            if to is not None:
                rows.append((f"`{_word(state)}`", f"`{_word(event)}`", f"`{_word(to)}`"))
    return rows


def _stays(figure: Figure) -> list[tuple[str, ...]]:
    """Return what each state stays at, in one row for each reason."""
    reasons: dict[tuple[IntEnum, str], list[str]] = {}
    for state in figure.states:
        for event in figure.events:
            why = figure.stays.get((state, event))
            if why is not None:
                reasons.setdefault((state, why), []).append(f"`{_word(event)}`")
    return [(f"`{_word(state)}`", ", ".join(events), why) for (state, why), events in reasons.items()]


def _section(figure: Figure) -> list[str]:
    states = [(f"`{_word(state)}`", text) for state, text in figure.states.items()]
    events = [(f"`{_word(event)}`", text) for event, text in figure.events.items()]
    return [
        f"## {figure.title}",
        "",
        *_table(("state", "what it means"), states),
        "",
        *_diagram(figure),
        "",
        *_table(("what happens", "when"), events),
        "",
        *_table(("in", "it happens", "then"), _moves(figure)),
        "",
        "Nothing changes:",
        "",
        *_table(("in", "it happens", "because"), _stays(figure)),
        "",
    ]


def page() -> str:
    """Return the text of the page."""
    return "\n".join([_HEAD, *(line for figure in FIGURES for line in _section(figure))])


def main() -> None:
    """Write the page, or check it."""
    text = page()
    is_fresh = PAGE.exists() and PAGE.read_text() == text
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text)
    elif not is_fresh:
        sys.exit("docs/reference/replication-states.md is stale; run `python -m replicator.reference`")


if __name__ == "__main__":
    main()

"""What a policy has noted at one stage for the stages behind it: of the session, a message or a recipient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Notes:
    """What is noted of one thing.

    variables   by their names, folded
    points      thousandths, by symbol
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    points: Mapping[str, int] = field(default_factory=dict)


NO_NOTES = Notes()


@dataclass(frozen=True, slots=True)
class Noted:
    """All that is noted when a stage has ended, with what was noted before it."""

    session: Notes = NO_NOTES
    message: Notes = NO_NOTES
    recipients: Mapping[str, Notes] = field(default_factory=dict)  # those of whom something is


NOTHING_NOTED = Noted()
